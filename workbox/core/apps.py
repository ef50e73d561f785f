"""The ground floor as a Django app: it owns the event log and the idempotency keys."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Errors, event log, live stream and API manners."""

    name = "workbox.core"
    label = "core"
    verbose_name = "System"
