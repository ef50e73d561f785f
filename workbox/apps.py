"""App configurations of the front door: the admin site and the project's own commands and checks."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class WorkBoxAdminConfig(AdminConfig):
    """Django's admin on WorkBox's own site class."""

    default = False
    default_site = "workbox.admin_site.WorkBoxAdminSite"


class WorkBoxConfig(AppConfig):
    """Holds the project's commands (demo, doctor, serve, stress)."""

    default = False
    name = "workbox"
    label = "workbox"
