"""When stock runs out: the first day on which demand has asked for all there is, as a distribution over ninety days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insights.forecasting import curve
from insights.forecasting.curve import HORIZON_DAYS, Forecast
from insights.forecasting.distributions import Bools, Floats
from insights.forecasting.lead_time import LeadTimes, demand_over
from insights.forecasting.panel import UnusablePanel

Days = NDArray[np.int64]
BEYOND_HORIZON = HORIZON_DAYS + 1
_FEW = 8
IsOut = Callable[[NDArray[np.int64], Days, Floats], Bools]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Units of the SKU in that row that are known to come on that day (1 = the first day ahead)."""

    row: int
    day: int
    units: float


@dataclass(frozen=True, slots=True)
class Depletion:
    """The day (n) by which stock is gone with 10, 50 and 90 % probability, and the one on which mean demand reaches it.

    Day 0: nothing is left now. Day 1: the first day ahead. BEYOND_HORIZON (91): not within ninety days.
    """

    p10: Days
    p50: Days
    p90: Days
    expected: Days


def predict_depletion(forecast: Forecast, available: ArrayLike, arrivals: Sequence[Arrival] = ()) -> Depletion:
    """When each SKU's available stock, with what is known to arrive on its day, is used up."""
    stock = np.asarray(available, float)
    if stock.shape != forecast.rate.shape or not np.isfinite(stock).all():
        raise UnusablePanel("There is one available quantity, a number, for each SKU.")
    starts, supply = _stretches(stock, arrivals)
    if 0 < len(stock) <= _FEW:
        return _from_table(forecast, starts, supply)

    def with_probability(probability: float) -> IsOut:
        def is_out(rows: NDArray[np.int64], day: Days, units: Floats) -> Bools:
            return np.asarray(forecast.rows(rows).probability_of_at_least(units, day) >= probability)

        return is_out

    def in_the_mean(rows: NDArray[np.int64], day: Days, units: Floats) -> Bools:
        return np.asarray(forecast.rows(rows).mean(day) >= units)

    p10, p50, p90 = (_first_day(with_probability(one), starts, supply) for one in (0.1, 0.5, 0.9))
    return Depletion(p10, p50, p90, _first_day(in_the_mean, starts, supply))


def _from_table(forecast: Forecast, starts: Days, supply: Floats) -> Depletion:
    """The same for a few SKUs: every day of the horizon at once, which is quicker than bisecting them one by one."""
    count, days = len(supply), np.arange(1, HORIZON_DAYS + 1)
    stretch = (starts[:, :-1, None] <= days).sum(axis=1) - 1
    units = np.take_along_axis(supply, stretch, axis=1).ravel()
    every = forecast.rows(np.repeat(np.arange(count), HORIZON_DAYS))
    ahead = np.tile(days, count)
    chance = every.probability_of_at_least(units, ahead).reshape(count, HORIZON_DAYS)
    in_the_mean = (every.mean(ahead) >= units).reshape(count, HORIZON_DAYS)

    def first(is_out: Bools) -> Days:
        day = np.where(is_out.any(axis=1), is_out.argmax(axis=1) + 1, BEYOND_HORIZON)
        return np.asarray(np.where(supply[:, 0] <= 0, 0, day), np.int64)

    p10, p50, p90 = (first(chance >= probability) for probability in (0.1, 0.5, 0.9))
    return Depletion(p10, p50, p90, first(in_the_mean))


def _stretches(stock: Floats, arrivals: Sequence[Arrival]) -> tuple[Days, Floats]:
    """The days (n, k + 2) on which supply changes, first 1 and last 91, and all that was supplied from each on (n, k +
    1).
    """
    per_row: dict[int, list[Arrival]] = {}
    for one in sorted(arrivals, key=lambda arrival: arrival.day):
        if one.units > 0 and one.day <= HORIZON_DAYS:
            per_row.setdefault(one.row, []).append(one)
    most = max((len(ones) for ones in per_row.values()), default=0)
    starts = np.full((len(stock), most + 2), BEYOND_HORIZON, np.int64)
    starts[:, 0] = 1
    supply = np.repeat(stock[:, None], most + 1, axis=1)
    for row, ones in per_row.items():
        for place, one in enumerate(ones, start=1):
            starts[row, place] = max(one.day, 1)
            supply[row, place:] += one.units
    return starts, supply


def _first_day(is_out: IsOut, starts: Days, supply: Floats) -> Days:
    """Within a stretch of constant supply running out is a matter of "by then": each stretch's last day, then
    bisection.
    """
    found = np.where(supply[:, 0] <= 0, 0, BEYOND_HORIZON).astype(np.int64)
    for place in range(supply.shape[1]):
        low, high = starts[:, place], starts[:, place + 1] - 1
        rows = np.flatnonzero((found == BEYOND_HORIZON) & (low <= high))
        if rows.size:
            rows = rows[is_out(rows, high[rows], supply[rows, place])]
            found[rows] = _bisect(is_out, rows, low[rows], high[rows], supply[rows, place])
    return found


def _bisect(is_out: IsOut, rows: NDArray[np.int64], low: Days, high: Days, units: Floats) -> Days:
    low, high = low.copy(), high.copy()
    while rows.size and (low < high).any():
        middle = (low + high) // 2
        out = is_out(rows, middle, units)
        low, high = np.where(out, low, middle + 1), np.where(out, middle, high)
    return high


def stockout_probability(forecast: Forecast, lead: LeadTimes, available: ArrayLike, due: ArrayLike = 0.0) -> Floats:
    """P(run out before an order placed today would arrive), what is due before then counted with the available
    stock.
    """
    over = demand_over(forecast, lead)
    supply = np.asarray(available, float) + np.asarray(due, float)
    found = curve.probability_of_at_least(
        supply, mean=over.mean, dispersion=over.dispersion, uplift=forecast.uplift, is_whole=forecast.is_whole
    )
    return np.asarray(np.where(forecast.rate > 0, found, 0.0))
