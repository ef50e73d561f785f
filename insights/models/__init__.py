"""Tables of opinions: dropping them changes no stock, no order and no money."""

from insights.models.alerts import OPEN, OPEN_STATUSES, Alert, AlertSettings, AlertStatus, AlertType, Severity
from insights.models.demand import DailyDemand, TradingDay
from insights.models.forecasts import (
    ForecastCurve,
    ForecastRun,
    PlanningSettings,
    ServiceLevel,
    Suggestion,
)
from insights.models.sales import DailyCategorySales, DailySales, DailyTotal

__all__ = [
    "OPEN",
    "OPEN_STATUSES",
    "Alert",
    "AlertSettings",
    "AlertStatus",
    "AlertType",
    "DailyCategorySales",
    "DailyDemand",
    "DailySales",
    "DailyTotal",
    "ForecastCurve",
    "ForecastRun",
    "PlanningSettings",
    "ServiceLevel",
    "Severity",
    "Suggestion",
    "TradingDay",
]
