"""Service: confirm, cancel, ship, deliver, and the counter sale that does all of it at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from inventory.services import ledger, reservations
from inventory.services.holds import end_holds
from inventory.services.levels import hold, read_shelf, stock_events
from orders.models import Order, Shipment
from orders.services.lines import add_to_lines, moved_items, open_charges, open_to_ship, split_over_lines, stocked
from orders.services.placed import Item, PlacedOrder
from orders.services.placing import LINES_MAX, place_order, promise_lines
from orders.services.status import claim, stamp, updated
from orders.states import CAN_CANCEL, CAN_CONFIRM, CAN_DELIVER, CAN_SHIP, OrderStatus
from workbox.core import events, walls
from workbox.core.db import transactional


@transactional
def confirm_order(order_id: int, *, agreed: str | None = None) -> PlacedOrder:
    """A pending order becomes a promise: stock for every line is reserved, or nothing is.

    Stock that it still holds stays its own. `agreed` is the token of a plan (`orders.plans`). Raises OrderUnknown,
    IllegalTransition (second confirm), InsufficientStock with every short product, PlanOutdated.
    """
    before = claim(order_id, allowed=CAN_CONFIRM, status=OrderStatus.CONFIRMED, step="confirmed", at="confirmed_at")
    if before.hold_expires_at is not None:
        hold(line.product_id for line in before.lines)
        if reservations.keep_held(line.id for line in before.lines):
            events.append([updated(before, OrderStatus.CONFIRMED.value)])
            return _confirmed(before)
    wanted = reservations.sum_by_product((line.product_id, line.quantity) for line in before.lines)
    shelf, claimed = reservations.claim(wanted)
    after = promise_lines(before.lines, shelf, before.warehouse_id, claimed=claimed, agreed=agreed)
    events.append([*stock_events(shelf, after), updated(before, OrderStatus.CONFIRMED.value)])
    return _confirmed(before)


def _confirmed(before: PlacedOrder) -> PlacedOrder:
    return replace(
        before,
        status=OrderStatus.CONFIRMED.value,
        confirmed_at=before.confirmed_at or before.updated_at,
    )


@transactional
def cancel_order(order_id: int, *, reason: str = "") -> PlacedOrder:
    """The order is off; exactly what it still had reserved is available again (a pending order releases nothing).

    Raises OrderUnknown, IllegalTransition for a shipped order (return it) or a second cancel.
    """
    before = claim(
        order_id,
        allowed=CAN_CANCEL,
        status=OrderStatus.CANCELLED,
        step="cancelled",
        at="cancelled_at",
        hint="Goods that have left come back as a return.",
    )
    if before.hold_expires_at is not None:
        end_holds(line.id for line in before.lines)
    after = reservations.release(line.id for line in before.lines)
    shelf = read_shelf(after)
    events.append([*stock_events(shelf, after), updated(before, OrderStatus.CANCELLED.value, reason=reason)])
    return replace(before, status=OrderStatus.CANCELLED.value, cancelled_at=before.updated_at)


@transactional
def ship_order(
    order_id: int,
    *,
    quantities: Mapping[int, Decimal] | None = None,
    warehouse_id: int | None = None,
    shipped_at: datetime | None = None,
) -> PlacedOrder:
    """Goods leave: `sale` movements are posted and the promises they fulfil end; `available` does not move.

    `quantities` (product id → quantity) ships a part; None ships all that is open. Charges ship with the first goods.
    Raises OrderUnknown, IllegalTransition, Invalid (not on the order, more than open), InsufficientStock when the named
    warehouse holds less of the order than wanted.
    """
    ledger.refuse_foreign([warehouse_id])
    before = claim(order_id, allowed=CAN_SHIP, status=None, step="shipped", at="")
    shipping = split_over_lines(before.lines, quantities, open_of=open_to_ship)
    shelf = read_shelf(line.product_id for line in before.lines)
    goods = stocked(shipping, before.lines, shelf)
    if goods:
        shipping |= open_charges(before.lines, shelf)
    posted = reservations.consume(
        goods,
        warehouse_id=warehouse_id,
        reference=f"ORDER-{order_id}",
        occurred_at=shipped_at,
    )
    lines = add_to_lines(before.lines, shipping, "shipped_quantity")
    complete = all(line.shipped_quantity == line.quantity for line in lines)
    status = OrderStatus.SHIPPED if complete else OrderStatus.PARTIALLY_SHIPPED
    moment = shipped_at or before.updated_at
    stamp(order_id, status, "shipped_at" if complete else None, moment)
    Shipment.objects.create(order_id=order_id, operation_id=posted.operation_id if posted else None, shipped_at=moment)
    facts = {"items": moved_items(lines, shipping)}
    events.append([updated(before, status.value, shipped=facts["items"])])
    return replace(
        before,
        status=status.value,
        shipped_at=moment if complete else before.shipped_at,
        lines=tuple(lines),
    )


@transactional
def deliver_order(order_id: int, *, delivered_at: datetime | None = None) -> PlacedOrder:
    """The customer has the goods. Raises OrderUnknown, IllegalTransition unless everything was shipped."""
    before = claim(order_id, allowed=CAN_DELIVER, status=OrderStatus.DELIVERED, step="delivered", at="")
    moment = delivered_at or before.updated_at
    stamp(order_id, OrderStatus.DELIVERED, "delivered_at", moment)
    events.append([updated(before, OrderStatus.DELIVERED.value)])
    return replace(before, status=OrderStatus.DELIVERED.value, delivered_at=moment)


@transactional
def counter_sale(
    items: Sequence[Item],
    *,
    user_id: int | None,
    warehouse_id: int | None = None,
    sold_at: datetime | None = None,
    customer_id: int | None = None,
    external_reference: str | None = None,
    channel: str = Order.Channel.COUNTER,
    notes: str = "",
    lines_max: int = LINES_MAX,
) -> PlacedOrder:
    """Sold over the counter: placed, confirmed, shipped and delivered in one transaction.

    Who is bound to warehouses sells from their own: from the default one of these unless they name one. `sold_at` may
    lie in the past. Raises what `place_order` raises.
    """
    if warehouse_id is None and walls.own() is not None:
        warehouse_id = ledger.default_warehouse().pk
    order = place_order(
        items,
        user_id=user_id,
        confirm=True,
        warehouse_id=warehouse_id,
        channel=channel,
        customer_id=customer_id,
        placed_at=sold_at,
        external_reference=external_reference,
        notes=notes,
        lines_max=lines_max,
    )
    ship_order(order.id, shipped_at=sold_at)
    return deliver_order(order.id, delivered_at=sold_at)
