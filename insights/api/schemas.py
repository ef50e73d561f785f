"""Shapes of insights for the OpenAPI document; nothing runs through them at run time."""

from typing import Any

from rest_framework import serializers as s

Shape = s.Serializer[Any]
PROMISE_KINDS = ["order", "transfer"]


class PeriodShape(Shape):
    """From one day to another (UTC), both included."""

    start_date = s.DateField()
    end_date = s.DateField()


class AnalyticsShape(Shape):
    """What was sold in a period."""

    period = PeriodShape()
    total_revenue = s.FloatField(help_text="Before refunds.")
    total_sales = s.IntegerField(help_text="How many orders.")
    average_order_value = s.FloatField()
    units = s.FloatField()
    returned_units = s.FloatField()
    refunds = s.FloatField()
    net_revenue = s.FloatField()


class ComparisonShape(Shape):
    """A period beside the one before it."""

    period = s.ChoiceField(choices=["daily", "weekly", "monthly", "annual"])
    current_revenue = s.FloatField(help_text="Of the running period until now.")
    previous_revenue = s.FloatField(help_text="Of the whole period before.")
    change_percentage = s.FloatField(
        allow_null=True, help_text="Against the whole period before; null: it sold nothing."
    )
    previous_to_date = s.FloatField(help_text="Of the period before, as far into it as we are into this one.")
    change_to_date_percentage = s.FloatField(allow_null=True)
    current_period = PeriodShape()
    previous_period = PeriodShape()


class CategorySalesShape(Shape):
    """One category's sales."""

    category = s.CharField(allow_null=True)
    total_revenue = s.FloatField()
    total_sales = s.IntegerField(help_text="Orders that hold something of it.")
    units = s.FloatField()
    refunds = s.FloatField()


class DayShape(Shape):
    """One day's sales."""

    date = s.DateField()
    sales = s.FloatField(help_text="Revenue.")
    orders = s.IntegerField()
    units = s.FloatField()


class TrendsShape(Shape):
    """Sales per day, days without any included."""

    period = s.CharField()
    daily_breakdown = DayShape(many=True)


class CategoryPerformanceShape(Shape):
    """One category's last thirty days."""

    category = s.CharField(allow_null=True)
    orders = s.IntegerField()
    revenue = s.FloatField()
    avg_order_value = s.FloatField()
    units = s.FloatField()


class NamedProductShape(Shape):
    """A product's names."""

    product_id = s.IntegerField()
    product = s.CharField()
    sku = s.CharField()
    category = s.CharField(allow_null=True)


class StockManagementShape(NamedProductShape):
    """How long a product's stock lasts."""

    current_stock = s.FloatField()
    monthly_sales = s.FloatField(help_text="Units of the last thirty days.")
    status = s.CharField(help_text="Low or Good.")
    estimated_days_left = s.FloatField(allow_null=True)


class TurnoverShape(Shape):
    """How often the average stock was sold. Of one product, or of a category (then without the product's names)."""

    product_id = s.IntegerField(required=False)
    product = s.CharField(required=False)
    sku = s.CharField(required=False)
    category = s.CharField(allow_null=True)
    units_sold = s.FloatField()
    opening_stock = s.FloatField()
    closing_stock = s.FloatField()
    average_stock = s.FloatField()
    turnover = s.FloatField(allow_null=True)
    days_of_cover = s.FloatField(allow_null=True)


class BandShape(Shape):
    """How much is so many days old."""

    days = s.CharField()
    quantity = s.FloatField()


class AgeingShape(NamedProductShape):
    """A product's stock by age."""

    on_hand = s.FloatField()
    last_inbound_at = s.DateTimeField(allow_null=True)
    bands = BandShape(many=True)


class AbcRowShape(NamedProductShape):
    """A product's part of the revenue."""

    abc_class = s.ChoiceField(choices=["A", "B", "C"])
    units_sold = s.FloatField()
    revenue = s.FloatField()
    share = s.FloatField()
    cumulative_share = s.FloatField()


class AbcClassShape(Shape):
    """One class."""

    products = s.IntegerField()
    revenue = s.FloatField()


