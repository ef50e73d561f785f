"""Figures for the admin's home page; each comes with the link to the list that it counts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from insights import queries
from inventory.models import Product, Warehouse
from orders.models import Order
from orders.states import OrderStatus
from workbox.core.admin import moment_text, money_text, quantity_text, signed_text

ROWS_SHOWN = 8
MOVEMENTS_SHOWN = 12


def admin_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context with open orders, low stock, today's sales and the latest stock movements."""
    now = datetime.now(UTC)
    home = {
        "orders": _orders(now),
        "low": _low(),
        "sales": _sales(now),
        "movements": _movements(),
        "start": _first_steps(),
        "links": {
            "orders": reverse("admin:orders_order_changelist"),
            "new_order": reverse("admin:orders_order_add"),
            "products": reverse("admin:inventory_product_changelist"),
            "movements": reverse("admin:inventory_stockmovement_changelist"),
        },
        "may_order": request.user.can("orders.manage"),  # type: ignore[union-attr]
    }
    return context | {"home": home}


def age_text(since: datetime, now: datetime) -> str:
    """How long ago, in one unit: 3 d, 5 h, 12 min."""
    minutes = max(int((now - since).total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def _orders(now: datetime) -> dict[str, Any]:
    base = reverse("admin:orders_order_changelist")
    statuses = queries.open_orders()
    labels = dict(OrderStatus.choices)
    return {
        "total": sum(row.count for row in statuses),
        "url": f"{base}?stage=open",
        "statuses": [
            {
                "label": labels[row.status],
                "status": row.status,
                "count": f"{row.count:,}",
                "oldest": age_text(row.oldest_placed_at, now),
                "url": f"{base}?status__exact={row.status}",
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
                "total": money_text(order.total_amount),
                "age": age_text(order.placed_at, now),
            }
            for order in queries.oldest_open_orders(ROWS_SHOWN)
        ],
    }


def _low() -> dict[str, Any]:
    count, rows = queries.low_stock(ROWS_SHOWN)
    return {
        "total": count,
        "url": f"{reverse('admin:inventory_product_changelist')}?stock_state=low",
        "rows": [
            {
                "name": product.name,
                "sku": product.sku,
                "url": reverse("admin:inventory_product_change", args=[product.pk]),
                "available": quantity_text(product.stock.available),
                "threshold": quantity_text(product.reorder_threshold),
                "is_out": product.stock.available <= 0,
            }
            for product in rows
        ],
    }


def _sales(now: datetime) -> dict[str, Any]:
    day = queries.day_of(now)
    today, yesterday = queries.sales_of_day(day), queries.sales_of_day(day - timedelta(days=1))
    return {
        "orders": f"{today.orders:,}",
        "revenue": money_text(today.revenue),
        "yesterday_orders": f"{yesterday.orders:,}",
        "yesterday_revenue": money_text(yesterday.revenue),
        "change": growth_text(today.revenue, yesterday.revenue),
        "is_up": today.revenue >= yesterday.revenue,
        "url": _day_url(day),
        "yesterday_url": _day_url(day - timedelta(days=1)),
    }


def growth_text(now: Decimal, before: Decimal) -> str:
    """By how much it grew, in per cent; empty when there was nothing to grow from."""
    return f"{signed_text(Decimal(round((now - before) * 100 / before)))} %".replace("−0 %", "0 %") if before else ""


def _day_url(day: datetime) -> str:
    date = f"{day:%Y-%m-%d}"
    return f"{reverse('admin:orders_order_changelist')}?stage=sold&placed_at_from={date}&placed_at_to={date}"


def _movements() -> list[dict[str, Any]]:
    return [
        {
            "at": moment_text(movement.created_at),
            "product": movement.product.name,
            "sku": movement.product.sku,
            "url": reverse("admin:inventory_product_change", args=[movement.product_id]),
            "operation_url": reverse("admin:inventory_stockoperation_change", args=[movement.operation_id]),
            "type": movement.get_movement_type_display(),
            "quantity": signed_text(movement.quantity),
            "is_in": movement.quantity > 0,
            "balance": quantity_text(movement.balance_after),
            "warehouse": movement.warehouse.code,
            "by": str(movement.operation.actor or "System"),
        }
        for movement in queries.newest_movements(MOVEMENTS_SHOWN)
    ]


def _first_steps() -> list[dict[str, Any]]:
    """What an empty shop does first; nothing once all of it is done."""
    done = (
        ("Create a warehouse: the place your stock stands in", "inventory_warehouse", Warehouse.objects.exists()),
        ("Record a product with its opening stock", "inventory_product", Product.objects.exists()),
        ("Place the first order", "orders_order", Order.objects.exists()),
    )
    if all(one for _, _, one in done):
        return []
    return [{"text": text, "url": reverse(f"admin:{name}_add"), "is_done": one} for text, name, one in done]
