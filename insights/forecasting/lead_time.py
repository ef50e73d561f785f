"""How long a vendor takes, as a distribution: what the receipts say once there are five, until then what was quoted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insights.forecasting.curve import Forecast
from insights.forecasting.distributions import SMALLEST_DISPERSION, Floats
from insights.forecasting.panel import Array

RECEIPTS_NEEDED = 5
QUOTED_SD_SHARE = 0.3
ASSUMED_DAYS = 7.0
RECEIPTS, QUOTED, ASSUMED = "receipts", "quoted", "assumed"


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """Days from order to receipt of each SKU: mean, standard deviation, and the word for where they come from (n)."""

    mean: Floats
    sd: Floats
    source: Array


def lead_times(quoted_days: Sequence[float | None], receipts: Sequence[ArrayLike] | None = None) -> LeadTimes:
    """Lead times of n SKUs from the days their vendors quoted and the days past receipts took (one list per SKU).

    From five receipts their own mean and sd; before, the quoted days with an sd of 30 %; nothing quoted: seven days,
    assumed.
    """
    taken = [np.asarray(one, float) for one in receipts] if receipts is not None else [np.zeros(0)] * len(quoted_days)
    found = [_lead_time(quoted, days) for quoted, days in zip(quoted_days, taken, strict=True)]
    mean, sd, source = (list(one) for one in zip(*found, strict=True)) if found else ([], [], [])
    return LeadTimes(np.array(mean, float), np.array(sd, float), np.array(source, str))


def _lead_time(quoted: float | None, receipts: NDArray[np.float64]) -> tuple[float, float, str]:
    if len(receipts) >= RECEIPTS_NEEDED:
        return float(receipts.mean()), float(receipts.std(ddof=1)), RECEIPTS
    if quoted is not None:
        return float(quoted), QUOTED_SD_SHARE * float(quoted), QUOTED
    return ASSUMED_DAYS, QUOTED_SD_SHARE * ASSUMED_DAYS, ASSUMED


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
