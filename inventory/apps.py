"""What stands on the shelves."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Catalogue, warehouses, stock levels, the stock ledger, reservations."""

    name = "inventory"
