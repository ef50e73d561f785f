"""Inventory in the admin: catalogue, warehouses, and the ledger to read."""

from inventory.admin import catalog, stock

__all__ = ["catalog", "stock"]
