"""Reads from a replica: only lists of a GET request, and never for somebody who has just written."""

import json
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.models import Product
from tests.servers import ServerProcess, serving
from workbox.core import context, replica

PIN_SECONDS = 2


@pytest.fixture
def reading(settings: Any) -> Iterator[replica.ReplicaRouter]:
    """A router inside a GET request of user 7."""
    token, actor = context.reads_may_lag.set(True), context.actor_id.set(7)
    replica._wrote.clear()
    yield replica.ReplicaRouter()
    context.reads_may_lag.reset(token)
    context.actor_id.reset(actor)


@pytest.mark.django_db(transaction=True)
def test_only_business_tables_of_a_reading_request_go_to_the_replica(reading: replica.ReplicaRouter) -> None:
    assert reading.db_for_read(Product) == "replica"
    assert reading.db_for_read(User) is None, "who may log in is asked of the primary"
    assert reading.db_for_write(Product) == "default"
    with transaction.atomic():
        assert reading.db_for_read(Product) is None, "what a transaction decides on is the primary's"
    context.reads_may_lag.set(False)
    assert reading.db_for_read(Product) is None, "tasks, commands and writing requests"


@pytest.mark.django_db(transaction=True)
def test_whoever_wrote_reads_the_primary_for_a_while(reading: replica.ReplicaRouter, settings: Any) -> None:
    settings.REPLICA_PIN_SECONDS = 1
    replica.note_write(7)
    assert reading.db_for_read(Product) is None
    context.actor_id.set(8)
    assert reading.db_for_read(Product) == "replica", "somebody else's reads may lag"
    context.actor_id.set(7)
    time.sleep(1.1)
    assert reading.db_for_read(Product) == "replica"


def test_the_memory_of_who_wrote_holds_nobody_longer_than_the_pin(settings: Any) -> None:
    settings.REPLICA_PIN_SECONDS = 0
    replica._wrote.clear()
    for user_id in range(1, 1001):
        replica.note_write(user_id)
    assert len(replica._wrote) <= 2
    settings.REPLICA_PIN_SECONDS = 60
    for user_id in (7, 8, 7):
        replica.note_write(user_id)
    assert list(replica._wrote) == [8, 7]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the stand-in for a replica that lags is a copied file")
def test_a_server_with_a_lagging_replica_shows_writers_their_own_writes(
    tmp_path: Path, make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    make_product("Lamp")
    manager, analyst = make_user("manager"), make_user("analyst")
    copy = tmp_path / "replica.sqlite3"
    with sqlite3.connect(connection.settings_dict["NAME"]) as primary, sqlite3.connect(copy) as lagging:
        primary.backup(lagging)
    make_product("Chair")
    variables = {"READ_DATABASE_URL": f"sqlite:///{copy}", "REPLICA_PIN_SECONDS": str(PIN_SECONDS)}
    with serving(1, variables=variables) as (server,):
        assert names(server, analyst) == ["Lamp"], "read from the replica, which has not got the chair yet"
        call(server, manager, "POST", "/api/v1/products", {"name": "Table", "price": 5})
        assert names(server, manager) == ["Table", "Chair", "Lamp"]
        assert names(server, analyst) == ["Lamp"]
        time.sleep(PIN_SECONDS + 0.2)
        assert names(server, manager) == ["Lamp"]


def names(server: ServerProcess, user: User) -> list[str]:
    found = call(server, user, "GET", "/api/v1/warehouses"), call(server, user, "GET", "/api/v1/products")
    return [row["name"] for row in found[1]["results"]]


def call(server: ServerProcess, user: User, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        server.http + path,
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {issue_pair(user).access}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
