"""Insights in the admin: figures to read."""

from insights.admin import sales

__all__ = ["sales"]
