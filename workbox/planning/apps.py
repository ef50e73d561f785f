"""Planning as a Django app, so that its tasks are found."""

from django.apps import AppConfig


class PlanningConfig(AppConfig):
    """Demand, forecasts and training as jobs."""

    name = "workbox.planning"
    label = "planning"
