"""Thresholds per warehouse over REST."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_WRITE, STOCK_READ
from inventory.api.schemas import ThresholdShape, ThresholdsWriteShape
from inventory.errors import ProductUnknown
from inventory.models import Product, StockLevel
from inventory.services import catalog
from workbox.core import walls
from workbox.core.api import ApiView, conditional, read_object
from workbox.core.numbers import to_json
from workbox.core.reading import Fields
from workbox.core.schema import answered, asked, in_path

THRESHOLD_EXAMPLE = {"warehouse_id": 1, "warehouse_name": "Main store", "reorder_threshold": 5, "available": 12}


class ThresholdsView(ApiView):
    """At how many a product is low in one warehouse."""

    required_capabilities = {"GET": STOCK_READ, "PUT": CATALOG_WRITE}

    @extend_schema(
        summary="Get a product's thresholds per warehouse",
        parameters=[in_path("product_id")],
        responses={200: ThresholdShape(many=True)},
        examples=[answered([THRESHOLD_EXAMPLE])],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Get a product's thresholds per warehouse."""
        return conditional(request, to_json(threshold_rows(int(product_id))))

    @extend_schema(
        summary="Set a product's thresholds per warehouse",
        description="Warehouses that are not named keep theirs; null takes one away. Alerts follow at once.",
        parameters=[in_path("product_id")],
        request=ThresholdsWriteShape,
        responses={200: ThresholdShape(many=True)},
        examples=[
            asked({"thresholds": [{"warehouse_id": 1, "reorder_threshold": 5}]}),
            answered([THRESHOLD_EXAMPLE]),
        ],
    )
    def put(self, request: Request, product_id: str) -> HttpResponse:
        """Set a product's thresholds per warehouse."""
        fields = Fields(read_object(request))
        wanted: dict[int, Decimal | None] = {}
        for index, row in enumerate(fields.objects("thresholds", most=1000)):
            line = Fields(row, prefix=f"thresholds.{index}.", faults=fields.faults)
            line.require("warehouse_id")
            warehouse_id = line.identifier("warehouse_id")
            threshold = line.quantity("reorder_threshold")
            if threshold is not None and threshold < 0:
                line.fault("reorder_threshold", "may not be negative")
            if warehouse_id in wanted:
                line.fault("warehouse_id", "is named twice")
            if warehouse_id is not None:
                wanted[warehouse_id] = threshold
        fields.check()

        def work() -> tuple[int, Any]:
            catalog.set_thresholds(int(product_id), thresholds=wanted)
            return 200, threshold_rows(int(product_id))

        return self.idempotent(work)


def threshold_rows(product_id: int) -> list[dict[str, Any]]:
    """The warehouses with a threshold of their own for the product. Raises ProductUnknown."""
    if not Product.objects.filter(id=product_id).exists():
        raise ProductUnknown(f"There is no product {product_id}.")
    rows = walls.of(StockLevel.objects.filter(product_id=product_id, reorder_threshold__isnull=False))
    return [
        {
            "warehouse_id": row.warehouse_id,
            "warehouse_name": row.warehouse.name,
            "reorder_threshold": row.reorder_threshold,
            "available": row.available,
        }
        for row in rows.select_related("warehouse").order_by("warehouse_id")
    ]
