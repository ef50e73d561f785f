"""From the daily demand to the panel a forecast starts from: one place's products over the last two years."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db.models import Min, OuterRef, Q, QuerySet, Subquery, Sum

from insights.forecasting import Panel, make_panel
from insights.models import DailyDemand, TradingDay
from inventory.models import Warehouse

EVERYWHERE = 0  # the place key of all sellable warehouses together
DAYS_READ = 728
BUSY_LINES_A_DAY = 8  # where so many lines are usual, a day without one was a closed one
_AROUND_DAYS = 28


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are read, and on which of them a place traded."""

    place_key: int
    first_day: date
    days: int
    is_open: Any
    warehouses: tuple[int, ...]

    @property
    def last_day(self) -> date:
        """The last whole day."""
        return self.first_day + timedelta(days=self.days - 1)


def sellable_warehouses() -> list[int]:
    """Where orders were and are filled from: closed warehouses too, what they sold is the shop's demand."""
    return list(Warehouse.objects.filter(is_sellable=True).order_by("id").values_list("id", flat=True))


def open_warehouses() -> list[int]:
    """Where orders may be filled from now, and goods be ordered for."""
    found = Warehouse.objects.filter(is_sellable=True, is_active=True)
    return list(found.order_by("id").values_list("id", flat=True))


def calendar_of(place_key: int, *, last_day: date) -> Calendar | None:
    """The days of a place's history up to `last_day`; None when nothing was ever sold there before."""
    places = tuple(sellable_warehouses()) if place_key == EVERYWHERE else (place_key,)
    return calendar_over(places, last_day=last_day, place_key=place_key)


def calendar_over(places: tuple[int, ...], *, last_day: date, place_key: int = EVERYWHERE) -> Calendar | None:
    """As `calendar_of`, for these warehouses together."""
    rows = TradingDay.objects.filter(warehouse_id__in=places, day__lte=last_day).order_by()
    first = rows.aggregate(first=Min("day"))["first"]
    if first is None:
        return None
    first = max(first, last_day - timedelta(days=DAYS_READ - 1))
    days = (last_day - first).days + 1
    lines = np.zeros(days)
    for day, count in rows.filter(day__gte=first).values_list("day").annotate(lines=Sum("lines")):
        lines[(day - first).days] = count
    return Calendar(place_key, first, days, open_days(lines), places)


def open_days(lines: Any) -> Any:
    """Whether a place traded on each day, by the order lines it filled.

    A day without a line is taken for closed only where the days around it, two months with the quiet ones left out,
    have at least eight lines on average: in a small shop it may just have been a quiet day.
    """
    reach = 2 * _AROUND_DAYS + 1
    kernel = np.ones(reach)
    traded = (lines > 0).astype(float)
    sums = np.convolve(lines, kernel)[_AROUND_DAYS : _AROUND_DAYS + len(lines)]
    counts = np.convolve(traded, kernel)[_AROUND_DAYS : _AROUND_DAYS + len(lines)]
    usual = sums / np.maximum(counts, 1)
    return np.asarray((lines > 0) | (usual < BUSY_LINES_A_DAY))


def sold_products(calendar: Calendar) -> list[int]:
    """Products on sale that were ordered there in the days read, by id."""
    found = DailyDemand.objects.filter(
        _read(calendar), units__gt=0, product__is_active=True, product__is_stocked=True
    ).order_by("product_id")
    return list(found.values_list("product_id", flat=True).distinct())


def _read(calendar: Calendar) -> Q:
    return Q(day__gte=calendar.first_day, day__lte=calendar.last_day, warehouse_id__in=calendar.warehouses)


def read_panel(product_ids: Sequence[int], calendar: Calendar) -> Panel:
    """The history of these products in the calendar's place, in the order of the ids, in two statements at most."""
    row_of = {product_id: number for number, product_id in enumerate(product_ids)}
    shape = (len(product_ids), calendar.days)
    units, returned = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    levels: dict[tuple[int, int], int] = {}
    cells: list[tuple[int, int, float, bool]] = []
    first = calendar.first_day.toordinal()
    rows: QuerySet[Any, Any] = DailyDemand.objects.filter(_read(calendar), product_id__in=product_ids).order_by()
    for product_id, place, day, sold, back, share, is_empty in rows.values_list(
        "product_id", "warehouse_id", "day", "units", "returned_units", "in_stock_share", "is_empty_after"
    ).iterator(chunk_size=5000):
        row, column = row_of[product_id], day.toordinal() - first
        units[row, column] += float(sold)
        returned[row, column] += float(back)
        level = levels.setdefault((product_id, place), len(levels))
        cells.append((level, column, float(share), is_empty))
    exposure = np.zeros(shape, np.float32)
    if levels:
        shares = _shares(len(levels), calendar.days, cells, _empty_before(product_ids, calendar, levels))
        np.maximum.at(exposure, [row_of[product_id] for product_id, _ in levels], shares)
    exposure *= calendar.is_open
    return make_panel(
        units, first_day=calendar.first_day, exposure=exposure, is_open=calendar.is_open, returned=returned
    )


def _shares(levels: int, days: int, cells: Sequence[tuple[int, int, float, bool]], empty: Sequence[int]) -> Any:
    """The share of each day (levels, days) on which a level had stock: what rows say, in between as the last ended."""
    rows, columns, shares, ends = (np.array(one) for one in zip(*cells, strict=True))
    marks = np.full((levels, days + 1), -1, np.int8)
    marks[:, 0] = 1
    marks[list(empty), 0] = 0
    marks[rows, columns + 1] = ~ends.astype(bool)
    places = np.where(marks >= 0, np.arange(days + 1, dtype=np.int16), np.int16(0))
    np.maximum.accumulate(places, axis=1, out=places)
    found = np.take_along_axis(marks, places.astype(np.intp), axis=1)[:, :-1].astype(np.float32)
    found[rows, columns] = shares
    return found


def _empty_before(product_ids: Sequence[int], calendar: Calendar, levels: dict[tuple[int, int], int]) -> list[int]:
    """The levels that were empty when the days read began."""
    earlier = DailyDemand.objects.filter(
        product_id=OuterRef("product_id"), warehouse_id=OuterRef("warehouse_id"), day__lt=calendar.first_day
    ).order_by("-day")
    rows = DailyDemand.objects.filter(
        product_id__in=product_ids,
        warehouse_id__in=calendar.warehouses,
        day__lt=calendar.first_day,
        is_empty_after=True,
        pk=Subquery(earlier.values("pk")[:1]),
    ).order_by()
    return [levels[key] for key in rows.values_list("product_id", "warehouse_id") if key in levels]
