"""Tables of opinions: dropping them changes no stock, no order and no money."""

from insights.models.sales import DailyCategorySales, DailySales, DailyTotal

__all__ = ["DailyCategorySales", "DailySales", "DailyTotal"]
