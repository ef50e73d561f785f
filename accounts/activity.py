"""Writes the activity log from Django's own login and logout signals: they cover the API and the browser alike."""

from typing import Any

from django.http import HttpRequest

from accounts.lockout import client_address
from accounts.models import ActivityLog, User


def record_login(sender: object, request: HttpRequest | None, user: User, **_: Any) -> None:
    """Somebody logged in."""
    _record(ActivityLog.Kind.LOGIN, request=request, user=user)


def record_logout(sender: object, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Somebody logged out; a session whose account is gone leaves no row."""
    if user is not None:
        _record(ActivityLog.Kind.LOGOUT, request=request, user=user)


def _record(kind: ActivityLog.Kind, *, request: HttpRequest | None, user: User) -> None:
    ActivityLog.objects.create(user=user, kind=kind, ip=client_address(request) if request else None)
