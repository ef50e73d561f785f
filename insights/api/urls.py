"""Routes of insights; fixed words stand before ids."""

from insights.api import alerts, dashboard, explain, predictions, replenishment, sales, stock
from workbox.core.routes import route

PREDICTION = "predictions/(?P<product_id>[0-9]{1,18})"
urlpatterns = [
    route("sales/analytics", sales.AnalyticsView.as_view(), "sales-analytics"),
    route("sales/revenue/comparison", sales.ComparisonView.as_view(), "sales-comparison"),
    route("sales/by-category", sales.ByCategoryView.as_view(), "sales-by-category"),
    route(
        "products/(?P<product_id>[0-9]{1,18})/availability/explain",
        explain.ExplainView.as_view(),
        "availability-explain",
    ),
    route("analytics/snapshot", dashboard.SnapshotView.as_view(), "analytics-snapshot"),
    route("insights/sales-trends", sales.TrendsView.as_view(), "insights-trends"),
    route("insights/category-performance", sales.CategoryPerformanceView.as_view(), "insights-categories"),
    route("insights/stock-management", stock.StockManagementView.as_view(), "insights-stock"),
    route("insights/turnover", stock.TurnoverView.as_view(), "insights-turnover"),
    route("insights/ageing", stock.AgeingView.as_view(), "insights-ageing"),
    route("insights/abc", sales.AbcView.as_view(), "insights-abc"),
    route("insights/dead-stock", stock.DeadStockView.as_view(), "insights-dead-stock"),
    route("insights/movement-patterns", stock.PatternsView.as_view(), "insights-patterns"),
    route("alerts", alerts.AlertsView.as_view(), "alerts"),
    route("alerts/settings", alerts.AlertSettingsView.as_view(), "alert-settings"),
    route(r"alerts/(?P<alert_id>\d{1,18})", alerts.AlertView.as_view(), "alert"),
    route(r"alerts/(?P<alert_id>\d{1,18})/acknowledge", alerts.AcknowledgeView.as_view(), "alert-acknowledge"),
    route(r"alerts/(?P<alert_id>\d{1,18})/resolve", alerts.ResolveView.as_view(), "alert-resolve"),
    route(r"alerts/(?P<alert_id>\d{1,18})/snooze", alerts.SnoozeView.as_view(), "alert-snooze"),
    route("predictions/batch", predictions.BatchView.as_view(), "predictions-batch"),
    route("predictions/quality", predictions.QualityView.as_view(), "predictions-quality"),
    route(PREDICTION, predictions.PredictionView.as_view(), "prediction"),
    route(f"{PREDICTION}/data-summary", predictions.SummaryView.as_view(), "prediction-summary"),
    route(f"{PREDICTION}/cache", predictions.CacheView.as_view(), "prediction-cache"),
    route("replenishment", replenishment.ReplenishmentView.as_view(), "replenishment"),
    route("replenishment/orders", replenishment.OrderSuggestionsView.as_view(), "replenishment-orders"),
    route("replenishment/service-levels", replenishment.PlanningView.as_view(), "replenishment-levels"),
]
