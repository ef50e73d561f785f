"""The daily figures as orders and returns say them: what the rollup is made of, and what today's figures are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, DecimalField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from orders.models import Order, OrderLine, Return, ReturnLine
from orders.states import SOLD
from workbox.core.numbers import MONEY_PLACES, QUANTITY_PLACES

ZERO = Decimal(0)
NO_CATEGORY = 0
_UNIT_STEP, _MONEY_STEP = Decimal(1).scaleb(-QUANTITY_PLACES), Decimal(1).scaleb(-MONEY_PLACES)
_AMOUNT = ExpressionWrapper(F("quantity") * F("unit_price"), output_field=DecimalField(max_digits=30, decimal_places=7))
_SOLD = sorted(SOLD)


@dataclass(slots=True)
class Figures:
    """Units and money that were sold and brought back, and in how many orders."""

    units: Decimal = ZERO
    orders: int = 0
    revenue: Decimal = ZERO
    returned_units: Decimal = ZERO
    refunds: Decimal = ZERO

    def add(self, other: "Figures") -> None:
        """Count the other's too, orders included: only right where no order is on both sides."""
        self.orders += other.orders
        self.add_amounts(other)

    def add_amounts(self, other: "Figures") -> None:
        """Count the other's units and money too."""
        self.units += other.units
        self.revenue += other.revenue
        self.returned_units += other.returned_units
        self.refunds += other.refunds


@dataclass(slots=True)
class DayFigures:
    """The figures of days: per (day, product), per (day, category key) and per day, and each product's category."""

    products: dict[tuple[date, int], Figures]
    categories: dict[tuple[date, int], Figures]
    totals: dict[date, Figures]
    category_of: dict[int, int | None]


def midnight(day: date) -> datetime:
    """The first moment of the day (UTC)."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def today() -> date:
    """The day it is (UTC)."""
    return datetime.now(UTC).date()


def in_days(column: str, days: Iterable[date]) -> Q:
    """The column lies in one of these days; neighbours become one range, so that an index finds them."""
    found = Q(pk__in=[])
    first = last = None
    for day in sorted(set(days)):
        if first is not None and last is not None and day != last + timedelta(days=1):
            found |= Q(**{f"{column}__gte": midnight(first), f"{column}__lt": midnight(last + timedelta(days=1))})
            first = None
        first, last = first or day, day
    if first is not None and last is not None:
        found |= Q(**{f"{column}__gte": midnight(first), f"{column}__lt": midnight(last + timedelta(days=1))})
    return found


def sold_lines(span: Q) -> QuerySet[OrderLine]:
    """The lines of orders that count as sold, whose order lies in the span (of `order__placed_at`)."""
    return OrderLine.objects.filter(span, order__status__in=_SOLD).order_by()


def since_midnight_of(day: date) -> Q:
    """From that day's first moment on; what carries a later date counts too."""
    return Q(order__placed_at__gte=midnight(day))


def revenue_of(span: Q) -> Decimal:
    """What the sold lines of the span amount to."""
    return money(sold_lines(span).aggregate(revenue=Sum(_AMOUNT))["revenue"])


def days_of_orders(order_ids: Iterable[int]) -> set[date]:
    """The days on which these orders were placed or something of them was brought back."""
    ids = list(order_ids)
    moments = [
        *Order.objects.filter(id__in=ids).order_by().values_list("placed_at", flat=True),
        *Return.objects.filter(order_id__in=ids).order_by().values_list("returned_at", flat=True),
    ]
    return {moment.astimezone(UTC).date() for moment in moments}


def first_day() -> date | None:
    """The earliest day on which an order was placed or a return booked."""
    firsts = [
        Order.objects.order_by("placed_at").values_list("placed_at", flat=True).first(),
        Return.objects.order_by("returned_at").values_list("returned_at", flat=True).first(),
    ]
    return min((one.astimezone(UTC).date() for one in firsts if one is not None), default=None)


def last_day() -> date | None:
    """The latest day on which an order was placed or a return booked."""
    lasts = [
        Order.objects.order_by("-placed_at").values_list("placed_at", flat=True).first(),
        Return.objects.order_by("-returned_at").values_list("returned_at", flat=True).first(),
    ]
    return max((one.astimezone(UTC).date() for one in lasts if one is not None), default=None)


def figures_of(days: Iterable[date]) -> DayFigures:
    """The figures of these days, in four grouped statements whatever their number."""
    wanted = list(days)
    placed, returned = in_days("order__placed_at", wanted), in_days("goods_return__returned_at", wanted)
    found = DayFigures({}, {}, {}, {})
    for row in _by_product(sold_lines(placed), "order__placed_at").annotate(orders=Count("order_id", distinct=True)):
        one = _product(found, row)
        one.units, one.revenue, one.orders = units(row["units"]), money(row["amount"]), row["orders"]
    back = ReturnLine.objects.filter(returned).order_by()
    for row in _by_product(back, "goods_return__returned_at"):
        one = _product(found, row)
        one.returned_units, one.refunds = units(row["units"]), money(row["amount"])
    for (day, product_id), one in found.products.items():
        key = found.category_of[product_id] or NO_CATEGORY
        found.categories.setdefault((day, key), Figures()).add_amounts(one)
        found.totals.setdefault(day, Figures()).add_amounts(one)
    in_category = _dated(sold_lines(placed), "order__placed_at").values("on", "product__category_id")
    for row in in_category.annotate(orders=Count("order_id", distinct=True)):
        # An order may land between two of these statements: its number alone is known, and the next look has it all.
        key = row["product__category_id"] or NO_CATEGORY
        found.categories.setdefault((row["on"], key), Figures()).orders = row["orders"]
    for row in _dated(sold_lines(placed), "order__placed_at").values("on").annotate(n=Count("order_id", distinct=True)):
        found.totals.setdefault(row["on"], Figures()).orders = row["n"]
    return found


def orders_in_categories(keys: Iterable[int], *, first: date, last: date) -> dict[tuple[date, int], int]:
    """(day, category key) → orders of that day that hold something of the category, each counted once."""
    wanted = set(keys)
    in_keys = Q(product__category_id__in=wanted - {NO_CATEGORY})
    if NO_CATEGORY in wanted:
        in_keys |= Q(product__category_id__isnull=True)
    span = Q(order__placed_at__gte=midnight(first), order__placed_at__lt=midnight(last + timedelta(days=1)))
    lines = _dated(sold_lines(span).filter(in_keys), "order__placed_at").values("on", "product__category_id")
    return {
        (row["on"], row["product__category_id"] or NO_CATEGORY): row["n"]
        for row in lines.annotate(n=Count("order_id", distinct=True))
    }


def _product(found: DayFigures, row: dict[str, Any]) -> Figures:
    found.category_of[row["product_id"]] = row["product__category_id"]
    return found.products.setdefault((row["on"], row["product_id"]), Figures())


def _dated(lines: QuerySet[Any], column: str) -> QuerySet[Any]:
    return lines.annotate(on=TruncDate(column, tzinfo=UTC))


def _by_product(lines: QuerySet[Any], column: str) -> QuerySet[Any, dict[str, Any]]:
    grouped = _dated(lines, column).values("on", "product_id", "product__category_id")
    return grouped.annotate(units=Sum("quantity"), amount=Sum(_AMOUNT))


def units(value: Any) -> Decimal:
    """A sum of quantities, exact."""
    return Decimal(str(value or 0)).quantize(_UNIT_STEP)


def money(value: Any) -> Decimal:
    """A sum of amounts, to the ten-thousandth."""
    return Decimal(str(value or 0)).quantize(_MONEY_STEP)
