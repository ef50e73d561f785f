"""The stock ledger over REST: adjust, post movements, read them, reverse an operation."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import LEDGER_READ, STOCK_POST
from inventory.api import aliases
from inventory.api.schemas import (
    MOVEMENT_TYPES,
    OPERATION_KINDS,
    AdjustShape,
    HistoryShape,
    MovementShape,
    MovementWriteShape,
    OperationRowShape,
    OperationShape,
    PostedShape,
    ReasonShape,
)
from inventory.errors import ProductUnknown
from inventory.models import MovementType, Product
from inventory.queries import (
    MovementFilter,
    OperationFilter,
    find_movements,
    find_operations,
    history_rows,
    movement_rows,
    operation_detail,
    operation_rows,
)
from inventory.services import ledger
from inventory.services.ledger import Movement, Posted
from workbox.core.api import ActionView, ApiView, Page, conditional, read_object, read_page, read_window
from workbox.core.errors import NotFound, RuleViolation
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query, canonical
from workbox.core.schema import DATES, IDEMPOTENCY, action_schema, answered, asked, in_path, in_query

TRANSFER_TYPES = frozenset({MovementType.TRANSFER_IN.value, MovementType.TRANSFER_OUT.value})
MOVEMENT_EXAMPLE = {
    "id": 7,
    "operation_id": 5,
    "product_id": 1,
    "product_name": "Laptop Computer",
    "sku": "LAPTOP-001",
    "warehouse_id": 1,
    "warehouse_name": "Main store",
    "movement_type": "purchase",
    "quantity": 50,
    "unit_cost": 100,
    "balance_after": 50,
    "reference_number": "PO-2023-001",
    "reason": "Initial stock purchase",
    "created_by": 2,
    "created_at": "2026-01-15T10:30:00Z",
    "total_cost": 5000,
}
POSTED_EXAMPLE = MOVEMENT_EXAMPLE | {"stock_quantity": 50, "on_hand": 50, "reserved": 0}
HISTORY_EXAMPLE = MOVEMENT_EXAMPLE | {"balance": 50}
OPERATION_EXAMPLE = {
    "id": 6,
    "kind": "reversal",
    "reason": "Booked twice",
    "reference_number": "",
    "created_by": 2,
    "request_id": "5f0c6c1e",
    "reverses_id": 5,
    "reversed_by": None,
    "occurred_at": "2026-01-15T10:30:00Z",
    "created_at": "2026-01-15T10:30:00Z",
    "movements": [
        MOVEMENT_EXAMPLE
        | {"id": 8, "operation_id": 6, "movement_type": "adjustment", "quantity": -50, "balance_after": 0}
    ],
}
OPERATION_ROW_EXAMPLE = {name: value for name, value in OPERATION_EXAMPLE.items() if name != "movements"} | {
    "movement_count": 1
}
FILTERS = [
    in_query("warehouse_id", int),
    in_query("movement_type", enum=MOVEMENT_TYPES),
    in_query("reference", text="Exactly this reference number."),
    in_query("search", text="Part of product name, SKU, warehouse, reference or reason, in any case."),
    *DATES,
    in_query("sort_by", enum=["created_asc", "created_desc"]),
    in_query("cursor", text="Keyset pages: empty to begin, then as `next` says; `count` is null then."),
]


def read_filter(query: Query, product_id: int | None = None) -> MovementFilter:
    """What the query string asks of the ledger; the caller checks the query."""
    starts, ends = (
        ("start_date", "end_date")
        if query.has("start_date") or query.has("end_date")
        else (
            "created_from_date",
            "created_to_date",
        )
    )
    return MovementFilter(
        product_id=product_id or query.identifier("product_id"),
        warehouse_id=query.identifier("warehouse_id"),
        movement_type=query.choice("movement_type", MOVEMENT_TYPES),
        reference=query.text("reference", max_length=100) or query.text("reference_number", max_length=100),
        search=query.text("search", max_length=200),
        created_from=query.moment(starts),
        created_to=query.moment(ends, end_of_day=True),
        newest_first=query.order({"created": "id", "created_at": "id", "id": "id"}, default="-id") == ("-id",),
    )


def ledger_page(
    request: Request, rows_of: Callable[[list[int]], list[Any]], *, product_id: int | None = None
) -> HttpResponse:
    """A page of movements: by number, or from a cursor on when the query names one."""
    query = Query(request.GET)
    wanted = read_filter(query, product_id)
    if "cursor" not in request.GET:
        query.check()
        return conditional(request, to_json(read_page(request, find_movements(wanted), rows_of)))
    cursor = query.identifier("cursor")
    query.check()
    _, limit = read_window(request.GET)
    found = find_movements(wanted)
    if cursor is not None:
        found = found.filter(id__lt=cursor) if wanted.newest_first else found.filter(id__gt=cursor)
    ids = list(found.values_list("id", flat=True)[: limit + 1])
    following = dict(request.GET.items()) | {"cursor": ids[limit - 1]} if len(ids) > limit else None
    body = {
        "count": None,
        "next": f"{request.path}?{urlencode(following)}" if following else None,
        "previous": None,
        "results": rows_of(ids[:limit]),
    }
    return conditional(request, to_json(body))


def posted_body(posted: Posted) -> dict[str, Any]:
    """The (one) movement just posted, with its product's stock after it."""
    row = movement_rows(posted.movement_ids)[0]
    stock = posted.stock[row["product_id"]]
    return row | {"stock_quantity": stock.available, "on_hand": stock.on_hand, "reserved": stock.reserved}


