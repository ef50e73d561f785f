"""What each role may do: in the API (capabilities) and in the admin (Django's model permissions).

Also the login backend, which knows an account by user name or e-mail address.
"""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.db.models import TextField
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from accounts.capabilities import Role
from accounts.models import User
from accounts.principal import MEMBERSHIPS

BUSINESS_APPS = frozenset({"inventory", "orders", "purchasing", "insights"})
MANAGER_APPS = BUSINESS_APPS | {"webhooks", "jobs", "exchange"}
# Not for those who are bound to warehouses: accounts are changed, and the shop's news told, over their walls.
WHOLE_SHOP_APPS = frozenset({"accounts", "webhooks"})
ADMIN_ONLY = frozenset({"view_idempotencykey"})  # what others sent, and were answered
CLERK_CHANGES = frozenset({"inventory", "orders"})
MANAGER_MAY_WITH_USERS = frozenset({"view_user", "add_user", "change_user"})


def role_has_model_permission(role: str, *, app_label: str, codename: str) -> bool:
    """True when the admin lets `role` do `codename` (`view_product`, `add_order` …) in the app `app_label`.

    The answer comes from the role alone: rows in Django's permission and group tables change nothing.
    """
    viewing = codename.startswith("view_")
    if role == Role.ADMIN:
        return True
    if role == Role.MANAGER:
        return app_label in MANAGER_APPS or (app_label == "accounts" and codename in MANAGER_MAY_WITH_USERS)
    if app_label == "core" and codename in ADMIN_ONLY:
        return False
    if role == Role.CLERK:
        return (viewing and app_label in BUSINESS_APPS | {"core"}) or (
            codename.startswith("change_") and app_label in CLERK_CHANGES
        )
    return role == Role.ANALYST and viewing and app_label in BUSINESS_APPS | {"core", "accounts", "jobs"}


class RoleBackend(BaseBackend):
    """Logs in by user name or e-mail address (in any case) and answers the admin's permission questions by role."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """The active account with this user name or address and password, else None; every answer takes one hash."""
        if username is None or password is None:
            return None
        user = User.objects.by_identifier(username)
        if user is None:
            # One hash for a name nobody has: the time of the answer must not tell who exists.
            make_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        """The account of a browser session while it is active."""
        memberships = RawSQL(MEMBERSHIPS, [], output_field=TextField())  # noqa: S611  (our own words, no values)
        return User.objects.annotate(memberships_text=memberships).filter(pk=user_id, is_active=True).first()

    def has_perm(self, user_obj: AbstractBaseUser | Any, perm: str, obj: object = None) -> bool:
        """True when the user's role may do `app.codename` in the admin."""
        app_label, _, codename = perm.partition(".")
        is_bound = getattr(user_obj, "warehouses", None) is not None
        if is_bound and app_label in WHOLE_SHOP_APPS and not (app_label == "accounts" and codename == "view_user"):
            return False
        return bool(user_obj.is_active) and role_has_model_permission(
            getattr(user_obj, "role", ""), app_label=app_label, codename=codename
        )

    def has_module_perms(self, user_obj: AbstractBaseUser | Any, app_label: str) -> bool:
        """True when the admin shows the role anything of the app at all."""
        return bool(user_obj.is_active) and any(
            role_has_model_permission(getattr(user_obj, "role", ""), app_label=app_label, codename=codename)
            for codename in ("view_user", "view_anything")
        )
