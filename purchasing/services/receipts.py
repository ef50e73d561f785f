"""Goods at the door: what came in on a purchase order is posted to the ledger, line by line, and never twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings

from inventory.errors import AlreadyReversed
from inventory.models import MovementType, StockMovement, StockOperation
from inventory.services import ledger
from inventory.services.ledger import Movement
from purchasing.errors import Excess, IllegalPurchaseStep, OverReceipt, ReceiptUnknown
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt
from purchasing.services.orders import LINES_MAX, claim, last_received_at, move
from purchasing.states import CAN_RECEIVE, CAN_UNDO_RECEIPT, PurchaseStatus
from workbox.core import context, walls
from workbox.core.db import transactional
from workbox.core.errors import Invalid

ZERO = Decimal(0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Received:
    """So many of a product came in; `unit_cost` None: at the cost on the order's line."""

    product_id: int
    quantity: Decimal
    unit_cost: Decimal | None = None


@transactional
def receive_purchase_order(
    order_id: int,
    items: Sequence[Received] | None = None,
    *,
    received_at: datetime | None = None,
    received_by_id: int | None = None,
) -> Receipt:
    """Goods came in: one operation of `purchase` movements under `PO-…` in the order's warehouse, all or none.

    `items` None takes everything that is open; a product may come in several items (at several costs). Up to
    WORKBOX_OVER_RECEIPT_PERCENT more than ordered is accepted. The order is received when every line is. Raises
    PurchaseOrderUnknown, IllegalPurchaseStep, Invalid (not on the order, quantity), OverReceipt with every such line,
    WarehouseUnknown when its warehouse was closed meanwhile.
    """
    order = claim(order_id, allowed=CAN_RECEIVE, step="received")
    # Read under the claimed row: whoever received before us has committed these numbers.
    lines = list(PurchaseOrderLine.objects.filter(order_id=order_id).select_related("product").order_by("id"))
    came = _everything_open(lines) if items is None else _checked(items, lines)
    by_product = {line.product_id: line for line in lines}
    _refuse_excess(came, by_product)
    moment = received_at or datetime.now(UTC)
    actor = received_by_id or context.actor_id.get()
    posted = ledger.post(
        [
            Movement(
                one.product_id,
                order.warehouse_id,
                MovementType.PURCHASE,
                one.quantity,
                by_product[one.product_id].unit_cost if one.unit_cost is None else one.unit_cost,
            )
            for one in came
        ],
        kind=StockOperation.Kind.RECEIPT,
        reference=str(order),
        occurred_at=received_at,
        actor_id=actor,
    )
    for one in came:
        by_product[one.product_id].received_quantity += one.quantity
    PurchaseOrderLine.objects.bulk_update(
        [by_product[product_id] for product_id in {one.product_id for one in came}], ["received_quantity"]
    )
    receipt = Receipt.objects.create(
        order=order, operation_id=posted.operation_id, received_by_id=actor, received_at=moment
    )
    status = _status_of(lines)
    if status == PurchaseStatus.RECEIVED:
        order.received_at = moment
    move(
        order,
        status,
        "received_at",
        receipt_id=receipt.pk,
        received=[
            {
                "inventory_id": one.product_id,
                "name": by_product[one.product_id].product.name,
                "quantity": one.quantity,
            }
            for one in came
        ],
    )
    return receipt


