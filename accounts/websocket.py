"""Who opened a WebSocket: a bearer token in the header or in the sub-protocol, or the session of a staff page.

A token in the query string is never looked at: URLs end up in logs.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from channels.db import database_sync_to_async

from accounts import second_factor
from accounts.principal import Principal, cached_principal, load_principal
from accounts.tokens import read_access
from workbox.core.errors import NotAuthenticated

SUBPROTOCOL = "workbox.v1"
_BEARER_PREFIX = "bearer."


class SocketIdentity(NamedTuple):
    """Who it is (None: nobody), when their token expires (seconds since 1970; None: a session), what to echo."""

    principal: Principal | None
    expires_at: int | None
    subprotocol: str | None


async def principal_from_scope(scope: Mapping[str, Any]) -> SocketIdentity:
    """The identity behind an ASGI WebSocket scope; never raises for bad credentials.

    A header wins over a sub-protocol, both win over the session cookie; a token that is no good is nobody, even when a
    session would do. `scope["user"]` must come from Channels' AuthMiddleware; the caller has checked the Origin.
    """
    offered = list(scope.get("subprotocols") or [])
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
    raw = _bearer_header(scope)
    if raw is None and subprotocol:
        raw = next((item[len(_BEARER_PREFIX) :] for item in offered if item.startswith(_BEARER_PREFIX)), None)
    try:
        if raw is not None:
            claims = read_access(raw)
            principal = await database_sync_to_async(cached_principal)(claims.user_id, claims.token_version)
            return SocketIdentity(principal, claims.expires_at, subprotocol)
        user = scope.get("user")
        if user is not None and user.is_authenticated and second_factor.is_given(user, scope.get("session") or {}):
            principal = await database_sync_to_async(load_principal)(user.id, user.token_version)
            return SocketIdentity(principal, None, subprotocol)
    except NotAuthenticated:
        pass
    return SocketIdentity(None, None, subprotocol)


async def still_allowed(principal: Principal) -> bool:
    """True while the account is active, has the same role and warehouses, and its tokens have not been ended."""
    try:
        current = await database_sync_to_async(cached_principal)(principal.id, principal.token_version)
    except NotAuthenticated:
        return False
    return (current.role, current.warehouses) == (principal.role, principal.warehouses)


def _bearer_header(scope: Mapping[str, Any]) -> str | None:
    for name, value in scope.get("headers") or []:
        if name.lower() == b"authorization" and value[:7].lower() == b"bearer ":
            return str(value[7:].decode("latin-1").strip())
    return None
