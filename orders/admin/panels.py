"""What an order's page shows: its lines, shipments and returns."""

from typing import Any

from django.urls import reverse

from inventory.models import Reservation, StockMovement
from orders.models import Order, OrderLine, Return, Shipment
from orders.states import OrderStatus
from workbox.core import walls
from workbox.core.admin import moment_text, money_text, quantity_text, total_text


def order_panels(order: Order) -> dict[str, Any]:
    """The context of `admin/panels/order.html`: a fixed number of queries, whatever the order's size."""
    return {"lines": _lines(order), "shipments": _shipments(order), "returns": _returns(order)}


def _lines(order: Order) -> list[dict[str, Any]]:
    lines = list(OrderLine.objects.filter(order=order).select_related("product", "product__stock").order_by("id"))
    promised: dict[int, list[str]] = {}
    held = walls.of(
        Reservation.objects.filter(
            holder_type=Reservation.Holder.ORDER_LINE, holder_id__in=[line.pk for line in lines], quantity__gt=0
        )
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
            "total": total_text(line.unit_price * line.quantity),
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
            "refund": total_text(row.refund_amount),
            "reason": row.reason,
        }
        for row in rows
    ]
