"""What the insights routes read from a query string alike, and the base of their views."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.capabilities import REPORTS_READ
from insights import facts
from insights.queries_sales import Period
from insights.sales import ensure_built
from workbox.core.api import ApiView, conditional
from workbox.core.numbers import to_json
from workbox.core.reading import Query
from workbox.core.schema import in_query

PERIOD_DAYS = 30
DATES = [
    in_query("start_date", text=f"First day (UTC); {PERIOD_DAYS - 1} days before the last unless told."),
    in_query("end_date", text="Last day, included; today unless told."),
]
CATEGORY = in_query("category", text="Of this category only, in any case.")
NAME_MAX = 100


class ReportView(ApiView):
    """Base of the routes that show figures: a body from a query, with an ETag."""

    required_capabilities = {"GET": REPORTS_READ}

    def shown(self, request: Request) -> Any:
        """The body."""
        raise NotImplementedError

    def answer(self, request: Request) -> HttpResponse:
        """The body as an answer; the daily figures are there by then."""
        ensure_built()
        return conditional(request, to_json(self.shown(request)))


def read_period(query: Query, *, days_max: int | None = None) -> Period:
    """`start_date` to `end_date`, both included; a time of day is cut off. Faults go to the query."""
    first, last = query.moment("start_date"), query.moment("end_date")
    end = last.date() if last else facts.today()
    start = first.date() if first else end - timedelta(days=PERIOD_DAYS - 1)
    if start > end:
        query.fault("start_date", "may not be after end_date")
    elif days_max is not None and (end - start).days >= days_max:
        query.fault("start_date", f"at most {days_max} days, both ends included")
    return Period(min(start, end), max(start, end))
