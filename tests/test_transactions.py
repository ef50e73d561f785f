"""The ground every write stands on: `transact`, `execute`, and answers kept as bytes."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.errors import InsufficientStock
from inventory.models import Category, Product
from inventory.services import ledger
from inventory.services.catalog import update_product
from orders import services
from orders.models import Order, OrderLine
from orders.services import Item
from workbox.core.cache import redis_client, version_key
from workbox.core.db import TRIES_MAX, TryAgain, execute, insert_rows, retrying, transact
from workbox.core.errors import Busy
from workbox.core.events import STOCK, _runs

D = Decimal
MakeProduct = Callable[..., Product]


def test_a_refusal_inside_somebody_elses_transaction_leaves_nothing(make_product: MakeProduct, customer: User) -> None:
    lamp, cable = make_product(stock=5), make_product("Cable", stock=0)
    with transaction.atomic():  # as an admin page has one
        Category.objects.create(name="kept")
        with pytest.raises(InsufficientStock):
            services.place_order([Item(lamp.pk, D(1)), Item(cable.pk, D(1))], user_id=customer.pk)
    assert Category.objects.filter(name="kept").exists()
    assert (Order.objects.count(), OrderLine.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_try_again_runs_the_block_once_more_from_the_start() -> None:
    seen: list[bool] = []

    def work() -> str:
        Category.objects.create(name="once")
        seen.append(retrying())
        if len(seen) == 1:
            raise TryAgain("moved")
        return "done"

    assert transact(work) == "done"
    assert (seen, Category.objects.filter(name="once").count()) == ([False, True], 1)
    assert not retrying()


@pytest.mark.django_db
def test_who_keeps_losing_is_told_to_come_back() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise TryAgain("moved")

    with pytest.raises(Busy):
        transact(work)
    assert len(tries) == TRIES_MAX


@pytest.mark.django_db
def test_only_the_outermost_block_tries_again() -> None:
    outer: list[int] = []
    inner: list[int] = []

    def inside() -> None:
        inner.append(1)
        if len(inner) == 1:
            raise TryAgain("moved")

    def outside() -> None:
        outer.append(1)
        transact(inside)

    transact(outside)
    assert (len(outer), len(inner)) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_an_error_that_is_nobodys_contention_is_raised_as_it_is() -> None:
    def work() -> None:
        raise OperationalError(1064, "syntax")

    with pytest.raises(OperationalError):
        transact(work)


@pytest.mark.django_db
def test_numbers_are_written_into_statements_and_text_is_not() -> None:
    nasty = "O'Neill'); DROP TABLE x; -- %s \\ \" ☃"
    row = execute("SELECT %s, %s, %s, %s, %s", [7, D("0.10"), None, nasty, True]).fetchone()
    assert (row[0], D(str(row[1])), row[2], row[3], row[4]) == (7, D("0.1"), None, nasty, 1)


@pytest.mark.django_db
def test_ids_of_inserted_rows_come_in_row_order() -> None:
    names = [f"category {number}" for number in range(5)]
    ids = insert_rows("inventory_category", ("name", "description"), [(name, "") for name in names])
    assert [Category.objects.get(id=one).name for one in ids] == names


@pytest.mark.parametrize(
    ("ids", "runs"),
    [([], []), ([4], [(4, 4)]), ([4, 5, 6, 9], [(4, 6), (9, 9)]), ([1, 3, 5], [(1, 1), (3, 3), (5, 5)])],
)
def test_ids_are_sequenced_in_runs_without_gaps(ids: list[int], runs: list[tuple[int, int]]) -> None:
    assert list(_runs(ids)) == runs


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_kept_page_is_never_older_than_the_last_change(
    make_product: MakeProduct, make_user: Callable[..., User]
) -> None:
    lamp = make_product(stock=5)
    client, token = Client(), issue_pair(make_user("manager")).access
    headers = {"Authorization": f"Bearer {token}"}

    def shown() -> tuple[object, object]:
        rows = client.get("/api/v1/products/", headers=headers).json()["results"]
        return rows[0]["stock_quantity"], rows[0]["price"]

    for _ in range(3):
        assert shown() == (5, 10)  # the third one from memory
    ledger.adjust(lamp.pk, quantity=D(2), reason="found")
    assert shown() == (7, 10)
    update_product(lamp.pk, changes={"price": D("12.5")})
    assert shown() == (7, 12.5)
    redis = redis_client()
    assert redis is not None
    before = redis.get(version_key(STOCK))
    redis.flushdb()  # Redis lost its memory: a counter would now repeat itself
    ledger.adjust(lamp.pk, quantity=D(1), reason="found")
    assert shown() == (8, 12.5)
    assert redis.get(version_key(STOCK)) not in (None, before)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_kept_page_costs_no_statement_and_no_cache_asks_for_a_fresh_one(
    make_product: MakeProduct, make_user: Callable[..., User], django_assert_num_queries: Callable[..., object]
) -> None:
    make_product(stock=5)
    client, token = Client(), issue_pair(make_user("manager")).access
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        client.get("/api/v1/products/", headers=headers)
    with django_assert_num_queries(0):
        assert client.get("/api/v1/products/", headers=headers).status_code == 200
    with django_assert_num_queries(2):
        assert client.get("/api/v1/products/", headers=headers | {"Cache-Control": "no-cache"}).status_code == 200
    assert connection.vendor == "mysql"
