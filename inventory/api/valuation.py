"""What the stock is worth, over REST."""

from datetime import UTC, datetime

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import REPORTS_READ
from inventory.api.moments import AS_OF, read_as_of
from inventory.api.schemas import ValuationShape
from inventory.errors import WarehouseUnknown
from inventory.models import Warehouse
from inventory.queries.valuation import Worth, valuation_rows, valuation_totals
from workbox.core import walls
from workbox.core.api import ApiView, Page, conditional, page_body, read_window
from workbox.core.numbers import to_json
from workbox.core.reading import Query
from workbox.core.schema import answered, in_query

CATEGORY_LENGTH = 100


class ValuationView(ApiView):
    """Stock in money."""

    required_capabilities = {"GET": REPORTS_READ}
    pagination_class = Page

    @extend_schema(
        summary="Value the stock",
        description=(
            "Units on hand × their moving average cost (weighted average, IAS 2), now or `as_of` a past moment; the "
            "most valuable first. Beside the page, `totals` are over all of it; `without_cost` counts products "
            "nobody knows the cost of. A cost posted late counts from the newest change on: values of past days stay."
        ),
        parameters=[AS_OF, in_query("warehouse_id", int), in_query("category", text="Name, in any case.")],
        responses={200: ValuationShape(many=True)},
        examples=[
            answered(
                {
                    "product_id": 1,
                    "sku": "LAPTOP-001",
                    "name": "Laptop Computer",
                    "category": "Electronics",
                    "on_hand": 50,
                    "average_cost": 702.5,
                    "value": 35125,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Value the stock."""
        query = Query(request.GET)
        moment = read_as_of(query) or datetime.now(UTC)
        place = query.identifier("warehouse_id")
        wanted = Worth(moment, place, query.text("category", max_length=CATEGORY_LENGTH))
        query.check()
        if place is not None and not walls.within(Warehouse.objects.filter(id=place), "id").exists():
            raise WarehouseUnknown(f"There is no warehouse {place}.")
        offset, limit = read_window(request.GET)
        totals = valuation_totals(wanted)
        body = page_body(request, valuation_rows(wanted, offset=offset, limit=limit), totals["products"], offset, limit)
        # Without `as_of` the moment is not named, so that an unchanged answer keeps its ETag.
        return conditional(request, to_json(body | {"totals": totals, "as_of": moment if query.has("as_of") else None}))
