"""The life of an order: place, confirm, ship, deliver, cancel, return, counter sale.

Each step is one transaction: the order row is locked and its status looked at, then stock is promised, shipped or given
back through `inventory.services`, then the news is appended. What the customer pays is fixed on the line when placed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import User
from inventory.errors import ProductUnknown, WarehouseUnknown
from inventory.models import MovementType, StockOperation, Warehouse
from inventory.services import ledger, reservations
from inventory.services.holds import end_holds, hold_for
from inventory.services.levels import Shelf, StockAfter, hold, read_shelf, stock_events
from inventory.services.reservations import Demand
from orders.errors import EmptyOrder, IllegalTransition, OrderUnknown
from orders.events import order_placed, order_updated
from orders.models import Order, OrderLine, Return, ReturnLine, Shipment
from orders.states import CAN_CANCEL, CAN_CONFIRM, CAN_DELIVER, CAN_RETURN, CAN_SHIP, OrderStatus
from workbox.core import events, walls
from workbox.core.db import as_utc, execute, insert_later, insert_rows, later, marks, transactional, utc_text
from workbox.core.errors import Invalid, RuleViolation
from workbox.core.numbers import MONEY_MAX, as_money, as_quantity, plain

ZERO = Decimal(0)
LINES_MAX = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One line to order. `unit_price` overrides the catalogue price (imports: the price at the time)."""

    product_id: int
    quantity: Decimal
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line as stored."""

    id: int
    product_id: int
    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    shipped_quantity: Decimal = ZERO
    returned_quantity: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as stored, without reading it back."""

    id: int
    user_id: int | None
    customer_id: int | None
    warehouse_id: int | None
    status: str
    channel: str
    total_amount: Decimal
    notes: str
    placed_at: datetime
    confirmed_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None
    updated_at: datetime
    lines: tuple[PlacedLine, ...]
    hold_expires_at: datetime | None = None


def place_order(
    items: Sequence[Item],
    *,
    user_id: int | None,
    confirm: bool | None = None,
    warehouse_id: int | None = None,
    channel: str = Order.Channel.API,
    customer_id: int | None = None,
    placed_at: datetime | None = None,
    external_reference: str | None = None,
    notes: str = "",
    lines_max: int = LINES_MAX,
    hold_minutes: int | None = None,
    agreed: str | None = None,
) -> PlacedOrder:
    """A new order at today's prices; by default confirmed at once, so its stock is promised (`available` falls).

    All or nothing. `confirm` None follows `WORKBOX_ORDERS_AUTO_CONFIRM`. `hold_minutes` promises the stock of a pending
    order for that long. `agreed` is the token of a plan (`orders.plans`). Raises EmptyOrder, Invalid (too many lines,
    precision, a hold on a confirmed order), ProductUnknown, WarehouseUnknown, InsufficientStock with every short
    product, PlanOutdated.
    """
    if not items:
        raise EmptyOrder("An order needs at least one line.", fields={"items": ["must not be empty"]})
    if len(items) > lines_max:
        raise Invalid(f"An order may have at most {lines_max} lines.", fields={"items": [f"at most {lines_max}"]})
    wants_confirm = settings.WORKBOX_ORDERS_AUTO_CONFIRM if confirm is None else confirm
    if hold_minutes is not None and wants_confirm:
        raise Invalid(
            "Only a pending order can be held for a while; a confirmed one has its stock for good.",
            fields={"hold_minutes": ["only with confirm: false"]},
        )
    draft = _Draft(
        items, user_id, wants_confirm, warehouse_id, channel, customer_id, placed_at, external_reference, notes,
        hold_minutes, agreed,
    )  # fmt: skip
    return _place(draft)


@dataclass(frozen=True, slots=True)
class _Draft:
    items: Sequence[Item]
    user_id: int | None
    confirm: bool
    warehouse_id: int | None
    channel: str
    customer_id: int | None
    placed_at: datetime | None
    external_reference: str | None
    notes: str
    hold_minutes: int | None = None
    agreed: str | None = None

    @property
    def takes_stock(self) -> bool:
        """True when stock is promised at once, for good or for a while."""
        return self.confirm or self.hold_minutes is not None


