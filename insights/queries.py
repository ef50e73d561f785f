"""Figures over orders and stock for the home page: few indexed queries, no table is read from end to end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, DecimalField, ExpressionWrapper, F, Min, Q, QuerySet, Sum

from insights.models import OPEN, Alert, AlertType, DailySales, DailyTotal
from insights.queries_replenishment import SuggestionFilter, find_suggestions
from inventory.models import Product, ProductStock, StockLevel, StockMovement
from inventory.queries import ProductFilter, find_products, low_stock_products
from orders.models import Order
from orders.states import OPEN as STILL_OPEN
from orders.states import SOLD
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


NO_SALES = Sales(0, Decimal(0))


@dataclass(frozen=True, slots=True)
class StockWorth:
    """What the stock on hand is worth at average cost, of how many rows, and of how many nobody knows the cost."""

    value: Decimal
    products: int
    without_cost: int


def _orders() -> QuerySet[Order]:
    return walls.within(Order.objects.all(), "warehouse_id", or_none=True)


def open_orders() -> list[OpenOrders]:
    """One row per open status that holds orders, in the order of an order's life."""
    rows = (
        _orders()
        .filter(status__in=STILL_OPEN)
        .order_by()
        .values("status")
        .annotate(count=Count("id"), oldest=Min("placed_at"))
    )
    found = {row["status"]: OpenOrders(row["status"], row["count"], row["oldest"]) for row in rows}
    return [found[status] for status in ("pending", "confirmed", "partially_shipped") if status in found]


def oldest_open_orders(limit: int) -> QuerySet[Order]:
    """The open orders that wait longest."""
    rows = _orders().filter(status__in=STILL_OPEN).select_related("customer", "user")
    return rows.order_by("placed_at", "id")[:limit]


def open_orders_between(spans: Sequence[tuple[datetime | None, datetime]]) -> list[int]:
    """How many open orders were placed in each of these spans (from, until; no from: any time before), in one read."""
    asked = {
        f"n{number}": Count("id", filter=Q(placed_at__lt=until, **({"placed_at__gte": since} if since else {})))
        for number, (since, until) in enumerate(spans)
    }
    found = _orders().filter(status__in=STILL_OPEN).order_by().aggregate(**asked)
    return [found[name] for name in asked]


def day_of(moment: datetime) -> datetime:
    """Midnight (UTC) of the day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def sales_of_day(day: datetime) -> Sales:
    """What was sold on the day that begins at `day` (UTC), by the time the customer ordered."""
    rows = _orders().filter(placed_at__gte=day, placed_at__lt=day + timedelta(days=1), status__in=SOLD)
    found: dict[str, Any] = rows.aggregate(orders=Count("id"), revenue=Sum("total_amount"))
    return Sales(found["orders"], as_money(found["revenue"]))


def sales_by_day(first: date) -> dict[date, Sales]:
    """The whole shop's kept figures from that day on; a day without sales is not there."""
    rows = DailyTotal.objects.filter(day__gte=first).order_by().values_list("day", "orders", "revenue")
    return {day: Sales(orders, as_money(revenue)) for day, orders, revenue in rows}


def best_sellers(first: date, limit: int) -> list[dict[str, Any]]:
    """The products with the most revenue from that day on, by the kept figures."""
    rows = DailySales.objects.filter(day__gte=first).order_by().values("product_id")
    best = list(
        rows.annotate(units=Sum("units"), revenue=Sum("revenue"))
        .filter(revenue__gt=0)
        .order_by("-revenue", "product_id")[:limit]
    )
    named = Product.objects.filter(id__in=[row["product_id"] for row in best]).values_list("id", "name", "sku")
    names = {one: (name, sku) for one, name, sku in named}
    return [row | {"name": names[row["product_id"]][0], "sku": names[row["product_id"]][1]} for row in best]


def stock_worth() -> StockWorth:
    """All stock on hand at the products' average cost; behind walls, the levels inside."""
    cost = "average_cost" if walls.own() is None else "product__stock__average_cost"
    rows: QuerySet[Any] = (
        ProductStock.objects.all() if walls.own() is None else walls.within(StockLevel.objects.all(), "warehouse_id")
    )
    amount = ExpressionWrapper(F("on_hand") * F(cost), output_field=DecimalField(max_digits=40, decimal_places=9))
    found = (
        rows.filter(on_hand__gt=0)
        .order_by()
        .aggregate(
            value=Sum(amount), products=Count("pk"), without_cost=Count("pk", filter=Q(**{f"{cost}__isnull": True}))
        )
    )
    return StockWorth(as_money(found["value"]), found["products"], found["without_cost"])


def predicted_depletions(limit: int) -> tuple[int, list[Alert]]:
    """How many open alerts say that a product will run out, and those of them that come first."""
    rows = walls.of(Alert.objects.filter(OPEN, alert_type=AlertType.PREDICTED_DEPLETION))
    first = rows.select_related("product").order_by(F("predicted_on").asc(nulls_last=True), "id")
    return rows.order_by().count(), list(first[:limit])


def suggested_orders(product_ids: Iterable[int]) -> dict[int, Decimal]:
    """How much of these products replenishment suggests to order, all warehouses together."""
    found = find_suggestions(SuggestionFilter()).filter(product_id__in=list(product_ids)).order_by()
    return dict(found.values("product_id").annotate(units=Sum("quantity")).values_list("product_id", "units"))


def low_stock(limit: int) -> tuple[int, list[Product]]:
    """How many products are at or below their reorder threshold, and the first of them, emptiest first."""
    rows = low_stock_products()
    return rows.order_by().count(), list(rows.select_related("stock", "unit")[:limit])


def newest_movements(limit: int) -> QuerySet[StockMovement]:
    """The last lines of the ledger, found by key before anything is joined: MariaDB joins the whole ledger else."""
    newest = walls.within(StockMovement.objects.order_by("-id"), "warehouse_id").values_list("id", flat=True)[:limit]
    found = StockMovement.objects.filter(id__in=list(newest))
    return found.select_related("product", "warehouse", "operation__actor").order_by("-id")


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
