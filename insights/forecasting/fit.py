"""From a panel to forecasts: learn the pool from a sample, then each SKU in chunks, with a moving average kept beside
it.
"""

from dataclasses import dataclass

import numpy as np

from insights.forecasting.curve import (
    MODEL,
    MOVING_AVERAGE,
    NO_DEMAND,
    PEER_ESTIMATE,
    PROVISIONAL,
    WORKBOX,
    Forecast,
    join,
)
from insights.forecasting.distributions import Bools, Floats
from insights.forecasting.panel import Array, History, Panel, Singles, read_history
from insights.forecasting.rate import (
    Rates,
    pooled_weekdays,
    relative_losses,
    walk,
    weekday_factors,
)
from insights.forecasting.spread import HORIZONS_DAYS, Misses, PooledSpread, dispersion, misses, pool_spread, uplift

MODEL_FROM_DAYS = 30
PROVISIONAL_FROM_DAYS = 14
IDLE_DAYS = 90
GUARD_ORIGINS = 8
_GUARD_WEEKS = 2
_CHUNK = 4_096
_POOL_SKUS = 4_000
_WIDENING = {MODEL: 1.0, PROVISIONAL: 1.15, PEER_ESTIMATE: 2.0, NO_DEMAND: 1.0}


@dataclass(frozen=True, slots=True)
class Pool:
    """What SKUs share: the weekday pattern (7, Monday first), a typical rate, how each half-life did, the spread."""

    weekdays: Floats
    rate: float
    losses: Floats
    spread: PooledSpread


def learn_pool(panel: Panel) -> Pool:
    """The pool of up to 4,000 evenly spaced SKUs of the panel."""
    history = read_history(panel.sample(_POOL_SKUS))
    weekdays = pooled_weekdays(history)
    factors = weekday_factors(history, weekdays)
    level = _typical_rate(history)
    losses = relative_losses(walk(history, factors, pool_rate=level))
    rates = walk(history, factors, pool_rate=level, pool_losses=losses)
    monday_first = np.roll(weekdays, panel.next_day.weekday())
    return Pool(monday_first, level, losses, pool_spread(misses(rates, rates.model)))


def _typical_rate(history: History) -> float:
    exposed = history.exposure.sum(axis=(1, 2), dtype=float)
    is_known = (exposed >= PROVISIONAL_FROM_DAYS) & history.has_sold
    if not is_known.any():
        is_known = exposed > 0
    if not is_known.any():
        return 0.0
    return float(np.median(history.capped[is_known].sum(axis=(1, 2), dtype=float) / exposed[is_known]))


def forecast(panel: Panel, pool: Pool | None = None) -> Forecast:
    """Forecast every SKU of the panel from the day after its last column.

    Give the pool of the whole assortment where the panel is only a part of it (one SKU on demand, a chunk of many).
    """
    shared = learn_pool(panel) if pool is None else pool
    if not panel.skus:
        return _forecast_chunk(panel, shared)
    return join([_forecast_chunk(one, shared) for one in panel.chunks(_CHUNK)])


def _forecast_chunk(panel: Panel, pool: Pool) -> Forecast:
    history = read_history(panel)
    factors = weekday_factors(history, np.roll(pool.weekdays, -panel.next_day.weekday()))
    rates = walk(history, factors, pool_rate=pool.rate, pool_losses=pool.losses)
    wape, average_wape, has_lost = _guard(rates)
    status = _status(history)
    rate = np.where(has_lost, rates.moving_average[:, -1], rates.model[:, -1]).astype(float)
    rate[status == NO_DEMAND] = 0.0
    open_factors = factors * history.open_share
    horizon_means = rate[:, None] * open_factors.mean(axis=1, keepdims=True) * np.array(HORIZONS_DAYS)
    found: Misses = misses(rates, rates.model)
    widening = np.array([_WIDENING[str(one)] for one in status])[:, None] if len(status) else np.ones((0, 1))
    # Places in the week ahead become weekdays, Monday first.
    monday_first = np.roll(open_factors, panel.next_day.weekday(), axis=1)
    return Forecast(
        start_on=panel.next_day,
        rate=rate,
        weekdays=monday_first,
        dispersion=dispersion(found, horizon_means, pool.spread, widening),
        uplift=uplift(found, horizon_means, pool.spread),
        returns=history.returns,
        days=history.days,
        status=status,
        model=np.where(has_lost, MOVING_AVERAGE, WORKBOX),
        model_wape=wape,
        moving_average_wape=average_wape,
        is_whole=history.is_whole,
    )


def _status(history: History) -> Array:
    return np.select(
        [history.idle_days >= IDLE_DAYS, history.days >= MODEL_FROM_DAYS, history.days >= PROVISIONAL_FROM_DAYS],
        [NO_DEMAND, MODEL, PROVISIONAL],
        default=PEER_ESTIMATE,
    )


def _guard(rates: Rates) -> tuple[Floats, Floats, Bools]:
    """WAPE of 14 days over the last eight weekly origins, the model's and the moving average's, and where the model
    lost.
    """
    weeks = rates.sold.shape[1]
    first, last = max(0, weeks - _GUARD_WEEKS - GUARD_ORIGINS), max(0, weeks - _GUARD_WEEKS)
    sold, exposed = (_two_weeks(one, first, last) for one in (rates.sold, rates.exposed))
    is_known = (np.cumsum(rates.exposed, axis=1)[:, first:last] > 0) & (exposed > 0)
    total = np.where(is_known, sold, 0).sum(axis=1)

    def missed(means: Singles) -> Floats:
        return np.asarray(np.where(is_known, np.abs(sold - means[:, first:last] * exposed), 0))

    model, average = missed(rates.model), missed(rates.moving_average)
    measured = np.maximum(total, 1e-9)
    wape, average_wape = (np.where(total > 0, one.sum(axis=1) / measured, 1.0) for one in (model, average))
    # Eight overlapping fortnights say little: a loss is to have been farther off at every one of them. Where a smaller
    # lead was enough, the guard itself cost accuracy on real sales (see docs/forecasting.md).
    has_lost = (average < model).sum(axis=1) >= GUARD_ORIGINS
    return wape, average_wape, np.asarray(has_lost)


def _two_weeks(table: Singles, first: int, last: int) -> Floats:
    return np.asarray(table[:, first + 1 : last + 1] + table[:, first + 2 : last + 2], float)
