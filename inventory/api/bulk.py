"""Many corrections in one call: adjust stock, post movements, set prices; all of them or each on its own."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_WRITE, STOCK_POST
from inventory.api import aliases
from inventory.api.naming import CODE_LENGTH
from inventory.api.schemas import (
    BULK_MODES,
    MOVEMENT_TYPES,
    BulkAdjustShape,
    BulkMovementsShape,
    BulkOutcomeShape,
    BulkPriceShape,
)
from inventory.api.stock import TRANSFER_TYPES
from inventory.errors import ProductUnknown
from inventory.models import MovementType, StockOperation
from inventory.queries import product_ids_by_sku
from inventory.services import bulk, ledger
from inventory.services.bulk import ROWS_MAX, BulkLine, NewPrice, Outcome
from inventory.services.ledger import Movement
from workbox.core.api import ApiView, error_body
from workbox.core.errors import Invalid
from workbox.core.reading import Fields, canonical
from workbox.core.rendering import load_json
from workbox.core.schema import IDEMPOTENCY, answered, asked

MODE_TEXT = (
    f"Up to {ROWS_MAX} rows. `all_or_nothing` (unless told): one refused row refuses all, in one error. `each`: every "
    "row the rules allow is done, and the answer says what became of each. A body that makes no sense is 422."
)
DONE_EXAMPLE = {"mode": "all_or_nothing", "ok": 2, "failed": 0, "operation_ids": [7], "results": []}
EACH_EXAMPLE = {
    "mode": "each",
    "ok": 1,
    "failed": 1,
    "operation_ids": [],
    "results": [
        {"index": 0, "status": "ok", "error": None},
        {
            "index": 1,
            "status": "failed",
            "error": {
                "error": "Not found",
                "detail": "There is no product 99.",
                "type": "ProductUnknown",
                "code": "product_not_found",
            },
        },
    ],
}


def read_rows(request: Request) -> tuple[Fields, list[Fields]]:
    """The body (an object with `items`, or the bare list) and its rows; every fault of a row names its index."""
    body = load_json(request.body) if request.body.strip() else {}
    if isinstance(body, list):
        body = {"items": body}
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object with items, or the list of them.")
    fields = Fields(canonical(body, {"reason": ("notes",), "reference_number": ("reference",)}))
    rows = fields.objects("items", most=ROWS_MAX)
    if not rows and "items" not in fields.faults:
        fields.fault("items", "must not be empty")
    names = aliases.MOVEMENT | {"price": ("unit_price",)}
    return fields, [
        Fields(canonical(row, names, prefix=f"items.{index}."), prefix=f"items.{index}.", faults=fields.faults)
        for index, row in enumerate(rows)
    ]


def read_products(rows: Sequence[Fields]) -> list[int]:
    """Each row's product, by id or SKU; 0 for a SKU that nobody has."""
    named = [(row.identifier("product_id"), row.text("sku", max_length=CODE_LENGTH)) for row in rows]
    known = product_ids_by_sku([sku for number, sku in named if sku])
    found = []
    for row, (number, sku) in zip(rows, named, strict=True):
        if number is None and not sku:
            row.require("product_id")
        meant = known.get(sku, 0) if sku else number
        if number is not None and sku and meant != number:
            row.fault("sku", "names another product than product_id")
        found.append(meant or 0)
    return found


def unknown_skus(rows: Sequence[Fields], products: Sequence[int]) -> ProductUnknown | None:
    """The error for the SKUs that nobody has, or None when there are none."""
    missing = [
        row.text("sku", max_length=CODE_LENGTH) for row, product in zip(rows, products, strict=True) if not product
    ]
    if not missing:
        return None
    return ProductUnknown(f"There is no product with the SKU {', '.join(missing)}.", fields={"sku": ["unknown SKU"]})


