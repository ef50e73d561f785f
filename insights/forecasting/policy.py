"""What ordering by the forecasts is worth: base stock, reviewed daily, on past windows; what is missing is lost."""

from collections.abc import Iterator

import numpy as np

from insights.forecasting.backtest import CONTENDERS, DAYS_APART, Quantile, is_active, origins_of
from insights.forecasting.distributions import Floats
from insights.forecasting.panel import Panel

LEAD_DAYS = 7
NOMINAL, TARGET_FILL = 0.95, 0.95
_STEPS = 10
_LOWEST, _HIGHEST = 0.5, 9.0  # nominal level 1 − 10^−x: from 68 % to nine nines


def windows(panel: Panel, ahead: int = DAYS_APART) -> Iterator[tuple[Panel, Floats]]:
    """At each origin with so many days ahead: the active SKUs as known then, and what they went on to sell."""
    for origin in origins_of(panel):
        if panel.days - origin >= ahead:
            known = panel.until(origin)
            rows = np.flatnonzero(is_active(known))
            yield known.rows(rows), np.asarray(panel.units[rows, origin:], float)


def compare_policies(panel: Panel) -> dict[str, dict[str, float]]:
    """For each contender the fill rate at a nominal 95 %, and for a real fill of 95 % the average stock in days of
    demand and the nominal level it took.
    """
    found = {}
    for name, contender in CONTENDERS.items():
        ones = [(contender(known)[1], truth[:, :DAYS_APART]) for known, truth in windows(panel)]
        low, high = _LOWEST, _HIGHEST
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if _at(ones, 1 - 10**-middle)[0] >= TARGET_FILL else (middle, high)
        nominal, real = _at(ones, NOMINAL), _at(ones, 1 - 10**-high)
        found[name] = {
            "fill_at_nominal_95": nominal[0],
            "stock_days_at_nominal_95": nominal[1],
            "fill_rate": real[0],
            "stock_days": real[1],
            "nominal_level": 1 - 10**-high,
        }
    return found


def _at(ones: list[tuple[Quantile, Floats]], q: float) -> tuple[float, float]:
    """Share of the units filled, and units on the shelf in days of demand, when ordering up to quantile q."""
    runs = [simulate(np.ceil(quantile(LEAD_DAYS + 1, q)), truth) for quantile, truth in ones]
    filled, asked, held = (sum(one[place] for one in runs) for place in range(3))
    return (filled / asked, held / asked) if asked else (1.0, 0.0)


def simulate(level: Floats, demand: Floats) -> tuple[float, float, float]:
    """Units filled, units asked for, units × days on the shelf: base stock, what is missing is a lost sale."""
    on_hand = level.copy()
    pipeline = [np.zeros(len(level)) for _ in range(LEAD_DAYS)]
    filled, held = 0.0, 0.0
    for asked in demand.T:
        on_hand += pipeline.pop(0)
        sold = np.minimum(on_hand, asked)
        on_hand -= sold
        filled += float(sold.sum())
        held += float(on_hand.sum())
        pipeline.append(np.maximum(level - on_hand - np.sum(pipeline, axis=0), 0.0))
    return filled, float(demand.sum()), held
