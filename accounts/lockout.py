"""What counts as one account and one address when failed logins are counted.

Named in settings: AXES_USERNAME_CALLABLE and AXES_CLIENT_IP_CALLABLE.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest

from accounts.models import User
from accounts.names import EMAIL_LENGTH_MAX, normal_email, username_key
from workbox.core.throttles import client_ip


def account_name(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """One name per account, whether it is called by user name or address, in whatever case.

    Otherwise every spelling would have failures of its own to spend.
    """
    raw = (credentials or {}).get("username") or request.POST.get("username") or ""
    identifier = str(raw).replace("\0", "")[:EMAIL_LENGTH_MAX]
    known: dict[str, str] = request.__dict__.setdefault("_lockout_names", {})
    if identifier not in known:
        account = User.objects.by_identifier(identifier)
        known[identifier] = (
            account.username_key if account else (normal_email if "@" in identifier else username_key)(identifier)
        )
    return known[identifier]


def client_address(request: HttpRequest) -> str | None:
    """The asker's IP address behind as many proxies as TRUSTED_PROXIES says; None when what they sent is not one."""
    for raw in (client_ip(request.META), request.META.get("REMOTE_ADDR", "")):
        try:
            return str(ip_address(raw))
        except ValueError:
            continue
    return None
