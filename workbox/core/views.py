"""The system's own REST endpoints: health, metrics, the event log, the OpenAPI document."""

import time
from collections import Counter
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, cast
from urllib.parse import urlencode

import orjson
import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.settings import api_settings

from workbox.core import events
from workbox.core.api import ApiView, conditional, json_response
from workbox.core.cache import redis_client, redis_failed
from workbox.core.errors import Busy
from workbox.core.numbers import to_json
from workbox.core.observability import LIVE_SOCKETS, REQUEST_SECONDS, REQUESTS
from workbox.core.reading import Query
from workbox.core.schema import answered, in_query
from workbox.core.stream import SEES_ALL_ORDERS, TOPICS, Viewer, may_listen
from workbox.core.throttles import client_ip

EVENTS_DEFAULT, EVENTS_MAX = 100, 500
SCANNED_MAX = 10_000  # how far one request looks for events its asker may see
CURSOR_MAX = 2**63 - 1
METRICS_READ = "metrics.read"
STARTED = time.monotonic()
OBJECT = OpenApiTypes.OBJECT


class OpenView(ApiView):
    """For anybody, with or without a token, as often as they like."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []


# ---- health ----------------------------------------------------------------------------------------------------------
def database_answers() -> bool:
    """True when the database takes a statement."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        connection.close()
        return False
    return True


def redis_state() -> str:
    """`off` (none configured), `ok` or `down`; WorkBox works without it."""
    if not settings.REDIS_URL:
        return "off"
    client = redis_client()
    try:
        if client is not None and client.ping():
            return "ok"
    except redis.RedisError:
        redis_failed()
    return "down"


@cache
def migrated_once() -> bool:
    """True when every migration is applied; remembered once it is so, raised as Busy until then."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Busy("Migrations are waiting; run manage.py migrate.", code="not_ready")
    return True


class HealthView(OpenView):
    """How the server is."""

    @extend_schema(
        summary="Server health",
        description="503 when the database does not answer. `redis` may be `ok`, `down` or `off`: it is a convenience.",
        auth=[],
        responses={200: OBJECT, 503: OBJECT},
        examples=[answered({"status": "ok", "version": "0.1.0", "database": "ok", "redis": "off"})],
    )
    def get(self, request: Request) -> HttpResponse:
        """Server health."""
        database = database_answers()
        body = {
            "status": "ok" if database else "unhealthy",
            "version": settings.VERSION,
            "database": "ok" if database else "down",
            "redis": redis_state(),
        }
        return json_response(body, 200 if database else 503, {"Cache-Control": "no-store"})


class LiveView(OpenView):
    """The process answers."""

    @extend_schema(
        summary="Liveness",
        description="The process answers; nothing else is asked. Restart it when this fails.",
        auth=[],
        responses={200: OBJECT},
        examples=[answered({"status": "ok"})],
    )
    def get(self, request: Request) -> HttpResponse:
        """Liveness."""
        return json_response({"status": "ok"})


class ReadyView(OpenView):
    """The process can do its work."""

    @extend_schema(
        summary="Readiness",
        description="503 while the database does not answer or migrations wait. Send no traffic while this fails.",
        auth=[],
        responses={200: OBJECT},
        examples=[answered({"status": "ok"})],
    )
    def get(self, request: Request) -> HttpResponse:
        """Readiness."""
        if not database_answers():
            raise Busy("The database does not answer.", code="not_ready")
        migrated_once()
        return json_response({"status": "ok"})


# ---- metrics ---------------------------------------------------------------------------------------------------------
def is_listed(address: str) -> bool:
    """True when METRICS_ALLOW names this address or its network."""
    try:
        asker = ip_address(address)
    except ValueError:
        return False
    return any(asker in network for network in _networks(tuple(settings.METRICS_ALLOW)))


@cache
def _networks(listed: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks that can be read; the others switch off themselves alone, and `doctor` names them."""
    wrong = set(unreadable_networks(listed))
    return tuple(ip_network(one, strict=False) for one in listed if one not in wrong)


def unreadable_networks(listed: Iterable[str]) -> list[str]:
    """Which entries of METRICS_ALLOW are no address and no network."""
    return [one for one in listed if not _is_network(one)]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class ListedOrCapable(BasePermission):
    """Listed addresses need no token (that is how Prometheus comes by); everybody else needs the capability."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the asker may."""
        if is_listed(client_ip(request.META)):
            return True
        kinds: Any = api_settings.DEFAULT_PERMISSION_CLASSES
        return all(kind().has_permission(request, view) for kind in kinds)


