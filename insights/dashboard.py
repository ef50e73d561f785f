"""Figures for the admin's home page; each comes with the link to the list that it counts."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from accounts.capabilities import (
    CATALOG_WRITE,
    ORDERS_MANAGE,
    PURCHASING_WRITE,
    STOCK_POST,
    USERS_WRITE,
    WAREHOUSES_WRITE,
)
from accounts.models import STAFF_ROLES, User
from insights import facts, queries
from insights.models import Alert
from insights.sales import ensure_built
from inventory.models import Category, Product, StockLevel, Warehouse
from orders.models import Order
from orders.states import OrderStatus
from workbox.core import events, walls
from workbox.core.admin import moment_text, quantity_text, signed_text, total_text

ROWS_SHOWN = 8
TOP_SHOWN = 5
ACTIVITY_SHOWN = 12
CHART_DAYS = 30
# Label → how many days ago the first and the last of its days lie (None: any time before).
AGES: tuple[tuple[str, int | None, int], ...] = (
    ("Today", 0, 0),
    ("1–2 days", 2, 1),
    ("3–6 days", 6, 3),
    ("A week or more", None, 7),
)


def admin_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context: `home` with every figure, and the cursor from which the page listens on."""
    # The cursor first: what happens while the figures are read is told again over the socket.
    cursor = events.head()
    return context | {"home": home_figures(request), "cursor": cursor}


def home_figures(request: HttpRequest) -> dict[str, Any]:
    """What waits, what runs out, what was sold, what the stock is worth, what happened."""
    now = datetime.now(UTC)
    today = queries.day_of(now)
    sees_all = walls.own() is None
    if sees_all:
        ensure_built()  # one look when they are kept already, which they are but for the very first time
    sales = {days: queries.sales_of_day(today - timedelta(days=days)) for days in (0, 1, 7)}
    may = request.user.can  # type: ignore[union-attr]  # nobody else gets here
    low, depletions = queries.low_stock(ROWS_SHOWN), queries.predicted_depletions(ROWS_SHOWN)
    suggested = queries.suggested_orders(
        {product.pk for product in low[1]} | {alert.product_id for alert in depletions[1]}
    )
    return {
        "orders": _orders(now),
        "low": _low(*low, suggested),
        "depletions": _depletions(*depletions, suggested),
        "sales": _sales(today, sales),
        # Daily figures know no warehouse: they are the whole shop's, and shown to those who see the whole shop.
        "month": _month(today.date(), sales[0]) if sees_all else None,
        "top": _top(today.date()) if sees_all else [],
        "worth": _worth(),
        "activity": _activity(),
        "start": _first_steps(request),
        "links": {
            "orders": reverse("admin:orders_order_changelist"),
            "new_order": reverse("admin:orders_order_add"),
            "products": reverse("admin:inventory_product_changelist"),
            "movements": reverse("admin:inventory_stockmovement_changelist"),
            "new_purchase": reverse("admin:purchasing_purchaseorder_add") if may(PURCHASING_WRITE) else "",
        },
        "may_order": may(ORDERS_MANAGE),
    }


