"""What a forecast says of each SKU, small enough to store: rate, weekday factors, dispersion; and demand of any days
from it.
"""

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from insights.forecasting import distributions, spread
from insights.forecasting.distributions import Bools, Floats
from insights.forecasting.panel import Array

HORIZON_DAYS = 90
TAIL_FROM = 0.95
MODEL, PROVISIONAL, PEER_ESTIMATE, NO_DEMAND = "model", "provisional", "peer_estimate", "no_demand"
WORKBOX, MOVING_AVERAGE = "workbox", "moving_average"


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecasts of n SKUs from `start_on`, the first day ahead.

    `rate` (n): units on an ordinary open day; `weekdays` (n, 7): that day's factor, Monday first, 0 where the business
    is closed; `dispersion` (n, 3): variance / mean of 7, 14 and 28 days; `uplift` (n): all
    demand to the level that giant orders do not move, for the upper tail; `returns` (n): units brought back per day;
    `days` (n): days of history; `status` and `model` (n) are words; `model_wape` and `moving_average_wape` (n): error
    of the last forecasts of 14 days, 1 where nothing could be measured.
    """

    start_on: date
    rate: Floats
    weekdays: Floats
    dispersion: Floats
    uplift: Floats
    returns: Floats
    days: Floats
    status: Array
    model: Array
    model_wape: Floats
    moving_average_wape: Floats
    is_whole: Bools

    @property
    def confidence_score(self) -> Floats:
        """1 − min(1, WAPE of 14 days) of the mean in use: measured, never assumed."""
        used = np.where(self.model == MOVING_AVERAGE, self.moving_average_wape, self.model_wape)
        return np.asarray(1 - np.minimum(1.0, used))

    def rows(self, which: Any) -> "Forecast":
        """These SKUs alone."""
        parts = {name: value[which] for name, value in self.parts().items()}
        return replace(self, **parts)

    def parts(self) -> dict[str, Array]:
        """Every array by its name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "start_on"}

    def daily(self, days: int = HORIZON_DAYS) -> Floats:
        """Expected units (n, days) of each day ahead."""
        places = (self.start_on.weekday() + np.arange(days)) % 7
        return np.asarray(self.rate[:, None] * self.weekdays[:, places])

    def mean(self, days: ArrayLike) -> Floats:
        """Expected units (n) of the first so many days; part of a day counts in proportion."""
        wanted = np.broadcast_to(np.asarray(days, float), self.rate.shape)
        whole = np.floor(wanted)
        weeks, rest = np.divmod(whole, 7)
        ordered = np.roll(self.weekdays, -self.start_on.weekday(), axis=1)
        sums = np.concatenate([np.zeros((len(ordered), 1)), np.cumsum(ordered, axis=1)], axis=1)
        rows, place = np.arange(len(ordered)), rest.astype(int)
        part = (wanted - whole) * ordered[rows, place]
        return np.asarray(self.rate * (weeks * sums[:, 7] + sums[rows, place] + part))

    def spread(self, days: ArrayLike) -> Floats:
        """Variance / mean (n) of the demand of the first so many days."""
        return spread.at_days(self.dispersion, np.broadcast_to(np.asarray(days, float), self.rate.shape))

    def quantile(self, days: ArrayLike, q: float) -> Floats:
        """The demand (n) of the first so many days that is not exceeded with probability q; from 0.95 with giant orders
        in it.
        """
        return quantile(
            q, mean=self.mean(days), dispersion=self.spread(days), uplift=self.uplift, is_whole=self.is_whole
        )

    def probability_of_at_least(self, units: ArrayLike, days: ArrayLike) -> Floats:
        """How likely (n) the first so many days ask for so many units."""
        return probability_of_at_least(
            units, mean=self.mean(days), dispersion=self.spread(days), uplift=self.uplift, is_whole=self.is_whole
        )


def quantile(q: float, *, mean: Floats, dispersion: Floats, uplift: Floats, is_whole: Bools) -> Floats:
    """The demand not exceeded with probability q; from 0.95 the mean is the one that giant orders count in."""
    found = distributions.quantile(q, mean=mean, dispersion=dispersion, is_whole=is_whole)
    if q < TAIL_FROM:
        return found
    with_giants = distributions.quantile(q, mean=mean * uplift, dispersion=dispersion, is_whole=is_whole)
    return np.maximum(found, with_giants)


def probability_of_at_least(
    units: ArrayLike, *, mean: Floats, dispersion: Floats, uplift: Floats, is_whole: Bools
) -> Floats:
    """P(demand ≥ units), the inverse of `quantile`: below 0.05 with giant orders, above without, 0.05 in between."""
    wanted = np.asarray(units, float)
    tail = distributions.probability_of_at_least(wanted, mean=mean * uplift, dispersion=dispersion, is_whole=is_whole)
    usual = distributions.probability_of_at_least(wanted, mean=mean, dispersion=dispersion, is_whole=is_whole)
    return np.asarray(np.where(tail <= 1 - TAIL_FROM, np.maximum(tail, usual), np.maximum(usual, 1 - TAIL_FROM)))


def join(parts: list[Forecast]) -> Forecast:
    """One forecast of chunks that belong together, in their order."""
    arrays: dict[str, Any] = {name: np.concatenate([one.parts()[name] for one in parts]) for name in parts[0].parts()}
    return replace(parts[0], **arrays)
