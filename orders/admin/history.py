"""What left and what came back: shipments and returns, to read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.admin import TabularInline

from inventory.models import StockMovement
from orders.models import Return, ReturnLine, Shipment
from workbox.core import walls
from workbox.core.admin import (
    DayRangeFilter,
    NumberSearch,
    ReadOnlyAdmin,
    cut,
    link,
    money_text,
    quantity_text,
    signed_text,
    total_text,
)

LINES_SHOWN = 200


class _OfAnOrder(NumberSearch, ReadOnlyAdmin):
    """What shipments and returns have in common."""

    change_form_outer_after_template = "admin/panels/operation.html"
    list_select_related = ["order__customer", "order__user"]
    search_fields = ["order__customer__name", "order__customer__code", "order__user__username_key"]
    search_help_text = "Order number or customer"
    number_fields = ("order_id",)
    number_prefix = "ORDER-"
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
        moved = walls.of(StockMovement.objects.filter(operation_id=row.operation_id if row else None)).select_related(
            "product", "warehouse"
        )
        shown, more = cut(moved.order_by("id"), LINES_SHOWN)
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
            for line in shown
        ]
        extra = {**(extra_context or {}), "lines": lines, "more": more}
        return super().change_view(request, object_id, form_url, extra)


@admin.register(Shipment)
class ShipmentAdmin(_OfAnOrder):
    """Goods of one order that left in one go."""

    list_display = ["id", "order_link", "buyer", "operation_link", "shipped_at"]
    list_filter = [("shipped_at", DayRangeFilter)]
    fields = [("order_link", "buyer"), ("operation_link", "shipped_at")]


class ReturnLineInline(TabularInline):
    """What came back at which price, on the return's page: charges too, which move no stock."""

    model = ReturnLine
    verbose_name_plural = "What came back"
    fields = readonly_fields = ["product_link", "shown_quantity", "shown_price", "shown_total", "sold_on"]
    hide_title = True
    per_page = LINES_SHOWN

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReturnLine]:
        """With what the columns show."""
        return super().get_queryset(request).select_related("product", "order_line")

    @admin.display(description="Product")
    def product_link(self, line: ReturnLine) -> str:
        """To the product."""
        return link(reverse("admin:inventory_product_change", args=[line.product_id]), str(line.product))

    @admin.display(description="Quantity")
    def shown_quantity(self, line: ReturnLine) -> str:
        """How many."""
        return quantity_text(line.quantity)

    @admin.display(description="Price")
    def shown_price(self, line: ReturnLine) -> str:
        """What one was sold at."""
        return money_text(line.unit_price)

    @admin.display(description="Total")
    def shown_total(self, line: ReturnLine) -> str:
        """What the line gives back."""
        return total_text(line.quantity * line.unit_price)

    @admin.display(description="Sold on")
    def sold_on(self, line: ReturnLine) -> str:
        """The order it was sold on, if it is known: a credit note may have come without one."""
        if line.order_line is None:
            return "no order known"
        order_id = line.order_line.order_id
        return link(reverse("admin:orders_order_change", args=[order_id]), f"Order {order_id}")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False


@admin.register(Return)
class ReturnAdmin(_OfAnOrder):
    """Goods of one order that came back."""

    inlines = [ReturnLineInline]
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
        return total_text(row.refund_amount)
