"""What the model is measured against: a moving average of 28 days and linear regression on 90, both with a normal
spread.
"""

from dataclasses import dataclass

import numpy as np

from insights.forecasting.distributions import Floats, normal_quantile
from insights.forecasting.panel import Panel

_SPREAD_DAYS = 90
_AVERAGE_DAYS = 28


@dataclass(frozen=True, slots=True)
class Outlook:
    """A rival's forecast: expected units (n, 28) of each day ahead and the standard deviation (n) of one day."""

    expected: Floats
    sd: Floats

    def total(self, days: int) -> Floats:
        """Expected units (n) of the first so many days."""
        return np.asarray(self.expected[:, :days].sum(axis=1))

    def quantile(self, days: int, q: float) -> Floats:
        """Mean + z·sd·√days: days taken as independent, as the textbook has it."""
        return np.asarray(np.maximum(self.total(days) + float(normal_quantile(q)) * self.sd * np.sqrt(days), 0.0))


def moving_average(panel: Panel) -> Outlook:
    """The mean of the last 28 days, stock-outs counted as no demand, for each day ahead."""
    recent = np.asarray(panel.units[:, -_AVERAGE_DAYS:], float)
    return Outlook(np.repeat(recent.mean(axis=1, keepdims=True), _AVERAGE_DAYS, axis=1), _daily_sd(panel))


def linear_regression(panel: Panel) -> Outlook:
    """The straight line through the last 90 days, carried on and never below zero."""
    recent = np.asarray(panel.units[:, -_SPREAD_DAYS:], float)
    days = recent.shape[1]
    x = np.arange(days) - (days - 1) / 2
    slope = recent @ x / max(float(x @ x), 1.0)
    ahead = (days + 1) / 2 + np.arange(_AVERAGE_DAYS)
    return Outlook(np.maximum(recent.mean(axis=1)[:, None] + slope[:, None] * ahead, 0.0), _daily_sd(panel))


def _daily_sd(panel: Panel) -> Floats:
    """The standard deviation of a day over the last 90 since the first sale."""
    recent = np.asarray(panel.units[:, -_SPREAD_DAYS:], float)
    has_sold = np.asarray((panel.units[:, : panel.days - recent.shape[1]] > 0).any(axis=1))
    is_known = (np.cumsum(recent > 0, axis=1) > 0) | has_sold[:, None]
    days = np.maximum(is_known.sum(axis=1), 2)
    mean = recent.sum(axis=1) / days
    return np.asarray(np.sqrt((((recent - mean[:, None]) ** 2) * is_known).sum(axis=1) / (days - 1)))
