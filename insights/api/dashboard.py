"""The dashboard over REST: what its sockets send."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from insights.api.reading import ReportView
from insights.api.schemas import SnapshotShape
from insights.snapshot import snapshot
from workbox.core.schema import answered


class SnapshotView(ReportView):
    """The dashboard as it is now."""

    @extend_schema(
        summary="The dashboard's figures",
        description="The same as a frame of `/ws/dashboard`.",
        responses={200: SnapshotShape},
        examples=[
            answered(
                {
                    "updated_at": "2026-01-15T10:30:00Z",
                    "daily_snapshot": {"today_sales": 1200, "yesterday_sales": 1000, "growth": 20},
                    "inventory_alerts": [{"product": "Cable", "current_stock": 3, "min_required": 10, "product_id": 2}],
                    "inventory_alerts_total": 1,
                    "top_performers": [{"product": "Laptop", "product_id": 1, "units_sold": 2, "revenue": 1999.98}],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """The dashboard's figures."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """The snapshot."""
        return snapshot()