class AbcShape(Shape):
    """All classes, and a page of products with the most revenue first."""

    period = PeriodShape()
    classes = s.DictField(child=AbcClassShape(), help_text="Under A, B and C.")
    count = s.IntegerField()
    next = s.CharField(allow_null=True)
    previous = s.CharField(allow_null=True)
    results = AbcRowShape(many=True)


class DeadStockShape(NamedProductShape):
    """Stock nobody buys."""

    on_hand = s.FloatField()
    stock_value = s.FloatField(allow_null=True)
    last_sold_on = s.DateField(allow_null=True)
    last_inbound_at = s.DateTimeField(allow_null=True)


class DailyMovesShape(Shape):
    """Units moved on a day, per type; an adjustment with its sign."""

    date = s.DateField()
    units = s.DictField(child=s.FloatField())


class WeekdayMovesShape(Shape):
    """The same per day of the week."""

    weekday = s.CharField()
    units = s.DictField(child=s.FloatField())


class PatternsShape(Shape):
    """Units moved per type of movement."""

    period = PeriodShape()
    by_day = DailyMovesShape(many=True)
    by_weekday = WeekdayMovesShape(many=True)


class DayCompareShape(Shape):
    """Today beside yesterday."""

    today_sales = s.FloatField()
    yesterday_sales = s.FloatField()
    growth = s.FloatField(allow_null=True, help_text="Per cent; null: nothing was sold yesterday.")


class LowShape(Shape):
    """A product at or below its threshold."""

    product = s.CharField()
    current_stock = s.FloatField()
    min_required = s.FloatField()
    product_id = s.IntegerField()


class TopShape(Shape):
    """A product that sells."""

    product = s.CharField()
    product_id = s.IntegerField()
    units_sold = s.FloatField()
    revenue = s.FloatField()


class SnapshotShape(Shape):
    """The dashboard."""

    updated_at = s.DateTimeField()
    daily_snapshot = DayCompareShape()
    inventory_alerts = LowShape(many=True)
    inventory_alerts_total = s.IntegerField()
    top_performers = TopShape(many=True)


class AlertShape(Shape):
    """Something that is wrong with a product."""

    id = s.IntegerField()
    alert_type = s.ChoiceField(choices=["low_stock", "predicted_depletion", "unusual_activity"])
    severity = s.ChoiceField(choices=["warning", "critical"])
    status = s.ChoiceField(choices=["active", "acknowledged", "resolved"])
    product_id = s.IntegerField()
    product = s.CharField()
    sku = s.CharField()
    warehouse_id = s.IntegerField(allow_null=True, help_text="Null: the product as a whole.")
    warehouse = s.CharField(allow_null=True)
    title = s.CharField()
    message = s.CharField()
    current_quantity = s.FloatField(help_text="The number that was wrong when it was last seen.")
    threshold = s.FloatField(help_text="The limit it passed: a quantity, or days for predicted depletion.")
    stock_quantity = s.FloatField(help_text="What is available now.")
    daily_units = s.FloatField(allow_null=True, help_text="Units sold on a usual day.")
    days_left = s.FloatField(allow_null=True)
    predicted_on = s.DateField(allow_null=True, help_text="When the stock will be used up.")
    happened_on = s.DateField(allow_null=True, help_text="The unusual day.")
    movement_id = s.IntegerField(allow_null=True, help_text="The unusual stock movement.")
    raised_at = s.DateTimeField()
    last_seen_at = s.DateTimeField(help_text="When its reason was last seen to hold.")
    times_raised = s.IntegerField(help_text="More than 1: it came back within a day after its end.")
    acknowledged_at = s.DateTimeField(allow_null=True)
    acknowledged_by = s.CharField(allow_null=True)
    snoozed_until = s.DateTimeField(allow_null=True)
    resolved_at = s.DateTimeField(allow_null=True)
    resolved_by = s.CharField(allow_null=True)
    resolution = s.ChoiceField(choices=["by_hand", "auto"], allow_null=True)
    note = s.CharField(allow_blank=True)
    why = s.CharField(help_text="Where the numbers behind it are explained.")


class ResolveShape(Shape):
    """Why an alert is over."""

    note = s.CharField(required=False)


class SnoozeShape(Shape):
    """Until when, or for how long; one of them."""

    until = s.DateTimeField(required=False)
    hours = s.IntegerField(required=False, min_value=1)


