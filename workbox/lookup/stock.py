"""What the lookup shows of a product beside its forecast: movements, open orders, purchase orders, alerts."""

from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet
from django.urls import reverse

from insights.models import Alert
from inventory.models import Product, StockMovement
from inventory.queries import history_rows
from orders.models import OrderLine
from orders.states import OPEN
from purchasing.models import PurchaseOrderLine
from purchasing.states import ON_ORDER, PurchaseStatus
from workbox.core import walls
from workbox.core.admin import moment_text, money_text, quantity_text, signed_text

M = TypeVar("M", bound=Model)
MOVEMENTS_DRAWN, MOVEMENTS_SHOWN = 120, 25
DOCUMENTS_SHOWN = 25
INITIALS = 2


def initials(name: str) -> str:
    """What stands where a picture would: the first letters of the first words."""
    words = [word for word in name.replace(",", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:INITIALS]).upper() or "–"


def movements(product: Product) -> dict[str, Any]:
    """The last movements with the stock after each, as a list (newest first) and as a chart (oldest first)."""
    ids = list(
        walls.of(StockMovement.objects.filter(product=product))
        .order_by("-id")
        .values_list("id", flat=True)[:MOVEMENTS_DRAWN]
    )
    rows = history_rows(ids)
    labels = dict(StockMovement._meta.get_field("movement_type").flatchoices)
    shown = [
        {
            "at": moment_text(row["created_at"]),
            "type": labels.get(row["movement_type"], row["movement_type"]),
            "quantity": signed_text(row["quantity"]),
            "is_in": row["quantity"] > 0,
            "warehouse": row["warehouse_name"],
            "balance": quantity_text(row["balance"]),
            "why": " · ".join(filter(None, (row["reference_number"], row["reason"]))),
            "url": reverse("admin:inventory_stockoperation_change", args=[row["operation_id"]]),
            "operation": row["operation_id"],
        }
        for row in rows[:MOVEMENTS_SHOWN]
    ]
    oldest_first = rows[::-1]
    chart = {
        "labels": [moment_text(row["created_at"]) for row in oldest_first],
        "series": [
            {"label": "On hand", "look": "steps", "values": [float(row["balance"]) for row in oldest_first]},
        ],
        "unit": product.unit.code,
    }
    return {
        "rows": shown,
        "chart": chart,
        "count": len(rows),
        "summary": _movements_in_words(oldest_first, product),
        "url": f"{reverse('admin:inventory_stockmovement_changelist')}?product__id__exact={product.pk}",
    }


def _movements_in_words(rows: list[dict[str, Any]], product: Product) -> str:
    if not rows:
        return ""
    balances = [row["balance"] for row in rows]
    return (
        f"On hand after the last {len(rows)} movements, {moment_text(rows[0]['created_at'])} to"
        f" {moment_text(rows[-1]['created_at'])} (UTC): from {quantity_text(balances[0])} to"
        f" {quantity_text(balances[-1])} {product.unit.code}, at least {quantity_text(min(balances))}, at most"
        f" {quantity_text(max(balances))}."
    )


def open_orders(product: Product) -> dict[str, Any]:
    """Lines of orders that still wait for some of it, oldest first, and how many more there are."""
    lines = walls.of(OrderLine.objects.filter(product=product, order__status__in=sorted(OPEN)))
    waiting = lines.filter(quantity__gt=F("shipped_quantity"))
    found, more = _bounded(waiting.select_related("order__customer", "order__user").order_by("order_id", "id"))
    rows = [
        {
            "label": f"Order {line.order_id}",
            "url": reverse("admin:orders_order_change", args=[line.order_id]),
            "who": str(line.order.customer or line.order.user or "nobody named"),
            "status": line.order.status,
            "state": line.order.get_status_display(),
            "quantity": quantity_text(line.quantity - line.shipped_quantity),
        }
        for line in found
    ]
    return {"rows": rows, "more": more}


def open_purchases(product: Product) -> dict[str, Any]:
    """Lines of purchase orders that are not all received, drafts too, newest first, and how many more there are."""
    statuses = sorted(ON_ORDER | {PurchaseStatus.DRAFT})
    lines = walls.of(PurchaseOrderLine.objects.filter(product=product, order__status__in=statuses))
    waiting = lines.filter(quantity__gt=F("received_quantity"))
    found, more = _bounded(waiting.select_related("order__vendor", "order__warehouse").order_by("-order_id"))
    rows = [
        {
            "label": str(line.order),
            "url": reverse("admin:purchasing_purchaseorder_change", args=[line.order_id]),
            "vendor": line.order.vendor.name,
            "where": line.order.warehouse.name,
            "state": line.order.get_status_display(),
            "expected": line.order.expected_on or "no date",
            "cost": money_text(line.unit_cost),
            "quantity": quantity_text(line.quantity - line.received_quantity),
        }
        for line in found
    ]
    return {"rows": rows, "more": more}


def _bounded(found: QuerySet[M]) -> tuple[list[M], int]:
    """The first so many, and how many there are beside them; these are only counted when there are any."""
    rows = list(found[: DOCUMENTS_SHOWN + 1])
    if len(rows) <= DOCUMENTS_SHOWN:
        return rows, 0
    return rows[:DOCUMENTS_SHOWN], found.order_by().count() - DOCUMENTS_SHOWN


def open_alerts(product: Product) -> list[dict[str, Any]]:
    """What is wrong with it now, the latest first."""
    rows = walls.of(Alert.objects.filter(product=product, open_key__isnull=False)).order_by("-id")
    return [
        {
            "title": one.title,
            "message": one.message,
            "severity": one.get_severity_display(),
            "is_critical": one.severity == "critical",
            "raised": moment_text(one.raised_at),
            "url": reverse("admin:insights_alert_change", args=[one.pk]),
        }
        for one in rows[:DOCUMENTS_SHOWN]
    ]
