"""Shapes and examples of forecasts and replenishment for the OpenAPI document; nothing runs through them."""

from typing import Any

from rest_framework import serializers as s

Shape = s.Serializer[Any]
LINE_EXAMPLE = {
    "date": "2026-01-15",
    "units": 3.4,
    "units_p10": 1,
    "units_p90": 6,
    "cumulative_p10": 1,
    "cumulative_p50": 3,
    "cumulative_p90": 6,
    "stock": 42,
    "stock_p10": 39,
    "stock_p90": 44,
}
PREDICTION_EXAMPLE = {
    "product_id": 2,
    "sku": "CABLE-2M",
    "name": "Cable",
    "warehouse_id": None,
    "current_stock": 45,
    "predicted_depletion_date": "2026-01-28",
    "beyond_horizon": False,
    "depletion": {"p10": "2026-01-24", "p50": "2026-01-28", "p90": "2026-02-02", "expected": "2026-01-28"},
    "confidence_score": 0.74,
    "daily_consumption_rate": 3.36,
    "forecast": [LINE_EXAMPLE],
    "model_version": "nb-2026.1",
    "model_type": "negative_binomial_exponential_smoothing",
    "model": "workbox",
    "status": "model",
    "days_of_data": 74,
    "backtest": {"days": 14, "wape": 0.26, "moving_average_wape": 0.31, "wape_in_use": 0.26},
    "stockout_probability": 0.03,
    "lead_time_days": 7,
    "lead_time_source": "quoted",
    "returned_per_day": 0.02,
    "inbound": [],
    "inbound_without_a_day": 0,
    "fitted_for": "2026-01-15",
    "why": (
        "With 45 available it is used up on 2026-01-28, between 2026-01-24 and 2026-02-02 with 80 %: 3.36 are sold a "
        "day by the model over 74 days (past fortnights: the model 26 % off, a 28-day average 31 %)."
    ),
}
SUMMARY_EXAMPLE = {
    "product_id": 2,
    "has_sufficient_data": True,
    "days_of_data": 74,
    "min_required_days": 30,
    "total_transactions": 81,
    "total_orders": 70,
    "date_range": {"start_date": "2025-11-01", "end_date": "2026-01-14"},
    "stock_statistics": {
        "current_stock": 45,
        "on_hand": 48,
        "reserved": 3,
        "lowest_balance": 0,
        "highest_balance": 120,
        "days_without_stock": 2,
    },
    "demand_statistics": {
        "units": 250,
        "days_with_sales": 61,
        "largest_day": 12,
        "mean_units_per_sale_day": 4.098,
        "returned_units": 2,
    },
}
SCORE_EXAMPLE = {
    "windows": 400,
    "wape": 0.28,
    "pinball_p90": 0.08,
    "coverage_80": 0.81,
    "coverage_p95": 0.95,
    "bias": -0.04,
}
RUN_EXAMPLE = {
    "run_id": 3,
    "start_on": "2026-01-04",
    "kind": "training",
    "model_version": "nb-2026.1",
    "windows": 400,
    "wape": 0.28,
    "bias": -0.03,
    "coverage_80": 0.8,
    "coverage_p95": 0.95,
}
QUALITY_EXAMPLE = {
    "days": 14,
    "live": {
        "forecasts": 1,
        "windows": 400,
        "wape": 0.28,
        "bias": -0.03,
        "coverage_80": 0.8,
        "coverage_p95": 0.95,
    },
    "runs": [RUN_EXAMPLE],
    "backtest": {"workbox": SCORE_EXAMPLE},
    "calibration": {
        "coverage_80": 0.81,
        "coverage_80_is_fair": True,
        "coverage_p95": 0.95,
        "coverage_p95_is_fair": True,
    },
    "trained_at": "2026-01-18T02:00:09Z",
    "current_run": {
        "run_id": 9,
        "kind": "training",
        "start_on": "2026-01-18",
        "model_version": "nb-2026.1",
        "curves": 40,
        "finished_at": "2026-01-18T02:00:09Z",
    },
}
OFFER_EXAMPLE = {
    "vendor_id": 1,
    "vendor_name": "Acme Supplies",
    "quantity": 60,
    "unit_price": 12.99,
    "landed_unit_cost": 12.99,
    "landed_cost": 779.4,
    "minimum_order_quantity": 10,
    "pack_quantity": 6,
    "lead_time_days": 7,
    "lead_time_source": "quoted",
    "order_by": "2026-01-17",
    "is_due": True,
    "is_recommended": True,
    "reason": "The only offer: 12.99 per unit at the door.",
}
SUGGESTION_EXAMPLE = {
    "id": 4,
    "product_id": 2,
    "sku": "CABLE-2M",
    "name": "Cable",
    "category": "Electronics",
    "warehouse_id": 1,
    "warehouse_name": "Main store",
    "vendor_id": 1,
    "vendor_name": "Acme Supplies",
    "quantity": 60,
    "unit_price": 12.99,
    "total": 779.4,
    "available": 12,
    "position": 12,
    "reorder_point": 37,
    "safety_stock": 10.1,
    "order_up_to": 61,
    "daily_units": 3.36,
    "service_level": 0.95,
    "lead_time_days": 7,
    "stockout_probability": 0.97,
    "depletion_on": "2026-01-17",
    "order_by": "2026-01-15",
    "margin_at_risk": 88.2,
    "offers": [OFFER_EXAMPLE],
    "why": (
        "12 available, 0 to come; 3.36 are sold a day and an order takes 7 days: at or below 37 it is ordered, so that "
        "it lasts with 95 %."
    ),
    "updated_at": "2026-01-15T02:00:05Z",
}
SETTINGS_EXAMPLE = {
    "service_level": 0.95,
    "review_days": 1,
    "cycle_days": 7,
    "categories": [{"category": "Electronics", "service_level": 0.98}],
    "products": [{"product_id": 2, "sku": "CABLE-2M", "service_level": 0.99}],
}


