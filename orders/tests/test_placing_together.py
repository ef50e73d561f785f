"""Orders that share a transaction: each is whole, its own, and none pays for another's fault."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import Sum

from accounts.models import User
from inventory.models import Product, ProductStock, Reservation
from orders import services
from orders.api import placing
from orders.models import Order, OrderLine
from orders.services import Draft, Item
from tests.client import Api
from workbox import drills
from workbox.core import combining
from workbox.core.combining import Apart
from workbox.core.events import By
from workbox.core.idempotency import Sent, once_together
from workbox.core.models import Event, IdempotencyKey

MakeProduct = Callable[..., Product]
ONE = Decimal(1)


def draft(user: User, *pairs: tuple[Product, Any], confirm: bool = True) -> Draft:
    items = [Item(product.pk, Decimal(quantity)) for product, quantity in pairs]
    return Draft(items, user.pk, confirm, by=By(user.pk, f"request of {user.username}"))


def together(drafts: list[Draft], keys: list[str] | None = None) -> list[int]:
    """Place these drafts in one go; returns the ids of the orders."""
    sent = [
        Sent(one.user_id or 0, key, f"print of {key}")
        for one, key in zip(drafts, keys or [""] * len(drafts), strict=True)
    ]
    ids: list[int] = []

    def work() -> list[tuple[int, bytes]]:
        placed = services.place_together(drafts)
        ids[:] = [one.id for one in placed]
        return [(201, f"order {one.id}".encode()) for one in placed]

    answers = once_together(sent, work)
    assert [one.body.decode() for one in answers] == [f"order {one}" for one in ids]
    return ids


# ---- what it writes --------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_each_order_has_its_own_lines_prices_and_promises(
    make_product: MakeProduct, make_user: Callable[..., User]
) -> None:
    lamp, rug = make_product("Lamp", stock=10, price="9.50"), make_product("Rug", stock=5, price="20")
    ann, bob = make_user("user", "ann"), make_user("user", "bob")
    first, second = together([draft(ann, (lamp, 2), (rug, 1), (lamp, 1)), draft(bob, (rug, 3))])
    placed = {one.id: one for one in Order.objects.all()}
    assert (placed[first].user_id, placed[first].total_amount) == (ann.pk, Decimal("48.5"))
    assert (placed[second].user_id, placed[second].total_amount) == (bob.pk, Decimal(60))
    rows = OrderLine.objects.order_by("id").values_list("order_id", "product_id", "quantity", "unit_price")
    assert list(rows) == [
        (first, lamp.pk, 2, Decimal("9.5")),
        (first, rug.pk, 1, 20),
        (first, lamp.pk, 1, Decimal("9.5")),
        (second, rug.pk, 3, 20),
    ]
    lines = list(OrderLine.objects.order_by("id").values_list("id", flat=True))
    held = Reservation.objects.order_by("holder_id").values_list("holder_id", "quantity")
    assert list(held) == list(zip(lines, [2, 1, 1, 3], strict=True))
    stocks = {one.product_id: (one.reserved, one.available) for one in ProductStock.objects.all()}
    assert stocks == {lamp.pk: (3, 7), rug.pk: (4, 1)}


@pytest.mark.django_db(transaction=True)
def test_the_log_names_for_each_order_who_asked_and_in_which_request(
    make_product: MakeProduct, make_user: Callable[..., User]
) -> None:
    lamp = make_product("Lamp", stock=10)
    ann, bob = make_user("user", "ann"), make_user("user", "bob")
    first, second = together([draft(ann, (lamp, 2)), draft(bob, (lamp, 3))])
    told = Event.objects.filter(type="order_placed").order_by("id")
    assert [(one.subject_id, one.owner_id, one.actor_id, one.request_id) for one in told] == [
        (first, ann.pk, ann.pk, "request of ann"),
        (second, bob.pk, bob.pk, "request of bob"),
    ]
    # The stock both of them took is told once, as it is now.
    companions = [line for one in told for line in one.companions.splitlines()]
    assert len(companions) == 1
    assert '"stock_quantity":5' in companions[0]


@pytest.mark.django_db(transaction=True)
def test_pending_orders_share_a_transaction_and_promise_nothing(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product("Lamp", stock=1)
    ids = together([draft(customer, (lamp, 2), confirm=False), draft(customer, (lamp, 3), confirm=False)])
    assert set(Order.objects.filter(id__in=ids).values_list("status", flat=True)) == {"pending"}
    assert ProductStock.objects.get(product=lamp).reserved == 0
    assert not Reservation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_number_of_statements_does_not_grow_with_the_number_of_orders(
    make_product: MakeProduct, customer: User, django_assert_num_queries: Any
) -> None:
    lamp, rug = make_product("Lamp", stock=500), make_product("Rug", stock=500)
    for count in (2, 16):
        drafts = [draft(customer, (lamp, 1), (rug, 2)) for _ in range(count)]
        with transaction.atomic(), django_assert_num_queries(11):  # nine, and the test's own savepoint
            together(drafts, [f"{count} {number}" for number in range(count)])


# ---- what it refuses -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_when_one_cannot_be_had_none_is_taken(make_product: MakeProduct, customer: User) -> None:
    lamp, rug = make_product("Lamp", stock=10), make_product("Rug", stock=2)
    with pytest.raises(Apart):
        together([draft(customer, (lamp, 2)), draft(customer, (rug, 3))], ["a", "b"])
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not Event.objects.filter(type="order_placed").exists()
    assert set(ProductStock.objects.values_list("reserved", flat=True)) == {0}


@contextmanager
def queue_behind_a_leader(product: Product) -> Iterator[None]:
    """While the block runs, whoever places an order of `product` waits for its stock, and the next ones queue up."""
    with transaction.atomic():
        ProductStock.objects.select_for_update().get(product=product)
        yield


def placing_at_once(asks: list[Callable[[], Any]], product: Product) -> list[Any]:
    """The answers to requests of which the first leads and waits for `product`, and the others go along together."""
    answers: list[Any] = [None] * len(asks)

    def one(place: int) -> None:
        answers[place] = asks[place]()
        connection.close()

    threads = [threading.Thread(target=one, args=[place]) for place in range(len(asks))]
    with queue_behind_a_leader(product):
        threads[0].start()
        while not placing._confirmed._is_led:
            pass
        for place, thread in enumerate(threads[1:], 1):
            thread.start()
            while len(placing._confirmed._queue) < place:
                pass
    for thread in threads:
        thread.join(30)
    return answers


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "PATIENCE_SECONDS", 30)


def order(api: Api, product: Product, quantity: int, **headers: str) -> Callable[[], Any]:
    body = {"items": [{"product_id": product.pk, "quantity": quantity}]}
    return lambda: api("POST", "orders", body, **headers)


@pytest.mark.mariadb
@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
def test_a_short_order_is_refused_in_its_own_words_and_the_others_are_placed(
    make_product: MakeProduct, buyer: Api
) -> None:
    lamp, rug = make_product("Lamp", stock=10), make_product("Rug", stock=2)
    asks = [order(buyer, lamp, 1), order(buyer, lamp, 2), order(buyer, rug, 3), order(buyer, lamp, 4)]
    answers = placing_at_once(asks, lamp)
    assert [one.status_code for one in answers] == [201, 201, 400, 201]
    assert answers[2].json()["code"] == "insufficient_stock"
    assert "Rug" in answers[2].json()["detail"]
    assert ProductStock.objects.get(product=lamp).reserved == 7


@pytest.mark.mariadb
@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
def test_orders_that_came_meanwhile_share_one_transaction(make_product: MakeProduct, buyer: Api) -> None:
    lamp = make_product("Lamp", stock=50)
    answers = placing_at_once([order(buyer, lamp, 1) for _ in range(6)], lamp)
    assert [one.status_code for one in answers] == [201] * 6
    assert len({one.json()["id"] for one in answers}) == 6
    told = Event.objects.filter(type="order_placed").order_by("id").values_list("companions", flat=True)
    # The leader's own order brought its stock fact; of the five together only the first did.
    assert [bool(one) for one in told] == [True, True, False, False, False, False]


@pytest.mark.mariadb
@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
def test_twins_in_one_group_make_one_order(make_product: MakeProduct, buyer: Api) -> None:
    lamp = make_product("Lamp", stock=50)
    asks = [order(buyer, lamp, 1)] + [order(buyer, lamp, 1, Idempotency_Key="twin") for _ in range(4)]
    answers = placing_at_once(asks, lamp)
    assert [one.status_code for one in answers] == [201] * 5
    assert len({one.content for one in answers[1:]}) == 1
    assert Counter(one.headers.get("Idempotency-Replayed") for one in answers) == {None: 2, "true": 3}
    assert Order.objects.count() == 2


# ---- many at once, and faults ----------------------------------------------------------------------------------------
@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_storm_of_orders_takes_exactly_what_there_is(make_product: MakeProduct, buyer: Api) -> None:
    lamps = [make_product(f"Lamp {number}", stock=40) for number in range(3)]
    asks = [order(buyer, lamps[number % 3], 1, Idempotency_Key=f"storm {number % 160}") for number in range(320)]
    outcomes: Counter[str] = Counter()

    def send(ask: Callable[[], Any]) -> Callable[[], str]:
        def act() -> str:
            answer = ask()
            outcomes[f"{answer.status_code} {answer.headers.get('Idempotency-Replayed', 'first')}"] += 1
            return "sent"

        return act

    assert drills.in_threads([send(ask) for ask in asks], threads=16) == {"sent": 320}
    assert sum(count for what, count in outcomes.items() if what.startswith("5")) == 0, outcomes
    placed = Order.objects.count()
    assert placed == outcomes["201 first"] == ProductStock.objects.aggregate(all=Sum("reserved"))["all"]
    shared = Event.objects.filter(type="order_placed", companions="").count()
    assert shared > placed / 10, f"only {shared} of {placed} orders went along with another"


class Fault:
    """Breaks the n-th statement, before or after the database has run it."""

    def __init__(self, number: int, code: int, *, after: bool) -> None:
        self.number, self.code, self.after = number, code, after
        self.count, self.struck = 0, False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        if self.count != self.number:
            return execute(sql, params, many, context)
        self.struck = True
        if self.after:
            execute(sql, params, many, context)
        if self.code == 1213:
            connection.connection.rollback()
        if self.code == 2013:
            connection.connection.close()
        raise OperationalError(self.code, "injected")


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", [1213, 1205, 2013])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_error_at_any_statement_of_a_group_leaves_nothing_of_it(code: int, after: bool) -> None:
    buyer, products = drills.shop(products=2, stock=1000)
    drafts = [draft(buyer, *((product, 1) for product in products)) for _ in range(3)]
    struck = 0
    for number in range(1, 30):
        fault = Fault(number, code, after=after)
        before = Order.objects.count()
        with connection.execute_wrapper(fault):
            try:
                together(drafts, [f"{number} {place}" for place in range(3)])
            except (Apart, OperationalError):
                assert Order.objects.count() == before, f"statement {number}"
                assert not IdempotencyKey.objects.filter(key__startswith=f"{number} ").exists()
        if not fault.struck:
            break
        struck += 1
    assert struck >= 8, "the fault walked past the last statement"
    assert Order.objects.count() == 3
    assert set(ProductStock.objects.values_list("reserved", flat=True)) == {3}
