"""Where sockets enter: who may connect, and the server's own life-cycle around the live stream."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http.request import validate_host
from django.urls import re_path

from accounts.websocket import principal_from_scope, still_allowed
from insights.websocket import DashboardBoard
from workbox.core.stream import CLOSE_FOREIGN_ORIGIN, LiveConsumer, hub, stop_hub

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class WorkBoxConsumer(LiveConsumer):
    """The live stream with WorkBox's accounts."""

    authenticate = staticmethod(principal_from_scope)
    still_allowed = staticmethod(still_allowed)


class DashboardConsumer(DashboardBoard):
    """The dashboard with WorkBox's accounts."""

    authenticate = staticmethod(principal_from_scope)
    still_allowed = staticmethod(still_allowed)


def allowed_origin(scope: dict[str, Any]) -> bool:
    """True for programs (no Origin) and for pages of this host or of CORS_ORIGINS, scheme included."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin1")
    if not origin:
        return True
    if origin in settings.CORS_ALLOWED_ORIGINS or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    host = headers.get(b"host", b"").decode("latin1")
    secure = scope.get("scheme") == "wss" or headers.get(b"x-forwarded-proto") == b"https"
    same = parts.netloc == host and parts.scheme == ("https" if secure else "http")
    return same and validate_host((parts.hostname or "").lower(), settings.ALLOWED_HOSTS)


def origin_checked(inner: Application) -> Application:
    """Refuse pages of foreign sites before anything else looks at their cookies."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not allowed_origin(scope):
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": CLOSE_FOREIGN_ORIGIN, "reason": "foreign origin"})
            return
        await inner(scope, receive, send)

    return application


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Start the tailer with the server and stop it with the server."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            hub()
            await send({"type": "lifespan.startup.complete"})
        else:
            await stop_hub()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def not_found(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """An unknown WebSocket path."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


def websocket(http: Application) -> Any:
    """`http` with the sockets beside it."""
    routes = [
        re_path(r"^ws/?$", WorkBoxConsumer.as_asgi()),
        re_path(r"^(ws/dashboard|(api/v1/)?analytics/ws/dashboard)/?$", DashboardConsumer.as_asgi()),
        re_path(r"", not_found),  # type: ignore[arg-type]  # channels routes to ASGI applications, Django to views
    ]
    return ProtocolTypeRouter(
        {"http": http, "websocket": origin_checked(AuthMiddlewareStack(URLRouter(routes))), "lifespan": lifespan}
    )
