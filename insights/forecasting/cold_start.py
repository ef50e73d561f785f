"""The cold start: what a SKU's first fortnight says about the next, learned from the pool's own past fortnights.

In a fortnight an average cannot tell a giant order from a rising star. The pool can: all its SKUs have been watched for
a fortnight many times, and what they sold in the next one is known. A median regression (least absolute deviations, by
iteratively reweighted least squares: Schlossmacher 1973) finds how far the level was off, given how it came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from insights.forecasting.distributions import Floats
from insights.forecasting.panel import History

FORTNIGHT_DAYS = 14
WORN_OFF_DAYS = 30
_WEEKS = FORTNIGHT_DAYS // 7
_PRIOR_WINDOWS = 10.0  # so many windows in which the level was right stand behind what is learned
_FOLDS = 4
_LEAST_GAIN = 0.01
_STEPS = 30
_SMALLEST_MISS = 0.02
_OUTERMOST = 1.0  # per cent of the windows at either end: beyond their traits nothing was learned
_LOWEST_FACTOR = 0.1
_LEAST_EXPOSED_DAYS = 0.5
_SMALLEST_RATE = 1e-6  # where nothing is sold there is nothing to correct, and no logarithm


@dataclass(frozen=True, slots=True)
class Fortnights:
    """What the pool's SKUs sold in one fortnight (n), beside the level's forecast of it (n, above 0) and the traits
    (n, 4) of the fortnight before.
    """

    traits: Floats
    expected: Floats
    sold: Floats


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A line through the traits: `weights` (5: a constant and one for each), of traits made even by `centre` and
    `scale` (4) and held between `lowest` and `highest` (4).
    """

    centre: Floats
    scale: Floats
    weights: Floats
    lowest: Floats
    highest: Floats

    def factor(self, history: History, rate: Floats) -> Floats:
        """What to multiply each SKU's rate (n) with: 1 where thirty days are known or nothing was sold lately.

        It counts whole where fourteen days are known, and less the further the history is from that.
        """
        sold = history.units[:, -_WEEKS:].sum(axis=(1, 2)) > 0
        trust = np.minimum(
            history.days / FORTNIGHT_DAYS, (WORN_OFF_DAYS - history.days) / (WORN_OFF_DAYS - FORTNIGHT_DAYS)
        )
        return np.asarray(1 + np.where(sold, np.clip(trust, 0, 1), 0) * (self.of_traits(traits(history, rate)) - 1))

    def of_traits(self, found: Floats) -> Floats:
        """The factor (n) that these traits (n, 4) ask for."""
        even = (np.clip(found, self.lowest, self.highest) - self.centre) / self.scale
        # A line knows no zero; no fortnight on real sales came near this one.
        return np.asarray(np.maximum(1 + self.weights[0] + even @ self.weights[1:], _LOWEST_FACTOR))


def traits(history: History, rate: Floats) -> Floats:
    """How the last fortnight came about (n, 4), beside a rate (n) in units per ordinary day.

    ln rate, share of days with a sale, the last week beside the rate, and ln(1 + units / rate) per day, which a giant
    order hardly moves; all on days in stock.
    """
    rate = np.maximum(rate, _SMALLEST_RATE)
    units, exposure = (one[:, -_WEEKS:].astype(float) for one in (history.units, history.exposure))
    days = np.maximum(exposure.sum(axis=(1, 2)), _LEAST_EXPOSED_DAYS)
    week_days = exposure[:, -1].sum(axis=1)
    lately = units[:, -1].sum(axis=1) / (np.maximum(week_days, _LEAST_EXPOSED_DAYS) * rate)
    return np.column_stack([
        np.log(rate),
        (units > 0).sum(axis=(1, 2)) / days,
        np.where(week_days >= _LEAST_EXPOSED_DAYS, lately, 1.0),
        np.log1p(units / rate[:, None, None]).sum(axis=(1, 2)) / days,
    ])  # fmt: skip


def learn_cold_start(fortnights: Sequence[Fortnights]) -> ColdStart | None:
    """Learn from fortnights in the order of time; None unless it would have come closer in each quarter of that time
    when learned from the others, and at least 1 % closer in all.
    """
    if len(fortnights) < _FOLDS:
        return None
    folds = [_together(fortnights[part[0] : part[-1] + 1]) for part in np.array_split(range(len(fortnights)), _FOLDS)]
    before, after = np.zeros(_FOLDS), np.zeros(_FOLDS)
    for place, unseen in enumerate(folds):
        learned = _fit(_together([*folds[:place], *folds[place + 1 :]]))
        before[place] = np.abs(unseen.sold - unseen.expected).sum()
        after[place] = np.abs(unseen.sold - unseen.expected * learned.of_traits(unseen.traits)).sum()
    is_closer = (after < before).all() and after.sum() < (1 - _LEAST_GAIN) * before.sum()
    return _fit(_together(folds)) if is_closer else None


def _together(parts: Sequence[Fortnights]) -> Fortnights:
    return Fortnights(
        np.concatenate([one.traits for one in parts]),
        np.concatenate([one.expected for one in parts]),
        np.concatenate([one.sold for one in parts]),
    )


def _fit(found: Fortnights) -> ColdStart:
    """Least absolute deviations of units, pulled towards a factor of 1."""
    lowest, highest = np.percentile(found.traits, [_OUTERMOST, 100 - _OUTERMOST], axis=0)
    held = np.clip(found.traits, lowest, highest)
    weight = found.expected / found.expected.mean()
    centre = np.average(held, axis=0, weights=weight)
    scale = np.maximum(np.sqrt(np.average((held - centre) ** 2, axis=0, weights=weight)), 1e-9)
    table = np.column_stack([np.ones(len(held)), (held - centre) / scale])
    wanted = found.sold / found.expected - 1
    prior = _PRIOR_WINDOWS * np.eye(table.shape[1])
    weights = np.zeros(table.shape[1])
    for _ in range(_STEPS):
        pull = weight / np.maximum(np.abs(wanted - table @ weights), _SMALLEST_MISS)
        weights = np.linalg.solve(table.T @ (table * pull[:, None]) + prior, table.T @ (pull * wanted))
    return ColdStart(centre, scale, weights, lowest, highest)
