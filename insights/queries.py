"""Figures over orders and stock for the home page: few indexed queries, no table is read from end to end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min, QuerySet, Sum

from inventory.models import Product, StockMovement
from inventory.queries import ProductFilter, find_products, low_stock_products
from orders.models import Order
from orders.states import OPEN, SOLD
from workbox.core import walls
from workbox.core.numbers import as_money


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """How many orders stand in one status, and since when the oldest waits."""

    status: str
    count: int
    oldest_placed_at: datetime


@dataclass(frozen=True, slots=True)
class Sales:
    """Orders placed in a span of time that were confirmed or further, and what they amount to."""

    orders: int
    revenue: Decimal


def open_orders() -> list[OpenOrders]:
    """One row per open status that holds orders, in the order of an order's life."""
    rows = (
        Order.objects.filter(status__in=OPEN)
        .order_by()
        .values("status")
        .annotate(count=Count("id"), oldest=Min("placed_at"))
    )
    found = {row["status"]: OpenOrders(row["status"], row["count"], row["oldest"]) for row in rows}
    return [found[status] for status in ("pending", "confirmed", "partially_shipped") if status in found]


def oldest_open_orders(limit: int) -> QuerySet[Order]:
    """The open orders that wait longest."""
    return Order.objects.filter(status__in=OPEN).select_related("customer", "user").order_by("placed_at", "id")[:limit]


def day_of(moment: datetime) -> datetime:
    """Midnight (UTC) of the day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def sales_of_day(day: datetime) -> Sales:
    """What was sold on the day that begins at `day` (UTC), by the time the customer ordered."""
    rows = Order.objects.filter(placed_at__gte=day, placed_at__lt=day + timedelta(days=1), status__in=SOLD)
    found: dict[str, Any] = rows.aggregate(orders=Count("id"), revenue=Sum("total_amount"))
    return Sales(found["orders"], as_money(found["revenue"]))


def low_stock(limit: int) -> tuple[int, list[Product]]:
    """How many products are at or below their reorder threshold, and the first of them, emptiest first."""
    rows = low_stock_products()
    return rows.order_by().count(), list(rows.select_related("stock", "unit")[:limit])


def newest_movements(limit: int) -> QuerySet[StockMovement]:
    """The last lines of the ledger."""
    found = StockMovement.objects.select_related("product", "warehouse", "operation__actor")
    return walls.within(found, "warehouse_id").order_by("-id")[:limit]


def live_products(*, search: str, limit: int) -> list[dict[str, Any]]:
    """Products for the live page with the version of their numbers: those that match, or those that moved most."""
    rows = find_products(ProductFilter(search=search, order=("name", "id") if search else ("-stock__version", "id")))
    found = rows.filter(stock__isnull=False).values_list(
        "id", "sku", "name", "price", "reorder_threshold", "is_stocked",
        "stock__available", "stock__reserved", "stock__on_hand", "stock__version",
    )[:limit]  # fmt: skip
    names = ("id", "sku", "name", "price", "threshold", "is_stocked", "available", "reserved", "on_hand", "version")
    return [dict(zip(names, row, strict=True)) for row in found]


def live_orders(*, limit: int) -> list[dict[str, Any]]:
    """The newest orders for the live page."""
    rows = walls.within(Order.objects.order_by("-id"), "warehouse_id", or_none=True).values(
        "id", "status", "total_amount", "updated_at", "customer__name", "user__username"
    )
    return [
        {
            "id": row["id"],
            "status": row["status"],
            "total": row["total_amount"],
            "at": row["updated_at"],
            "buyer": row["customer__name"] or row["user__username"] or "",
        }
        for row in rows[:limit]
    ]
