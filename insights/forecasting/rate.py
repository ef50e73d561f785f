"""How fast a SKU sells on an ordinary day: weekday factors, and a mixture of fast and slow averages that earned its
weights.
"""

from dataclasses import dataclass

import numpy as np

from insights.forecasting.distributions import Floats
from insights.forecasting.panel import History, Singles

HALF_LIVES_DAYS = (3.5, 7.0, 14.0, 28.0, 56.0, 112.0, 224.0)
MOVING_AVERAGE_WEEKS = 4
_WEEKDAYS_FROM_WEEKS = 26
_WEEKDAY_PRIOR_UNITS = 40.0
_CHAIN_DAYS, _YOUNG_CHAIN_DAYS = 2.0, 15.0  # how many days of the next slower average stand behind each faster one
_YOUNG_UNTIL_DAYS = 30.0
_POOL_DAYS = 5.0  # how many days of the pool's typical rate stand behind the slowest
_LOSS_KEPT_PER_WEEK = 0.97
_POOL_LOSS_WEEKS = 8.0
_SHARPNESS = 8.0
_FEWEST_DAYS = 0.5


@dataclass(frozen=True, slots=True)
class Rates:
    """What the walk through the weeks found: `model` and `moving_average` (n, weeks) are units per ordinary day as
    known at the end of each week; `sold` and `capped` (n, weeks) the units of each week, `exposed` (n, weeks) its
    ordinary days; `losses` (n, 7) each half-life's error seven days ahead and `loss_weeks` (n) over how many weeks.
    """

    model: Singles
    moving_average: Singles
    sold: Singles
    capped: Singles
    exposed: Singles
    losses: Singles
    loss_weeks: Singles


def pooled_weekdays(history: History) -> Floats:
    """The weekday pattern (7) all these SKUs share, 1 on average over open days; place 0 is the first day ahead."""
    units, exposure, level = _by_weekday(history)
    expected = (level[:, None] * exposure).sum(axis=0)
    return _around_one(np.where(expected > 0, units.sum(axis=0) / np.maximum(expected, 1e-9), 1.0), history.open_share)


def weekday_factors(history: History, pooled: Floats) -> Floats:
    """Each SKU's weekday pattern (n, 7), pulled towards the pooled one as by forty more units sold in that pattern."""
    units, exposure, level = _by_weekday(history)
    share = np.mean(history.open_share) or 1.0
    prior = _WEEKDAY_PRIOR_UNITS / 7 / share
    factors = (units + prior * pooled) / (level[:, None] * exposure + prior)
    return _around_one(factors, history.open_share)


def _by_weekday(history: History) -> tuple[Floats, Floats, Floats]:
    units = history.capped[:, -_WEEKDAYS_FROM_WEEKS:].sum(axis=1, dtype=float)
    exposure = history.exposure[:, -_WEEKDAYS_FROM_WEEKS:].sum(axis=1, dtype=float)
    level = units.sum(axis=1) / np.maximum(exposure.sum(axis=1), _FEWEST_DAYS)
    return units, exposure, level


def _around_one(factors: Floats, open_share: Floats) -> Floats:
    """A pattern whose mean over open days is 1."""
    if open_share.sum() == 0:
        return np.ones_like(factors)
    mean = (factors * open_share).sum(axis=-1, keepdims=True) / open_share.sum()
    return np.asarray(np.where(mean > 0, factors / np.maximum(mean, 1e-9), 1.0))


