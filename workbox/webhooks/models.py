"""Who wants to be told, what they were sent, and how that went."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from workbox.core.models import AppendOnly


class Endpoint(models.Model):
    """A URL that wants the facts of some topics. Switched off by hand, by a 410, or after a day of failures."""

    id = models.BigAutoField(primary_key=True)
    url = models.URLField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    topics = models.JSONField(default=list)
    secret = models.CharField(max_length=80, editable=False)
    is_active = models.BooleanField("active", default=True)
    disabled_reason = models.CharField(max_length=200, blank=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One fact for one endpoint: sent until it is taken, or for a day."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    cursor = models.BigIntegerField(help_text="The fact's place in the stream; 0 for a test.")
    message_id = models.CharField(max_length=64, unique=True, help_text="The same for every attempt and replay.")
    event_type = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="delivery_due"),
            models.Index(fields=["endpoint", "id"], name="delivery_of_endpoint"),
        ]
        constraints = [
            models.CheckConstraint(
                name="pending_delivery_has_a_time",
                condition=~Q(state="pending") | Q(next_attempt_at__isnull=False),
                violation_error_message="A pending delivery has a time for its next attempt.",
            )
        ]

    def __str__(self) -> str:
        return self.message_id


class Attempt(AppendOnly):
    """One try to hand a delivery over."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    status = models.PositiveSmallIntegerField(null=True, help_text="The answer's HTTP status; empty: no answer.")
    error = models.CharField(max_length=300, blank=True)
    answer = models.CharField(max_length=500, blank=True, help_text="The beginning of what came back.")
    milliseconds = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"attempt {self.pk}"
