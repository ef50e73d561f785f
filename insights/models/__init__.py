"""Tables of opinions: dropping them changes no stock, no order and no money."""

from insights.models.alerts import OPEN, OPEN_STATUSES, Alert, AlertSettings, AlertStatus, AlertType, Severity
from insights.models.sales import DailyCategorySales, DailySales, DailyTotal

__all__ = [
    "OPEN",
    "OPEN_STATUSES",
    "Alert",
    "AlertSettings",
    "AlertStatus",
    "AlertType",
    "DailyCategorySales",
    "DailySales",
    "DailyTotal",
    "Severity",
]
