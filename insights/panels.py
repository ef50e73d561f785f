"""From the daily demand to the panel a forecast starts from: one place's products over the last two years."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db import connections
from django.db.models import FloatField, Func, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Sum

from insights.forecasting import Panel, make_panel
from insights.models import DailyDemand, TradingDay
from inventory.models import Warehouse

EVERYWHERE = 0  # the place key of all sellable warehouses together
DAYS_READ = 728
BUSY_LINES_A_DAY = 8  # where so many lines are usual, a day without one was a closed one
_AROUND_DAYS = 28
_CELLS = 7  # of a row of the daily demand that a panel is made of


class _Float(Func):
    """An exact number as a float."""

    template = "(%(expressions)s + 0e0)"
    output_field = FloatField()


class _Ordinal(Func):
    """A date as `date.toordinal` counts days."""

    template = "(TO_DAYS(%(expressions)s) - 365)"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite counts from noon, 24 November 4714 BC."""
        return self.as_sql(
            compiler, connection, template="CAST(julianday(%(expressions)s) - 1721424.5 AS INTEGER)", **context
        )


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
    units, returned, exposure = (np.zeros(shape, np.float32) for _ in range(3))
    rows = DailyDemand.objects.filter(_read(calendar), product_id__in=product_ids).order_by()
    # Plain numbers, past the converters of columns: a large shop has millions of these rows.
    cells = rows.values_list(
        "product_id", "warehouse_id", _Ordinal("day"), _Float("units"), _Float("returned_units"),
        _Float("in_stock_share"), "is_empty_after",
    )  # fmt: skip
    found = _numbers(cells) if product_ids else np.empty((0, _CELLS))
    if len(found):
        keys, level = np.unique(found[:, :2].astype(np.int64), axis=0, return_inverse=True)
        level = level.reshape(-1)
        levels = {(int(product_id), int(place)): number for number, (product_id, place) in enumerate(keys)}
        row_of_level = np.array([row_of[int(product_id)] for product_id in keys[:, 0]])
        row, column = row_of_level[level], found[:, 2].astype(int) - calendar.first_day.toordinal()
        np.add.at(units, (row, column), found[:, 3])
        np.add.at(returned, (row, column), found[:, 4])
        marks = _Marks(level, column, found[:, 5], found[:, 6] > 0)
        shares = _shares(len(levels), calendar.days, marks, _empty_before(product_ids, calendar, levels))
        np.maximum.at(exposure, row_of_level, shares)
    exposure *= calendar.is_open
    return make_panel(
        units, first_day=calendar.first_day, exposure=exposure, is_open=calendar.is_open, returned=returned
    )


def _numbers(cells: QuerySet[Any, Any]) -> Any:
    """The rows as the database sends them, (rows, _CELLS) as floats."""
    with connections[cells.db].cursor() as cursor:
        cursor.execute(*cells.query.get_compiler(using=cells.db).as_sql())
        rows = cursor.fetchall()
    return np.array(rows, float).reshape(-1, _CELLS)


@dataclass(frozen=True, slots=True)
class _Marks:
    """What rows of the daily demand say of levels: the day's column, the share in stock, and whether it ended empty."""

    level: Any
    column: Any
    share: Any
    ends_empty: Any


def _shares(levels: int, days: int, said: _Marks, empty: Sequence[int]) -> Any:
    """The share of each day (levels, days) on which a level had stock: what rows say, in between as the last ended."""
    marks = np.full((levels, days + 1), -1, np.int8)
    marks[:, 0] = 1
    marks[list(empty), 0] = 0
    marks[said.level, said.column + 1] = ~said.ends_empty
    places = np.where(marks >= 0, np.arange(days + 1, dtype=np.int16), np.int16(0))
    np.maximum.accumulate(places, axis=1, out=places)
    found = np.take_along_axis(marks, places.astype(np.intp), axis=1)[:, :-1].astype(np.float32)
    found[said.level, said.column] = said.share
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