def _read_line(request: Request) -> Fields:
    fields = Fields(canonical(read_object(request), aliases.MOVEMENT))
    fields.require("product_id", "quantity")
    return fields


class MovementListView(ApiView):
    """The ledger, read only."""

    required_capabilities = {"GET": LEDGER_READ}
    pagination_class = Page

    @extend_schema(
        summary="List stock movements",
        description="In the order they were posted, newest first.",
        parameters=[in_query("product_id", int), *FILTERS],
        responses={200: MovementShape(many=True)},
        examples=[answered(MOVEMENT_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List stock movements."""
        return ledger_page(request, movement_rows)


class MovementsView(MovementListView):
    """The ledger: read it, add to it. Nothing in it is ever changed."""

    required_capabilities = {"GET": LEDGER_READ, "POST": STOCK_POST}

    @extend_schema(
        summary="Post a stock movement",
        description=(
            "The sign follows the type (purchase and return +, sale and damaged −), whatever sign is sent; an "
            "adjustment keeps its own and needs a reason. Transfers between warehouses have their own resource."
        ),
        parameters=[IDEMPOTENCY],
        request=MovementWriteShape,
        responses={201: PostedShape},
        examples=[
            asked(
                {
                    "product_id": 1,
                    "warehouse_id": 1,
                    "movement_type": "purchase",
                    "quantity": 50,
                    "unit_cost": 100.00,
                    "reference_number": "PO-2023-001",
                    "notes": "Initial stock purchase",
                }
            ),
            answered(POSTED_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Post a stock movement."""
        fields = _read_line(request)
        fields.require("movement_type")
        product_id, quantity = fields.identifier("product_id"), fields.quantity("quantity")
        movement_type = fields.choice("movement_type", MOVEMENT_TYPES)
        warehouse_id = fields.identifier("warehouse_id")
        unit_cost = fields.money("unit_cost")
        reference, reason = fields.text("reference_number", max_length=100), fields.text("reason", max_length=500)
        if unit_cost is not None and unit_cost < 0:
            fields.fault("unit_cost", "may not be negative")
        if movement_type == MovementType.ADJUSTMENT and not reason:
            fields.fault("reason", "this field is required for an adjustment")
        fields.check()
        assert product_id is not None and quantity is not None and movement_type is not None  # noqa: S101, PT018  (checked)
        if movement_type in TRANSFER_TYPES:
            raise RuleViolation(
                f"A {movement_type} comes from a transfer only, which moves both sides:"
                " create one (POST /api/v1/stock-transfers/).",
                code="use_a_transfer",
                fields={"movement_type": ["comes from transfers only"]},
            )

        def work() -> tuple[int, Any]:
            place = warehouse_id or ledger.default_warehouse().pk
            line = Movement(product_id, place, movement_type, ledger.signed(movement_type, quantity), unit_cost)
            return 201, posted_body(ledger.post([line], reason=reason, reference=reference))

        return self.idempotent(work)


class MovementView(ApiView):
    """One line of the ledger."""

    required_capabilities = {"GET": LEDGER_READ}

    @extend_schema(
        summary="Get a stock movement",
        parameters=[in_path("movement_id")],
        responses={200: MovementShape},
        examples=[answered(MOVEMENT_EXAMPLE)],
    )
    def get(self, request: Request, movement_id: str) -> HttpResponse:
        """Get a stock movement."""
        rows = movement_rows([int(movement_id)])
        if not rows:
            raise NotFound(f"There is no stock movement {movement_id}.")
        return conditional(request, to_json(rows[0]))


class AdjustView(ApiView):
    """Correct the stock of a product."""

    required_capabilities = {"POST": STOCK_POST}

    @extend_schema(
        summary="Adjust stock",
        description="A positive quantity adds, a negative one takes away; `reason` (or `notes`) is required.",
        parameters=[IDEMPOTENCY],
        request=AdjustShape,
        responses={201: PostedShape},
        examples=[
            asked({"product_id": 1, "quantity": 50, "reason": "Received shipment from vendor"}),
            answered(POSTED_EXAMPLE | {"movement_type": "adjustment", "unit_cost": None, "total_cost": None}, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Adjust stock."""
        fields = _read_line(request)
        product_id, quantity = fields.identifier("product_id"), fields.quantity("quantity")
        warehouse_id = fields.identifier("warehouse_id")
        reference, reason = fields.text("reference_number", max_length=100), fields.text("reason", max_length=500)
        if not reason and "reason" not in fields.faults:
            fields.fault("reason", "this field is required: say why")
        fields.check()
        assert product_id is not None and quantity is not None  # noqa: S101, PT018  (checked)

        def work() -> tuple[int, Any]:
            posted = ledger.adjust(
                product_id, quantity=quantity, reason=reason, warehouse_id=warehouse_id, reference=reference
            )
            return 201, posted_body(posted)

        return self.idempotent(work)


class HistoryView(ApiView):
    """The movements of one product."""

    required_capabilities = {"GET": LEDGER_READ}
    pagination_class = Page

    @extend_schema(
        summary="Get a product's stock history",
        description="`balance` is the product's on-hand over all warehouses right after each movement.",
        parameters=[in_path("product_id"), *FILTERS, in_query("start_date"), in_query("end_date")],
        responses={200: HistoryShape(many=True)},
        examples=[answered(HISTORY_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Get a product's stock history."""
        if not Product.objects.filter(id=product_id).exists():
            raise ProductUnknown(f"There is no product {product_id}.")
        return ledger_page(request, history_rows, product_id=int(product_id))


class OperationsView(ApiView):
    """All acts on the ledger."""

    required_capabilities = {"GET": LEDGER_READ}
    pagination_class = Page

    @extend_schema(
        summary="List stock operations",
        description="Who did what and why, newest first; the dates are when it happened.",
        parameters=[
            in_query("kind", enum=OPERATION_KINDS),
            in_query("product_id", int, text="That moved this product."),
            in_query("warehouse_id", int, text="That moved stock here."),
            in_query("created_by", int, text="By this user."),
            in_query("reference", text="Exactly this reference number."),
            *DATES,
            in_query("sort_by", enum=["created_asc", "created_desc"]),
        ],
        responses={200: OperationRowShape(many=True)},
        examples=[answered(OPERATION_ROW_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List stock operations."""
        query = Query(request.GET)
        wanted = OperationFilter(
            kind=query.choice("kind", OPERATION_KINDS),
            product_id=query.identifier("product_id"),
            warehouse_id=query.identifier("warehouse_id"),
            actor_id=query.identifier("created_by") or query.identifier("actor"),
            reference=query.text("reference", max_length=100) or query.text("reference_number", max_length=100),
            occurred_from=query.moment("created_from_date"),
            occurred_to=query.moment("created_to_date", end_of_day=True),
            newest_first=query.order({"created": "id", "created_at": "id", "id": "id"}, default="-id") == ("-id",),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_operations(wanted), operation_rows)))


class OperationView(ApiView):
    """One act on the ledger."""

    required_capabilities = {"GET": LEDGER_READ}

    @extend_schema(
        summary="Get a stock operation",
        description="Who did what and why, with its movements.",
        parameters=[in_path("operation_id")],
        responses={200: OperationShape},
        examples=[answered(OPERATION_EXAMPLE)],
    )
    def get(self, request: Request, operation_id: str) -> HttpResponse:
        """Get a stock operation."""
        found = operation_detail(int(operation_id))
        if found is None:
            raise NotFound(f"There is no stock operation {operation_id}.")
        return conditional(request, to_json(found))


@action_schema(
    summary="Reverse a stock operation",
    description="Posts a counter-operation that points at it; possible once. Shipments, returns, receipts "
    "and transfers belong to their document: the refusal names what to do instead.",
    parameters=[in_path("operation_id"), IDEMPOTENCY],
    request=ReasonShape,
    responses={201: OperationShape},
    examples=[asked({"reason": "Booked twice"}), answered(OPERATION_EXAMPLE, 201)],
)
class ReverseView(ActionView):
    """Undo an operation by a counter-operation."""

    required_capabilities = ActionView.needs(STOCK_POST)

    def act(self, request: Request, operation_id: str) -> HttpResponse:
        """Reverse a stock operation."""
        fields = Fields(canonical(read_object(request), {"reason": ("notes",)}))
        reason = fields.text("reason", max_length=500)
        if not reason and not fields.faults:
            fields.fault("reason", "this field is required: say why")
        fields.check()

        def work() -> tuple[int, Any]:
            return 201, operation_detail(ledger.reverse(int(operation_id), reason=reason).operation_id)

        return self.idempotent(work)
