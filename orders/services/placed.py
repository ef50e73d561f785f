"""Service: an order as stored, and reading it back in as few statements as there can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from orders.errors import OrderUnknown
from workbox.core.db import as_utc, execute, later, marks
from workbox.core.numbers import as_money, as_quantity

ZERO = Decimal(0)


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
