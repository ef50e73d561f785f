"""Reads of orders that filter or join: shared by API and admin. An order as such is read by `services.read_order`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection
from django.db.models import Q, QuerySet

from accounts.models import User
from inventory.queries import Difference
from orders.models import Order, OrderLine
from orders.states import SOLD, OrderStatus
from workbox.core import walls
from workbox.core.events import ORDERS
from workbox.core.models import Event
from workbox.core.numbers import as_quantity

# Public name → column; ids follow the order of placing.
ORDER_ORDER = {"created": "id", "created_at": "id", "id": "id", "total": "total_amount", "total_amount": "total_amount"}


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list of orders shows. `owner_id` is whose orders the asker may see at all; None: everybody's."""

    owner_id: int | None = None
    user_id: int | None = None
    status: str | None = None
    customer: str = ""
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_orders(wanted: OrderFilter) -> QuerySet[Order]:
    """The orders of a filter.

    `customer` is a part of a customer's code or name; `search` an order's number, or a part of its customer, user,
    reference or of a product on it.
    """
    exact = {
        "user_id": wanted.user_id,
        "status": wanted.status,
        "placed_at__gte": wanted.created_from,
        "placed_at__lte": wanted.created_to,
    }
    found = Order.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "warehouse_id", or_none=True)
    if wanted.owner_id is not None:
        found = found.filter(user_id=wanted.owner_id)
    if wanted.customer:
        found = found.filter(
            Q(customer__code__icontains=wanted.customer) | Q(customer__name__icontains=wanted.customer)
        )
    if wanted.search:
        found = found.filter(_matches(wanted.search))
    return found


def _matches(text: str) -> Q:
    on_a_line = OrderLine.objects.filter(Q(product__name__icontains=text) | Q(product__sku__icontains=text))
    match = (
        Q(customer__code__icontains=text)
        | Q(customer__name__icontains=text)
        | Q(user__username__icontains=text)
        | Q(user__email__icontains=text)
        | Q(external_reference__icontains=text)
        | Q(id__in=on_a_line.values("order_id"))
    )
    return match | Q(id=int(text)) if text.isascii() and text.isdigit() and len(text) <= 18 else match


def find_sales(
    *, product_id: int | None = None, sold_from: datetime | None = None, sold_to: datetime | None = None
) -> QuerySet[OrderLine]:
    """The lines of orders that were sold (confirmed, shipped, delivered), newest first."""
    exact = {"product_id": product_id, "order__placed_at__gte": sold_from, "order__placed_at__lte": sold_to}
    found = OrderLine.objects.filter(order__status__in=sorted(SOLD)).order_by("-id")
    found = walls.within(found, "order__warehouse_id", or_none=True)
    return found.filter(**{name: one for name, one in exact.items() if one is not None})


