"""Sales figures over a period: days before today from the rollup, today from orders and returns as they stand.

The functions expect a rollup that was built (`insights.sales.ensure_built`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from insights import facts
from insights.facts import ZERO, Figures
from insights.models import DailyCategorySales, DailySales, DailyTotal
from inventory.models import Category, Product

PERIODS = ("daily", "weekly", "monthly", "annual")
_PERCENT_STEP, _MONEY_STEP = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Period:
    """From one day to another (UTC), both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    def each_day(self) -> Iterator[date]:
        """Its days, earliest first."""
        return (self.first + timedelta(days=number) for number in range(self.days))

    @classmethod
    def until_today(cls, days: int) -> "Period":
        """The last `days` days, today included."""
        today = facts.today()
        return cls(today - timedelta(days=days - 1), today)

    def body(self) -> dict[str, str]:
        """As it is shown."""
        return {"start_date": self.first.isoformat(), "end_date": self.last.isoformat()}


# ---- one figure ------------------------------------------------------------------------------------------------------
def totals(period: Period) -> Figures:
    """What the whole shop sold."""
    return _summed(DailyTotal.objects.all(), period, _live_totals(period))


def totals_of_product(period: Period, product_id: int) -> Figures:
    """What was sold of one product."""
    live = _live(period)
    found = [one for (_, product), one in live.products.items() if product == product_id] if live else []
    return _summed(DailySales.objects.filter(product_id=product_id), period, found)


def totals_of_category(period: Period, category_key: int) -> Figures:
    """What was sold of one category."""
    live = _live(period)
    found = [one for (_, key), one in live.categories.items() if key == category_key] if live else []
    return _summed(DailyCategorySales.objects.filter(category_key=category_key), period, found)


def _summed(kept: QuerySet[Any], period: Period, live: Iterable[Figures]) -> Figures:
    found = _figures(_before_today(kept, period).order_by().aggregate(**_SUMS))
    for one in live:
        found.add(one)
    return found


_SUMS: dict[str, Any] = {name: Sum(name) for name in ("units", "orders", "revenue", "returned_units", "refunds")}


def _figures(row: dict[str, Any]) -> Figures:
    return Figures(
        facts.units(row["units"]),
        row["orders"] or 0,
        facts.money(row["revenue"]),
        facts.units(row["returned_units"]),
        facts.money(row["refunds"]),
    )


def _before_today(kept: QuerySet[Any], period: Period) -> QuerySet[Any]:
    last = min(period.last, facts.today() - timedelta(days=1))
    return kept.filter(day__gte=period.first, day__lte=last)


def _live(period: Period) -> facts.DayFigures | None:
    """Today's figures from the facts, if the period holds today."""
    today = facts.today()
    return facts.figures_of([today]) if period.first <= today <= period.last else None


def _live_totals(period: Period) -> Iterable[Figures]:
    live = _live(period)
    return live.totals.values() if live else ()


# ---- figures per something -------------------------------------------------------------------------------------------
def by_day(period: Period) -> dict[date, Figures]:
    """The shop's figures per day; a day without any is not there."""
    rows = _before_today(DailyTotal.objects.all(), period).order_by().values("day", *_SUMS)
    found = {row["day"]: _figures(row) for row in rows}
    live = _live(period)
    return found | (live.totals if live else {})


def by_category(period: Period) -> list[tuple[str | None, Figures]]:
    """The figures per category name (None: products without one), most revenue first."""
    rows = _before_today(DailyCategorySales.objects.all(), period).order_by().values("category_key").annotate(**_SUMS)
    found = {row["category_key"]: _figures(row) for row in rows}
    live = _live(period)
    for (_, key), one in live.categories.items() if live else ():
        found.setdefault(key, Figures()).add(one)
    names = dict(Category.objects.filter(id__in=found).values_list("id", "name"))
    named = [(names.get(key), one) for key, one in found.items()]
    return sorted(named, key=lambda row: (-row[1].revenue, row[0] or ""))


def by_product(period: Period, product_ids: Iterable[int] | None = None) -> dict[int, Figures]:
    """The figures per product; a product without any is not there."""
    kept, wanted = DailySales.objects.all(), None
    if product_ids is not None:
        wanted = set(product_ids)
        kept = kept.filter(product_id__in=wanted)
    rows = _before_today(kept, period).order_by().values("product_id").annotate(**_SUMS)
    found = {row["product_id"]: _figures(row) for row in rows}
    live = _live(period)
    for (_, product_id), one in live.products.items() if live else ():
        if wanted is None or product_id in wanted:
            found.setdefault(product_id, Figures()).add(one)
    return found


def category_key(name: str) -> int | None:
    """The key of the category with that name, in any case; None: there is none."""
    return Category.objects.filter(name__iexact=name).order_by("id").values_list("id", flat=True).first()


