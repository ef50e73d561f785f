"""Insights in the admin: alerts to act on, figures to read."""

from insights.admin import alerts, planning, sales

__all__ = ["alerts", "planning", "sales"]
