"""Buying in the admin: vendors and their prices, purchase orders from draft to receipt."""

from purchasing.admin import orders, vendors

__all__ = ["orders", "vendors"]
