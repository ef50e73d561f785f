"""Sales figures over REST: read the period, ask one query, show it."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from insights import queries_sales as sales
from insights.api.reading import CATEGORY, DATES, NAME_MAX, ReportView, read_period
from insights.api.schemas import (
    AbcShape,
    AnalyticsShape,
    CategoryPerformanceShape,
    CategorySalesShape,
    ComparisonShape,
    TrendsShape,
)
from insights.facts import Figures
from insights.queries_sales import PERIODS, Period
from inventory.errors import ProductUnknown
from workbox.core.api import page_body, read_window
from workbox.core.reading import Query
from workbox.core.schema import answered, in_query

TREND_DAYS, TREND_DAYS_MAX = 7, 366
PERFORMANCE_DAYS = 30
ABC_DAYS_MAX = 3660
PERIOD_EXAMPLE = {"start_date": "2026-01-01", "end_date": "2026-01-31"}


class AnalyticsView(ReportView):
    """Revenue, orders and what an order is worth."""

    @extend_schema(
        summary="Sales of a period",
        description=(
            "Orders that were confirmed or went further count, on the day (UTC) the customer ordered. With `category` "
            "or `product_id` an order counts once if it holds any of it, with the amount of that part."
        ),
        parameters=[*DATES, CATEGORY, in_query("product_id", int, text="Of this product only.")],
        responses={200: AnalyticsShape},
        examples=[
            answered(
                {
                    "period": PERIOD_EXAMPLE,
                    "total_revenue": 2029.98,
                    "total_sales": 2,
                    "average_order_value": 1014.99,
                    "units": 3,
                    "returned_units": 0,
                    "refunds": 0,
                    "net_revenue": 2029.98,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Sales of a period."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """The figures."""
        query = Query(request.GET)
        period = read_period(query)
        category = query.text("category", max_length=NAME_MAX)
        product_id = query.identifier("product_id")
        if category and product_id is not None:
            query.fault("product_id", "ask for a category or a product, not for both")
        query.check()
        found = self._found(period, category, product_id)
        return {
            "period": period.body(),
            "total_revenue": found.revenue,
            "total_sales": found.orders,
            "average_order_value": sales.average(found.revenue, found.orders),
            "units": found.units,
            "returned_units": found.returned_units,
            "refunds": found.refunds,
            "net_revenue": found.revenue - found.refunds,
        }

    @staticmethod
    def _found(period: Period, category: str, product_id: int | None) -> Figures:
        if product_id is not None:
            if not sales.product_exists(product_id):
                raise ProductUnknown(f"There is no product {product_id}.")
            return sales.totals_of_product(period, product_id)
        if category:
            key = sales.category_key(category)
            return Figures() if key is None else sales.totals_of_category(period, key)
        return sales.totals(period)


class ComparisonView(ReportView):
    """The running day, week, month or year beside the one before."""

    @extend_schema(
        summary="Revenue of a period beside the one before",
        description=(
            "Days begin at midnight UTC, weeks on Monday. The running period counts until now; `previous_revenue` is "
            "the whole period before, `previous_to_date` that one as far as this one has come."
        ),
        parameters=[in_query("period", enum=list(PERIODS), text="`daily` unless told.")],
        responses={200: ComparisonShape},
        examples=[
            answered(
                {
                    "period": "daily",
                    "current_revenue": 1200,
                    "previous_revenue": 1000,
                    "change_percentage": 20,
                    "previous_to_date": 800,
                    "change_to_date_percentage": 50,
                    "current_period": {"start_date": "2026-01-15", "end_date": "2026-01-15"},
                    "previous_period": {"start_date": "2026-01-14", "end_date": "2026-01-14"},
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Revenue of a period beside the one before."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """Both, and the change in per cent."""
        query = Query(request.GET)
        kind = query.choice("period", PERIODS) or PERIODS[0]
        query.check()
        found = sales.compare(kind)
        return {
            "period": kind,
            "current_revenue": found.current_revenue,
            "previous_revenue": found.previous_revenue,
            "change_percentage": sales.change_percentage(found.current_revenue, found.previous_revenue),
            "previous_to_date": found.previous_to_date_revenue,
            "change_to_date_percentage": sales.change_percentage(found.current_revenue, found.previous_to_date_revenue),
            "current_period": found.current.body(),
            "previous_period": found.previous.body(),
        }


class ByCategoryView(ReportView):
    """Sales per category."""

    @extend_schema(
        summary="Sales per category",
        description="Most revenue first; products without a category stand under null.",
        parameters=DATES,
        responses={200: CategorySalesShape(many=True)},
        examples=[
            answered({"category": "Electronics", "total_revenue": 2029.98, "total_sales": 1, "units": 3, "refunds": 0})
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Sales per category."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """A row per category that sold or took back anything."""
        query = Query(request.GET)
        period = read_period(query)
        query.check()
        return [
            {
                "category": name,
                "total_revenue": one.revenue,
                "total_sales": one.orders,
                "units": one.units,
                "refunds": one.refunds,
            }
            for name, one in sales.by_category(period)
        ]


class TrendsView(ReportView):
    """Sales per day."""

    @extend_schema(
        summary="Sales per day",
        parameters=[in_query("days", int, text=f"How many, today included; {TREND_DAYS} unless told.")],
        responses={200: TrendsShape},
        examples=[
            answered(
                {
                    "period": "1 day",
                    "daily_breakdown": [{"date": "2026-01-15", "sales": 2029.98, "orders": 1, "units": 3}],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Sales per day."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """A row per day, zeros included."""
        query = Query(request.GET)
        days = query.whole("days", low=1, high=TREND_DAYS_MAX, default=TREND_DAYS)
        query.check()
        period = Period.until_today(days)
        found = sales.by_day(period)
        rows = [(day, found.get(day, Figures())) for day in period.each_day()]
        return {
            "period": "1 day" if days == 1 else f"{days} days",
            "daily_breakdown": [
                {"date": day.isoformat(), "sales": one.revenue, "orders": one.orders, "units": one.units}
                for day, one in rows
            ],
        }


class CategoryPerformanceView(ReportView):
    """The last thirty days per category."""

    @extend_schema(
        summary=f"How categories did in the last {PERFORMANCE_DAYS} days",
        responses={200: CategoryPerformanceShape(many=True)},
        examples=[
            answered(
                {"category": "Electronics", "orders": 1, "revenue": 2029.98, "avg_order_value": 2029.98, "units": 3}
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """How categories did lately."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """A row per category that sold anything."""
        return [
            {
                "category": name,
                "orders": one.orders,
                "revenue": one.revenue,
                "avg_order_value": sales.average(one.revenue, one.orders),
                "units": one.units,
            }
            for name, one in sales.by_category(Period.until_today(PERFORMANCE_DAYS))
            if one.orders
        ]


class AbcView(ReportView):
    """Which products bring the money."""

    @extend_schema(
        summary="Products in classes A, B and C by revenue",
        description=(
            "Most revenue first. A product is A while those before it make less than 80 % of the period's revenue, B "
            "while less than 95 %, then C. Products without revenue have no class."
        ),
        parameters=[
            *DATES,
            *(in_query(name, int, text="As in every list.") for name in ("page", "page_size", "skip", "limit")),
        ],
        responses={200: AbcShape},
        examples=[
            answered(
                {
                    "period": PERIOD_EXAMPLE,
                    "classes": {
                        "A": {"products": 1, "revenue": 1999.98},
                        "B": {"products": 0, "revenue": 0},
                        "C": {"products": 1, "revenue": 30},
                    },
                    "count": 2,
                    "next": None,
                    "previous": None,
                    "results": [
                        {
                            "product_id": 1,
                            "product": "Laptop",
                            "sku": "LAPTOP-001",
                            "category": "Electronics",
                            "abc_class": "A",
                            "units_sold": 2,
                            "revenue": 1999.98,
                            "share": 98.52,
                            "cumulative_share": 98.52,
                        }
                    ],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Products in classes."""
        return self.answer(request)

    def shown(self, request: Request) -> Any:
        """A page of products, and what each class holds in all."""
        query = Query(request.GET)
        period = read_period(query, days_max=ABC_DAYS_MAX)
        query.check()
        offset, limit = read_window(request.GET)
        rows = sales.abc(period)
        page = rows[offset : offset + limit]
        names = sales.names_of(row["product_id"] for row in page)
        shown = [names[row["product_id"]] | row for row in page]
        return {
            "period": period.body(),
            "classes": sales.class_sums(rows),
            **page_body(request, shown, len(rows), offset, limit),
        }
