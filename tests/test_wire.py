"""Statements that travel together (`workbox.core.mysql`): the same as one by one, whatever goes wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction
from django.urls import Resolver404, re_path

from inventory.models import Category
from workbox.core.db import execute, flush, insert_later, insert_rows, later, transact
from workbox.core.routes import ByFirstWord, route

COLUMNS = ("name", "description")


def add(name: str, description: str = "") -> object:
    return insert_later("inventory_category", COLUMNS, [(name, description)])


def names() -> list[str]:
    return list(Category.objects.order_by("id").values_list("name", flat=True))


@pytest.mark.django_db(transaction=True)
def test_what_waits_happens_before_whatever_comes_next() -> None:
    with transaction.atomic():
        add("by the wire")
        assert names() == ["by the wire"], "Django's own cursor sends it first"
        add("with COMMIT")
    assert names() == ["by the wire", "with COMMIT"]


@pytest.mark.django_db(transaction=True)
def test_text_stays_text_in_a_packet_of_several_statements() -> None:
    nasty = "a'; DELETE FROM inventory_category; -- %s \\"
    with transaction.atomic():
        add("kept")
        add(nasty)
    assert names() == ["kept", nasty]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("notice", [flush, lambda: execute("SELECT 1"), lambda: None], ids=["flush", "next", "commit"])
def test_one_bad_statement_undoes_the_transaction_and_the_connection_goes_on(notice: Callable[[], object]) -> None:
    Category.objects.create(name="twin")

    def work() -> None:
        add("before")
        add("twin")
        add("after")
        notice()

    with pytest.raises(IntegrityError):
        transact(work)
    assert names() == ["twin"]
    transact(lambda: add("next"))
    assert names() == ["twin", "next"]


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_the_statement_that_failed_is_marked_and_no_other() -> None:
    Category.objects.create(name="twin")
    answers: list[Any] = []
    with pytest.raises(IntegrityError):
        transact(lambda: answers.extend([add("before"), add("twin"), add("after")]))
    assert [one.failed for one in answers] == [False, True, False]
    assert [one.rowcount for one in answers] == [1, 0, 0]


@pytest.mark.django_db(transaction=True)
def test_a_child_takes_the_id_of_the_row_before_it() -> None:
    with transaction.atomic():
        first = add("first")
        # `description` stands in for the column of a foreign key here
        insert_rows("inventory_category", COLUMNS, [("child one", first), ("child two", first)])
    expected = str(Category.objects.get(name="first").pk)
    assert list(Category.objects.filter(name__startswith="child").values_list("description", flat=True)) == [
        expected,
        expected,
    ]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_not_the_last_statement_is_sent_for_its_id() -> None:
    with transaction.atomic():
        first = add("first")
        add("second")
        add("child", first)  # type: ignore[arg-type]  (a result stands for its id)
    assert Category.objects.get(name="child").description == str(Category.objects.get(name="first").pk)


@transaction.atomic
def _add_and_refuse() -> None:
    add("inner")
    raise ValueError("no")


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_takes_back_what_waited_since() -> None:
    with transaction.atomic():
        add("outer")
        with pytest.raises(ValueError, match="no"):
            _add_and_refuse()
    assert names() == ["outer"]


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_did_nothing_sends_nothing() -> None:
    def sent() -> int:
        rows = execute("SHOW SESSION STATUS LIKE 'Questions'").fetchall()
        return int(rows[0][1])

    before = sent()
    with transaction.atomic():
        pass
    assert sent() - before == 1, "the question itself"


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_errors_of_the_server_are_djangos() -> None:
    more_promised_than_there_is = (
        "INSERT INTO inventory_productstock (product_id, on_hand, reserved, available, version) VALUES (1, 0, 1, 0, 0)"
    )
    with pytest.raises(IntegrityError):
        transact(lambda: later(more_promised_than_there_is))
    with pytest.raises(DataError):
        transact(lambda: add("x" * 3000))


def test_a_path_is_looked_up_by_its_first_word() -> None:
    def view() -> None: ...

    found = ByFirstWord("api/v1/", [route("orders", view, "orders"), route(r"orders/(?P<one>[0-9]+)", view, "order")])
    assert found.resolve("api/v1/orders/7/").kwargs == {"one": "7"}
    assert found.resolve("api/v1/orders").url_name == "orders"
    for unknown in ("api/v1/order", "api/v1/", "other/orders", "api/v1/orders/x"):
        with pytest.raises(Resolver404):
            found.resolve(unknown)
    with pytest.raises(ValueError, match="plain word"):
        ByFirstWord("", [re_path(r"^(?P<any>.*)$", view, name="any")]).resolve("x")
