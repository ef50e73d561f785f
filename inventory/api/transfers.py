"""Transfers between warehouses over REST: they read the request, call one service and show the transfer."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import LEDGER_READ, STOCK_POST
from inventory.api.naming import ALIASES, read_name, resolve
from inventory.api.schemas import (
    TRANSFER_STATUSES,
    TransferCancelShape,
    TransferCompleteShape,
    TransferShape,
    TransferWriteShape,
)
from inventory.queries import TRANSFER_ORDER, TransferFilter, find_transfers
from inventory.services import transfers
from inventory.services.transfers import LINES_MAX, Arrival, MovedGoods
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.errors import RuleViolation
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query, canonical
from workbox.core.schema import DATES, IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

ZERO = Decimal(0)
BODY_ALIASES = {
    **ALIASES,
    "transfer_reference": ("reference", "reference_number"),
    "notes": ("reason",),
    "from_warehouse_id": ("source_warehouse_id",),
    "to_warehouse_id": ("destination_warehouse_id",),
}
TRANSFER_EXAMPLE = {
    "id": 1,
    "status": "pending",
    "from_warehouse_id": 1,
    "from_warehouse_name": "Main store",
    "to_warehouse_id": 2,
    "to_warehouse_name": "Annex",
    "transfer_reference": "TRANS-001",
    "notes": "Moving to secondary warehouse",
    "product_id": 1,
    "quantity": 10,
    "items": [
        {
            "id": 1,
            "product_id": 1,
            "sku": "LAPTOP-001",
            "name": "Laptop Computer",
            "quantity": 10,
            "received": 0,
            "lost": 0,
            "damaged": 0,
        }
    ],
    "created_by": 2,
    "created_at": "2026-01-15T10:30:00Z",
    "dispatched_at": None,
    "completed_at": None,
    "cancelled_at": None,
    "updated_at": "2026-01-15T10:30:00Z",
}
SENT_EXAMPLE = TRANSFER_EXAMPLE | {"status": "in_transit", "dispatched_at": "2026-01-15T11:00:00Z"}
DONE_EXAMPLE = SENT_EXAMPLE | {
    "status": "completed",
    "completed_at": "2026-01-16T09:00:00Z",
    "items": [TRANSFER_EXAMPLE["items"][0] | {"received": 8, "lost": 1, "damaged": 1}],  # type: ignore[index]  # an example: a list of rows
}
OFF_EXAMPLE = TRANSFER_EXAMPLE | {"status": "cancelled", "cancelled_at": "2026-01-15T11:00:00Z"}


def transfer_body(goods: MovedGoods) -> dict[str, Any]:
    """A transfer as every answer shows it; `product_id` and `quantity` are the line's when there is only one."""
    only = goods.lines[0] if len(goods.lines) == 1 else None
    return {
        "id": goods.id,
        "status": goods.status,
        "from_warehouse_id": goods.from_warehouse_id,
        "from_warehouse_name": goods.from_warehouse,
        "to_warehouse_id": goods.to_warehouse_id,
        "to_warehouse_name": goods.to_warehouse,
        "transfer_reference": goods.reference,
        "notes": goods.notes,
        "product_id": only.product_id if only else None,
        "quantity": only.quantity if only else None,
        "items": [
            {
                "id": line.id,
                "product_id": line.product_id,
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "received": line.received,
                "lost": line.lost,
                "damaged": line.damaged,
            }
            for line in goods.lines
        ],
        "created_by": goods.created_by,
        "created_at": goods.created_at,
        "dispatched_at": goods.dispatched_at,
        "completed_at": goods.completed_at,
        "cancelled_at": goods.cancelled_at,
        "updated_at": goods.updated_at,
    }


def _rows(ids: list[int]) -> list[dict[str, Any]]:
    return [transfer_body(one) for one in transfers.read_transfers(ids)]


