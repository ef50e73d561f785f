"""Shapes of webhooks in the OpenAPI document."""

from typing import Any

from rest_framework import serializers as s

from workbox.core.stream import TOPICS
from workbox.webhooks.models import Delivery

Shape = s.Serializer[Any]


class WebhookShape(Shape):
    """An endpoint; `secret` comes with creation and rotation only."""

    id = s.IntegerField()
    url = s.CharField()
    description = s.CharField()
    topics = s.ListField(child=s.ChoiceField(choices=sorted(TOPICS)))
    is_active = s.BooleanField()
    disabled_reason = s.CharField(help_text="Why it was switched off by itself; empty otherwise.")
    created_at = s.DateTimeField()


class WebhookSecretShape(WebhookShape):
    """An endpoint with its signing secret, shown this once."""

    secret = s.CharField(allow_null=True, help_text="Null in a replayed answer: rotate the secret for a new one.")


class WebhookWriteShape(Shape):
    """What may be said of an endpoint."""

    url = s.CharField(max_length=500, required=False)
    description = s.CharField(max_length=200, required=False)
    topics = s.ListField(child=s.ChoiceField(choices=sorted(TOPICS)), required=False)
    is_active = s.BooleanField(required=False)


class DeliveryShape(Shape):
    """One fact for one endpoint."""

    id = s.IntegerField()
    message_id = s.CharField()
    event_type = s.CharField()
    cursor = s.IntegerField()
    state = s.ChoiceField(choices=Delivery.State.values)
    attempts = s.IntegerField()
    next_attempt_at = s.DateTimeField(allow_null=True)
    delivered_at = s.DateTimeField(allow_null=True)
    created_at = s.DateTimeField()
    last_status = s.IntegerField(allow_null=True, help_text="The HTTP status of the last attempt's answer.")
    last_error = s.CharField(help_text="Why the last attempt got no answer.")


class ReplayShape(Shape):
    """From where on to deliver again."""

    since = s.IntegerField(help_text="A cursor; facts after it are delivered.")


class ReplayedShape(Shape):
    """How many deliveries are due now."""

    deliveries = s.IntegerField()
    next_since = s.IntegerField(allow_null=True, help_text="Where to go on; null: this was all there is.")
