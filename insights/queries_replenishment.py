"""Reads of replenishment: the list of suggestions, filtered and sorted, without what was ordered since."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from insights.models import PlanningSettings, ServiceLevel, Suggestion
from purchasing.models import PurchaseOrderLine
from purchasing.states import ON_ORDER, PurchaseStatus
from workbox.core import walls
from workbox.core.numbers import as_money

SUGGESTION_ORDER = {
    "margin_at_risk": "margin_at_risk",
    "order_by": "order_by",
    "stockout_probability": "stockout_probability",
    "product": "product__name",
    "vendor": "vendor__name",
    "quantity": "quantity",
    "id": "id",
}


@dataclass(frozen=True, slots=True)
class SuggestionFilter:
    """What a list of suggestions shows."""

    vendor_id: int | None = None
    warehouse_id: int | None = None
    product_id: int | None = None
    category: str = ""
    search: str = ""
    order: tuple[str, ...] = ("-margin_at_risk", "-id")


def find_suggestions(wanted: SuggestionFilter) -> QuerySet[Suggestion]:
    """The suggestions of a filter, within the asker's walls.

    What was put on a purchase order after a suggestion was worked out (a draft counts) hides it at once; the next
    refresh says whether something is still missing. Steps of orders that were counted (sent, received) hide nothing.
    """
    exact = {"vendor_id": wanted.vendor_id, "warehouse_id": wanted.warehouse_id, "product_id": wanted.product_id}
    ordered = PurchaseOrderLine.objects.filter(
        product_id=OuterRef("product_id"),
        order__warehouse_id=OuterRef("warehouse_id"),
        order__status__in=sorted(ON_ORDER | {PurchaseStatus.DRAFT}),
        pk__gt=OuterRef("newest_line"),
        received_quantity__lt=F("quantity"),
    )
    found = Suggestion.objects.filter(
        ~Exists(ordered), **{name: one for name, one in exact.items() if one is not None}
    ).order_by(*wanted.order)
    if wanted.category:
        found = found.filter(product__category__name__iexact=wanted.category)
    if wanted.search:
        found = found.filter(
            Q(product__name__icontains=wanted.search)
            | Q(product__sku__icontains=wanted.search)
            | Q(vendor__name__icontains=wanted.search)
        )
    return walls.within(found, "warehouse_id")


def suggestion_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These suggestions under their public names, in the order of `ids`, in one statement."""
    joined = Suggestion.objects.select_related("product__category", "vendor", "warehouse")
    found = walls.within(joined, "warehouse_id").in_bulk(ids)
    return [suggestion_body(found[one]) for one in ids if one in found]


def suggestion_body(one: Suggestion) -> dict[str, Any]:
    """A suggestion as the API shows it."""
    return {
        "id": one.pk,
        "product_id": one.product_id,
        "sku": one.product.sku,
        "name": one.product.name,
        "category": one.product.category.name if one.product.category else None,
        "warehouse_id": one.warehouse_id,
        "warehouse_name": one.warehouse.name,
        "vendor_id": one.vendor_id,
        "vendor_name": one.vendor.name,
        "quantity": one.quantity,
        "unit_price": one.unit_price,
        "total": as_money(one.quantity * one.unit_price),
        "available": one.available,
        "position": one.position,
        "reorder_point": one.reorder_point,
        "safety_stock": one.safety_stock,
        "order_up_to": one.order_up_to,
        "daily_units": one.daily_units,
        "service_level": one.service_level,
        "lead_time_days": one.lead_time_days,
        "stockout_probability": one.stockout_probability,
        "depletion_on": one.depletion_on,
        "order_by": one.order_by,
        "margin_at_risk": one.margin_at_risk,
        "offers": one.offers,
        "why": one.reason,
        "updated_at": one.updated_at,
    }


def totals(found: QuerySet[Suggestion]) -> dict[str, Any]:
    """What the listed suggestions cost and risk in all."""
    sums = found.order_by().aggregate(cost=Sum(F("quantity") * F("unit_price")), risk=Sum("margin_at_risk"))
    return {"cost": as_money(sums["cost"]), "margin_at_risk": as_money(sums["risk"])}


def planning_body() -> dict[str, Any]:
    """The shop's planning settings, and the service levels that products and categories have of their own."""
    settings = PlanningSettings.current()
    rows = ServiceLevel.objects.select_related("product", "category").order_by("id")
    return {
        "service_level": settings.service_level,
        "review_days": settings.review_days,
        "cycle_days": settings.cycle_days,
        "categories": [
            {"category": one.category.name, "service_level": one.service_level} for one in rows if one.category
        ],
        "products": [
            {"product_id": one.product_id, "sku": one.product.sku, "service_level": one.service_level}
            for one in rows
            if one.product
        ],
    }