class MetricsView(ApiView):
    """Numbers for operators: a token with the right, or an address in METRICS_ALLOW."""

    required_capabilities = {"GET": METRICS_READ}
    permission_classes = [ListedOrCapable]

    @extend_schema(
        summary="System metrics",
        description="Of this server process. `?format=prometheus` answers in text, as `/metrics` does.",
        parameters=[in_query("format", enum=["json", "prometheus"])],
        responses={200: OpenApiResponse(OBJECT)},
        examples=[
            answered(
                {
                    "version": "0.1.0",
                    "uptime_seconds": 3600,
                    "requests": {"total": 1200, "by_status": {"200": 1190, "404": 10}, "mean_milliseconds": 4.2},
                    "live_sockets": 3,
                    "events": {"newest": 5120},
                    "redis": "ok",
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """System metrics."""
        query = Query(request.GET)
        wanted = query.choice("format", ("json", "prometheus"))
        query.check()
        return (
            prometheus()
            if wanted == "prometheus"
            else json_response(metrics_body(), headers={"Cache-Control": "no-store"})
        )


class PrometheusView(MetricsView):
    """`/metrics`, where scrapers look."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Prometheus' text format."""
        return prometheus()


def prometheus() -> HttpResponse:
    """Every metric of this process as Prometheus reads them."""
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def metrics_body() -> dict[str, Any]:
    """The main numbers of this process."""
    by_status: Counter[str] = Counter()
    for metric in REQUESTS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                by_status[sample.labels["status"]] += int(sample.value)
    spent = {"_sum": 0.0, "_count": 0.0}
    for metric in REQUEST_SECONDS.collect():
        for sample in metric.samples:
            for ending in spent:
                spent[ending] += sample.value if sample.name.endswith(ending) else 0.0
    return {
        "version": settings.VERSION,
        "uptime_seconds": int(time.monotonic() - STARTED),
        "requests": {
            "total": sum(by_status.values()),
            "by_status": dict(sorted(by_status.items())),
            "mean_milliseconds": round(1000 * spent["_sum"] / spent["_count"], 2) if spent["_count"] else None,
        },
        "live_sockets": int(sum(sample.value for metric in LIVE_SOCKETS.collect() for sample in metric.samples)),
        "events": {"newest": events.head()},
        "redis": redis_state(),
    }


# ---- events ----------------------------------------------------------------------------------------------------------
def may_see(viewer: Viewer, event: events.Fact, topics: frozenset[str]) -> bool:
    """The live stream's rule: the topic's capability, and of orders one's own unless one may see all."""
    if event.topic not in topics or not may_listen(viewer, event.topic):
        return False
    return event.topic != events.ORDERS or viewer.can(SEES_ALL_ORDERS) or event.owner_id == viewer.id


class EventsView(ApiView):
    """The event log over HTTP: what the live stream sends, for those who would rather ask."""

    required_capabilities = {"GET": None}

    @extend_schema(
        summary="Read the event log",
        description=(
            "The frames of the live stream after `since` that the asker may see, oldest first; go on with the answer's "
            "`cursor`. Without `since`: from the oldest event that is kept. `resync_required` says that events after "
            "`since` are gone: fetch fresh state, then go on from `cursor`."
        ),
        parameters=[
            in_query("since", int, text="The `cursor` of the last frame or answer (`cursor` is accepted too)."),
            in_query("limit", int, text=f"1 to {EVENTS_MAX}, {EVENTS_DEFAULT} unless told."),
            in_query("topics", text=f"Of {', '.join(sorted(TOPICS))}, separated by commas; all unless told."),
        ],
        responses={200: OBJECT},
        examples=[
            answered(
                {
                    "results": [
                        {
                            "type": "inventory_update",
                            "inventory_id": 1,
                            "name": "Laptop",
                            "stock_quantity": 48,
                            "price": 999.99,
                            "cursor": 41000,
                            "event_id": 41,
                            "at": "2026-01-15T10:30:00.000000Z",
                        }
                    ],
                    "cursor": 41000,
                    "next": None,
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """Read the event log."""
        query = Query(request.GET)
        limit = query.whole("limit", low=1, high=EVENTS_MAX, default=EVENTS_DEFAULT)
        name = "since" if query.has("since") else "cursor"
        since = query.whole(name, low=0, high=CURSOR_MAX, default=-1)
        topics = frozenset(one.strip() for one in query.text("topics", max_length=200).split(",") if one.strip())
        if topics - TOPICS.keys():
            query.fault("topics", f"must be of {', '.join(sorted(TOPICS))}")
        query.check()
        while events.sequence_pending() == events.SEQUENCE_BATCH:
            pass
        newest, oldest = events.head(), events.forgotten()
        if since > newest or 0 <= since < oldest:
            return conditional(
                request, to_json({"results": [], "cursor": newest, "next": None, "resync_required": True})
            )
        rows, cursor = self._read(max(since, oldest), limit, topics or frozenset(TOPICS))
        asked = {"since": cursor, "limit": limit} | ({"topics": ",".join(sorted(topics))} if topics else {})
        following = f"{request.path}?{urlencode(asked)}" if cursor < newest else None
        frames = [orjson.Fragment(row.frame()) for row in rows]
        return conditional(request, to_json({"results": frames, "cursor": cursor, "next": following}))

    def _read(self, since: int, limit: int, topics: frozenset[str]) -> tuple[list[events.Fact], int]:
        """At most `limit` visible events after `since`, and the cursor up to which the log was looked through."""
        found: list[events.Fact] = []
        last = since + SCANNED_MAX * events.PLACES
        viewer = cast(Viewer, self.request.user)
        while len(found) < limit and since < last:
            rows = events.read_after(since, limit=EVENTS_MAX)
            for row in rows:
                since = row.cursor
                seen = row.seen_from(viewer.warehouses) if may_see(viewer, row, topics) else None
                if seen is not None:
                    found.append(seen)
                    if len(found) == limit:
                        break
            if len(rows) < EVENTS_MAX:
                break
        return found, since


# ---- the OpenAPI document --------------------------------------------------------------------------------------------
@cache
def _document() -> bytes:
    generator: Any = SchemaGenerator
    return orjson.dumps(generator().get_schema(request=None, public=True), default=str)


class SchemaView(OpenView):
    """The OpenAPI document; it is the same until the process restarts, so it is made once."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """The OpenAPI document as JSON."""
        return conditional(request, _document())
