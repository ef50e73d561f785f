"""The desk as a Django app."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    """Order board, live home page, search, saved filters, list exports."""

    name = "workbox.desk"
    label = "desk"