class AlertSettingsShape(Shape):
    """When alerts are raised and who is mailed."""

    alert_threshold_days = s.IntegerField(min_value=1, max_value=90)
    low_stock_enabled = s.BooleanField()
    predicted_depletion_enabled = s.BooleanField()
    unusual_activity_enabled = s.BooleanField()
    email_notifications_enabled = s.BooleanField()
    alert_recipient_emails = s.ListField(child=s.EmailField())
    hysteresis_percent = s.IntegerField(min_value=0, max_value=100)


class AlertSettingsWriteShape(Shape):
    """The same, each of them if it is to change."""

    alert_threshold_days = s.IntegerField(required=False, min_value=1, max_value=90)
    low_stock_enabled = s.BooleanField(required=False)
    predicted_depletion_enabled = s.BooleanField(required=False)
    unusual_activity_enabled = s.BooleanField(required=False)
    email_notifications_enabled = s.BooleanField(required=False)
    alert_recipient_emails = s.ListField(child=s.EmailField(), required=False)
    hysteresis_percent = s.IntegerField(required=False, min_value=0, max_value=100)


class LastOperationShape(Shape):
    """What moved the stock of a warehouse last."""

    operation_id = s.IntegerField()
    kind = s.CharField()
    reference_number = s.CharField()
    reason = s.CharField()
    quantity = s.FloatField(help_text="Signed.")
    created_at = s.DateTimeField()


class ExplainedWarehouseShape(Shape):
    """A warehouse's part of the number."""

    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    is_sellable = s.BooleanField()
    on_hand = s.FloatField()
    reserved = s.FloatField()
    available = s.FloatField(help_text="0 where nothing is for sale.")
    last_operation = LastOperationShape(allow_null=True)


class ExplainedReservationShape(Shape):
    """An open promise and who holds it."""

    reservation_id = s.IntegerField()
    kind = s.ChoiceField(choices=PROMISE_KINDS)
    order_id = s.IntegerField(allow_null=True)
    transfer_id = s.IntegerField(allow_null=True)
    status = s.CharField(allow_null=True)
    customer = s.CharField(allow_null=True)
    to_warehouse_id = s.IntegerField(allow_null=True)
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    is_sellable = s.BooleanField()
    quantity = s.FloatField()
    hold_expires_at = s.DateTimeField(allow_null=True)
    is_expired = s.BooleanField(help_text="The hold is over: whoever needs the stock may have it.")
    created_at = s.DateTimeField()


class ExplainedTransitShape(Shape):
    """Goods that left one warehouse and have not arrived at the other."""

    transfer_id = s.IntegerField()
    quantity = s.FloatField()
    from_warehouse_id = s.IntegerField()
    from_warehouse_name = s.CharField()
    to_warehouse_id = s.IntegerField()
    to_warehouse_name = s.CharField()
    dispatched_at = s.DateTimeField()


class ExplainedIncomingShape(Shape):
    """What a vendor still owes us."""

    purchase_order_id = s.IntegerField()
    vendor_id = s.IntegerField()
    vendor_name = s.CharField()
    warehouse_id = s.IntegerField()
    warehouse_name = s.CharField()
    quantity = s.FloatField()
    expected_on = s.DateField(allow_null=True)


class EquationPartShape(Shape):
    """One signed part of the sum."""

    part = s.ChoiceField(choices=["on_hand", "order", "transfer", "elsewhere"])
    what = s.CharField()
    quantity = s.FloatField()


class EquationShape(Shape):
    """The sum: its parts add up to `available` exactly."""

    available = s.FloatField()
    parts = EquationPartShape(many=True)
    text = s.CharField()


class ExplainShape(Shape):
    """Why a product's available stock is what it is."""

    product_id = s.IntegerField()
    sku = s.CharField()
    name = s.CharField()
    unit_of_measure = s.CharField()
    stock_quantity = s.FloatField()
    on_hand = s.FloatField()
    reserved = s.FloatField()
    warehouses = ExplainedWarehouseShape(many=True)
    reservations = ExplainedReservationShape(many=True)
    in_transit = ExplainedTransitShape(many=True)
    not_for_sale = s.FloatField(help_text="On hand where nothing is for sale: quarantine, damaged goods.")
    incoming = ExplainedIncomingShape(many=True)
    equation = EquationShape()
