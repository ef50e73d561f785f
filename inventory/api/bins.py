"""Where a product stands in its warehouses, over REST."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import STOCK_POST, STOCK_READ
from inventory.api.schemas import BinShape, BinsWriteShape
from inventory.errors import ProductUnknown
from inventory.models import Product, StockLevel
from inventory.services import catalog
from workbox.core import walls
from workbox.core.api import ApiView, conditional, read_object
from workbox.core.numbers import to_json
from workbox.core.reading import Fields
from workbox.core.schema import answered, asked, in_path

BIN_LENGTH_MAX = 40
BIN_EXAMPLE = {"warehouse_id": 1, "warehouse_name": "Main store", "bin": "A-03-2"}


class BinsView(ApiView):
    """Aisle, shelf, box: what pick lists follow."""

    required_capabilities = {"GET": STOCK_READ, "PUT": STOCK_POST}

    @extend_schema(
        summary="Get a product's bins",
        parameters=[in_path("product_id")],
        responses={200: BinShape(many=True)},
        examples=[answered([BIN_EXAMPLE])],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Get a product's bins."""
        return conditional(request, to_json(bin_rows(int(product_id))))

    @extend_schema(
        summary="Set a product's bins",
        description="Warehouses that are not named keep theirs; an empty text takes one away.",
        parameters=[in_path("product_id")],
        request=BinsWriteShape,
        responses={200: BinShape(many=True)},
        examples=[asked({"bins": [{"warehouse_id": 1, "bin": "A-03-2"}]}), answered([BIN_EXAMPLE])],
    )
    def put(self, request: Request, product_id: str) -> HttpResponse:
        """Set a product's bins."""
        fields = Fields(read_object(request))
        wanted: dict[int, str] = {}
        for index, row in enumerate(fields.objects("bins", most=1000)):
            line = Fields(row, prefix=f"bins.{index}.", faults=fields.faults)
            line.require("warehouse_id", "bin")
            warehouse_id, where = line.identifier("warehouse_id"), line.text("bin", max_length=BIN_LENGTH_MAX)
            if warehouse_id in wanted:
                line.fault("warehouse_id", "is named twice")
            if warehouse_id is not None:
                wanted[warehouse_id] = where
        fields.check()

        def work() -> tuple[int, Any]:
            catalog.set_bins(int(product_id), bins=wanted)
            return 200, bin_rows(int(product_id))

        return self.idempotent(work)


def bin_rows(product_id: int) -> list[dict[str, Any]]:
    """Where the product has a bin. Raises ProductUnknown."""
    if not Product.objects.filter(id=product_id).exists():
        raise ProductUnknown(f"There is no product {product_id}.")
    rows = walls.of(StockLevel.objects.filter(product_id=product_id).exclude(bin=""))
    return [
        {"warehouse_id": row.warehouse_id, "warehouse_name": row.warehouse.name, "bin": row.bin}
        for row in rows.select_related("warehouse").order_by("warehouse_id")
    ]