def named(rows: Sequence[Fields], products: Sequence[int], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, with words for the SKUs that nobody has."""
    return [
        one if product else Outcome(one.index, unknown_skus([row], [product]))
        for row, product, one in zip(rows, products, outcomes, strict=True)
    ]


def outcome_body(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What became of each row."""
    failed = sum(one.error is not None for one in outcomes)
    results = [
        {
            "index": one.index,
            "status": "ok" if one.error is None else "failed",
            "error": None if one.error is None else error_body(one.error),
        }
        for one in outcomes
    ]
    return {"mode": "each", "ok": len(outcomes) - failed, "failed": failed, "operation_ids": [], "results": results}


def done_body(rows: int, operation_ids: Sequence[int] = ()) -> dict[str, Any]:
    """All of them are done."""
    return {"mode": BULK_MODES[0], "ok": rows, "failed": 0, "operation_ids": list(operation_ids), "results": []}


class BulkLinesView(ApiView):
    """Base of the two that post to the ledger."""

    required_capabilities = {"POST": STOCK_POST}
    kind: str

    def posted(self, request: Request, read: Callable[[Fields, int, int, str, str], BulkLine | None]) -> HttpResponse:
        """Read every row by `read(row, product id, warehouse id, reason, reference)` and post them."""
        fields, rows = read_rows(request)
        mode = fields.choice("mode", BULK_MODES) or BULK_MODES[0]
        reason = fields.text("reason", max_length=500)
        reference = fields.text("reference_number", max_length=100)
        products = read_products(rows)
        places = [row.identifier("warehouse_id") for row in rows]
        usual = ledger.default_warehouse().pk if rows and None in places else 0
        lines = [
            read(
                row,
                product,
                place or usual,
                row.text("reason", max_length=500) or reason,
                row.text("reference_number", max_length=100) or reference,
            )
            for row, product, place in zip(rows, products, places, strict=True)
        ]
        fields.check()
        whole = [line for line in lines if line is not None]
        unknown = unknown_skus(rows, products)

        def work() -> tuple[int, Any]:
            if mode == "each":
                return 200, outcome_body(named(rows, products, bulk.post_each(whole, kind=self.kind)))
            if unknown is not None:
                raise unknown
            return 200, done_body(len(whole), bulk.post_all(whole, kind=self.kind))

        return self.idempotent(work)


class BulkAdjustView(BulkLinesView):
    """Correct the stock of many products."""

    kind = StockOperation.Kind.ADJUSTMENT

    @extend_schema(
        summary="Adjust the stock of many products",
        description=f"A row's own `reason` goes before the body's; one of them is required. {MODE_TEXT}",
        parameters=[IDEMPOTENCY],
        request=BulkAdjustShape,
        responses={200: BulkOutcomeShape},
        examples=[
            asked(
                {
                    "mode": "all_or_nothing",
                    "reason": "Stocktaking",
                    "items": [{"product_id": 1, "quantity": 5}, {"sku": "LAPTOP-001", "quantity": -2}],
                }
            ),
            answered(DONE_EXAMPLE),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Adjust the stock of many products."""

        def read(row: Fields, product: int, place: int, reason: str, reference: str) -> BulkLine | None:
            row.require("quantity")
            quantity = row.quantity("quantity")
            if not reason:
                row.fault("reason", "this field is required: say why")
            if quantity is None:
                return None
            return BulkLine(Movement(product, place, MovementType.ADJUSTMENT, quantity), reason, reference)

        return self.posted(request, read)


class BulkMovementsView(BulkLinesView):
    """Post many movements."""

    kind = StockOperation.Kind.MOVEMENT

    @extend_schema(
        summary="Post many stock movements",
        description=f"Rows as for one movement; transfers have their own resource. {MODE_TEXT}",
        parameters=[IDEMPOTENCY],
        request=BulkMovementsShape,
        responses={200: BulkOutcomeShape},
        examples=[
            asked(
                {
                    "mode": "each",
                    "reference_number": "PO-2023-001",
                    "items": [
                        {"product_id": 1, "movement_type": "purchase", "quantity": 50, "unit_cost": 100},
                        {"product_id": 99, "movement_type": "damaged", "quantity": 1},
                    ],
                }
            ),
            answered(EACH_EXAMPLE),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Post many stock movements."""

        def read(row: Fields, product: int, place: int, reason: str, reference: str) -> BulkLine | None:
            row.require("quantity", "movement_type")
            quantity, kind = row.quantity("quantity"), row.choice("movement_type", MOVEMENT_TYPES)
            cost = row.money("unit_cost")
            if cost is not None and cost < 0:
                row.fault("unit_cost", "may not be negative")
            if kind in TRANSFER_TYPES:
                row.fault("movement_type", "comes from transfers only")
            if kind == MovementType.ADJUSTMENT and not reason:
                row.fault("reason", "this field is required for an adjustment")
            if quantity is None or kind is None:
                return None
            return BulkLine(Movement(product, place, kind, ledger.signed(kind, quantity), cost), reason, reference)

        return self.posted(request, read)


class BulkPriceView(ApiView):
    """Set many prices."""

    required_capabilities = {"POST": CATALOG_WRITE}

    @extend_schema(
        summary="Set the price of many products",
        description=f"An object with `items`, or the bare list; every product once. {MODE_TEXT}",
        parameters=[IDEMPOTENCY],
        request=BulkPriceShape,
        responses={200: BulkOutcomeShape},
        examples=[
            asked({"items": [{"product_id": 1, "price": 949.99}, {"sku": "LAPTOP-002", "price": 899}]}),
            answered(DONE_EXAMPLE | {"operation_ids": []}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Set the price of many products."""
        fields, rows = read_rows(request)
        mode = fields.choice("mode", BULK_MODES) or BULK_MODES[0]
        products = read_products(rows)
        prices = []
        seen: set[int] = set()
        for row, product in zip(rows, products, strict=True):
            row.require("price")
            price = row.money("price")
            if product and product in seen:
                row.fault("product_id", "stands in the list twice")
            seen.add(product)
            if price is not None:
                prices.append(NewPrice(product, price))
        fields.check()
        unknown = unknown_skus(rows, products)

        def work() -> tuple[int, Any]:
            if mode == "each":
                return 200, outcome_body(named(rows, products, bulk.price_each(prices)))
            if unknown is not None:
                raise unknown
            bulk.price_all(prices)
            return 200, done_body(len(prices))

        return self.idempotent(work)
