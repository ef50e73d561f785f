"""The daily figures, to read: they follow from orders and returns."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery

from insights.models import DailyCategorySales, DailySales, DailyTotal
from inventory.models import Category
from workbox.core.admin import DayRangeFilter, ReadOnlyAdmin, quantity_text, total_text


class _Figures(ReadOnlyAdmin):
    """What the three tables show alike."""

    list_filter = [("day", DayRangeFilter)]
    ordering = ["-day", "-id"]

    @admin.display(description="Units", ordering="units")
    def sold(self, row: Any) -> str:
        """Sold."""
        return quantity_text(row.units)

    @admin.display(description="Revenue", ordering="revenue")
    def earned(self, row: Any) -> str:
        """Before refunds."""
        return total_text(row.revenue)

    @admin.display(description="Returned", ordering="returned_units")
    def returned(self, row: Any) -> str:
        """Units that came back."""
        return quantity_text(row.returned_units)

    @admin.display(description="Refunds", ordering="refunds")
    def refunded(self, row: Any) -> str:
        """Money that went back."""
        return total_text(row.refunds)


@admin.register(DailySales)
class DailySalesAdmin(_Figures):
    """Per product."""

    list_display = ["day", "product", "category", "sold", "orders", "earned", "returned", "refunded"]
    list_select_related = ["product", "category"]
    search_fields = ["product__name", "product__sku"]
    search_help_text = "Product or SKU"


@admin.register(DailyCategorySales)
class DailyCategorySalesAdmin(_Figures):
    """Per category."""

    list_display = ["day", "category", "sold", "orders", "earned", "returned", "refunded"]

    def get_queryset(self, request: Any) -> Any:
        """With the category's name."""
        name = Category.objects.filter(id=OuterRef("category_key")).values("name")[:1]
        return super().get_queryset(request).annotate(category_name=Subquery(name))

    @admin.display(description="Category")
    def category(self, row: Any) -> str:
        """Its name."""
        return row.category_name or "no category"


@admin.register(DailyTotal)
class DailyTotalAdmin(_Figures):
    """The whole shop."""

    list_display = ["day", "sold", "orders", "earned", "returned", "refunded"]
