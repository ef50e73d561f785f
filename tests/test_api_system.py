"""The system's own routes: health, metrics, the event log, the OpenAPI document and the public pages."""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from inventory.models import Product
from tests.client import Api
from tests.routes import ROUTES
from workbox.core import events, views
from workbox.core.cache import redis_client
from workbox.core.models import EventCursor

pytestmark = pytest.mark.django_db

MakeProduct = Callable[..., Product]


# ---- health ----------------------------------------------------------------------------------------------------------
def test_health_names_version_database_and_redis() -> None:
    body = Client().get("/health").json()
    expected = "ok" if redis_client() is not None else "off"
    assert (body["status"], body["database"], body["redis"]) == ("ok", "ok", expected)
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])


def test_ready_when_every_migration_is_applied() -> None:
    views.migrated_once.cache_clear()
    assert Client().get("/health/ready/").json() == {"status": "ok"}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orders'")
    assert Client().get("/health/ready").status_code == 200, "what was ready once is not asked again"
    views.migrated_once.cache_clear()
    waiting = Client().get("/health/ready")
    assert (waiting.status_code, waiting.json()["code"], waiting.headers["Retry-After"]) == (503, "not_ready", "1")
    assert Client().get("/health/live").status_code == 200
    views.migrated_once.cache_clear()


# ---- metrics ---------------------------------------------------------------------------------------------------------
def test_metrics_count_requests_by_route(manager: Api) -> None:
    before = manager("GET", "metrics").json()["requests"]["by_status"].get("404", 0)
    manager("GET", "products/987654321")
    assert manager("GET", "metrics").json()["requests"]["by_status"]["404"] == before + 1
    text = manager("GET", "/metrics").content.decode()
    assert (
        'workbox_http_requests_total{method="GET",route="api/v1/products/(?P<product_id>[0-9]{1,18})/?$",status="404"}'
        in text
    )
    assert manager("GET", "metrics?format=prometheus").headers["Content-Type"].startswith("text/plain")
    assert manager("GET", "metrics?format=xml").status_code == 422


@pytest.mark.parametrize(
    ("allowed", "status"),
    [([], 401), (["127.0.0.1"], 200), (["127.0.0.0/8"], 200), (["10.0.0.1"], 401), (["nonsense"], 401)],
)
def test_an_address_on_the_list_needs_no_token_for_metrics(allowed: list[str], status: int, settings: Any) -> None:
    settings.METRICS_ALLOW = allowed
    assert Client().get("/metrics").status_code == status
    assert Client().get("/products").status_code == 401


# ---- events ----------------------------------------------------------------------------------------------------------
def types(body: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(row["type"], row.get("inventory_id") or row.get("order_id")) for row in body["results"]]


def test_the_log_is_read_in_order_from_a_cursor_on(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    start = manager("GET", "events").json()["cursor"]
    order = manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 2}]}).json()["id"]
    first = manager("GET", f"events?since={start}&limit=1").json()
    assert types(first) == [("inventory_update", lamp.pk)]
    frame = first["results"][0]
    assert (frame["stock_quantity"], frame["on_hand"], frame["reserved"], frame["cursor"]) == (3, 5, 2, start + 1)
    second = manager("GET", first["next"]).json()
    assert types(second) == [("order_placed", order)]
    assert second["results"][0]["items"] == [{"inventory_id": lamp.pk, "name": "Lamp", "quantity": 2, "unit_price": 10}]
    assert (second["next"], second["cursor"]) == (None, start + events.PLACES)
    assert manager("GET", f"events?cursor={second['cursor']}").json()["results"] == []
    narrowed = manager("GET", f"events?since={start}&limit=1&topics=catalog,stock").json()
    assert parse_qs(urlsplit(narrowed["next"]).query) == {
        "since": [str(narrowed["cursor"])], "limit": ["1"], "topics": ["catalog,stock"],
    }  # fmt: skip
    assert types(manager("GET", f"events?since={start}&topics=orders").json()) == [("order_placed", order)]


