"""What an operator sees: one structured log line per request, a request id in and out, and Prometheus metrics."""

import logging.config
import random
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Gauge, Histogram

from workbox.core import context, replica

REQUESTS = Counter(
    "workbox_http_requests_total", "Requests by method, route and status.", ["method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "workbox_http_request_seconds",
    "Time to answer a request.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LIVE_SOCKETS = Gauge("workbox_live_sockets", "Open WebSocket connections of this process.")

REQUEST_ID_SHAPE = re.compile(r"^[A-Za-z0-9._:-]{1,64}$")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BROWSER_PREFIXES = ("/admin", "/live", "/docs", "/redoc", "/static", "/accounts")
log = structlog.get_logger("workbox.request")


def is_browser_path(path: str) -> bool:
    """True for pages people open with a session cookie; everything else is the API, which knows tokens only."""
    return path.startswith(BROWSER_PREFIXES) or path == "/"


class RequestMiddleware:
    """Gives every request an id, an actor-free start and one log line; counts and times it."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._async(request)
        started = self._begin(request)
        return self._end(request, self.get_response(request), started)

    async def _async(self, request: HttpRequest) -> HttpResponse:
        started = self._begin(request)
        return self._end(request, await self.get_response(request), started)

    @staticmethod
    def _begin(request: HttpRequest) -> float:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        found = given if given and REQUEST_ID_SHAPE.match(given) else f"{random.getrandbits(128):032x}"
        context.request_id.set(found)
        context.actor_id.set(None)
        context.warehouses.set(None)
        if replica.is_configured():
            context.reads_may_lag.set(request.method in ("GET", "HEAD"))
        request.request_id = found  # type: ignore[attr-defined]  # RequestMiddleware sets it
        request.is_api = not is_browser_path(request.path_info)  # type: ignore[attr-defined]  # RequestMiddleware sets it
        return time.perf_counter()

    @staticmethod
    def _end(request: HttpRequest, response: HttpResponse, started: float) -> HttpResponse:
        seconds = time.perf_counter() - started
        context.warehouses.set(None)  # the walls are the request's; a streamed body carries its own (`walls.carried`)
        if replica.is_configured():
            context.reads_may_lag.set(False)
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                replica.note_write(getattr(request, "actor_id", None) or context.actor_id.get())
        response.headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]  # RequestMiddleware sets it
        match = request.resolver_match
        route = match.route if match else "unmatched"
        method = request.method if request.method in METHODS else "other"
        count, duration = _meters(method, route, response.status_code)
        count.inc()
        duration.observe(seconds)
        if response.status_code >= 500 or settings.LOG_LEVEL in ("DEBUG", "INFO"):
            log.info(
                "request",
                method=method,
                path=request.path,
                status=response.status_code,
                milliseconds=round(seconds * 1000, 1),
                request_id=request.request_id,  # type: ignore[attr-defined]  # RequestMiddleware sets it
                actor_id=getattr(request, "actor_id", None),
            )
        return response


@cache
def _meters(method: str, route: str, status: int) -> tuple[Any, Any]:
    """The counter and the histogram of these labels; the library looks them up under a lock each time."""
    return REQUESTS.labels(method, route, status), REQUEST_SECONDS.labels(method, route)


def configure_logging(options: dict[str, str]) -> None:
    """Route the standard library's and structlog's records through one formatter.

    JSON lines, or colours on a console.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer() if options["format"] == "json" else structlog.dev.ConsoleRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "workbox": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        renderer,
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "workbox"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                "django.request": {"level": "ERROR"},
                "django.server": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
                "uvicorn.access": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