def walk(history: History, factors: Floats, *, pool_rate: float, pool_losses: Floats | None = None) -> Rates:
    """Go through the weeks, at the end of each knowing only what was before, and set the mixed rate beside a moving
    average.

    Each half-life's rate is weighted units / weighted exposure, resting on the next slower one; the mixture weighs them
    by the error each made on the week that followed, pulled towards how they did in the pool.
    """
    daily = history.exposure * factors[:, None, :].astype(np.float32)
    sold, capped = history.units.sum(axis=2), history.capped.sum(axis=2)
    exposed = daily.sum(axis=2)
    kept = 0.5 ** (1 / np.array(HALF_LIVES_DAYS))
    within = (kept[None, :] ** np.arange(6, -1, -1)[:, None]).astype(np.float32)
    new_units, new_days = history.capped @ within, daily @ within
    per_week = (kept**7).astype(np.float32)
    skus, weeks = sold.shape
    units = np.zeros((skus, len(kept)), np.float32)
    days, losses = units.copy(), units.copy()
    loss_weeks = np.zeros(skus, np.float32)
    model = np.zeros((skus, weeks), np.float32)
    rates = losses
    prior = np.ones(len(kept), np.float32) if pool_losses is None else pool_losses.astype(np.float32)
    for week in range(weeks):
        if week:
            missed = np.abs(capped[:, week, None] - rates * exposed[:, week, None])
            losses = losses * np.float32(_LOSS_KEPT_PER_WEEK) + missed
            loss_weeks = loss_weeks * np.float32(_LOSS_KEPT_PER_WEEK) + (exposed[:, week] > 0)
        units = units * per_week + new_units[:, week]
        days = days * per_week + new_days[:, week]
        rates = _chained(units, days, np.float32(pool_rate))
        model[:, week] = (_weights(losses, loss_weeks, prior) * rates).sum(axis=1)
    return Rates(model, _moving_average(capped, exposed, model), sold, capped, exposed, losses, loss_weeks)


def _chained(units: Singles, days: Singles, pool_rate: np.float32) -> Singles:
    """The rate of each half-life, the slowest resting on the pool and each faster one on its slower neighbour."""
    rates = np.empty_like(units)
    below, rest = np.full(len(units), pool_rate), np.full(len(units), _POOL_DAYS, np.float32)
    chain = np.where(days[:, -1] < _YOUNG_UNTIL_DAYS, np.float32(_YOUNG_CHAIN_DAYS), np.float32(_CHAIN_DAYS))
    for place in range(units.shape[1] - 1, -1, -1):
        below = (units[:, place] + rest * below) / (days[:, place] + rest)
        rates[:, place] = below
        rest = chain
    return rates


def _weights(losses: Singles, loss_weeks: Singles, prior: Singles) -> Singles:
    """Weights (n, half-lives) that add up to 1: the smaller the error, its own and the pool's, the heavier."""
    mean = losses.mean(axis=1, keepdims=True)
    own = losses / np.maximum(mean, np.float32(1e-9))
    trust = (loss_weeks / (loss_weeks + np.float32(_POOL_LOSS_WEEKS)))[:, None] * (mean > 0)
    relative = trust * own + (1 - trust) * prior
    weights = np.maximum(relative, np.float32(1e-3)) ** np.float32(-_SHARPNESS)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def relative_losses(rates: Rates) -> Floats:
    """How each half-life did in the pool, 1 on average: every SKU counts the same, whatever it sells."""
    mean = rates.losses.mean(axis=1, keepdims=True, dtype=float)
    is_known = (mean[:, 0] > 0) & (rates.loss_weeks > 4)
    if not is_known.any():
        return np.ones(len(HALF_LIVES_DAYS))
    return np.asarray((rates.losses[is_known] / mean[is_known]).mean(axis=0))


def _moving_average(sold: Singles, exposed: Singles, model: Singles) -> Singles:
    """Units per ordinary day of the 28 days before each week's end; the model's where there was nothing to buy in
    them.
    """
    units, days = (_of_last_weeks(one, MOVING_AVERAGE_WEEKS) for one in (sold, exposed))
    return np.asarray(np.where(days >= _FEWEST_DAYS, units / np.maximum(days, _FEWEST_DAYS), model), np.float32)


def _of_last_weeks(table: Singles, weeks: int) -> Singles:
    total = np.cumsum(table, axis=1, dtype=np.float64)
    total[:, weeks:] = total[:, weeks:] - total[:, :-weeks]
    return total.astype(np.float32)
