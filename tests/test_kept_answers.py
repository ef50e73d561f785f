"""Lists of the catalogue are kept for 300 s under the version of what they show, and are never older than a change."""

import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.principal import load_principal
from inventory.models import Product, Warehouse
from inventory.services import ledger
from tests.client import Api
from workbox.core import cache, context
from workbox.core.api import kept_answer
from workbox.core.cache import redis_client

pytestmark = pytest.mark.django_db(transaction=True)


def listed(api: Api) -> tuple[list[tuple[str, int]], bool]:
    """Names and stock as the list has them, and whether the products were read from the database for it."""
    with CaptureQueriesContext(
        connection,
    ) as statements:
        rows = api("GET", "products").json()["results"]
    read = any("FROM inventory_product" in one["sql"] for one in statements.captured_queries)
    return [(row["name"], row["stock_quantity"]) for row in rows], read


def test_a_list_is_read_once_until_something_it_shows_changes(
    make_product: Callable[..., Product], manager: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_redis = redis_client() is not None
    lamp = make_product("Lamp", stock=5)
    for _ in range(2):  # Redis learns the versions, then the answer is kept
        assert listed(manager)[0] == [("Lamp", 5)]
    assert listed(manager) == ([("Lamp", 5)], not has_redis), "without Redis nobody knows the versions: read anew"
    ledger.adjust(lamp.pk, quantity=Decimal(2), reason="found")
    assert listed(manager) == ([("Lamp", 7)], True)
    manager("PATCH", f"products/{lamp.pk}", {"name": "Lantern"})
    assert listed(manager) == ([("Lantern", 7)], True)
    assert listed(manager)[1] == (not has_redis)
    now = time.monotonic()
    monkeypatch.setattr(cache.time, "monotonic", lambda: now + 299)
    assert listed(manager)[1] == (not has_redis)
    monkeypatch.setattr(cache.time, "monotonic", lambda: now + 301)
    assert listed(manager) == ([("Lantern", 7)], True)


def test_a_new_name_of_a_category_a_unit_or_a_warehouse_is_seen_at_once(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp", stock=5, category="Light")
    path = f"products/{lamp.pk}"

    def names() -> tuple[str, str, str]:
        shown = manager("GET", path).json()
        return shown["category"], shown["unit_of_measure"], shown["stock_by_warehouse"][0]["warehouse_name"]

    for _ in range(3):
        assert names() == ("Light", "piece", "Main store")
    manager("PATCH", f"categories/{lamp.category_id}", {"name": "Lights"})
    assert names() == ("Lights", "piece", "Main store")
    manager("PATCH", f"units/{lamp.unit_id}", {"code": "pc"})
    assert names() == ("Lights", "pc", "Main store")
    manager("PATCH", f"warehouses/{Warehouse.objects.get().pk}", {"name": "Old store"})
    assert names() == ("Lights", "pc", "Old store")


@pytest.mark.mariadb  # without Redis nothing is kept
def test_what_is_kept_was_read_from_the_primary(manager: Api) -> None:
    request = RequestFactory().get("/api/v1/products")
    request.user = load_principal(manager.user.pk, None)  # type: ignore[assignment]  # as the API sets it
    seen: list[bool] = []

    def make() -> dict[str, int]:
        seen.append(context.reads_may_lag.get())
        return {}

    token = context.reads_may_lag.set(True)
    try:
        for _ in range(3):
            kept_answer(request, make, topics=("catalog",), right="ledger.read")
        assert context.reads_may_lag.get() is True
    finally:
        context.reads_may_lag.reset(token)
    assert seen == [True, False], "once while nobody knew the version, once to be kept"
