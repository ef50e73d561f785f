"""Stock seen against sales and time, over REST: pages of products, cut first, computed then."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from insights import queries_stock as stock
from insights.api.reading import CATEGORY, DATES, NAME_MAX, ReportView, read_period
from insights.api.schemas import AgeingShape, DeadStockShape, PatternsShape, StockManagementShape, TurnoverShape
from inventory.models import MovementType
from workbox.core.api import Page, page_body, read_page, read_window
from workbox.core.reading import Query
from workbox.core.schema import answered, in_query

SPAN_DAYS_MAX = 366
DEAD_DAYS, DEAD_DAYS_MAX = 90, 3660
NAMES_EXAMPLE = {"product_id": 1, "product": "Laptop", "sku": "LAPTOP-001", "category": "Electronics"}


class PagedReportView(ReportView):
    """A page of figures."""

    pagination_class = Page


class StockManagementView(PagedReportView):
    """Which products run out, and when."""

    @extend_schema(
        summary="Stock, a month's sales and days left per product",
        description=(
            "Emptiest first. `status` is Low at or below the reorder threshold; `estimated_days_left` is null for what "
            f"did not sell in the last {stock.MONTH_DAYS} days."
        ),
        parameters=[CATEGORY, in_query("status", enum=["good", "low"], text="Only these.")],
        responses={200: StockManagementShape(many=True)},
        examples=[
            answered(
                {
                    **NAMES_EXAMPLE,
                    "current_stock": 48,
                    "monthly_sales": 12,
                    "status": "Good",
                    "estimated_days_left": 120,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Stock, a month's sales and days left per product."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """One page."""
        query = Query(request.GET)
        category = query.text("category", max_length=NAME_MAX)
        status = query.choice("status", ("good", "low"))
        query.check()
        found = stock.stocked_products(category=category, is_low=None if status is None else status == "low")
        return read_page(request, found, stock.stock_rows)


class TurnoverView(PagedReportView):
    """How often the stock was sold."""

    @extend_schema(
        summary="Inventory turnover and days of cover",
        description=(
            "`turnover` is units sold by the average of the stock at both ends of the period; `days_of_cover` how long "
            "the stock at its end lasts at that rate. Null: there was no stock, or nothing was sold."
        ),
        parameters=[*DATES, in_query("group", enum=["category", "product"], text="`product` unless told."), CATEGORY],
        responses={200: TurnoverShape(many=True)},
        examples=[
            answered(
                {
                    **NAMES_EXAMPLE,
                    "units_sold": 12,
                    "opening_stock": 60,
                    "closing_stock": 48,
                    "average_stock": 54,
                    "turnover": 0.22,
                    "days_of_cover": 120,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Inventory turnover and days of cover."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """One page of products, or of categories."""
        query = Query(request.GET)
        period = read_period(query, days_max=SPAN_DAYS_MAX)
        category = query.text("category", max_length=NAME_MAX)
        by_category = query.choice("group", ("category", "product")) == "category"
        query.check()
        if not by_category:
            found = stock.stocked_products(category=category)
            return read_page(request, found, lambda ids: stock.turnover_rows(ids, period))
        offset, limit = read_window(request.GET)
        rows = [
            row
            for row in stock.turnover_by_category(period)
            if not category or (row["category"] or "").casefold() == category.casefold()
        ]
        return page_body(request, rows[offset : offset + limit], len(rows), offset, limit)


class AgeingView(PagedReportView):
    """How old the stock is."""

    @extend_schema(
        summary="Stock by age",
        description=(
            "Most stock first. What came in last is taken to be still there (first in, first out); transfers do not "
            "count as coming in. The bands add up to `on_hand`."
        ),
        parameters=[CATEGORY],
        responses={200: AgeingShape(many=True)},
        examples=[
            answered(
                {
                    **NAMES_EXAMPLE,
                    "on_hand": 48,
                    "last_inbound_at": "2026-01-10T08:00:00Z",
                    "bands": [
                        {"days": "0-30", "quantity": 40},
                        {"days": "31-60", "quantity": 8},
                        {"days": "61-90", "quantity": 0},
                        {"days": "91-180", "quantity": 0},
                        {"days": "181+", "quantity": 0},
                    ],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Stock by age."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """One page."""
        query = Query(request.GET)
        category = query.text("category", max_length=NAME_MAX)
        query.check()
        return read_page(request, stock.products_with_stock(category=category), stock.age_rows)


class DeadStockView(PagedReportView):
    """What nobody buys."""

    @extend_schema(
        summary="Stock that neither sold nor came in lately",
        description="Most stock first. `stock_value` is stock × unit cost, null where no unit cost is known.",
        parameters=[in_query("days", int, text=f"For how long; {DEAD_DAYS} unless told."), CATEGORY],
        responses={200: DeadStockShape(many=True)},
        examples=[
            answered(
                {
                    **NAMES_EXAMPLE,
                    "on_hand": 48,
                    "stock_value": 33600,
                    "last_sold_on": "2025-09-01",
                    "last_inbound_at": "2025-08-15T08:00:00Z",
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Stock that neither sold nor came in lately."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """One page."""
        query = Query(request.GET)
        days = query.whole("days", low=1, high=DEAD_DAYS_MAX, default=DEAD_DAYS)
        category = query.text("category", max_length=NAME_MAX)
        query.check()
        return read_page(request, stock.dead_products(days, category=category), stock.dead_rows)


class PatternsView(ReportView):
    """When stock moves."""

    @extend_schema(
        summary="Units moved per type, by day and by weekday",
        description=f"At most {SPAN_DAYS_MAX} days. Units without sign; an adjustment keeps its own.",
        parameters=[*DATES, in_query("product_id", int, text="Of this product only.")],
        responses={200: PatternsShape},
        examples=[
            answered(
                {
                    "period": {"start_date": "2026-01-15", "end_date": "2026-01-15"},
                    "by_day": [{"date": "2026-01-15", "units": dict.fromkeys(MovementType.values, 0) | {"sale": 2}}],
                    "by_weekday": [{"weekday": "Thursday", "units": {"sale": 2}}],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Units moved per type, by day and by weekday."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """Both, zeros included."""
        query = Query(request.GET)
        period = read_period(query, days_max=SPAN_DAYS_MAX)
        product_id = query.identifier("product_id")
        query.check()
        return {"period": period.body(), **stock.movement_patterns(period, product_id=product_id)}
