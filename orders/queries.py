"""Reads of orders that filter or join: shared by API and admin. An order as such is read by `services.read_order`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db.models import Q, QuerySet

from accounts.models import User
from orders.models import Order, OrderLine
from orders.states import SOLD
from workbox.core.events import ORDERS
from workbox.core.models import Event

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
