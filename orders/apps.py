"""Outbound: what customers ordered, and how it left."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Sales orders and their lines, shipments, returns."""

    name = "orders"