def age_text(since: datetime, now: datetime) -> str:
    """How long ago, in one unit: 3 d, 5 h, 12 min."""
    minutes = max(int((now - since).total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def _list(name: str, **filters: Any) -> str:
    base = reverse(f"admin:{name}_changelist")
    return f"{base}?{urlencode(filters)}" if filters else base


# ---- orders ----------------------------------------------------------------------------------------------------------
def _orders(now: datetime) -> dict[str, Any]:
    statuses = queries.open_orders()
    labels = dict(OrderStatus.choices)
    return {
        "total": sum(row.count for row in statuses),
        "url": _list("orders_order", stage="open"),
        "to_ship": sum(row.count for row in statuses if row.status in {"confirmed", "partially_shipped"}),
        "to_ship_url": _list("orders_order", stage="ship"),
        "ages": _ages(now),
        "statuses": [
            {
                "label": labels[row.status],
                "status": row.status,
                "count": f"{row.count:,}",
                "oldest": age_text(row.oldest_placed_at, now),
                "url": _list("orders_order", status__exact=row.status),
            }
            for row in statuses
        ],
        "rows": [
            {
                "number": order.pk,
                "url": reverse("admin:orders_order_change", args=[order.pk]),
                "buyer": str(order.customer or order.user or "–"),
                "status": labels[order.status],
                "state": order.status,
                "total": total_text(order.total_amount),
                "age": age_text(order.placed_at, now),
            }
            for order in queries.oldest_open_orders(ROWS_SHOWN)
        ],
    }


def _ages(now: datetime) -> list[dict[str, Any]]:
    today = queries.day_of(now)
    spans = [
        (None if first is None else today - timedelta(days=first), today - timedelta(days=last - 1))
        for _, first, last in AGES
    ]
    found = []
    for (label, _, _), (since, until), count in zip(AGES, spans, queries.open_orders_between(spans), strict=True):
        days = {"placed_at_from": f"{since:%Y-%m-%d}"} if since else {}
        days["placed_at_to"] = f"{until - timedelta(days=1):%Y-%m-%d}"
        found.append(
            {
                "label": label,
                "count": count,
                "url": _list("orders_order", stage="open", **days),
                "is_old": since is None,
            }
        )
    return found


# ---- what runs out ---------------------------------------------------------------------------------------------------
def _low(count: int, rows: list[Product], suggested: Mapping[int, Decimal]) -> dict[str, Any]:
    return {
        "total": count,
        "url": _list("inventory_product", stock_state="low"),
        "rows": [
            {
                "name": product.name,
                "sku": product.sku,
                "url": reverse("admin:inventory_product_change", args=[product.pk]),
                "available": quantity_text(product.stock.available),
                "threshold": quantity_text(product.reorder_threshold),
                "suggested": _suggested(product, suggested),
                "is_out": product.stock.available <= 0,
            }
            for product in rows
        ],
    }


def _depletions(count: int, rows: list[Alert], suggested: Mapping[int, Decimal]) -> dict[str, Any]:
    return {
        "total": count,
        "url": _list("insights_alert", attention="open", alert_type__exact="predicted_depletion"),
        "rows": [
            {
                "name": alert.product.name,
                "sku": alert.product.sku,
                "url": reverse("admin:insights_alert_change", args=[alert.pk]),
                "on": f"{alert.predicted_on:%Y-%m-%d}" if alert.predicted_on else "–",
                "days": quantity_text(alert.days_left),
                "suggested": _suggested(alert.product, suggested),
                "is_critical": alert.severity == "critical",
            }
            for alert in rows
        ],
    }


def _suggested(product: Product, suggested: Mapping[int, Decimal]) -> dict[str, str]:
    """What to order with the list it stands in: as replenishment works it out, else the product's reorder quantity."""
    if product.pk in suggested:
        return {"text": quantity_text(suggested[product.pk]), "url": _list("insights_suggestion", q=product.sku)}
    return {"text": quantity_text(product.reorder_quantity) if product.reorder_quantity > 0 else "–", "url": ""}


# ---- what was sold ---------------------------------------------------------------------------------------------------
def _sales(today: datetime, sales: dict[int, queries.Sales]) -> dict[str, Any]:
    now, yesterday, week = sales[0], sales[1], sales[7]
    return {
        "orders": f"{now.orders:,}",
        "revenue": total_text(now.revenue),
        "url": _day_url(today),
        "yesterday_orders": f"{yesterday.orders:,}",
        "yesterday_revenue": total_text(yesterday.revenue),
        "yesterday_url": _day_url(today - timedelta(days=1)),
        "week_orders": f"{week.orders:,}",
        "week_revenue": total_text(week.revenue),
        "week_url": _day_url(today - timedelta(days=7)),
        "weekday": f"{today - timedelta(days=7):%A}",
        "change": growth_text(now.revenue, yesterday.revenue),
        "is_up": now.revenue >= yesterday.revenue,
        "week_change": growth_text(now.revenue, week.revenue),
        "is_week_up": now.revenue >= week.revenue,
    }


def growth_text(now: Decimal, before: Decimal) -> str:
    """By how much it grew, in per cent; empty when there was nothing to grow from."""
    return f"{signed_text(Decimal(round((now - before) * 100 / before)))} %".replace("−0 %", "0 %") if before else ""


def _day_url(day: datetime) -> str:
    text = f"{day:%Y-%m-%d}"
    return _list("orders_order", stage="sold", placed_at_from=text, placed_at_to=text)


def _month(today: date, so_far: queries.Sales) -> dict[str, Any]:
    """Revenue and orders of thirty days, today as it stands now; for the chart, and in words and numbers beside it."""
    first = today - timedelta(days=CHART_DAYS - 1)
    kept = queries.sales_by_day(first) | {today: so_far}
    days = [first + timedelta(days=number) for number in range(CHART_DAYS)]
    rows = [(day, kept.get(day, queries.NO_SALES)) for day in days]
    best = max(rows, key=lambda row: row[1].revenue)
    revenue = sum((one.revenue for _, one in rows), Decimal(0))
    return {
        "rows": [
            {
                "day": f"{day:%Y-%m-%d}",
                "short": f"{day:%d %b}",
                "orders": one.orders,
                "revenue": total_text(one.revenue),
                "plain": f"{one.revenue:.2f}",
                "url": _day_url(facts.midnight(day)),
            }
            for day, one in rows
        ],
        "revenue": total_text(revenue),
        "orders": f"{sum(one.orders for _, one in rows):,}",
        "url": _list(
            "orders_order", stage="sold", placed_at_from=f"{first:%Y-%m-%d}", placed_at_to=f"{today:%Y-%m-%d}"
        ),
        "words": f"Best day: {best[0]:%A, %d %B} with {total_text(best[1].revenue)}." if revenue else "",
    }


def _top(today: date) -> list[dict[str, Any]]:
    first = today - timedelta(days=CHART_DAYS - 1)
    return [
        {
            "name": row["name"],
            "sku": row["sku"],
            "url": reverse("admin:inventory_product_change", args=[row["product_id"]]),
            "units": quantity_text(row["units"]),
            "revenue": total_text(row["revenue"]),
            "days_url": _list(
                "insights_dailysales", q=row["sku"], day_from=f"{first:%Y-%m-%d}", day_to=f"{today:%Y-%m-%d}"
            ),
        }
        for row in queries.best_sellers(first, TOP_SHOWN)
    ]


def _worth() -> dict[str, Any]:
    found = queries.stock_worth()
    return {
        "value": total_text(found.value),
        "products": f"{found.products:,}",
        "noun": "product" if walls.own() is None else "stock level",
        "without_cost": found.without_cost,
        "url": _list("inventory_product", stock_state="held")
        if walls.own() is None
        else _list("inventory_stocklevel", held="some"),
    }


# ---- what happened ---------------------------------------------------------------------------------------------------
def _activity() -> list[dict[str, Any]]:
    """The newest movements and orders, one list by time."""
    moved = [
        (
            movement.created_at,
            {
                "at": moment_text(movement.created_at),
                "at_url": reverse("admin:inventory_stockoperation_change", args=[movement.operation_id]),
                "what": movement.product.name,
                "note": movement.product.sku,
                "url": reverse("admin:inventory_product_change", args=[movement.product_id]),
                "type": movement.get_movement_type_display(),
                "quantity": signed_text(movement.quantity),
                "is_in": movement.quantity > 0,
                "balance": quantity_text(movement.balance_after),
                "where": movement.warehouse.code,
                "by": str(movement.operation.actor or "System"),
            },
        )
        for movement in queries.newest_movements(ACTIVITY_SHOWN)
    ]
    ordered = [
        (
            order["at"],
            {
                "at": moment_text(order["at"]),
                "at_url": reverse("admin:orders_order_change", args=[order["id"]]),
                "what": f"Order {order['id']}",
                "note": order["buyer"],
                "url": reverse("admin:orders_order_change", args=[order["id"]]),
                "type": OrderStatus(order["status"]).label,
                "state": order["status"],
                "quantity": total_text(order["total"]),
            },
        )
        for order in queries.live_orders(limit=ACTIVITY_SHOWN)
    ]
    return [row for _, row in sorted([*moved, *ordered], key=lambda one: one[0], reverse=True)[:ACTIVITY_SHOWN]]


def _first_steps(request: HttpRequest) -> list[dict[str, Any]]:
    """What an empty shop does first; nothing once it has a warehouse, a product and an order."""
    has_place, has_product, has_order = (model.objects.exists() for model in (Warehouse, Product, Order))
    if has_place and has_product and has_order:
        return []
    staff = User.objects.filter(role__in=STAFF_ROLES, is_active=True)
    steps = (
        ("Create a warehouse: the place your stock stands in", "inventory_warehouse_add", WAREHOUSES_WRITE, has_place),
        ("Create a category: products are found by it", "inventory_category_add", CATALOG_WRITE,
         Category.objects.exists()),
        ("Record a product", "inventory_product_add", CATALOG_WRITE, has_product),
        ("Book its stock: open the product and adjust, or receive a purchase order", "inventory_product_changelist",
         STOCK_POST, StockLevel.objects.filter(on_hand__gt=0).exists()),
        ("Add the people who work here", "accounts_user_add", USERS_WRITE, staff.count() > 1),
        ("Place the first order", "orders_order_add", ORDERS_MANAGE, has_order),
    )  # fmt: skip
    may = request.user.can  # type: ignore[union-attr]  # nobody else gets here
    return [
        {"text": text, "url": reverse(f"admin:{name}") if may(capability) else "", "is_done": is_done}
        for text, name, capability, is_done in steps
    ]