@transactional
def undo_receipt(receipt_id: int, *, reason: str, actor_id: int | None = None) -> PurchaseOrder:
    """A receipt was a mistake: a counter-operation takes its goods out again, and the order waits for them as before.

    Where more came in than was ordered, what is left may be all of it: then the order stays received. Possible once.
    Raises ReceiptUnknown, AlreadyReversed, IllegalPurchaseStep when the order was closed short since, Invalid without a
    reason, InsufficientStock when what came in is promised or gone.
    """
    if not reason.strip():
        raise Invalid("Say why: undoing a receipt needs a reason.", fields={"reason": ["this field is required"]})
    receipt = walls.of(Receipt.objects.filter(pk=receipt_id)).first()
    if receipt is None:
        raise ReceiptUnknown(f"There is no receipt {receipt_id}.")
    order = claim(receipt.order_id, allowed=CAN_UNDO_RECEIPT, step="given back")
    if order.closed_at is not None:
        raise IllegalPurchaseStep(order.pk, "closed", "given back")
    # Under the claimed order: whoever undid it before us has committed.
    if StockOperation.objects.filter(reverses_id=receipt.operation_id).exists():
        raise AlreadyReversed(f"Receipt {receipt_id} has been undone already.")
    moved = StockMovement.objects.filter(operation_id=receipt.operation_id).order_by("id")
    rows = list(moved.values_list("product_id", "warehouse_id", "quantity", "unit_cost", "cost_change"))
    ledger.post(
        [
            Movement(product_id, place_id, MovementType.ADJUSTMENT, -quantity, cost, undoes_cost=change is not None)
            for product_id, place_id, quantity, cost, change in rows
        ],
        kind=StockOperation.Kind.REVERSAL,
        reason=reason.strip(),
        reference=str(order),
        reverses_id=receipt.operation_id,
        actor_id=actor_id,
    )
    lines = {line.product_id: line for line in PurchaseOrderLine.objects.filter(order=order).select_related("product")}
    for product_id, _, quantity, _, _ in rows:
        lines[product_id].received_quantity -= quantity
    PurchaseOrderLine.objects.bulk_update(lines.values(), ["received_quantity"])
    status = _status_of(list(lines.values()))
    order.received_at = last_received_at(order.pk) if status == PurchaseStatus.RECEIVED else None
    return move(
        order,
        status,
        "received_at",
        receipt_id=receipt.pk,
        given_back=[
            {"inventory_id": product_id, "name": lines[product_id].product.name, "quantity": quantity}
            for product_id, _, quantity, _, _ in rows
        ],
    )


def _status_of(lines: Sequence[PurchaseOrderLine]) -> PurchaseStatus:
    """What an order that was sent is, by what came in of its lines."""
    if all(line.received_quantity >= line.quantity for line in lines):
        return PurchaseStatus.RECEIVED
    came = any(line.received_quantity > 0 for line in lines)
    return PurchaseStatus.PARTIALLY_RECEIVED if came else PurchaseStatus.SENT


def _everything_open(lines: Sequence[PurchaseOrderLine]) -> list[Received]:
    return [
        Received(line.product_id, line.quantity - line.received_quantity)
        for line in lines
        if line.received_quantity < line.quantity
    ]


def _checked(items: Sequence[Received], lines: Sequence[PurchaseOrderLine]) -> list[Received]:
    if not items:
        raise Invalid("Name at least one product.", fields={"items": ["must not be empty"]})
    if len(items) > LINES_MAX:
        raise Invalid(f"A receipt may have at most {LINES_MAX} lines.", fields={"items": [f"at most {LINES_MAX}"]})
    ordered = {line.product_id for line in lines}
    for index, one in enumerate(items):
        here = f"items.{index}"
        if one.product_id not in ordered:
            raise Invalid(
                f"Product {one.product_id} is not on this order.",
                fields={f"{here}.product_id": ["is not on this order"]},
            )
        if one.quantity <= 0:
            raise Invalid("A quantity must be above zero.", fields={f"{here}.quantity": ["must be above zero"]})
        if one.unit_cost is not None and one.unit_cost < 0:
            raise Invalid("A unit cost may not be negative.", fields={f"{here}.unit_cost": ["may not be negative"]})
    return list(items)


def _refuse_excess(came: Sequence[Received], by_product: dict[int, PurchaseOrderLine]) -> None:
    percent = settings.WORKBOX_OVER_RECEIPT_PERCENT
    asked: dict[int, Decimal] = {}
    for one in came:
        asked[one.product_id] = asked.get(one.product_id, ZERO) + one.quantity
    over = []
    for product_id, quantity in asked.items():
        line = by_product[product_id]
        if line.received_quantity + quantity > line.quantity * (HUNDRED + percent) / HUNDRED:
            over.append(
                Excess(product_id, line.product.sku, line.product.name, line.quantity, line.received_quantity, quantity)
            )
    if over:
        raise OverReceipt(over, percent=percent)
