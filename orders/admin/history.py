"""What left and what came back: shipments and returns, to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from inventory.models import StockMovement
from orders.models import Return, Shipment
from workbox.core.admin import DayRangeFilter, NumberSearch, ReadOnlyAdmin, link, money_text, quantity_text, signed_text

LINES_SHOWN = 200


class _OfAnOrder(NumberSearch, ReadOnlyAdmin):
    """What shipments and returns have in common."""

    change_form_outer_after_template = "admin/panels/operation.html"
    list_select_related = ["order__customer", "order__user"]
    search_fields = ["order__customer__name", "order__customer__code", "order__user__username_key"]
    search_help_text = "Order number or customer"
    number_fields = ("order_id",)
    number_prefix = "ORDER"
    ordering = ["-id"]

    @admin.display(description="Order", ordering="order_id")
    def order_link(self, row: Any) -> str:
        """To the order."""
        if not row.order_id:
            return "no order known"
        return link(reverse("admin:orders_order_change", args=[row.order_id]), f"Order {row.order_id}")

    @admin.display(description="Customer")
    def buyer(self, row: Any) -> str:
        """Whose goods."""
        own = getattr(row, "customer", None)
        return str(own or (row.order and (row.order.customer or row.order.user)) or "–")

    @admin.display(description="Operation")
    def operation_link(self, row: Any) -> str:
        """To the ledger."""
        if not row.operation_id:
            return "charges only"
        return link(
            reverse("admin:inventory_stockoperation_change", args=[row.operation_id]), f"Operation {row.operation_id}"
        )

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """With its movements."""
        row = self.get_object(request, object_id)
        moved = StockMovement.objects.filter(operation_id=row.operation_id if row else None).select_related(
            "product", "warehouse"
        )
        lines = [
            {
                "product": str(line.product),
                "url": reverse("admin:inventory_product_change", args=[line.product_id]),
                "type": line.get_movement_type_display(),
                "warehouse": line.warehouse.name,
                "quantity": signed_text(line.quantity),
                "is_in": line.quantity > 0,
                "balance": quantity_text(line.balance_after),
                "cost": money_text(line.unit_cost),
            }
            for line in moved.order_by("id")[:LINES_SHOWN]
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "lines": lines})


@admin.register(Shipment)
class ShipmentAdmin(_OfAnOrder):
    """Goods of one order that left in one go."""

    list_display = ["id", "order_link", "buyer", "operation_link", "shipped_at"]
    list_filter = [("shipped_at", DayRangeFilter)]
    fields = [("order_link", "buyer"), ("operation_link", "shipped_at")]


@admin.register(Return)
class ReturnAdmin(_OfAnOrder):
    """Goods of one order that came back."""

    list_display = ["id", "order_link", "buyer", "shown_refund", "reason", "operation_link", "returned_at"]
    list_select_related = ["order__customer", "order__user", "customer"]
    list_filter = [("returned_at", DayRangeFilter)]
    search_fields = [*_OfAnOrder.search_fields, "=external_reference", "customer__code"]
    search_help_text = "Order number, customer or credit note"
    fields = [
        ("order_link", "buyer"), ("operation_link", "returned_at"), ("shown_refund", "reason"), "external_reference",
    ]  # fmt: skip

    @admin.display(description="Refund", ordering="refund_amount")
    def shown_refund(self, row: Return) -> str:
        """What they get back."""
        return money_text(row.refund_amount)