@transactional
def _place(draft: _Draft) -> PlacedOrder:
    for index, item in enumerate(draft.items):
        if item.quantity <= 0:
            raise Invalid("A quantity must be above zero.", fields={f"items.{index}.quantity": ["must be above zero"]})
    wanted = reservations.sum_by_product((item.product_id, item.quantity) for item in draft.items)
    shelf, claimed = reservations.claim(wanted) if draft.takes_stock else (read_shelf(wanted, levels=False), False)
    _check_items(draft, shelf)
    prices = [
        shelf.products[item.product_id].price if item.unit_price is None else item.unit_price for item in draft.items
    ]
    total = sum((price * item.quantity for price, item in zip(prices, draft.items, strict=True)), ZERO)
    if abs(total) > MONEY_MAX * 1000:
        raise Invalid("The order's total is beyond what this shop can book.", fields={"items": ["total too large"]})
    now = datetime.now(UTC)
    placed_at = draft.placed_at or now
    now_text = placed_text = utc_text(now)
    if placed_at is not now:
        placed_text = utc_text(placed_at)
    status = OrderStatus.CONFIRMED if draft.confirm else OrderStatus.PENDING
    new_order = insert_later(
        Order._meta.db_table,
        (
            "user_id", "customer_id", "warehouse_id", "status", "channel", "total_amount", "external_reference",
            "notes", "placed_at", "confirmed_at", "created_at", "updated_at",
        ),
        [
            (
                draft.user_id, draft.customer_id, draft.warehouse_id, status.value, draft.channel, total,
                draft.external_reference, draft.notes, placed_text,
                placed_text if draft.confirm else None, now_text, now_text,
            )
        ],
    )  # fmt: skip
    line_ids = insert_rows(
        OrderLine._meta.db_table,
        ("order_id", "product_id", "quantity", "unit_price", "shipped_quantity", "returned_quantity"),
        [
            (new_order, item.product_id, item.quantity, price, 0, 0)
            for item, price in zip(draft.items, prices, strict=True)
        ],
    )
    order_id = int(new_order.lastrowid)
    lines = tuple(
        PlacedLine(
            line_id,
            item.product_id,
            shelf.products[item.product_id].sku,
            shelf.products[item.product_id].name,
            item.quantity,
            price,
        )
        for line_id, item, price in zip(line_ids, draft.items, prices, strict=True)
    )
    news: list[events.NewEvent] = []
    hold_expires_at = None
    if draft.takes_stock:
        after = _reserve(lines, shelf, draft.warehouse_id, claimed=claimed, agreed=draft.agreed)
        news += stock_events(shelf, after)
    if draft.hold_minutes is not None:
        hold_expires_at = _hold(order_id, lines, draft.hold_minutes)
    news.append(
        order_placed(
            order_id=order_id,
            user_id=draft.user_id,
            status=status.value,
            total_amount=total,
            items=_event_items(lines),
            warehouse_id=draft.warehouse_id,
        )
    )
    events.append(news)
    return PlacedOrder(
        id=order_id,
        user_id=draft.user_id,
        customer_id=draft.customer_id,
        warehouse_id=draft.warehouse_id,
        status=status.value,
        channel=draft.channel,
        total_amount=total,
        notes=draft.notes,
        placed_at=placed_at,
        confirmed_at=placed_at if draft.confirm else None,
        shipped_at=None,
        delivered_at=None,
        cancelled_at=None,
        updated_at=now,
        lines=lines,
        hold_expires_at=hold_expires_at,
    )


