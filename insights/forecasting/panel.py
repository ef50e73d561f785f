"""The panel a forecast starts from: units per SKU and day, and how much of each day each SKU could be bought."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insights.forecasting.distributions import Bools, Floats

Array = NDArray[Any]
Singles = NDArray[np.float32]

WEEKS_READ = 104
_OPEN_DAYS_FROM_WEEKS = 13
_BIGGEST_SALE_SDS = 2.5
_TYPICAL_WEIGHT = 2.0


class UnusablePanel(ValueError):
    """The arrays do not fit each other, or hold something that is not a number."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Demand of n SKUs over T days, the last column being the last whole day.

    `units` (n, T): what was ordered that day; `exposure` (n, T), 0 to 1: the share of the day the shop was open and the
    SKU in stock; `is_open` (T): the business traded; `returned` (n, T): what was brought back, counted apart;
    `known_from` (n): the column from which on the SKU is known to have been for sale, where its first sale came later.
    """

    units: Array
    exposure: Array
    is_open: Bools
    first_day: date
    returned: Array | None = None
    known_from: Array | None = None

    @property
    def skus(self) -> int:
        """How many SKUs there are."""
        return int(self.units.shape[0])

    @property
    def days(self) -> int:
        """How many days of history there are."""
        return int(self.units.shape[1])

    @property
    def next_day(self) -> date:
        """The first day that is forecast: the one after the last column."""
        return self.first_day + timedelta(days=self.days)

    def rows(self, which: Any) -> "Panel":
        """These SKUs alone: a slice or an array of row numbers."""
        returned = None if self.returned is None else self.returned[which]
        known_from = None if self.known_from is None else self.known_from[which]
        return replace(
            self, units=self.units[which], exposure=self.exposure[which], returned=returned, known_from=known_from
        )

    def until(self, day: int) -> "Panel":
        """As it was known before that column: a backtest stands there and looks ahead."""
        returned = None if self.returned is None else self.returned[:, :day]
        return replace(
            self,
            units=self.units[:, :day],
            exposure=self.exposure[:, :day],
            is_open=self.is_open[:day],
            returned=returned,
        )

    def last(self, days: int) -> "Panel":
        """As if its SKUs were known for so many days only: nothing of what was before, and for sale from the first of
        them.
        """
        first = self.days - days
        return replace(
            self,
            units=self.units[:, first:],
            exposure=self.exposure[:, first:],
            is_open=self.is_open[first:],
            first_day=self.first_day + timedelta(days=first),
            returned=None if self.returned is None else self.returned[:, first:],
            known_from=np.zeros(self.skus, int),
        )

    def chunks(self, size: int) -> Iterator["Panel"]:
        """The SKUs a few thousand at a time, so that a hundred thousand need no more memory than that."""
        for start in range(0, self.skus, size):
            yield self.rows(slice(start, start + size))

    def sample(self, size: int) -> "Panel":
        """At most so many SKUs, evenly spaced: the same ones each time."""
        if self.skus <= size:
            return self
        return self.rows(np.linspace(0, self.skus - 1, size).astype(int))


def make_panel(
    units: ArrayLike,
    *,
    first_day: date,
    exposure: ArrayLike | None = None,
    is_open: ArrayLike | None = None,
    returned: ArrayLike | None = None,
    known_from: ArrayLike | None = None,
) -> Panel:
    """The panel of these arrays, checked. Exposure may be one row for all SKUs; without it every open day counts whole.

    Without `is_open`, a day on which nothing was for sale anywhere was a closed one. Units below zero are what came
    back on a day: they count as returned, never as less demand. Raises UnusablePanel.
    """
    counted = np.asarray(units)
    if counted.ndim != 2:
        raise UnusablePanel("Units are a table of SKUs and days.")
    shape = counted.shape
    opened = None if is_open is None else np.asarray(is_open, bool)
    shares = np.ones(shape[1], np.float32) if exposure is None else np.asarray(exposure)
    if exposure is None and opened is not None:
        shares = opened.astype(np.float32)
    if shares.shape not in {shape, shape[1:]}:
        raise UnusablePanel("Exposure has a share for each SKU and day, or one for each day.")
    if opened is None:
        opened = np.asarray(shares.max(axis=0) > 0 if shares.ndim == 2 and shape[0] else shares > 0)
        opened = opened if opened.shape == shape[1:] else np.ones(shape[1:], bool)
    brought = None if returned is None else np.asarray(returned)
    if opened.shape != shape[1:] or (brought is not None and brought.shape != shape):
        raise UnusablePanel("Open days and returns have the same days (and SKUs) as units.")
    launched = None if known_from is None else np.asarray(known_from, int)
    if launched is not None and launched.shape != shape[:1]:
        raise UnusablePanel("There is one first column for each SKU.")
    for one in (counted, shares, brought):
        _check_numbers(one)
    if shares.size and (shares.min() < 0 or shares.max() > 1):
        raise UnusablePanel("Exposure is a share of the day, from 0 to 1.")
    return Panel(counted, np.broadcast_to(shares, shape), opened, first_day, brought, launched)


def _check_numbers(table: Array | None) -> None:
    """A sum is finite only where every cell is; it needs no second table in memory."""
    if table is not None and table.size and not np.isfinite(table.sum(dtype=np.float64)):
        raise UnusablePanel("Every cell is a number: no gaps, no infinity.")


@dataclass(frozen=True, slots=True)
class History:
    """A few thousand SKUs made ready for the arithmetic: whole weeks that end yesterday, so that day 1 ahead is place
    0.

    `units`, `capped` and `exposure` are (n, weeks, 7); exposure is 0 before the first sale. `open_share` (7) is how
    often the business traded on that weekday lately. `days` (n) counts days since the first sale on which the SKU was
    not out of stock, `idle_days` (n) the same since its last sale, `returns` (n) units brought back per day since its
    first sale.
    """

    units: Singles
    capped: Singles
    exposure: Singles
    open_share: Floats
    days: Floats
    idle_days: Floats
    has_sold: Bools
    returns: Floats
    is_whole: Bools


def read_history(panel: Panel) -> History:
    """The last 104 weeks of these SKUs, zero-filled from the first sale to yesterday."""
    read = min(panel.days, WEEKS_READ * 7)
    raw = np.asarray(panel.units[:, panel.days - read :], np.float32)
    units = np.maximum(raw, 0)
    is_open = panel.is_open[panel.days - read :]
    has_sold = np.asarray((np.asarray(panel.units) > 0).any(axis=1))
    in_stock = np.asarray(panel.exposure[:, panel.days - read :], np.float32)
    is_sale = units > 0
    is_before = np.asarray(np.cumsum(is_sale, axis=1, dtype=np.int16) == 0)
    if read < panel.days:
        is_before &= ~np.asarray((panel.units[:, : panel.days - read] > 0).any(axis=1))[:, None]
    if panel.known_from is not None:
        is_before &= np.arange(panel.days - read, panel.days) < panel.known_from[:, None]
    # What never sold has no first sale: the days it stood there unsold are its evidence.
    is_before &= has_sold[:, None]
    stocked = np.where(is_open, in_stock > 0, True)
    is_after_last = np.cumsum(is_sale[:, ::-1], axis=1, dtype=np.int16)[:, ::-1] == 0
    # What sold though nothing stood there could be bought all the same (a backorder): that day counts whole.
    could_be_bought = np.where(is_sale & (in_stock == 0), np.float32(1), in_stock)
    exposure = np.where(is_before, np.float32(0), could_be_bought)
    brought = np.maximum(-raw, 0).sum(axis=1, dtype=float)
    if panel.returned is not None:
        brought += np.abs(panel.returned[:, panel.days - read :]).sum(axis=1, dtype=float)
    return History(
        units=_weeks(units),
        capped=_weeks(np.minimum(units, _biggest_usual_sale(units)[:, None])),
        exposure=_weeks(exposure),
        open_share=_open_share(is_open),
        days=(stocked & ~is_before).sum(axis=1) * (has_sold * 1.0),
        idle_days=(stocked & is_after_last).sum(axis=1).astype(float),
        has_sold=has_sold,
        returns=brought / np.maximum((~is_before).sum(axis=1), 1),
        is_whole=np.asarray((units == np.floor(units)).all(axis=1)),
    )


def _weeks(table: Singles) -> Singles:
    weeks = max(-(-table.shape[1] // 7), 1)
    padded = np.pad(table, ((0, 0), (weeks * 7 - table.shape[1], 0)))
    return padded.reshape(table.shape[0], weeks, 7)


def _open_share(is_open: Bools) -> Floats:
    recent = is_open[-_OPEN_DAYS_FROM_WEEKS * 7 :].astype(float)
    whole = recent[len(recent) % 7 :].reshape(-1, 7)
    return np.asarray(whole.mean(axis=0)) if len(whole) else np.ones(7)


def _biggest_usual_sale(units: Singles) -> Singles:
    """Mean + 2.5 sd of a SKU's sale days without its biggest: what a day may count towards the level at most.

    The biggest is left out of the measure, or one giant order among few sales would excuse itself.
    """
    biggest = units.max(axis=1, initial=0.0)
    sales = (units > 0).sum(axis=1)
    others = np.maximum(sales - 1, 1)
    mean = (units.sum(axis=1, dtype=float) - biggest) / others
    squares = np.square(units, dtype=np.float64).sum(axis=1) - np.square(biggest, dtype=np.float64)
    sd = np.sqrt(np.maximum(squares / others - mean**2, 0.0))
    usual = mean + _BIGGEST_SALE_SDS * np.maximum(sd, mean / _TYPICAL_WEIGHT)
    return np.asarray(np.where(sales >= 2, np.maximum(usual, 1.0), np.inf), np.float32)
