"""What the forecasts would have been worth: stand at past days, forecast with what was known, and compare with what
came.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from insights.forecasting.distributions import Bools, Floats
from insights.forecasting.fit import forecast
from insights.forecasting.panel import Panel
from insights.forecasting.rivals import Outlook, linear_regression, moving_average

DAYS_APART = 28
WINDOW_DAYS = 28
ORIGINS = 4
_KNOWN_DAYS, _RECENT_DAYS, _FEWEST_SALE_DAYS = 90, 90, 8
_IN_STOCK_SHARE = 0.8
_WAPE_DAYS, _TAIL_DAYS = 14, 7

Total = Callable[[int], Floats]
Quantile = Callable[[int, float], Floats]
Contender = Callable[[Panel], tuple[Total, Quantile]]


@dataclass(frozen=True, slots=True)
class Score:
    """How a contender did over all windows: `wape` of 14-day sums, `pinball_p90` of 14 days per unit sold,
    `coverage_80` of the interval from p10 to p90 of 14 days, `coverage_p95` of 7 days, and `bias`, forecast / sold − 1,
    of 14 days.
    """

    windows: int
    wape: float
    pinball_p90: float
    coverage_80: float
    coverage_p95: float
    bias: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """The scores by contender, and each SKU's own error of 14 days, the model's and the moving average's (n), 1 if
    unknown.
    """

    scores: dict[str, Score]
    wape: Floats
    moving_average_wape: Floats

    @property
    def confidence_score(self) -> Floats:
        """1 − min(1, WAPE of 14 days) of each SKU (n)."""
        return np.asarray(1 - np.minimum(1.0, self.wape))


def by_model(panel: Panel) -> tuple[Total, Quantile]:
    """The forecasts of this package as a contender."""
    found = forecast(panel)
    return found.mean, found.quantile


def by_moving_average(panel: Panel) -> tuple[Total, Quantile]:
    """The moving average of 28 days as a contender."""
    return _of(moving_average(panel))


def by_linear_regression(panel: Panel) -> tuple[Total, Quantile]:
    """Linear regression on 90 days as a contender."""
    return _of(linear_regression(panel))


def _of(outlook: Outlook) -> tuple[Total, Quantile]:
    return outlook.total, outlook.quantile


CONTENDERS: dict[str, Contender] = {
    "workbox": by_model,
    "moving_average": by_moving_average,
    "linear_regression": by_linear_regression,
}


def origins_of(panel: Panel, count: int = ORIGINS) -> list[int]:
    """The columns a backtest stands at: four weeks apart, the last with four weeks of truth ahead; none before
    week five.
    """
    found = (panel.days - DAYS_APART * step for step in range(count, 0, -1))
    return [one for one in found if one >= DAYS_APART]


def is_active(panel: Panel) -> Bools:
    """SKUs (n) worth scoring: first sale 90 days ago or more, and eight sale days in the last 90."""
    is_sale = np.asarray(panel.units > 0)
    known_for = panel.days - is_sale.argmax(axis=1)
    return np.asarray((known_for >= _KNOWN_DAYS) & (is_sale[:, -_RECENT_DAYS:].sum(axis=1) >= _FEWEST_SALE_DAYS))


def run_backtest(
    panel: Panel,
    *,
    contenders: dict[str, Contender] | None = None,
    origins: Sequence[int] | None = None,
    is_scored: Callable[[Panel], Bools] = is_active,
) -> Backtest:
    """Refit every contender at each origin on the SKUs that `is_scored` names, and score it on the four weeks that
    followed.

    Windows in which a SKU was out of stock on more than a fifth of the open days prove nothing and are left out.
    """
    rivals = CONTENDERS if contenders is None else contenders
    tallies = {name: _Tally(panel.skus) for name in rivals}
    for origin in origins_of(panel) if origins is None else origins:
        known = panel.until(origin)
        truth = np.asarray(panel.units[:, origin : origin + WINDOW_DAYS], float)
        rows = np.flatnonzero(is_scored(known) & _was_in_stock(panel, origin))
        if rows.size:
            for name, contender in rivals.items():
                tallies[name].add(rows, np.maximum(truth[rows], 0), *contender(known.rows(rows)))
    unknown = np.ones(panel.skus)
    return Backtest(
        scores={name: tally.score() for name, tally in tallies.items()},
        wape=tallies["workbox"].per_sku() if "workbox" in tallies else unknown,
        moving_average_wape=tallies["moving_average"].per_sku() if "moving_average" in tallies else unknown,
    )


def _was_in_stock(panel: Panel, origin: int) -> Bools:
    ahead = slice(origin, origin + WINDOW_DAYS)
    in_stock = np.asarray(panel.exposure[:, ahead], float).sum(axis=1)
    return np.asarray(in_stock >= _IN_STOCK_SHARE * panel.is_open[ahead].sum())


class _Tally:
    """Running sums of one contender's errors."""

    def __init__(self, skus: int) -> None:
        self.missed, self.sold = np.zeros(skus), np.zeros(skus)
        self.windows = self.covered = self.under_tail = 0
        self.forecast = self.pinball = 0.0

    def add(
        self, rows: np.ndarray[tuple[int], np.dtype[np.intp]], truth: Floats, total: Total, quantile: Quantile
    ) -> None:
        sold, expected = truth[:, :_WAPE_DAYS].sum(axis=1), total(_WAPE_DAYS)
        low, high = quantile(_WAPE_DAYS, 0.1), quantile(_WAPE_DAYS, 0.9)
        self.missed[rows] += np.abs(sold - expected)
        self.sold[rows] += sold
        self.forecast += float(expected.sum())
        self.pinball += float(np.maximum(0.9 * (sold - high), -0.1 * (sold - high)).sum())
        self.covered += int(((sold >= np.floor(low)) & (sold <= np.ceil(high))).sum())
        self.under_tail += int((truth[:, :_TAIL_DAYS].sum(axis=1) <= np.ceil(quantile(_TAIL_DAYS, 0.95))).sum())
        self.windows += len(rows)

    def score(self) -> Score:
        sold, windows = max(float(self.sold.sum()), 1e-9), max(self.windows, 1)
        return Score(
            windows=self.windows,
            wape=float(self.missed.sum()) / sold,
            pinball_p90=self.pinball / sold,
            coverage_80=self.covered / windows,
            coverage_p95=self.under_tail / windows,
            bias=self.forecast / sold - 1 if self.sold.sum() else 0.0,
        )

    def per_sku(self) -> Floats:
        return np.asarray(np.where(self.sold > 0, self.missed / np.maximum(self.sold, 1e-9), 1.0))