def _hold(order_id: int, lines: Sequence[PlacedLine], minutes: int) -> datetime | None:
    hold_for((line.id for line in lines), seconds=minutes * 60)
    execute(
        "UPDATE orders_order SET hold_expires_at = (SELECT MIN(h.expires_at) FROM inventory_hold h"  # noqa: S608  (only placeholders)
        " JOIN inventory_reservation r ON r.id = h.reservation_id WHERE r.holder_type = 'order_line'"
        f" AND r.holder_id IN ({marks(len(lines))})) WHERE id = %s",
        [*(line.id for line in lines), order_id],
    )
    return as_utc(execute("SELECT hold_expires_at FROM orders_order WHERE id = %s", [order_id]).fetchone()[0])


def _check_items(draft: _Draft, shelf: Shelf) -> None:
    missing = sorted({item.product_id for item in draft.items if item.product_id not in shelf.products})
    retired = sorted({one.id for one in shelf.products.values() if not one.is_active})
    if missing or (retired and draft.channel != Order.Channel.IMPORT):
        wrong = [*missing, *retired]
        raise ProductUnknown(
            f"There is no product {', '.join(map(str, wrong))} for sale.",
            fields={"items": [f"unknown product {one}" for one in wrong]},
        )
    for index, item in enumerate(draft.items):
        ledger.check_quantity(item.quantity, shelf.products[item.product_id], name=f"items.{index}.quantity")
    if draft.warehouse_id is not None:
        _check_warehouse(draft.warehouse_id)


def _check_warehouse(warehouse_id: int) -> None:
    place = Warehouse.objects.filter(id=warehouse_id, is_active=True).first()
    if place is None or walls.hides(warehouse_id):
        raise WarehouseUnknown(
            f"There is no open warehouse {warehouse_id}.", fields={"warehouse_id": ["unknown warehouse"]}
        )
    if not place.is_sellable:
        raise RuleViolation(
            f"{place.name} does not sell; what lies there is not for orders.",
            code="warehouse_not_sellable",
            fields={"warehouse_id": ["not sellable"]},
        )


def _event_items(lines: Sequence[PlacedLine]) -> list[dict[str, Any]]:
    return [
        {"inventory_id": line.product_id, "name": line.name, "quantity": line.quantity, "unit_price": line.unit_price}
        for line in lines
    ]


def _reserve(
    lines: Sequence[PlacedLine],
    shelf: Shelf,
    warehouse_id: int | None,
    *,
    claimed: bool,
    agreed: str | None = None,
) -> dict[int, StockAfter]:
    demands = [
        Demand(line.id, line.product_id, line.quantity) for line in lines if shelf.products[line.product_id].is_stocked
    ]
    if not demands:
        return {}
    return reservations.reserve(demands, shelf, warehouse_id=warehouse_id, claimed=claimed, agreed=agreed)


def _claim(
    order_id: int, *, allowed: frozenset[OrderStatus], status: OrderStatus | None, step: str, at: str, hint: str = ""
) -> PlacedOrder:
    """Lock the order and set its new status (None: keep it) if the old one allows.

    Returns the order *before* the step, with `updated_at` as stored now. Raises OrderUnknown, IllegalTransition.
    Whoever comes second waits here and then sees the first one's status.
    """
    moment = datetime.now(UTC)
    if status is not None and len(allowed) == 1:  # the old status is known: one conditional UPDATE locks and decides
        (old,) = allowed
        claiming = _set_status(order_id, status, moment, at, only_from=old)
        order = read_order(order_id)
        if claiming.rowcount != 1:
            raise IllegalTransition(order_id, order.status, step, hint=hint)
        return replace(order, status=old.value, updated_at=moment)
    before = read_order(order_id, lock=True)
    if before.status not in {one.value for one in allowed}:
        raise IllegalTransition(order_id, before.status, step, hint=hint)
    _set_status(order_id, status or OrderStatus(before.status), moment, at)
    return replace(before, updated_at=moment)


