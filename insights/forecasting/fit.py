"""From a panel to forecasts: learn the pool from a sample, then each SKU in chunks, with a moving average kept beside
it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from insights.forecasting.cold_start import FORTNIGHT_DAYS, ColdStart, Fortnights, learn_cold_start, traits
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
_FORTNIGHTS_WEEKS = 26
_IN_STOCK_SHARE = 0.8
_WIDENING = {MODEL: 1.0, PROVISIONAL: 1.5, PEER_ESTIMATE: 2.0, NO_DEMAND: 1.0}


@dataclass(frozen=True, slots=True)
class Pool:
    """What SKUs share: the weekday pattern (7, Monday first), a typical rate, how each half-life did, the spread, and
    what a first fortnight says where the level alone is farther off.
    """

    weekdays: Floats
    rate: float
    losses: Floats
    spread: PooledSpread
    cold_start: ColdStart | None = None


def learn_pool(panel: Panel) -> Pool:
    """The pool of up to 4,000 evenly spaced SKUs of the panel."""
    some = panel.sample(_POOL_SKUS)
    history = read_history(some)
    weekdays = pooled_weekdays(history)
    factors = weekday_factors(history, weekdays)
    level = _typical_rate(history)
    losses = relative_losses(walk(history, factors, pool_rate=level))
    rates = walk(history, factors, pool_rate=level, pool_losses=losses)
    monday_first = np.roll(weekdays, panel.next_day.weekday())
    pool = Pool(monday_first, level, losses, pool_spread(misses(rates, rates.model)))
    return replace(pool, cold_start=learn_cold_start(list(_fortnights(some, pool))))


def _fortnights(panel: Panel, pool: Pool) -> Iterator[Fortnights]:
    """At the ends of the last 26 weeks, oldest first: SKUs as if known for a fortnight, and what they sold next."""
    origins = (panel.days - 7 * weeks for weeks in range(_FORTNIGHTS_WEEKS + 1, 1, -1))
    for origin in (one for one in origins if one >= 2 * FORTNIGHT_DAYS):
        before, ahead = slice(origin - FORTNIGHT_DAYS, origin), slice(origin, origin + FORTNIGHT_DAYS)
        is_known, has_sold = (
            np.asarray((panel.units[:, one] > 0).any(axis=1)) for one in (slice(before.start), before)
        )
        in_stock = np.asarray(panel.exposure[:, ahead], float).sum(axis=1)
        rows = np.flatnonzero(is_known & has_sold & (in_stock >= _IN_STOCK_SHARE * panel.is_open[ahead].sum()))
        if rows.size:
            seen = panel.rows(rows).until(origin).last(FORTNIGHT_DAYS)
            found = _forecast_chunk(seen, pool)
            sold = np.maximum(np.asarray(panel.units[rows, ahead], float), 0).sum(axis=1)
            expected = found.mean(FORTNIGHT_DAYS)
            yield Fortnights(traits(read_history(seen), found.rate), np.maximum(expected, 1e-6), sold)


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
    # What a first fortnight says moves the level. What is possible stays: variance and upper tail are the old level's.
    start = np.ones(len(rate)) if pool.cold_start is None else pool.cold_start.factor(history, rate)
    found: Misses = misses(rates, rates.model)
    widening = np.array([_WIDENING[str(one)] for one in status])[:, None] if len(status) else np.ones((0, 1))
    # Places in the week ahead become weekdays, Monday first.
    monday_first = np.roll(open_factors, panel.next_day.weekday(), axis=1)
    return Forecast(
        start_on=panel.next_day,
        rate=rate * start,
        weekdays=monday_first,
        dispersion=dispersion(found, horizon_means, pool.spread, widening) / np.minimum(start, 1)[:, None],
        uplift=np.maximum(uplift(found, horizon_means, pool.spread) / start, 1),
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
