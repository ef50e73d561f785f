"""Forecasts as stored: runs, a short row per product and warehouse, what is wanted of stock, and what to order."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from inventory.models import Category, Product, Warehouse
from purchasing.models import Vendor
from workbox.core.fields import MoneyField, QuantityField

LEVEL_LOWEST, LEVEL_HIGHEST = Decimal("0.5"), Decimal("0.999")


class ForecastRun(models.Model):
    """One fit of all products. The newest finished one is in force; one a week is kept to see how true it was."""

    class Kind(models.TextChoices):
        NIGHTLY = "nightly", "Nightly refit"
        TRAINING = "training", "Weekly training"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    start_on = models.DateField(help_text="The first day that is forecast.")
    model_version = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True, db_index=True, help_text="Empty: not in force yet.")
    curves_count = models.PositiveIntegerField(default=0)
    pool = models.JSONField(default=dict, help_text="What products share, for fitting one of them on demand.")
    backtest = models.JSONField(default=dict, help_text="What it would have been worth on past days.")
    outcome = models.JSONField(default=dict, help_text="What it was worth, once its days were over.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.start_on}"


class ForecastCurve(models.Model):
    """What a run says of one product in one warehouse (`place_key` 0: in all of them together).

    Demand of any days ahead follows from it; see `insights.forecasting.Forecast` for what the numbers mean.
    """

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ForecastRun, on_delete=models.CASCADE, related_name="curves", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="forecasts")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    place_key = models.PositiveBigIntegerField(help_text="The warehouse's id, 0 for all together.")
    start_on = models.DateField()
    rate = models.FloatField(help_text="Units on an ordinary open day.")
    weekdays = models.JSONField(help_text="Each weekday's factor, Monday first.")
    dispersion = models.JSONField(help_text="Variance / mean of 7, 14 and 28 days.")
    uplift = models.FloatField()
    returns = models.FloatField(help_text="Units brought back per day.")
    days = models.PositiveIntegerField(help_text="Days of history.")
    status = models.CharField(max_length=14)
    model = models.CharField(max_length=14)
    model_wape = models.FloatField()
    moving_average_wape = models.FloatField()
    is_whole = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "product", "place_key"], name="curve_of_product_in_place_of_run")
        ]
        ordering = ["-run_id", "product_id", "place_key"]

    def __str__(self) -> str:
        return f"forecast of product {self.product_id}"


class PlanningSettings(models.Model):
    """How the whole shop plans its stock: one row."""

    ROW = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ROW, editable=False)
    service_level = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=Decimal("0.95"),
        validators=[MinValueValidator(LEVEL_LOWEST), MaxValueValidator(LEVEL_HIGHEST)],
        help_text="The chance not to run out before the next order arrives.",
    )
    review_days = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(0), MaxValueValidator(60)], help_text="Days between looks at it."
    )
    cycle_days = models.PositiveSmallIntegerField(
        default=7, validators=[MinValueValidator(1), MaxValueValidator(90)], help_text="Days of demand an order covers."
    )

    class Meta:
        verbose_name = verbose_name_plural = "planning settings"
        constraints = [
            models.CheckConstraint(
                name="planning_settings_one_row",
                condition=Q(id=1),
                violation_error_message="There is one row of planning settings.",
            ),
            models.CheckConstraint(
                name="planning_service_level",
                condition=Q(service_level__gte=LEVEL_LOWEST, service_level__lte=LEVEL_HIGHEST),
                violation_error_message="From 0.5 to 0.999.",
            ),
        ]

    def __str__(self) -> str:
        return "Planning settings"

    @classmethod
    def current(cls) -> "PlanningSettings":
        """The settings as they are; what they begin with, when nobody has saved any."""
        return cls._default_manager.filter(pk=cls.ROW).first() or cls()


class ServiceLevel(models.Model):
    """A category's or product's own service level; a product's goes before its category's, that before the shop's."""

    id = models.BigAutoField(primary_key=True)
    category = models.OneToOneField(
        Category, on_delete=models.CASCADE, null=True, blank=True, related_name="service_level"
    )
    product = models.OneToOneField(
        Product, on_delete=models.CASCADE, null=True, blank=True, related_name="service_level"
    )
    service_level = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        validators=[MinValueValidator(LEVEL_LOWEST), MaxValueValidator(LEVEL_HIGHEST)],
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="service_level_of_one_thing",
                condition=Q(category__isnull=False, product__isnull=True)
                | Q(category__isnull=True, product__isnull=False),
                violation_error_message="Of a category or of a product.",
            ),
            models.CheckConstraint(
                name="service_level_is_a_chance",
                condition=Q(service_level__gte=LEVEL_LOWEST, service_level__lte=LEVEL_HIGHEST),
                violation_error_message="From 0.5 to 0.999.",
            ),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"service level {self.service_level}"


class Suggestion(models.Model):
    """So much of a product should be ordered from this vendor for this warehouse now; see `insights.replenishment`.

    One row per product and warehouse, rewritten in place; it goes when the product is ordered or needs nothing.
    """

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="suggestions", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="suggestions")
    quantity = QuantityField(max_digits=20)
    unit_price = MoneyField()
    available = QuantityField(max_digits=20)
    position = QuantityField(max_digits=20, help_text="Available, on order (drafts too) and in transit.")
    reorder_point = QuantityField(max_digits=20)
    safety_stock = QuantityField(max_digits=20)
    order_up_to = QuantityField(max_digits=20)
    daily_units = QuantityField(max_digits=20)
    service_level = models.DecimalField(max_digits=4, decimal_places=3)
    lead_time_days = models.DecimalField(max_digits=8, decimal_places=2)
    stockout_probability = models.DecimalField(max_digits=5, decimal_places=4)
    depletion_on = models.DateField(null=True, blank=True, help_text="Empty: not within ninety days.")
    order_by = models.DateField(help_text="Ordered later, it probably arrives after the stock is gone.")
    margin_at_risk = MoneyField(max_digits=24, help_text="What the sales missed until it arrives would have earned.")
    offers = models.JSONField(default=list, help_text="Every vendor's offer for it, the best first.")
    reason = models.CharField(max_length=500)
    newest_line = models.BigIntegerField(
        default=0, help_text="The newest purchase order line that was counted; newer ones hide the suggestion."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "warehouse"], name="suggestion_of_product_in_place"),
            models.CheckConstraint(
                name="suggestion_of_something",
                condition=Q(quantity__gt=0),
                violation_error_message="Suggest at least something.",
            ),
        ]
        indexes = [models.Index(fields=["-margin_at_risk", "id"], name="suggestion_by_risk")]
        ordering = ["-margin_at_risk", "id"]

    def __str__(self) -> str:
        return f"suggestion {self.pk}"
