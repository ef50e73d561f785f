"""Orders in the admin: place, confirm, ship, deliver, cancel, return, and read what happened."""

from orders.admin import history, orders

__all__ = ["history", "orders"]
