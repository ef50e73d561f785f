"""Fixtures every room's tests share: a small shop to act in, and the check that its books balance afterwards."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.models import Product, UnitOfMeasure, Warehouse
from inventory.queries import stock_differences
from inventory.services.catalog import OpeningStock, create_product
from tests.client import Api
from workbox.core import context
from workbox.core.cache import redis_client

PASSWORD = "correct horse battery staple"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What only MariaDB can show is skipped elsewhere, with the reason."""
    for item in items:
        if item.get_closest_marker("mariadb") and connection.vendor != "mysql":
            item.add_marker(pytest.mark.skip(reason="needs MariaDB: SQLite has one writer and no row locks"))


@pytest.fixture(autouse=True)
def _clean_context() -> None:
    context.actor_id.set(None)
    context.warehouses.set(None)
    context.request_id.set("")
    cache.clear()
    client = redis_client()
    if client is not None:
        client.flushdb()


@pytest.fixture(autouse=True)
def _ledger_balances(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test with a database: each kept number is what its rows add up to."""
    uses_database = request.node.get_closest_marker("django_db") is not None or {"db", "transactional_db"} & set(
        request.fixturenames
    )
    if uses_database:
        request.getfixturevalue("transactional_db" if _is_transactional(request) else "db")
    yield
    if uses_database and not connection.needs_rollback and not request.node.get_closest_marker("broken_books"):
        assert_ledger_balances()


def _is_transactional(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    return "transactional_db" in request.fixturenames or bool(marker and marker.kwargs.get("transaction"))


def assert_ledger_balances() -> None:
    """Every balance, reservation and total is what its rows add up to."""
    differences = list(stock_differences())
    assert differences == [], "\n".join(map(str, differences))


@pytest.fixture
def piece(db: None) -> UnitOfMeasure:
    return UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})[0]


@pytest.fixture
def kilogram(db: None) -> UnitOfMeasure:
    return UnitOfMeasure.objects.get_or_create(code="kg", defaults={"name": "Kilogram", "decimal_places": 3})[0]


@pytest.fixture
def main(db: None) -> Warehouse:
    """The first warehouse orders are filled from."""
    return Warehouse.objects.create(name="Main store", code="MAIN", priority=1)


@pytest.fixture
def annex(db: None) -> Warehouse:
    """The second one."""
    return Warehouse.objects.create(name="Annex", code="ANNEX", priority=2)


@pytest.fixture
def quarantine(db: None) -> Warehouse:
    """Stock that is there but not for sale."""
    return Warehouse.objects.create(name="Quarantine", code="QUAR", priority=9, is_sellable=False)


@pytest.fixture
def make_product(piece: UnitOfMeasure, main: Warehouse) -> Callable[..., Product]:
    """`make_product("Lamp", stock=5, price="9.50")`: a product with opening stock in the main store."""

    def make(
        name: str = "Lamp", *, stock: Any = 0, price: Any = "10", warehouse: Warehouse | None = None, **values: Any
    ) -> Product:
        opening = OpeningStock(Decimal(stock), (warehouse or main).pk)
        return create_product(name=name, sku=values.pop("sku", None), price=Decimal(price), opening=opening, **values)

    return make


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """`make_user("clerk")`: an account with that role, named after it."""

    def make(role: str = "user", name: str = "") -> User:
        name = name or role
        return User.objects.create_user(name, f"{name}@example.com", PASSWORD, role=role)

    return make


@pytest.fixture
def customer(make_user: Callable[..., User]) -> User:
    return make_user("user", "customer")


@pytest.fixture
def client_of() -> Callable[[User], Api]:
    """`client_of(user)`: an API client with that account's token."""
    return lambda user: Api(issue_pair(user).access, user)


@pytest.fixture
def as_staff(make_user: Callable[..., User], client_of: Callable[[User], Api]) -> Callable[[str], Api]:
    """`as_staff("manager")`: an API client of somebody with that role; twice the same role is the same person."""

    def log_in(role: str) -> Api:
        return client_of(User.objects.filter(username=role).first() or make_user(role))

    return log_in


@pytest.fixture
def manager(as_staff: Callable[[str], Api]) -> Api:
    """A manager's API client."""
    return as_staff("manager")


@pytest.fixture
def buyer(customer: User, client_of: Callable[[User], Api]) -> Api:
    """A customer's API client."""
    return client_of(customer)
