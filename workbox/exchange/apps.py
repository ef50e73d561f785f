"""Exchange as a Django app."""

from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """Reports, exports, imports."""

    name = "workbox.exchange"
    label = "exchange"