def read_items(fields: Fields) -> dict[int, Decimal]:
    """Product id → quantity: from `items`, or from the body itself when it names one product."""
    if fields.sent("items") and (fields.has("product_id") or fields.has("sku") or fields.has("barcode")):
        fields.fault("items", "send either items or one product, not both")
    rows = fields.objects("items", most=LINES_MAX)
    lines = [(fields, "")]
    if fields.sent("items"):
        lines = []
        for index, row in enumerate(rows):
            here = f"items.{index}."
            lines.append((Fields(canonical(row, ALIASES, prefix=here), prefix=here, faults=fields.faults), here))
    names, quantities = [], []
    for line, here in lines:
        line.require("quantity")
        names.append(read_name(line, prefix=here))
        quantities.append(line.quantity("quantity") or ZERO)
    fields.check()
    for (_, here), quantity in zip(lines, quantities, strict=True):
        if quantity <= 0:
            name = f"{here}quantity"
            raise RuleViolation(
                f"{name} must be above zero.", code="quantity_not_positive", fields={name: ["must be above zero"]}
            )
    wanted: dict[int, Decimal] = {}
    for (product_id, pack), quantity in zip(resolve(names), quantities, strict=True):
        wanted[product_id] = wanted.get(product_id, ZERO) + quantity * pack
    return wanted


