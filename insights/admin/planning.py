"""Demand, forecasts and suggestions, to read: they follow from orders, the ledger and what vendors ask."""

from typing import Any

from django.contrib import admin

from insights.models import (
    DailyDemand,
    ForecastCurve,
    ForecastRun,
    PlanningSettings,
    ServiceLevel,
    Suggestion,
    TradingDay,
)
from workbox.core.admin import DayRangeFilter, ReadOnlyAdmin, moment_text, quantity_text, total_text


@admin.register(DailyDemand)
class DailyDemandAdmin(ReadOnlyAdmin):
    """Per product, warehouse and day."""

    list_display = ["day", "product", "warehouse", "wanted", "orders", "returned", "in_stock_share", "is_empty_after"]
    list_select_related = ["product", "warehouse"]
    list_filter = [("day", DayRangeFilter)]
    search_fields = ["product__name", "product__sku"]
    search_help_text = "Product or SKU"
    ordering = ["-day", "-id"]

    @admin.display(description="Units", ordering="units")
    def wanted(self, row: DailyDemand) -> str:
        """Ordered."""
        return quantity_text(row.units)

    @admin.display(description="Returned", ordering="returned_units")
    def returned(self, row: DailyDemand) -> str:
        """Brought back."""
        return quantity_text(row.returned_units)


@admin.register(TradingDay)
class TradingDayAdmin(ReadOnlyAdmin):
    """Days on which warehouses filled orders."""

    list_display = ["day", "warehouse", "lines"]
    list_select_related = ["warehouse"]
    list_filter = [("day", DayRangeFilter)]
    ordering = ["-day", "-id"]


@admin.register(ForecastRun)
class ForecastRunAdmin(ReadOnlyAdmin):
    """Fits of all products."""

    list_display = ["start_on", "kind", "model_version", "curves_count", "finished"]
    fields = ["kind", "start_on", "model_version", "started_at", "finished_at", "curves_count", "backtest", "outcome"]
    ordering = ["-id"]

    @admin.display(description="Finished", ordering="finished_at")
    def finished(self, row: ForecastRun) -> str:
        """To the minute."""
        return moment_text(row.finished_at) if row.finished_at else "not yet"


@admin.register(ForecastCurve)
class ForecastCurveAdmin(ReadOnlyAdmin):
    """What runs say of products."""

    list_display = ["product", "warehouse", "start_on", "status", "model", "a_day", "days", "model_wape"]
    list_select_related = ["product", "warehouse"]
    search_fields = ["product__name", "product__sku"]
    search_help_text = "Product or SKU"
    ordering = ["-id"]

    @admin.display(description="Units a day", ordering="rate")
    def a_day(self, row: ForecastCurve) -> str:
        """On an ordinary open day."""
        return f"{row.rate:.2f}"


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    """What to order."""

    list_display = ["product", "warehouse", "vendor", "amount", "order_by", "at_risk"]
    list_select_related = ["product", "warehouse", "vendor"]
    search_fields = ["product__name", "product__sku", "vendor__name"]
    search_help_text = "Product, SKU or vendor"
    ordering = ["-margin_at_risk", "-id"]

    @admin.display(description="Quantity", ordering="quantity")
    def amount(self, row: Suggestion) -> str:
        """How much."""
        return quantity_text(row.quantity)

    @admin.display(description="Margin at risk", ordering="margin_at_risk")
    def at_risk(self, row: Suggestion) -> str:
        """Without an order."""
        return total_text(row.margin_at_risk)


@admin.register(PlanningSettings)
class PlanningSettingsAdmin(ReadOnlyAdmin):
    """The shop's aims."""

    list_display: list[Any] = ["__str__", "service_level", "review_days", "cycle_days"]


@admin.register(ServiceLevel)
class ServiceLevelAdmin(ReadOnlyAdmin):
    """Aims of products and categories."""

    list_display = ["product", "category", "service_level"]
    list_select_related = ["product", "category"]
