"""Opinions derived from facts."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    """Figures for the home page; alerts, forecasts and analytics build on it."""

    name = "insights"
