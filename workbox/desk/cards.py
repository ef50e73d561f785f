"""What stands on the order board: per status the orders that come next, as cards, with every line that is short.

A fixed number of statements whatever the number of orders: counts stop at a limit, cards are cut on an index first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from insights.dashboard import age_text
from inventory.models import Reservation, StockLevel
from orders.models import Order, OrderLine
from orders.states import CAN_CANCEL, CAN_CONFIRM, CAN_DELIVER, CAN_SHIP, OrderStatus
from workbox.core import walls
from workbox.core.admin import quantity_text, total_text

CARDS_MAX = 25
LINES_MAX = 4
COUNT_MAX = 1_000
RECENT_DAYS = 7
ZERO = Decimal(0)
S = OrderStatus


@dataclass(frozen=True, slots=True)
class Column:
    """One status on the board. `step` is what brings a card here; `is_past`: only those of the last days are shown."""

    status: OrderStatus
    step: str
    newest_first: bool = False
    is_past: bool = False
    empty: str = ""


COLUMNS = (
    Column(S.PENDING, "", empty="Nothing waits for a confirmation. New orders appear here by themselves."),
    Column(S.CONFIRMED, "confirm", empty="Nothing is ready to ship. Confirm a pending order to reserve its stock."),
    Column(S.PARTIALLY_SHIPPED, "", empty="No order has left in part."),
    Column(S.SHIPPED, "ship", newest_first=True, empty="Nothing is on its way."),
    Column(S.DELIVERED, "deliver", newest_first=True, is_past=True, empty="Nothing delivered in the last 7 days."),
    Column(S.CANCELLED, "cancel", newest_first=True, is_past=True, empty="Nothing cancelled in the last 7 days."),
)
# Step → (from which statuses, the capability it asks for is in board.STEPS). A card offers the first that fits.
NEXT_STEPS = (("confirm", CAN_CONFIRM), ("ship", CAN_SHIP), ("deliver", CAN_DELIVER))


def board_columns(now: datetime) -> list[dict[str, Any]]:
    """The columns with their cards, as the template shows them."""
    base = reverse("admin:orders_order_changelist")
    picked = {column.status: _cut(column, now) for column in COLUMNS}
    cards = _cards([one for rows, _ in picked.values() for one in rows], now)
    found = []
    for column in COLUMNS:
        rows, left = picked[column.status]
        count, is_more = _count(column)
        found.append(
            {
                "status": column.status.value,
                "label": column.status.label,
                "step": column.step,
                "count": f"{count:,}+" if is_more else f"{count:,}",
                "note": f"last {RECENT_DAYS} days" if column.is_past else "",
                "url": f"{base}?status__exact={column.status.value}",
                "empty": column.empty,
                "cards": [cards[order.pk] for order in rows],
                "hidden": _more(left) if column.is_past else _more(count - len(rows), is_more=is_more),
            }
        )
    return found


def _in_status(column: Column) -> QuerySet[Order]:
    return walls.within(Order.objects.filter(status=column.status), "warehouse_id", or_none=True)


def _cut(column: Column, now: datetime) -> tuple[list[Order], int]:
    """The column's orders, and of a past one how many of the last days there are beside them.

    When an order last moved is no index, so of a past column the newest so many numbers are looked at.
    """
    rows = _in_status(column).order_by("-id" if column.newest_first else "id")
    whole = rows.select_related("customer", "user")
    if not column.is_past:
        return list(whole[:CARDS_MAX]), 0
    since = now - timedelta(days=RECENT_DAYS)
    moves = rows.values_list("updated_at", "id")[:COUNT_MAX]
    recent = sorted((one for one in moves if one[0] >= since), reverse=True)
    shown = whole.in_bulk([number for _, number in recent[:CARDS_MAX]])
    return [shown[number] for _, number in recent if number in shown], len(recent) - len(shown)


def _count(column: Column) -> tuple[int, bool]:
    count = _in_status(column).order_by()[: COUNT_MAX + 1].count()
    return min(count, COUNT_MAX), count > COUNT_MAX


def _more(left: int, *, is_more: bool = False) -> str:
    return f"{left:,}{'+' if is_more else ''} more in the list" if left > 0 else ""


def _cards(orders: Sequence[Order], now: datetime) -> dict[int, dict[str, Any]]:
    lines: dict[int, list[OrderLine]] = {}
    rows = OrderLine.objects.filter(order_id__in=[order.pk for order in orders]).select_related("product")
    for line in rows.order_by("order_id", "id"):
        lines.setdefault(line.order_id, []).append(line)
    short = shortages([(order, lines.get(order.pk, [])) for order in orders if order.status == S.PENDING])
    return {order.pk: _card(order, lines.get(order.pk, []), short, now) for order in orders}


def _card(order: Order, lines: Sequence[OrderLine], short: dict[int, Decimal], now: datetime) -> dict[str, Any]:
    step = next((name for name, allowed in NEXT_STEPS if order.status in allowed), "")
    missing = [line for line in lines if line.pk in short]
    # Short lines first: they are why somebody looks at the card.
    shown = sorted(lines, key=lambda line: line.pk not in short)[:LINES_MAX]
    return {
        "id": order.pk,
        "status": order.status,
        "url": reverse("admin:orders_order_change", args=[order.pk]),
        "buyer": str(order.customer or order.user or "–"),
        "age": age_text(order.placed_at, now),
        "placed_at": order.placed_at.astimezone(UTC).isoformat(),
        "total": total_text(order.total_amount),
        "step": step,
        "can_cancel": order.status in CAN_CANCEL,
        "can_pick": order.status in CAN_SHIP,
        "short_count": len(missing),
        "lines": [
            {
                "name": line.product.name,
                "sku": line.product.sku,
                "quantity": _open_text(line, order.status),
                "short": quantity_text(short[line.pk]) if line.pk in short else "",
            }
            for line in shown
        ],
        "lines_hidden": len(lines) - len(shown),
        "line_count": len(lines),
    }


def _open_text(line: OrderLine, status: str) -> str:
    if status == S.PARTIALLY_SHIPPED:
        return f"{quantity_text(line.quantity - line.shipped_quantity)} of {quantity_text(line.quantity)}"
    return quantity_text(line.quantity)


def shortages(orders: Sequence[tuple[Order, Sequence[OrderLine]]]) -> dict[int, Decimal]:
    """Line id → how much of it could not be reserved if its order were confirmed now, by the service's own rules.

    Counted is what is available in sellable warehouses (of an order that names one, there), and what the line already
    holds. Lines of one order share it in their order; orders do not share, since nobody knows which comes first.
    """
    wanted = [(order, line) for order, lines in orders for line in lines if line.product.is_stocked]
    products = {line.product_id for _, line in wanted}
    free = _free(products)
    held: dict[int, Decimal] = {}
    over: set[int] = set()
    for number, product_id, place, quantity in _over(products):
        over.add(number)
        if place in free.get(product_id, {}):
            free[product_id][place] += quantity
    rows = Reservation.objects.filter(
        holder_type=Reservation.Holder.ORDER_LINE, holder_id__in=[line.pk for _, line in wanted], quantity__gt=0
    )
    for number, line_id, quantity in rows.values_list("id", "holder_id", "quantity"):
        if number not in over:
            held[line_id] = held.get(line_id, ZERO) + quantity
    short: dict[int, Decimal] = {}
    taken: dict[tuple[int, int], Decimal] = {}
    for order, line in wanted:
        places = free.get(line.product_id, {})
        there = places.get(order.warehouse_id, ZERO) if order.warehouse_id else sum(places.values(), ZERO)
        key = (order.pk, line.product_id)
        needed = line.quantity - held.get(line.pk, ZERO)
        left = there - taken.get(key, ZERO)
        taken[key] = taken.get(key, ZERO) + needed
        if needed > left:
            short[line.pk] = needed - max(left, ZERO)
    return short


def _free(products: set[int]) -> dict[int, dict[int, Decimal]]:
    """Product → warehouse that sells → what is available there.

    Of every warehouse, whatever the asker's walls: an order that names none may be filled from all of them, and one
    that names another than the asker's is not on the board.
    """
    found: dict[int, dict[int, Decimal]] = {}
    levels = StockLevel.objects.filter(product_id__in=products, warehouse__is_sellable=True).order_by()
    for product_id, place, on_hand, reserved in levels.values_list("product_id", "warehouse_id", "on_hand", "reserved"):
        found.setdefault(product_id, {})[place] = on_hand - reserved
    return found


def _over(products: set[int]) -> Iterable[tuple[int, int, int, Decimal]]:
    """Reservations whose hold is over, swept or not: whoever confirms next may have their stock."""
    rows = Reservation.objects.filter(
        level__product_id__in=products, quantity__gt=0, hold__expires_at__lte=datetime.now(UTC)
    )
    return rows.values_list("id", "level__product_id", "level__warehouse_id", "quantity")
