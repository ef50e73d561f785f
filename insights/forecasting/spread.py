"""How far demand strays from its forecast: variance over mean of 7, 14 and 28 days, measured around what was forecast
before.
"""

from dataclasses import dataclass

import numpy as np

from insights.forecasting.distributions import SMALLEST_DISPERSION, Floats
from insights.forecasting.panel import Singles
from insights.forecasting.rate import Rates

HORIZONS_DAYS = (7, 14, 28)
_ORIGINS = 40
_PRIOR_ORIGINS = (16.0, 12.0, 10.0)
_UPLIFT_PRIOR_ORIGINS = 60.0
_MOST_UPLIFT = 2.0
_FIRST_ORIGIN_DAYS = 14.0
_STEEPEST, _FLATTEST = 0.7, 0.0
MOST_DISPERSION = 1e6


@dataclass(frozen=True, slots=True)
class Misses:
    """Squared misses, units sold and units forecast (n, 3) over the origins, and how many origins (n, 3) they come
    from.
    """

    squares: Floats
    sold: Floats
    forecast: Floats
    origins: Floats


def misses(rates: Rates, means: Singles) -> Misses:
    """Up to forty weekly origins of each SKU: what it sold in the days after against what these means had said."""
    weeks = rates.sold.shape[1]
    known_days = np.cumsum(rates.exposed, axis=1)
    found: list[tuple[Floats, Floats, Floats, Floats]] = []
    for horizon in HORIZONS_DAYS:
        span = horizon // 7
        first, last = max(0, weeks - span - _ORIGINS), weeks - span
        if last <= first:
            nothing = np.zeros(len(means))
            found.append((nothing, nothing, nothing, nothing))
            continue
        sold, exposed = (_ahead(one, first, last, span) for one in (rates.sold, rates.exposed))
        is_used = (known_days[:, first:last] >= _FIRST_ORIGIN_DAYS) & (exposed > 0.3 * horizon)
        forecast = np.where(is_used, means[:, first:last] * exposed, 0.0)
        squares = np.where(is_used, (sold - forecast) ** 2, 0.0)
        sums = (one.sum(axis=1) for one in (squares, np.where(is_used, sold, 0.0), forecast))
        found.append((*sums, is_used.sum(axis=1).astype(float)))
    return Misses(*(np.stack(one, axis=1).astype(float) for one in zip(*found, strict=True)))


def _ahead(table: Singles, first: int, last: int, span: int) -> Floats:
    """(n, origins): the sum of the `span` weeks after each origin."""
    total = np.zeros((len(table), last - first))
    for step in range(1, span + 1):
        total += table[:, first + step : last + step]
    return total


@dataclass(frozen=True, slots=True)
class PooledSpread:
    """ln dispersion = base + slope × ln(mean of the horizon), one pair for each horizon."""

    base: Floats
    slope: Floats
    uplift: float

    def at(self, mean: Floats) -> Floats:
        """The pool's dispersion (n, 3) for SKUs with these means (n, 3)."""
        found = np.exp(self.base + self.slope * np.log(np.maximum(mean, 0.05)))
        return np.asarray(np.clip(found, SMALLEST_DISPERSION, MOST_DISPERSION))


def pool_spread(found: Misses) -> PooledSpread:
    """The dispersion a SKU of a given size usually has, by least squares on logarithms over the pool."""
    base, slope = np.full(3, np.log(2.0)), np.zeros(3)
    for place in range(3):
        is_used = (found.origins[:, place] >= 4) & (found.forecast[:, place] > 0) & (found.squares[:, place] > 0)
        if is_used.sum() < 5:
            continue
        forecast, origins = found.forecast[is_used, place], found.origins[is_used, place]
        size = np.log(np.maximum(forecast / origins, 0.05))
        spread = np.log(np.maximum(found.squares[is_used, place] / forecast, SMALLEST_DISPERSION))
        centre, middle = size.mean(), spread.mean()
        lean = ((size - centre) * (spread - middle)).sum() / max(((size - centre) ** 2).sum(), 1e-9)
        slope[place] = np.clip(lean, 0.0, 1.0)
        base[place] = middle - slope[place] * centre
    return PooledSpread(base, slope, float(found.sold[:, 0].sum() / max(found.forecast[:, 0].sum(), 1e-9)))


def dispersion(found: Misses, mean: Floats, pool: PooledSpread, widening: Floats) -> Floats:
    """Variance / mean (n, 3) of each SKU for 7, 14 and 28 days, pulled to the pool's curve."""
    typical = np.maximum(mean, 1e-6)
    weight = np.array(_PRIOR_ORIGINS) * typical
    mixed = (found.squares + weight * pool.at(mean)) / (found.forecast + weight)
    return np.asarray(np.clip(mixed * widening, SMALLEST_DISPERSION, MOST_DISPERSION))


def uplift(found: Misses, mean: Floats, pool: PooledSpread) -> Floats:
    """What all demand (n) was to the capped level, at least 1: giant orders do not move the level, but they do happen.

    Seven-day origins, pulled to the pool's ratio; used for quantiles from 0.95.
    """
    weight = _UPLIFT_PRIOR_ORIGINS * np.maximum(mean[:, 0], 1e-6)
    ratio = (found.sold[:, 0] + weight * pool.uplift) / (found.forecast[:, 0] + weight)
    return np.asarray(np.clip(ratio, 1.0, _MOST_UPLIFT))


def at_days(curve: Floats, days: Floats) -> Floats:
    """The dispersion for any number of days: a line between logarithms that goes on at both ends and never falls.

    `curve` is (n, 3), `days` (n) or anything that broadcasts with (n): the answer has their common shape.
    """
    logs = np.log(curve)
    at = np.log(np.maximum(days, 0.5) / 7) / np.log(2)
    early = np.clip(logs[:, 1] - logs[:, 0], _FLATTEST, _STEEPEST * np.log(2))
    late = np.clip(logs[:, 2] - logs[:, 1], _FLATTEST, _STEEPEST * np.log(2))
    found = logs[:, 0] + np.where(at <= 1, at * early, early + (at - 1) * late)
    return np.asarray(np.clip(np.exp(found), SMALLEST_DISPERSION, MOST_DISPERSION))
