"""The app `accounts`."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.utils.module_loading import import_string


class AccountsConfig(AppConfig):
    """Users, roles, tokens."""

    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect the activity log to Django's login signals."""
        user_logged_in.connect(import_string("accounts.activity.record_login"), dispatch_uid="accounts.login")
        user_logged_out.connect(import_string("accounts.activity.record_logout"), dispatch_uid="accounts.logout")