def test_a_customer_reads_stock_and_own_orders_only(
    make_product: MakeProduct,
    buyer: Api,
    manager: Api,
    make_user: Callable[..., User],
    client_of: Callable[[User], Api],
) -> None:
    lamp = make_product("Lamp", stock=5)
    stranger = client_of(make_user("user", "stranger"))
    start = manager("GET", "events").json()["cursor"]
    order = buyer("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]}).json()["id"]
    own, foreign = buyer("GET", f"events?since={start}").json(), stranger("GET", f"events?since={start}").json()
    assert types(own) == [("inventory_update", lamp.pk), ("order_placed", order)]
    assert types(foreign) == [("inventory_update", lamp.pk)]
    assert foreign["cursor"] == own["cursor"]


def test_an_analyst_reads_no_orders_topic_it_may_not_hear(
    as_staff: Callable[[str], Api], make_product: MakeProduct
) -> None:
    make_product("Lamp", stock=50)
    body = as_staff("analyst")("GET", "events").json()
    assert {row["type"] for row in body["results"]} == {"inventory_update", "product_updated"}


def test_who_was_away_too_long_has_to_fetch_fresh_state(make_product: MakeProduct, manager: Api) -> None:
    make_product("Lamp", stock=50)
    newest = manager("GET", "events").json()["cursor"]
    last = newest // events.PLACES
    EventCursor.objects.create(name=events.FORGOTTEN, seq=last - 1)
    gone = manager("GET", f"events?since={events.end_of(last - 2)}").json()
    assert gone == {"results": [], "cursor": newest, "next": None, "resync_required": True}
    ahead = manager("GET", f"events?since={newest + 1}").json()
    assert ahead["resync_required"] is True
    assert "resync_required" not in manager("GET", f"events?since={events.end_of(last - 1)}").json()
    assert len(manager("GET", "events").json()["results"]) == 1


# ---- the OpenAPI document and the pages ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document as programs get it."""
    found: dict[str, Any] = orjson.loads(Client().get("/api/schema").content)
    return found


def test_the_document_is_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--fail-on-warn", "--file", os.devnull)  # `make lint` validates it as well: ten seconds
    assert "Warning" not in capsys.readouterr().err


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, row in document["paths"].items()
        for method, operation in row.items()
        if method != "parameters"
    }


def test_every_route_and_method_is_in_the_document(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    listed = {re.sub(r"\{\w+\}", "1", name).rstrip("/") for name in operations(document)}
    expected = {f"{method} {route.path(1)}" for route in ROUTES for method in route.methods}
    assert listed == {name.replace("/api/v1/health", "/health") for name in expected}


def test_every_operation_has_a_summary_and_an_example(document: dict[str, Any]) -> None:
    bare = []
    for name, operation in operations(document).items():
        answer = next(body for status, body in operation["responses"].items() if status.startswith("2"))
        contents = [*answer.get("content", {}).values(), *operation.get("requestBody", {}).get("content", {}).values()]
        if not operation.get("summary") or (contents and not any("examples" in one for one in contents)):
            bare.append(name)
    assert bare == []


def test_every_operation_may_answer_with_the_one_error_body(document: dict[str, Any]) -> None:
    wanted = {"400", "401", "403", "404", "409", "412", "422", "429", "503"}
    missing = {
        name: wanted - one["responses"].keys()
        for name, one in operations(document).items()
        if wanted - one["responses"].keys()
    }
    assert missing == {}


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/redoc", "/redoc/"])
def test_public_pages_ask_no_foreign_host(path: str) -> None:
    response = Client().get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+", response.content.decode().replace("// ", "")) == []
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_redocs_script_is_here_and_loads_no_foreign_picture() -> None:
    response = Client().get("/redoc/redoc.standalone.js")
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert b"cdn.redoc.ly" not in response.content
    assert b"Redoc" in response.content
