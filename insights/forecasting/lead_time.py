"""How long a vendor takes, as a distribution, and what is asked for until an order arrives."""

from dataclasses import dataclass

import numpy as np

from insights.forecasting.curve import Forecast
from insights.forecasting.distributions import SMALLEST_DISPERSION, Floats
from insights.forecasting.panel import Array

QUOTED_SD_SHARE = 0.3
ASSUMED_DAYS = 7.0
RECEIPTS, QUOTED, ASSUMED = "receipts", "quoted", "assumed"


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """Days from order to receipt of each SKU: mean, standard deviation, and the word for where they come from (n)."""

    mean: Floats
    sd: Floats
    source: Array


@dataclass(frozen=True, slots=True)
class Requirement:
    """Demand over a span of uncertain length: its mean and its variance / mean (n)."""

    mean: Floats
    dispersion: Floats


def demand_over(forecast: Forecast, lead: LeadTimes, *, review_days: float = 0.0) -> Requirement:
    """Demand until an order placed at the next review arrives: Var = φ·m + (units a day)²·Var(lead time).

    The mixture of means and variances over the lead time, as in Silver, Pyke & Thomas (2017), 6.
    """
    days = lead.mean + review_days
    mean = forecast.mean(days)
    daily = forecast.rate * forecast.weekdays.mean(axis=1)
    variance = forecast.spread(days) * mean + daily**2 * lead.sd**2
    dispersion = np.where(mean > 0, variance / np.maximum(mean, 1e-12), SMALLEST_DISPERSION)
    return Requirement(mean, np.maximum(dispersion, SMALLEST_DISPERSION))