class TransfersView(ApiView):
    """All transfers."""

    required_capabilities = {"GET": LEDGER_READ, "POST": STOCK_POST}
    pagination_class = Page

    @extend_schema(
        summary="List stock transfers",
        parameters=[
            in_query("status", enum=TRANSFER_STATUSES, text="In any case."),
            in_query("product_id", int),
            in_query("from_warehouse_id", int),
            in_query("to_warehouse_id", int),
            in_query("search", text="A transfer's number, or part of its reference, notes, warehouses or products."),
            in_query("sort_by", enum=["created_asc", "created_desc"]),
            in_query("ordering", text=f"Of {', '.join(TRANSFER_ORDER)}; `-` in front reverses."),
            *DATES,
        ],
        responses={200: TransferShape(many=True)},
        examples=[answered(TRANSFER_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List stock transfers."""
        query = Query(request.GET)
        wanted = TransferFilter(
            status=query.choice("status", TRANSFER_STATUSES),
            product_id=query.identifier("product_id"),
            from_warehouse_id=query.identifier("from_warehouse_id"),
            to_warehouse_id=query.identifier("to_warehouse_id"),
            search=query.text("search", max_length=200),
            created_from=query.moment("created_from_date"),
            created_to=query.moment("created_to_date", end_of_day=True),
            order=query.order(TRANSFER_ORDER, default="-id"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_transfers(wanted), _rows)))

    @extend_schema(
        summary="Create a stock transfer",
        description=(
            "It is pending: its goods are reserved at the source, all lines or none. One product in the body, or "
            "several under `items`."
        ),
        parameters=[IDEMPOTENCY],
        request=TransferWriteShape,
        responses={201: TransferShape},
        examples=[
            asked(
                {
                    "product_id": 1,
                    "from_warehouse_id": 1,
                    "to_warehouse_id": 2,
                    "quantity": 10,
                    "transfer_reference": "TRANS-001",
                    "notes": "Moving to secondary warehouse",
                }
            ),
            answered(TRANSFER_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a stock transfer."""
        fields = Fields(canonical(read_object(request), BODY_ALIASES))
        fields.require("from_warehouse_id", "to_warehouse_id")
        source, destination = fields.identifier("from_warehouse_id"), fields.identifier("to_warehouse_id")
        reference = fields.text("transfer_reference", max_length=100)
        notes = fields.text("notes", max_length=500)
        items = read_items(fields)
        assert source is not None and destination is not None  # noqa: S101, PT018  (checked)

        def work() -> tuple[int, Any]:
            made = transfers.create_transfer(
                items, from_warehouse_id=source, to_warehouse_id=destination, reference=reference, notes=notes
            )
            return 201, transfer_body(made)

        return self.idempotent(work)


class TransferView(ApiView):
    """One transfer."""

    required_capabilities = {"GET": LEDGER_READ}

    @extend_schema(
        summary="Get a stock transfer",
        parameters=[in_path("transfer_id")],
        responses={200: TransferShape},
        examples=[answered(TRANSFER_EXAMPLE)],
    )
    def get(self, request: Request, transfer_id: str) -> HttpResponse:
        """Get a stock transfer."""
        return conditional(request, to_json(transfer_body(transfers.read_transfer(int(transfer_id)))))


class TransferStepView(ActionView):
    """Base of a transfer's steps; a step refused by its status is a 409 with the current status."""

    required_capabilities = ActionView.needs(STOCK_POST)

    def act(self, request: Request, transfer_id: str) -> HttpResponse:
        """Take the step."""
        fields = Fields(canonical(read_object(request), {"reason": ("notes",)}))
        reason = fields.text("reason", max_length=400)
        step = self.read(fields)
        fields.check()
        number = int(transfer_id)

        def work() -> tuple[int, Any]:
            check_if_match(request, lambda: transfer_body(transfers.read_transfer(number, lock=True)))
            return 200, transfer_body(self.take(number, step, reason))

        return self.idempotent(work)

    def read(self, fields: Fields) -> Any:
        """What else the body says."""

    def take(self, transfer_id: int, step: Any, reason: str) -> MovedGoods:
        """The service."""
        raise NotImplementedError


@action_schema(
    summary="Dispatch a stock transfer",
    description="The goods leave the source (`transfer_out`) and are in transit.",
    parameters=[in_path("transfer_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: TransferShape},
    examples=[answered(SENT_EXAMPLE)],
)
class TransferDispatchView(TransferStepView):
    """The goods leave."""

    def take(self, transfer_id: int, step: Any, reason: str) -> MovedGoods:
        """Dispatch a stock transfer."""
        return transfers.dispatch_transfer(transfer_id)


@action_schema(
    summary="Complete a stock transfer",
    description=(
        "The goods are at the destination (`transfer_in`); a pending transfer is dispatched first, in the same "
        "transaction. `items` may say what did not arrive well: per product `received` + `lost` + `damaged` make up "
        "what was sent; a product that is not named arrived well."
    ),
    parameters=[in_path("transfer_id"), IDEMPOTENCY, IF_MATCH],
    request=TransferCompleteShape,
    responses={200: TransferShape},
    examples=[
        asked(
            {"items": [{"product_id": 1, "received": 8, "lost": 1, "damaged": 1}], "reason": "The van was broken into"}
        ),
        answered(DONE_EXAMPLE),
    ],
)
class TransferCompleteView(TransferStepView):
    """The goods have arrived."""

    def read(self, fields: Fields) -> dict[int, Arrival]:
        """What became of each product."""
        if fields.sent("items") and not fields.has("items"):
            return {}
        names, parts = [], []
        for index, row in enumerate(fields.objects("items", most=LINES_MAX)):
            here = f"items.{index}."
            line = Fields(canonical(row, ALIASES, prefix=here), prefix=here, faults=fields.faults)
            line.require("received")
            names.append(read_name(line, prefix=here))
            parts.append([line.quantity(name) or ZERO for name in ("received", "lost", "damaged")])
        fields.check()
        ends: dict[int, Arrival] = {}
        for (product_id, pack), (received, lost, damaged), name in zip(resolve(names), parts, names, strict=True):
            if product_id in ends:
                fields.fault(f"{name.prefix}product_id", "is named twice")
            ends[product_id] = Arrival(received * pack, lost * pack, damaged * pack)
        return ends

    def take(self, transfer_id: int, step: Any, reason: str) -> MovedGoods:
        """Complete a stock transfer."""
        return transfers.complete_transfer(transfer_id, arrivals=step, reason=reason)


@action_schema(
    summary="Cancel a stock transfer",
    description="What a pending transfer reserves is available again; goods in transit come back to the source.",
    parameters=[in_path("transfer_id"), IDEMPOTENCY, IF_MATCH],
    request=TransferCancelShape,
    responses={200: TransferShape},
    examples=[asked({"reason": "Not needed any more"}), answered(OFF_EXAMPLE)],
)
class TransferCancelView(TransferStepView):
    """The transfer is off."""

    def take(self, transfer_id: int, step: Any, reason: str) -> MovedGoods:
        """Cancel a stock transfer."""
        return transfers.cancel_transfer(transfer_id, reason=reason)
