"""Jobs as a Django app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Long work, its progress and its files."""

    name = "workbox.jobs"
    label = "jobs"