def _set_status(
    order_id: int, status: OrderStatus, moment: datetime, at: str, *, only_from: OrderStatus | None = None
) -> Any:
    stamp, guard = (f", {at} = COALESCE({at}, %s)" if at else ""), (" AND status = %s" if only_from else "")
    now = utc_text(moment)
    return later(
        f"UPDATE orders_order SET status = %s, updated_at = %s{stamp} WHERE id = %s{guard}",  # noqa: S608  (only placeholders)
        [status.value, now, *([now] if at else []), order_id, *([only_from.value] if only_from else [])],
    )


_READ_ORDER = (
    "SELECT o.id, o.user_id, o.customer_id, o.warehouse_id, o.status, o.channel, o.total_amount, o.notes, o.placed_at,"
    " o.confirmed_at, o.shipped_at, o.delivered_at, o.cancelled_at, o.updated_at, o.hold_expires_at,"
    " l.order_id, l.id, l.product_id, p.sku, p.name, l.quantity, l.unit_price, l.shipped_quantity, l.returned_quantity"
    " FROM orders_order o LEFT JOIN orders_orderline l ON l.order_id = o.id"
    " LEFT JOIN inventory_product p ON p.id = l.product_id WHERE o.id = %s ORDER BY l.id"
)
_ORDER_COLUMNS = (
    "id, user_id, customer_id, warehouse_id, status, channel, total_amount, notes, placed_at, confirmed_at,"
    " shipped_at, delivered_at, cancelled_at, updated_at, hold_expires_at"
)


def read_order(order_id: int, *, lock: bool = False) -> PlacedOrder:
    """The order with its lines; with `lock` its row is held until the transaction ends. Raises OrderUnknown."""
    if lock and connection.features.has_select_for_update:
        later("SELECT id FROM orders_order WHERE id = %s FOR UPDATE", [order_id])
    rows = execute(_READ_ORDER, [order_id]).fetchall()
    if not rows:
        raise OrderUnknown(f"There is no order {order_id}.")
    return _as_order(rows[0], [_as_line(row[15:]) for row in rows if row[15] is not None])


def read_orders(order_ids: Sequence[int]) -> list[PlacedOrder]:
    """These orders with their lines, in the order of the ids, in two statements; unknown ids are left out."""
    if not order_ids:
        return []
    found = execute(
        f"SELECT {_ORDER_COLUMNS} FROM orders_order WHERE id IN ({marks(len(order_ids))})",  # noqa: S608  (only placeholders)
        order_ids,
    ).fetchall()
    rows = {row[0]: row for row in found}
    lines = read_lines(order_ids)
    return [_as_order(rows[one], lines.get(one, [])) for one in order_ids if one in rows]


def _as_order(row: Sequence[Any], lines: Sequence[PlacedLine]) -> PlacedOrder:
    moments = [as_utc(value) for value in row[8:15]]
    placed_at, updated_at = moments[0], moments[5]
    assert placed_at is not None and updated_at is not None  # noqa: S101, PT018  (NOT NULL columns)
    return PlacedOrder(
        row[0], row[1], row[2], row[3], row[4], row[5], as_money(row[6]), row[7],
        placed_at, moments[1], moments[2], moments[3], moments[4], updated_at, tuple(lines),
        moments[6],
    )  # fmt: skip


def read_lines(order_ids: Sequence[int]) -> dict[int, list[PlacedLine]]:
    """The lines of these orders, by order id, in one statement."""
    found: dict[int, list[PlacedLine]] = {}
    if not order_ids:
        return found
    rows = execute(
        "SELECT l.order_id, l.id, l.product_id, p.sku, p.name, l.quantity, l.unit_price,"  # noqa: S608  (only placeholders)
        " l.shipped_quantity, l.returned_quantity"
        " FROM orders_orderline l JOIN inventory_product p ON p.id = l.product_id"
        f" WHERE l.order_id IN ({marks(len(order_ids))}) ORDER BY l.order_id, l.id",
        order_ids,
    ).fetchall()
    for row in rows:
        found.setdefault(row[0], []).append(_as_line(row))
    return found


def _as_line(row: Sequence[Any]) -> PlacedLine:
    return PlacedLine(
        row[1], row[2], row[3], row[4],
        as_quantity(row[5]), as_money(row[6]), as_quantity(row[7]), as_quantity(row[8]),
    )  # fmt: skip


