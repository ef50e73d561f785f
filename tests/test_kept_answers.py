"""Lists of the catalogue are kept for 300 s under the version of what they show, and are never older than a change."""

import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import Product
from inventory.services import ledger
from tests.client import Api
from workbox.core import cache
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
