"""Service: goods come back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from inventory.models import MovementType, StockOperation, Warehouse
from inventory.services import ledger
from inventory.services.levels import read_shelf
from orders.models import Return, ReturnLine
from orders.services.lines import add_to_lines, moved_items, split_over_lines
from orders.services.placed import PlacedLine, PlacedOrder
from orders.services.status import claim, updated
from orders.states import CAN_RETURN
from workbox.core import events, walls
from workbox.core.db import insert_rows, transactional
from workbox.core.errors import Invalid
from workbox.core.numbers import plain

ZERO = Decimal(0)


@transactional
def return_order(
    order_id: int,
    *,
    quantities: Mapping[int, Decimal] | None = None,
    warehouse_id: int | None = None,
    reason: str = "",
    returned_at: datetime | None = None,
    charges: bool = True,
    damaged: Mapping[int, Decimal] | None = None,
    damaged_warehouse_id: int | None = None,
) -> PlacedOrder:
    """Goods come back into a warehouse: `return` movements are posted; `on_hand` and `available` rise there.

    `quantities` (product id → quantity) returns a part; None returns everything that was shipped. Without a warehouse
    goods go to the default one. `damaged` (product id → quantity, a part of what returns) goes to
    `damaged_warehouse_id`, else to the first of the asker's warehouses that does not sell; where there is none it is
    written off by a `damaged` movement in the same operation. `charges` False keeps charges (postage) out of a full
    return. The order keeps its status. Raises OrderUnknown, IllegalTransition, Invalid (not shipped, more than shipped,
    more damaged than returned), WarehouseUnknown.
    """
    ledger.refuse_foreign([warehouse_id, damaged_warehouse_id])
    before = claim(order_id, allowed=CAN_RETURN, status=None, step="returned", at="")
    returning = split_over_lines(
        before.lines, quantities, open_of=lambda line: line.shipped_quantity - line.returned_quantity
    )
    shelf = read_shelf(line.product_id for line in before.lines)
    if not charges and quantities is None:
        returning = {
            line.id: returning[line.id]
            for line in before.lines
            if line.id in returning and shelf.products[line.product_id].is_stocked
        }
    by_id = {line.id: line for line in before.lines}
    broken = _damaged_of_lines(returning, by_id, damaged or {})
    stocked = {line_id for line_id in returning if shelf.products[by_id[line_id].product_id].is_stocked}
    posted = None
    if stocked:
        back = [
            (by_id[line_id].product_id, quantity - broken.get(line_id, ZERO), broken.get(line_id, ZERO))
            for line_id, quantity in returning.items()
            if line_id in stocked
        ]
        posted = ledger.post(
            _return_movements(back, warehouse_id or ledger.default_warehouse().pk, damaged_warehouse_id),
            kind=StockOperation.Kind.RETURN,
            reason=reason,
            reference=f"ORDER-{order_id}",
            occurred_at=returned_at,
        )
    lines = add_to_lines(before.lines, returning, "returned_quantity")
    moment = returned_at or datetime.now(UTC)
    booked = Return.objects.create(
        order_id=order_id,
        customer_id=before.customer_id,
        operation_id=posted.operation_id if posted else None,
        reason=reason,
        returned_at=moment,
        refund_amount=sum((by_id[line_id].unit_price * quantity for line_id, quantity in returning.items()), ZERO),
    )
    insert_rows(
        ReturnLine._meta.db_table,
        ("goods_return_id", "order_line_id", "product_id", "quantity", "damaged_quantity", "unit_price"),
        [
            (
                booked.pk,
                line_id,
                by_id[line_id].product_id,
                quantity,
                broken.get(line_id, ZERO),
                by_id[line_id].unit_price,
            )
            for line_id, quantity in returning.items()
        ],
    )
    events.append([updated(before, before.status, returned=moved_items(lines, returning), reason=reason)])
    return replace(before, lines=tuple(lines))


def _damaged_of_lines(
    returning: Mapping[int, Decimal], lines: Mapping[int, PlacedLine], damaged: Mapping[int, Decimal]
) -> dict[int, Decimal]:
    """How much of each returning line is damaged (line id → quantity)."""
    found: dict[int, Decimal] = {}
    for product_id, quantity in damaged.items():
        needed = quantity
        for line_id, back in returning.items():
            if lines[line_id].product_id == product_id and needed > 0:
                found[line_id] = min(back, needed)
                needed -= found[line_id]
        if needed > 0:
            text = f"more is damaged ({plain(quantity)}) than comes back"
            raise Invalid(f"Product {product_id}: {text}.", fields={"items": [f"product {product_id}: {text}"]})
    return found


def _return_movements(
    back: Sequence[tuple[int, Decimal, Decimal]], place: int, damaged_warehouse_id: int | None
) -> list[ledger.Movement]:
    """`back` are (product id, good, damaged) quantities."""
    movements = [ledger.Movement(product_id, place, MovementType.RETURN, good) for product_id, good, _ in back if good]
    broken = [(product_id, quantity) for product_id, _, quantity in back if quantity]
    if not broken:
        return movements
    aside = damaged_warehouse_id or (
        walls.within(Warehouse.objects.filter(is_active=True, is_sellable=False), "id")
        .order_by("priority", "id")
        .values_list("id", flat=True)
        .first()
    )
    for product_id, quantity in broken:
        movements.append(ledger.Movement(product_id, aside or place, MovementType.RETURN, quantity))
        if aside is None:
            movements.append(ledger.Movement(product_id, place, MovementType.DAMAGED, -quantity))
    return movements
