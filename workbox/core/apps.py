"""The ground floor as a Django app: it owns the event log and the idempotency keys."""

from django.apps import AppConfig
from django.conf import settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import reset_queries


class CoreConfig(AppConfig):
    """Errors, event log, live stream and API manners."""

    name = "workbox.core"
    label = "core"
    verbose_name = "System"

    def ready(self) -> None:
        """Two of Django's chores after every request have no work here: no cache connection, no query log."""
        request_finished.disconnect(close_caches)
        if not settings.DEBUG:
            request_started.disconnect(reset_queries)