class PredictionShape(Shape):
    """When a product runs out, how sure that is, and the days ahead."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    warehouse_id = s.IntegerField(allow_null=True, help_text="Null: all sellable warehouses one may see.")
    current_stock = s.FloatField(help_text="Available now.")
    predicted_depletion_date = s.DateField(allow_null=True, help_text="As likely before as after; null: see below.")
    beyond_horizon = s.BooleanField(help_text="Not within ninety days.")
    depletion = s.JSONField(help_text="p10, p50, p90 and the day mean demand reaches the stock.")
    confidence_score = s.FloatField(help_text="1 − min(1, WAPE of past fortnights): measured, never assumed.")
    daily_consumption_rate = s.FloatField(help_text="Units a day over the four weeks ahead.")
    forecast = s.ListField(child=s.JSONField(), help_text="A line per day: units and stock, each with its 80 % band.")
    model_version = s.CharField()
    model_type = s.CharField()
    model = s.CharField(help_text="workbox, or moving_average where that was nearer lately.")
    status = s.CharField(help_text="model, provisional, peer_estimate or no_demand.")
    days_of_data = s.IntegerField()
    backtest = s.JSONField(help_text="Errors of past fortnights: ours and a moving average's.")
    stockout_probability = s.FloatField(help_text="Of running out before an order placed today arrives.")
    lead_time_days = s.FloatField()
    lead_time_source = s.CharField(help_text="receipts, quoted or assumed.")
    returned_per_day = s.FloatField()
    inbound = s.ListField(child=s.JSONField(), help_text="What comes on a known day.")
    inbound_without_a_day = s.FloatField(help_text="On order, but overdue or without a date: not counted.")
    fitted_for = s.DateField()
    why = s.CharField()


class BatchShape(Shape):
    """Predictions of a page of products."""

    total_products = s.IntegerField()
    successful_predictions = s.IntegerField()
    failed_predictions = s.IntegerField()
    below_confidence = s.IntegerField()
    next = s.CharField(allow_null=True)
    previous = s.CharField(allow_null=True)
    predictions = PredictionShape(many=True)
    errors = s.ListField(  # type: ignore[assignment]  # a field called as DRF calls its own
        child=s.JSONField(), help_text="The first hundred products with too little history."
    )


class SummaryShape(Shape):
    """How much there is to learn from."""

    product_id = s.IntegerField()
    has_sufficient_data = s.BooleanField()
    days_of_data = s.IntegerField()
    min_required_days = s.IntegerField()
    total_transactions = s.IntegerField(help_text="Stock movements.")
    total_orders = s.IntegerField()
    date_range = s.JSONField()
    stock_statistics = s.JSONField()
    demand_statistics = s.JSONField()


class QualityShape(Shape):
    """How true past forecasts were."""

    days = s.IntegerField()
    live = s.JSONField(help_text="Kept forecasts whose fortnight is over, all together.")
    runs = s.ListField(child=s.JSONField())
    backtest = s.JSONField(help_text="The last training's scores by contender.")
    calibration = s.JSONField(allow_null=True)
    trained_at = s.DateTimeField(allow_null=True)
    current_run = s.JSONField(allow_null=True)


class SuggestionShape(Shape):
    """So much should be ordered from this vendor now."""

    id = s.IntegerField()
    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    category = s.CharField(allow_null=True)
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    vendor_id = s.IntegerField()
    vendor_name = s.CharField()
    quantity = s.FloatField()
    unit_price = s.FloatField()
    total = s.FloatField()
    available = s.FloatField()
    position = s.FloatField(help_text="Available, on order (drafts too) and in transit.")
    reorder_point = s.FloatField()
    safety_stock = s.FloatField()
    order_up_to = s.FloatField()
    daily_units = s.FloatField()
    service_level = s.FloatField()
    lead_time_days = s.FloatField()
    stockout_probability = s.FloatField()
    depletion_on = s.DateField(allow_null=True, help_text="With a chance of one in ten it is used up by then.")
    order_by = s.DateField()
    margin_at_risk = s.FloatField()
    offers = s.ListField(child=s.JSONField())
    why = s.CharField()
    updated_at = s.DateTimeField()


class ChosenShape(Shape):
    """A suggestion to order, as it is or edited."""

    id = s.IntegerField()
    quantity = s.FloatField(required=False)
    vendor_id = s.IntegerField(required=False, help_text="Another vendor of its offers.")


class OrderSuggestionsShape(Shape):
    """Which suggestions to order."""

    suggestions = ChosenShape(many=True)


class OrderedShape(Shape):
    """The drafts that were made."""

    purchase_orders = s.ListField(child=s.JSONField())


class PlanningShape(Shape):
    """How the shop plans its stock."""

    service_level = s.FloatField()
    review_days = s.IntegerField()
    cycle_days = s.IntegerField()
    categories = s.ListField(child=s.JSONField())
    products = s.ListField(child=s.JSONField())


class PlanningWriteShape(Shape):
    """What to change: the shop's settings, or the service level of one product or category (null: none of its own)."""

    service_level = s.FloatField(required=False, allow_null=True)
    review_days = s.IntegerField(required=False)
    cycle_days = s.IntegerField(required=False)
    product_id = s.IntegerField(required=False)
    category = s.CharField(required=False)
