"""Facts of the event log, sent to other people's servers."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Endpoints, deliveries, attempts."""

    name = "workbox.webhooks"
    label = "webhooks"
