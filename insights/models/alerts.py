"""Alerts: what somebody should look at, raised and resolved by `insights.alerts`; and the shop's settings for them."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from inventory.models import Product, StockMovement, Warehouse
from workbox.core.fields import ExactCharField, QuantityField

DAYS_MIN, DAYS_MAX = 1, 90
HYSTERESIS_PERCENT_MAX = 100
RECIPIENTS_MAX = 50
SUBJECT_LENGTH = 100
TITLE_LENGTH, MESSAGE_LENGTH, NOTE_LENGTH = 300, 1000, 500


class AlertType(models.TextChoices):
    """What kind of thing is wrong."""

    LOW_STOCK = "low_stock", "Low stock"
    PREDICTED_DEPLETION = "predicted_depletion", "Predicted depletion"
    UNUSUAL_ACTIVITY = "unusual_activity", "Unusual activity"


class Severity(models.TextChoices):
    """How much it hurries."""

    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


class AlertStatus(models.TextChoices):
    """An alert is open until it is resolved."""

    ACTIVE = "active", "Active"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


OPEN_STATUSES = (AlertStatus.ACTIVE.value, AlertStatus.ACKNOWLEDGED.value)
OPEN = Q(open_key__isnull=False)


class Alert(models.Model):
    """One thing that is wrong with one product, from when it was raised until it was resolved.

    `subject` says what about what; `open_key` is the same text while the alert is open and NULL afterwards, so that the
    database lets one alert per subject be open.
    """

    wall_columns = ("warehouse_id",)
    wall_or_none = True

    class Resolution(models.TextChoices):
        BY_HAND = "by_hand", "By hand"
        AUTO = "auto", "Automatically"

    id = models.BigAutoField(primary_key=True)
    alert_type = models.CharField(max_length=24, choices=AlertType.choices)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    status = models.CharField(max_length=14, choices=AlertStatus.choices, default=AlertStatus.ACTIVE)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="alerts")
    warehouse = models.ForeignKey(
        Warehouse, on_delete=models.PROTECT, null=True, blank=True, related_name="alerts",
        help_text="Empty: the product as a whole.",
    )  # fmt: skip
    subject = ExactCharField(max_length=SUBJECT_LENGTH)
    open_key = ExactCharField(max_length=SUBJECT_LENGTH, null=True, unique=True, editable=False)
    title = models.CharField(max_length=TITLE_LENGTH)
    message = models.CharField(max_length=MESSAGE_LENGTH)
    current_quantity = QuantityField(max_digits=20, help_text="The number that is wrong.")
    threshold = QuantityField(max_digits=20, help_text="The limit it passed.")
    daily_units = QuantityField(max_digits=20, null=True, blank=True, help_text="Units sold on a usual day.")
    days_left = models.DecimalField(max_digits=12, decimal_places=1, null=True, blank=True)
    predicted_on = models.DateField(null=True, blank=True, help_text="When the stock will be used up.")
    happened_on = models.DateField(null=True, blank=True, help_text="The unusual day.")
    movement = models.ForeignKey(
        StockMovement, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="The unusual one."
    )
    raised_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="When its reason was last seen to hold.")
    times_raised = models.PositiveIntegerField(default=1, help_text="More than once: it came back soon after its end.")
    mailed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.CharField(max_length=10, choices=Resolution.choices, blank=True)
    note = models.CharField(max_length=NOTE_LENGTH, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject", "id"], name="alert_of_subject"),
            models.Index(fields=["status", "id"], name="alert_status"),
            models.Index(fields=["raised_at"], name="alert_raised"),
        ]
        constraints = [
            models.CheckConstraint(
                name="alert_open_until_resolved",
                condition=Q(status__in=OPEN_STATUSES, open_key__isnull=False, resolved_at__isnull=True)
                | Q(status=AlertStatus.RESOLVED, open_key__isnull=True, resolved_at__isnull=False),
                violation_error_message="A resolved alert has a time of its end, an open one a key and none.",
            ),
            models.CheckConstraint(
                name="alert_acknowledged_at_a_time",
                condition=~Q(status=AlertStatus.ACKNOWLEDGED) | Q(acknowledged_at__isnull=False),
                violation_error_message="An acknowledged alert says when.",
            ),
        ]

    def __str__(self) -> str:
        return f"alert {self.pk}"


def no_recipients() -> list[str]:
    """Nobody yet."""
    return []


class AlertSettings(models.Model):
    """When alerts are raised and who is told: one row for the whole shop."""

    ROW = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ROW, editable=False)
    alert_threshold_days = models.PositiveSmallIntegerField(
        default=14,
        validators=[MinValueValidator(DAYS_MIN), MaxValueValidator(DAYS_MAX)],
        help_text="Predicted depletion is raised when the stock lasts no longer than this.",
    )
    low_stock_enabled = models.BooleanField("low stock", default=True)
    predicted_depletion_enabled = models.BooleanField("predicted depletion", default=True)
    unusual_activity_enabled = models.BooleanField("unusual activity", default=True)
    email_notifications_enabled = models.BooleanField("e-mail", default=False, help_text="Tell the recipients by mail.")
    alert_recipient_emails = models.JSONField("recipients", default=no_recipients, blank=True)
    hysteresis_percent = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(HYSTERESIS_PERCENT_MAX)],
        help_text="How far beyond its limit a number must be for the alert to end at once.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "alert settings"
        constraints = [
            models.CheckConstraint(
                name="alert_settings_one_row",
                condition=Q(id=1),
                violation_error_message="There is one row of alert settings.",
            ),
            models.CheckConstraint(
                name="alert_threshold_1_to_90_days",
                condition=Q(alert_threshold_days__gte=DAYS_MIN, alert_threshold_days__lte=DAYS_MAX),
                violation_error_message="From 1 to 90 days.",
            ),
            models.CheckConstraint(
                name="alert_hysteresis_0_to_100",
                condition=Q(hysteresis_percent__lte=HYSTERESIS_PERCENT_MAX),
                violation_error_message="At most 100 per cent.",
            ),
        ]

    def __str__(self) -> str:
        return "Alert settings"

    @classmethod
    def current(cls) -> "AlertSettings":
        """The settings as they are; what they begin with, when nobody has saved any."""
        return cls._default_manager.filter(pk=cls.ROW).first() or cls()

    def is_enabled(self, alert_type: str) -> bool:
        """True when alerts of this kind are raised."""
        return bool(getattr(self, f"{alert_type}_enabled"))

    def beyond(self, limit: Decimal) -> Decimal:
        """The number above which an alert about `limit` ends at once."""
        return limit * (100 + self.hysteresis_percent) / 100