def product_exists(product_id: int) -> bool:
    """True when there is such a product, retired or not."""
    return Product.objects.filter(id=product_id).exists()


# ---- a period beside the one before ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Comparison:
    """The period now running beside the one before it, whole and as far as this one has come."""

    current: Period
    previous: Period
    current_revenue: Decimal
    previous_revenue: Decimal
    previous_to_date_revenue: Decimal


def compare(kind: str, now: datetime | None = None) -> Comparison:
    """Revenue of the day, week (from Monday), month or year that runs at `now`, and of the one before (all UTC).

    The one before "to date" ends as many days and hours after its beginning as `now` is after ours; in a month or year
    that has no such day (31st, 29 February) with the end of its last day before it.
    """
    now = now or datetime.now(UTC)
    current, previous, twin = boundaries(kind, now.date())
    running = totals(current)
    before = totals(previous)
    if twin is None:
        to_date = before.revenue
    else:
        day, is_whole = twin
        upto = Period(previous.first, day if is_whole else day - timedelta(days=1))
        to_date = totals(upto).revenue if upto.days > 0 else ZERO
        if not is_whole:
            midnight = facts.midnight(day)
            part = Q(order__placed_at__gte=midnight, order__placed_at__lt=midnight + (now - facts.midnight(now.date())))
            to_date += facts.revenue_of(part)
    return Comparison(current, previous, running.revenue, before.revenue, to_date)


def boundaries(kind: str, today: date) -> tuple[Period, Period, tuple[date, bool] | None]:
    """The running period until today, the whole one before, and the day there that stands where today stands here.

    The day comes with True when it counts to its end because the very day does not exist there; None: the period
    before is too short to have such a day, so all of it counts.
    """
    if kind == "daily":
        before = today - timedelta(days=1)
        return Period(today, today), Period(before, before), (before, False)
    if kind == "weekly":
        monday = today - timedelta(days=today.weekday())
        previous = Period(monday - timedelta(days=7), monday - timedelta(days=1))
        return Period(monday, today), previous, (today - timedelta(days=7), False)
    if kind == "monthly":
        first = today.replace(day=1)
        last = first - timedelta(days=1)
        previous = Period(last.replace(day=1), last)
        return Period(first, today), previous, (last.replace(day=today.day), False) if today.day <= last.day else None
    first = today.replace(month=1, day=1)
    previous = Period(first.replace(year=first.year - 1), first - timedelta(days=1))
    if (today.month, today.day) == (2, 29):
        return Period(first, today), previous, (date(today.year - 1, 2, 28), True)
    return Period(first, today), previous, (today.replace(year=today.year - 1), False)


def change_percentage(now: Decimal, before: Decimal) -> Decimal | None:
    """By how much it grew, in per cent; None when there was nothing to grow from."""
    return ((now - before) * 100 / before).quantize(_PERCENT_STEP) if before else None


def average(amount: Decimal, count: int) -> Decimal:
    """Amount per piece of count, 0 for none."""
    return (amount / count).quantize(_MONEY_STEP) if count else ZERO


# ---- A, B, C ---------------------------------------------------------------------------------------------------------
CLASS_LIMITS = (("A", Decimal(80)), ("B", Decimal(95)))  # per cent of the revenue; what follows is C


def abc(period: Period) -> list[dict[str, Any]]:
    """Every product that brought revenue, most first, with its share, the share up to and with it, and its class.

    A product is A while those before it make less than 80 % of the revenue, B while less than 95 %.
    """
    found = sorted(by_product(period).items(), key=lambda row: (-row[1].revenue, row[0]))
    found = [row for row in found if row[1].revenue > 0]
    total = sum((one.revenue for _, one in found), ZERO)
    rows, so_far = [], ZERO
    for product_id, one in found:
        before = so_far * 100 / total
        so_far += one.revenue
        rows.append(
            {
                "product_id": product_id,
                "abc_class": next((name for name, limit in CLASS_LIMITS if before < limit), "C"),
                "units_sold": one.units,
                "revenue": one.revenue,
                "share": (one.revenue * 100 / total).quantize(_PERCENT_STEP),
                "cumulative_share": (so_far * 100 / total).quantize(_PERCENT_STEP),
            }
        )
    return rows


def class_sums(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Products and revenue per class."""
    found: dict[str, dict[str, Any]] = {name: {"products": 0, "revenue": ZERO} for name in ("A", "B", "C")}
    for row in rows:
        found[row["abc_class"]]["products"] += 1
        found[row["abc_class"]]["revenue"] += row["revenue"]
    return found


def names_of(product_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """How these products are named in lists: product, SKU, category."""
    rows = (
        Product.objects.filter(id__in=list(product_ids)).order_by().values_list("id", "name", "sku", "category__name")
    )
    return {row[0]: {"product_id": row[0], "product": row[1], "sku": row[2], "category": row[3]} for row in rows}
