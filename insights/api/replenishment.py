"""Replenishment over REST: what to order today, ordering it, and the service levels it aims at."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import FORECASTS_READ, FORECASTS_WRITE, PURCHASING_WRITE
from insights import replenishment
from insights.api.planning_shapes import (
    SETTINGS_EXAMPLE,
    SUGGESTION_EXAMPLE,
    OrderedShape,
    OrderSuggestionsShape,
    PlanningShape,
    PlanningWriteShape,
    SuggestionShape,
)
from insights.models.forecasts import LEVEL_HIGHEST, LEVEL_LOWEST
from insights.queries_replenishment import (
    SUGGESTION_ORDER,
    SuggestionFilter,
    find_suggestions,
    planning_body,
    suggestion_rows,
)
from insights.replenishment import Chosen
from inventory.errors import ProductUnknown
from inventory.models import Category, Product
from purchasing.queries import purchase_order_rows
from workbox.core import walls
from workbox.core.api import ApiView, Page, conditional, read_object, read_page
from workbox.core.db import transact
from workbox.core.errors import Forbidden, NotFound
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import IDEMPOTENCY, answered, asked, in_query

SUGGESTIONS_MAX = 1000
NAME_MAX = 100


class ReplenishmentView(ApiView):
    """What to order today."""

    required_capabilities = {"GET": FORECASTS_READ}
    pagination_class = Page

    @extend_schema(
        summary="What to order today",
        description=(
            "One row per product and warehouse whose position is at or below its reorder point, most margin at risk "
            "first. What is put on a purchase order (a draft counts) disappears."
        ),
        parameters=[
            in_query("vendor_id", int),
            in_query("warehouse_id", int),
            in_query("product_id", int),
            in_query("category"),
            in_query("search", text="A part of product, SKU or vendor."),
            in_query("sort_by", text=f"`margin_at_risk_desc`, …: of {', '.join(sorted(SUGGESTION_ORDER))}."),
            in_query("ordering", text="The same as `-margin_at_risk,order_by`."),
        ],
        responses={200: SuggestionShape(many=True)},
        examples=[answered(SUGGESTION_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """What to order today."""
        query = Query(request.GET)
        wanted = SuggestionFilter(
            vendor_id=query.identifier("vendor_id"),
            warehouse_id=query.identifier("warehouse_id"),
            product_id=query.identifier("product_id"),
            category=query.text("category", max_length=NAME_MAX),
            search=query.text("search", max_length=NAME_MAX),
            order=query.order(SUGGESTION_ORDER, default="-margin_at_risk"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_suggestions(wanted), suggestion_rows)))


class OrderSuggestionsView(ApiView):
    """Suggestions become purchase orders."""

    required_capabilities = {"POST": PURCHASING_WRITE}

    @extend_schema(
        summary="Order suggestions",
        description=(
            "Makes draft purchase orders, one per vendor and warehouse, with the suggested or edited quantities; the "
            "suggestions are gone. One that was ordered meanwhile: 404 (`suggestion_unknown`), and nothing is ordered."
        ),
        parameters=[IDEMPOTENCY],
        request=OrderSuggestionsShape,
        responses={201: OrderedShape},
        examples=[
            asked({"suggestions": [{"id": 4}, {"id": 5, "quantity": 24}]}),
            answered({"purchase_orders": [{"id": 12, "number": "PO-12", "status": "draft"}]}, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Order suggestions."""
        chosen = read_chosen(read_object(request))

        def work() -> tuple[int, Any]:
            return 201, {"purchase_orders": purchase_order_rows(replenishment.order_suggestions(chosen))}

        return self.idempotent(work)


def read_chosen(body: dict[str, Any]) -> list[Chosen]:
    """Which suggestions, and how much of each."""
    fields = Fields(body)
    fields.require("suggestions")
    rows = fields.objects("suggestions", most=SUGGESTIONS_MAX)
    found = []
    for index, row in enumerate(rows):
        one = Fields(row, prefix=f"suggestions.{index}.", faults=fields.faults)
        one.require("id")
        quantity = one.quantity("quantity")
        if quantity is not None and quantity <= 0:
            one.fault("quantity", "must be above zero")
        found.append(Chosen(one.identifier("id") or 0, quantity, one.identifier("vendor_id")))
    fields.check()
    return found


class PlanningView(ApiView):
    """The service levels replenishment aims at."""

    required_capabilities = {"GET": FORECASTS_READ, "PUT": FORECASTS_WRITE}

    @extend_schema(
        summary="Get the service levels",
        responses={200: PlanningShape},
        examples=[answered(SETTINGS_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the service levels."""
        return conditional(request, to_json(planning_body()))

    @extend_schema(
        summary="Change a service level",
        description=(
            "Of the shop, or with `product_id` or `category` of that alone (null: as the shop again). It counts from "
            "the next refresh of the suggestions on. Of the whole shop: not for staff bound to warehouses (403)."
        ),
        request=PlanningWriteShape,
        responses={200: PlanningShape},
        examples=[asked({"category": "Electronics", "service_level": 0.98}), answered(SETTINGS_EXAMPLE)],
    )
    def put(self, request: Request) -> HttpResponse:
        """Change a service level."""
        if walls.own() is not None:
            raise Forbidden("Service levels are the whole shop's; you are bound to warehouses.")
        body = read_object(request)
        fields = Fields(body)
        level = fields.decimal("service_level", places=3, high=Decimal(1))
        if level is not None and not LEVEL_LOWEST <= level <= LEVEL_HIGHEST:
            fields.fault("service_level", f"must be a number from {LEVEL_LOWEST} to {LEVEL_HIGHEST}")
        product_id, category = fields.identifier("product_id"), fields.text("category", max_length=NAME_MAX)
        if product_id is not None and category:
            fields.fault("category", "name a product or a category, not both")
        is_own = product_id is not None or bool(category)
        if is_own and not fields.sent("service_level"):
            fields.fault("service_level", "this field is required")
        changes: dict[str, Any] = {} if level is None else {"service_level": level}
        for name, low, high in (("review_days", 0, 60), ("cycle_days", 1, 90)):
            if fields.has(name) and is_own:
                fields.fault(name, "is the whole shop's; send it without product_id and category")
            elif fields.has(name):
                changes[name] = fields.whole(name, low=low, high=high, default=low)
        fields.check()
        transact(lambda: change(product_id, category, level, changes))
        return conditional(request, to_json(planning_body()))


def change(product_id: int | None, category: str, level: Decimal | None, changes: dict[str, Any]) -> None:
    """The shop's settings, or one product's or category's level; raises ProductUnknown, NotFound."""
    if product_id is not None:
        if not Product.objects.filter(pk=product_id).exists():
            raise ProductUnknown(f"There is no product {product_id}.", fields={"product_id": ["unknown product"]})
        replenishment.set_service_level(level, product_id=product_id)
    elif category:
        found = Category.objects.filter(name__iexact=category).first()
        if found is None:
            raise NotFound(f"There is no category {category}.", fields={"category": ["unknown category"]})
        replenishment.set_service_level(level, category_id=found.pk)
    else:
        replenishment.change_planning(changes)
