"""What an order's page shows: its lines, shipments and returns, and the time-line of what happened to it."""

import json
from typing import Any

from django.urls import reverse

from accounts.models import User
from inventory.models import Reservation, StockMovement
from orders.models import Order, OrderLine, Return, Shipment
from orders.states import OrderStatus
from workbox.core import walls
from workbox.core.admin import moment_text, money_text, quantity_text
from workbox.core.events import ORDERS
from workbox.core.models import Event
from workbox.core.numbers import as_money, as_quantity

EVENTS_SHOWN = 100


def order_panels(order: Order) -> dict[str, Any]:
    """The context of `admin/panels/order.html`: a fixed number of queries, whatever the order's size."""
    return {"lines": _lines(order), "shipments": _shipments(order), "returns": _returns(order), "story": _story(order)}


def _lines(order: Order) -> list[dict[str, Any]]:
    lines = list(OrderLine.objects.filter(order=order).select_related("product", "product__stock").order_by("id"))
    promised: dict[int, list[str]] = {}
    held = Reservation.objects.filter(
        holder_type=Reservation.Holder.ORDER_LINE, holder_id__in=[line.pk for line in lines], quantity__gt=0
    )
    for holder_id, quantity, code in held.values_list("holder_id", "quantity", "level__warehouse__code"):
        promised.setdefault(holder_id, []).append(f"{quantity_text(quantity)} in {code}")
    is_pending = order.status == OrderStatus.PENDING
    return [
        {
            "product": line.product.name,
            "sku": line.product.sku,
            "url": reverse("admin:inventory_product_change", args=[line.product_id]),
            "quantity": quantity_text(line.quantity),
            "price": money_text(line.unit_price),
            "total": money_text(line.unit_price * line.quantity),
            "reserved": ", ".join(promised.get(line.pk, [])) or "–",
            "shipped": quantity_text(line.shipped_quantity),
            "returned": quantity_text(line.returned_quantity),
            "short": quantity_text(line.product.stock.available)
            if is_pending and line.product.is_stocked and line.product.stock.available < line.quantity
            else "",
        }
        for line in lines
    ]


def _moved(operation_ids: list[int]) -> dict[int, str]:
    texts: dict[int, list[str]] = {}
    rows = walls.of(StockMovement.objects.filter(operation_id__in=operation_ids)).order_by("id")
    for operation_id, quantity, sku, code in rows.values_list(
        "operation_id", "quantity", "product__sku", "warehouse__code"
    ):
        texts.setdefault(operation_id, []).append(f"{quantity_text(abs(quantity))} × {sku} ({code})")
    return {operation_id: ", ".join(found) for operation_id, found in texts.items()}


def _shipments(order: Order) -> list[dict[str, Any]]:
    rows = list(Shipment.objects.filter(order=order).order_by("id"))
    moved = _moved([row.operation_id for row in rows if row.operation_id])
    return [
        {
            "label": str(row),
            "url": reverse("admin:orders_shipment_change", args=[row.pk]),
            "at": moment_text(row.shipped_at),
            "items": moved.get(row.operation_id or 0, "charges only"),
        }
        for row in rows
    ]


def _returns(order: Order) -> list[dict[str, Any]]:
    rows = list(Return.objects.filter(order=order).order_by("id"))
    moved = _moved([row.operation_id for row in rows if row.operation_id])
    return [
        {
            "label": str(row),
            "url": reverse("admin:orders_return_change", args=[row.pk]),
            "at": moment_text(row.returned_at),
            "items": moved.get(row.operation_id or 0, "charges only"),
            "refund": money_text(row.refund_amount),
            "reason": row.reason,
        }
        for row in rows
    ]


def _story(order: Order) -> list[dict[str, Any]]:
    events = list(Event.objects.filter(topic=ORDERS, subject_id=order.pk).order_by("id")[:EVENTS_SHOWN])
    names = {
        user.pk: user.get_full_name()
        for user in User.objects.filter(pk__in={one.actor_id for one in events if one.actor_id})
    }
    return [
        {
            "at": moment_text(event.created_at),
            "who": names.get(event.actor_id or 0, "System" if event.actor_id is None else f"User {event.actor_id}"),
            "request_id": event.request_id,
            **_told(event),
        }
        for event in events
    ]


def _told(event: Event) -> dict[str, str]:
    """An order's event as a sentence with its icon."""
    fact = json.loads(event.payload)
    label = dict(OrderStatus.choices).get(fact.get("status"), fact.get("status") or "")
    if event.type == "order_placed":
        return {
            "icon": "add_shopping_cart",
            "text": f"Placed as {label.lower()}, {money_text(as_money(fact['total_amount']))}.",
        }
    reason = f" Reason: {fact['reason']}" if fact.get("reason") else ""
    for key, icon in (("shipped", "local_shipping"), ("returned", "assignment_return")):
        if fact.get(key):
            items = ", ".join(f"{quantity_text(as_quantity(one['quantity']))} × {one['name']}" for one in fact[key])
            return {"icon": icon, "text": f"{key.capitalize()} {items}. Now {label.lower()}.{reason}"}
    icons = {"confirmed": "check_circle", "cancelled": "cancel", "delivered": "task_alt"}
    return {"icon": icons.get(fact.get("status") or "", "history"), "text": f"{label}.{reason}"}
