"""Inbound: the mirror image of orders."""

from django.apps import AppConfig


class PurchasingConfig(AppConfig):
    """Vendors, vendor prices, purchase orders, receipts."""

    name = "purchasing"