def _updated(before: PlacedOrder, status: str, **facts: Any) -> events.NewEvent:
    return order_updated(
        order_id=before.id,
        user_id=before.user_id,
        status=status,
        previous_status=before.status,
        total_amount=before.total_amount,
        warehouse_id=before.warehouse_id,
        **facts,
    )


@transactional
def confirm_order(order_id: int, *, agreed: str | None = None) -> PlacedOrder:
    """A pending order becomes a promise: stock for every line is reserved, or nothing is.

    Stock that it still holds stays its own. `agreed` is the token of a plan (`orders.plans`). Raises OrderUnknown,
    IllegalTransition (second confirm), InsufficientStock with every short product, PlanOutdated.
    """
    before = _claim(order_id, allowed=CAN_CONFIRM, status=OrderStatus.CONFIRMED, step="confirmed", at="confirmed_at")
    if before.hold_expires_at is not None:
        hold(line.product_id for line in before.lines)
        if reservations.keep_held(line.id for line in before.lines):
            events.append([_updated(before, OrderStatus.CONFIRMED.value)])
            return _confirmed(before)
    wanted = reservations.sum_by_product((line.product_id, line.quantity) for line in before.lines)
    shelf, claimed = reservations.claim(wanted)
    after = _reserve(before.lines, shelf, before.warehouse_id, claimed=claimed, agreed=agreed)
    events.append([*stock_events(shelf, after), _updated(before, OrderStatus.CONFIRMED.value)])
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
    before = _claim(
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
    events.append([*stock_events(shelf, after), _updated(before, OrderStatus.CANCELLED.value, reason=reason)])
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
    before = _claim(order_id, allowed=CAN_SHIP, status=None, step="shipped", at="")
    shipping = _split_over_lines(before.lines, quantities, open_of=lambda line: line.quantity - line.shipped_quantity)
    posted = reservations.consume(
        _stocked(shipping, before.lines),
        warehouse_id=warehouse_id,
        reference=f"ORDER-{order_id}",
        occurred_at=shipped_at,
    )
    lines = _add_to_lines(before.lines, shipping, "shipped_quantity")
    complete = all(line.shipped_quantity == line.quantity for line in lines)
    status = OrderStatus.SHIPPED if complete else OrderStatus.PARTIALLY_SHIPPED
    moment = shipped_at or before.updated_at
    _stamp(order_id, status, "shipped_at" if complete else None, moment)
    Shipment.objects.create(order_id=order_id, operation_id=posted.operation_id if posted else None, shipped_at=moment)
    facts = {"items": _moved_items(lines, shipping)}
    events.append([_updated(before, status.value, shipped=facts["items"])])
    return replace(
        before,
        status=status.value,
        shipped_at=moment if complete else before.shipped_at,
        lines=tuple(lines),
    )


@transactional
def deliver_order(order_id: int, *, delivered_at: datetime | None = None) -> PlacedOrder:
    """The customer has the goods. Raises OrderUnknown, IllegalTransition unless everything was shipped."""
    before = _claim(order_id, allowed=CAN_DELIVER, status=OrderStatus.DELIVERED, step="delivered", at="")
    moment = delivered_at or before.updated_at
    _stamp(order_id, OrderStatus.DELIVERED, "delivered_at", moment)
    events.append([_updated(before, OrderStatus.DELIVERED.value)])
    return replace(before, status=OrderStatus.DELIVERED.value, delivered_at=moment)


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
    `damaged_warehouse_id`, else to the first warehouse that does not sell; where there is none it is written off by a
    `damaged` movement in the same operation. `charges` False keeps charges (postage) out of a full return. The order
    keeps its status. Raises OrderUnknown, IllegalTransition, Invalid (not shipped, more than shipped, more damaged than
    returned), WarehouseUnknown.
    """
    ledger.refuse_foreign([warehouse_id, damaged_warehouse_id])
    before = _claim(order_id, allowed=CAN_RETURN, status=None, step="returned", at="")
    returning = _split_over_lines(
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
    lines = _add_to_lines(before.lines, returning, "returned_quantity")
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
    events.append([_updated(before, before.status, returned=_moved_items(lines, returning), reason=reason)])
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
        Warehouse.objects.filter(is_active=True, is_sellable=False)
        .order_by("priority", "id")
        .values_list("id", flat=True)
        .first()
    )
    for product_id, quantity in broken:
        movements.append(ledger.Movement(product_id, aside or place, MovementType.RETURN, quantity))
        if aside is None:
            movements.append(ledger.Movement(product_id, place, MovementType.DAMAGED, -quantity))
    return movements


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

    `sold_at` may lie in the past. Raises what `place_order` raises.
    """
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


def _split_over_lines(
    lines: Sequence[PlacedLine], quantities: Mapping[int, Decimal] | None, *, open_of: Any
) -> dict[int, Decimal]:
    """Which line gets how much (line id → quantity) when a step names products; all that is open when it names none."""
    if quantities is None:
        found = {line.id: open_of(line) for line in lines if open_of(line) > 0}
        if not found:
            raise Invalid("Nothing is open for this step.", fields={"items": ["nothing is open"]})
        return found
    if not quantities:
        raise Invalid("Name at least one product.", fields={"items": ["must not be empty"]})
    found = {}
    for product_id, quantity in quantities.items():
        mine = [line for line in lines if line.product_id == product_id]
        most = sum((open_of(line) for line in mine), ZERO)
        if not mine or quantity <= 0 or quantity > most:
            text = "is not on this order" if not mine else f"at most {plain(most)} is open for this step"
            raise Invalid(f"Product {product_id}: {text}.", fields={"items": [f"product {product_id}: {text}"]})
        needed = quantity
        for line in mine:
            taken = min(open_of(line), needed)
            if taken > 0:
                found[line.id] = taken
                needed -= taken
    return found


def _stocked(shipping: Mapping[int, Decimal], lines: Sequence[PlacedLine]) -> list[tuple[int, Decimal]]:
    shelf = read_shelf(line.product_id for line in lines)
    product_of = {line.id: shelf.products[line.product_id] for line in lines}
    return [(line_id, quantity) for line_id, quantity in shipping.items() if product_of[line_id].is_stocked]


def _add_to_lines(lines: Sequence[PlacedLine], amounts: Mapping[int, Decimal], column: str) -> list[PlacedLine]:
    ids = sorted(amounts)
    values: list[Any] = [value for one in ids for value in (one, amounts[one])]
    execute(
        f"UPDATE orders_orderline SET {column} = ROUND({column} + (CASE id{' WHEN %s THEN %s' * len(ids)} END), 3)"  # noqa: S608  (only placeholders)
        f" WHERE id IN ({marks(len(ids))})",
        [*values, *ids],
    )
    return [replace(line, **{column: getattr(line, column) + amounts.get(line.id, ZERO)}) for line in lines]


def _moved_items(lines: Sequence[PlacedLine], amounts: Mapping[int, Decimal]) -> list[dict[str, Any]]:
    return [
        {"inventory_id": line.product_id, "name": line.name, "quantity": amounts[line.id]}
        for line in lines
        if line.id in amounts
    ]


def _stamp(order_id: int, status: OrderStatus, column: str | None, moment: datetime) -> None:
    stamp = f", {column} = %s" if column else ""
    execute(
        f"UPDATE orders_order SET status = %s{stamp} WHERE id = %s",  # noqa: S608  (only placeholders)
        [status.value, *([utc_text(moment)] if column else []), order_id],
    )


def require_user(user_id: int) -> None:
    """Raise Invalid unless this user exists and is active (staff ordering for others name them)."""
    if not User.objects.filter(id=user_id, is_active=True).exists():
        raise Invalid(f"There is no active user {user_id}.", fields={"user_id": ["unknown user"]})