def sale_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These order lines as sales: what, how many, for how much, when."""
    columns = ("id", "order_id", "product_id", "product__name", "quantity", "unit_price", "order__placed_at")
    by_id = {
        row[0]: {
            "id": row[0],
            "order_id": row[1],
            "product_id": row[2],
            "product_name": row[3],
            "quantity": row[4],
            "unit_price": row[5],
            "total_amount": row[4] * row[5],
            "sale_date": row[6],
        }
        for row in OrderLine.objects.filter(id__in=ids).order_by().values_list(*columns)
    }
    return [by_id[one] for one in ids if one in by_id]


def find_timeline(order_id: int) -> QuerySet[Event]:
    """What the event log tells of one order, oldest first."""
    return Event.objects.filter(topic=ORDERS, subject_id=order_id).order_by("id")


def timeline_rows(ids: Sequence[int], *, with_actors: bool = True) -> list[dict[str, Any]]:
    """These events as steps of an order: what became true, when, by whom (`with_actors` False: not by whom)."""
    rows = Event.objects.filter(id__in=ids).order_by("id")
    names = dict(User.objects.filter(id__in={row.actor_id for row in rows}).values_list("id", "username"))
    return [
        {
            "event_id": row.pk,
            "type": row.type,
            "at": row.created_at,
            "actor_id": row.actor_id if with_actors else None,
            "actor": names.get(row.actor_id) if with_actors and row.actor_id is not None else None,
            "request_id": row.request_id,
            **orjson.loads(row.payload),
        }
        for row in rows
    ]


# ---- do the books agree with themselves? -----------------------------------------------------------------------------
_PROMISED = ", ".join(f"'{one.value}'" for one in (OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_SHIPPED))
_COMPLETE = ", ".join(f"'{one.value}'" for one in (OrderStatus.SHIPPED, OrderStatus.DELIVERED))
# A held pending order has all of a line, or, after its hold, nothing.
_SHOULD_HOLD = (
    f"CASE WHEN o.status IN ({_PROMISED}) THEN l.quantity - l.shipped_quantity"
    " WHEN o.status = 'pending' AND o.hold_expires_at IS NOT NULL AND COALESCE(r.quantity, 0) > 0 THEN l.quantity"
    " ELSE 0 END"
)
# Each statement answers (what, id, product id or 0, kept, computed) for the rows that differ.
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "what an order's lines say was shipped is what its sale movements say",
        "SELECT 'order', both_sides.order_id, product_id, SUM(kept), ROUND(SUM(computed), 3) FROM ("
        " SELECT l.order_id, l.product_id, l.shipped_quantity AS kept, 0 AS computed FROM orders_orderline l"
        "  JOIN inventory_product p ON p.id = l.product_id WHERE p.is_stocked"
        " UNION ALL"
        " SELECT s.order_id, m.product_id, 0, -m.quantity FROM orders_shipment s"
        "  JOIN inventory_stockmovement m ON m.operation_id = s.operation_id"
        "  JOIN inventory_product p ON p.id = m.product_id WHERE p.is_stocked"
        ") both_sides GROUP BY both_sides.order_id, product_id HAVING ROUND(SUM(kept) - SUM(computed), 3) <> 0",
    ),
    (
        "open reservations are what confirmed orders have not shipped yet",
        "SELECT 'order line', l.id, l.product_id, COALESCE(r.quantity, 0),"  # noqa: S608  (our own words)
        f" {_SHOULD_HOLD}"
        " FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id"
        " JOIN inventory_product p ON p.id = l.product_id"
        " LEFT JOIN (SELECT holder_id, ROUND(SUM(quantity), 3) AS quantity FROM inventory_reservation"
        "  WHERE holder_type = 'order_line' AND quantity > 0 GROUP BY holder_id) r ON r.holder_id = l.id"
        " WHERE p.is_stocked AND ROUND(COALESCE(r.quantity, 0)"
        f" - {_SHOULD_HOLD}, 3) <> 0",
    ),
    (
        "what an order's lines say came back is what its returns say",
        "SELECT 'order line', l.id, l.product_id, l.returned_quantity, COALESCE(r.quantity, 0) FROM orders_orderline l"
        " LEFT JOIN (SELECT order_line_id, ROUND(SUM(quantity), 3) AS quantity FROM orders_returnline"
        "  WHERE order_line_id IS NOT NULL GROUP BY order_line_id) r ON r.order_line_id = l.id"
        " WHERE l.returned_quantity <> COALESCE(r.quantity, 0)",
    ),
    (
        "an order's total is the sum of its lines",
        "SELECT 'order', o.id, 0, o.total_amount, ROUND(SUM(l.quantity * l.unit_price), 4) FROM orders_order o"
        " JOIN orders_orderline l ON l.order_id = o.id GROUP BY o.id, o.total_amount"
        " HAVING ABS(o.total_amount - SUM(l.quantity * l.unit_price)) >= 0.0001",
    ),
    (
        "a shipped order has shipped every line",
        "SELECT 'order line', l.id, l.product_id, l.shipped_quantity, l.quantity FROM orders_orderline l"  # noqa: S608  (only placeholders and our own words)
        " JOIN orders_order o ON o.id = l.order_id"
        f" WHERE o.status IN ({_COMPLETE}) AND l.shipped_quantity <> l.quantity",
    ),
)
ORDER_CHECK_NAMES = tuple(name for name, _ in _CHECKS)


def order_differences() -> Iterator[Difference]:
    """Every kept number of an order that its shipments, reservations or returns do not add up to."""
    for rule, sql in _CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            for what, row_id, product_id, kept, computed in cursor.fetchall():
                row = f"{what} {row_id}" + (f", product {product_id}" if product_id else "")
                yield Difference(rule, row, as_quantity(kept), as_quantity(computed))
