"""Inventory in the admin: catalogue, warehouses, and the ledger to read."""

from inventory.admin import catalog, counts, products, stock, transfers

__all__ = ["catalog", "counts", "products", "stock", "transfers"]
