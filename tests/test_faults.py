"""Promises 4 and 9: a statement that fails, a process that dies or freezes in the middle, and what is left of it."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from accounts.models import User
from inventory.models import Product, ProductStock, Reservation, StockLevel, StockMovement
from inventory.services import ledger
from orders import services
from orders.models import Order, OrderLine
from orders.services import Item
from workbox import drills
from workbox.core.errors import Busy, Conflict
from workbox.core.idempotency import once
from workbox.core.models import Event, IdempotencyKey
from workbox.core.numbers import to_json

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
ONE = Decimal(1)
Execute = Callable[..., Any]
DEADLOCK, LOCK_TIMEOUT, LOST = 1213, 1205, 2013
STATEMENTS_MAX = 40


class Fault:
    """Breaks the n-th statement, before or after the database has run it, once."""

    def __init__(self, number: int, *, after: bool, act: Callable[[], None]) -> None:
        self.number, self.after, self.act = number, after, act
        self.count, self.struck = 0, False

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        mine = self.count == self.number and not self.struck
        if mine and not self.after:
            self.struck = True
            self.act()
        result = execute(sql, params, many, context)
        if mine and self.after:
            self.struck = True
            self.act()
        return result


def raising(code: int) -> Callable[[], None]:
    """Fail as the server would: 1213 and a lost connection take the whole transaction, 1205 only the statement."""

    def act() -> None:
        if code == DEADLOCK:
            connection.connection.rollback()
        if code == LOST:
            connection.connection.close()
        raise OperationalError(code, "injected")

    return act


def place(buyer: User, products: list[Product], key: str) -> Any:
    """An order of two lines with its idempotency key, as the API places it."""

    def work() -> tuple[int, bytes]:
        order = services.place_order([Item(product.pk, ONE) for product in products], user_id=buyer.pk)
        return 201, to_json({"id": order.id})

    return once(work, user_id=buyer.pk, key=key, fingerprint="f")


def conflict_of(work: Callable[[], Any]) -> Conflict | None:
    """The conflict the work ended in, None when it was done."""
    try:
        work()
    except Conflict as told:
        return told
    return None


def world(buyer: User) -> dict[str, int]:
    """Everything an order leaves behind."""
    orders = Order.objects.filter(user=buyer)
    return {
        "orders": orders.count(),
        "lines": OrderLine.objects.filter(order__in=orders).count(),
        "promises": Reservation.objects.filter(quantity__gt=0).count(),
        "keys": IdempotencyKey.objects.filter(user_id=buyer.pk).count(),
        "order_events": Event.objects.filter(type="order_placed").count(),
        "reserved": int(sum(ProductStock.objects.values_list("reserved", flat=True))),
    }


WHOLE = {"orders": 1, "lines": 2, "promises": 2, "keys": 1, "order_events": 1, "reserved": 2}


def times(whole: dict[str, int], count: int) -> dict[str, int]:
    return {name: value * count for name, value in whole.items()}


@contextmanager
def fault(strike: Fault) -> Any:
    with connection.execute_wrapper(strike):
        yield


@pytest.mark.parametrize("code", [DEADLOCK, LOCK_TIMEOUT, LOST])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_error_at_any_statement_ends_in_one_whole_order(code: int, after: bool) -> None:
    buyer, products = drills.shop(products=2, stock=1000)
    for number in range(1, STATEMENTS_MAX):
        strike = Fault(number, after=after, act=raising(code))
        with fault(strike):
            told = conflict_of(partial(place, buyer, products, f"key-{number}"))
        if told is not None:  # a lock timeout on the key itself means: the first twin is still running
            assert (code, told.code) == (LOCK_TIMEOUT, "idempotency_in_progress")
            assert world(buyer) == times(WHOLE, number - 1)
            place(buyer, products, f"key-{number}")
        assert world(buyer) == times(WHOLE, number), f"statement {number}"
        if not strike.struck:
            break
    assert 8 <= number < STATEMENTS_MAX, "the fault walked past the last statement"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_error_that_cannot_be_retried_leaves_nothing(after: bool) -> None:
    buyer, products = drills.shop(products=2, stock=1000)
    for number in range(1, STATEMENTS_MAX):
        strike = Fault(number, after=after, act=raising(1064))
        try:
            with fault(strike):
                place(buyer, products, f"key-{number}")
        except OperationalError:
            assert world(buyer) == times(WHOLE, 0), f"statement {number}"
            continue
        break
    assert number >= 8
    assert world(buyer) == WHOLE


@pytest.mark.broken_books
def test_control_without_one_transaction_an_error_leaves_half_an_order() -> None:
    buyer, products = drills.shop(products=2, stock=1000)
    halves = 0
    for number in range(3, 12):
        strike = Fault(number, after=False, act=raising(1064))
        before = world(buyer)
        try:
            with fault(strike):  # the services' own body, statement by statement in autocommit
                services.place_together([services.Draft([Item(one.pk, ONE) for one in products], buyer.pk, True)])
        except (OperationalError, RuntimeError):
            halves += world(buyer) != before
    assert halves > 0


def _die_at(number: int, *, after: bool, buyer_id: int, product_ids: list[int]) -> None:
    connections.close_all()
    buyer = User.objects.get(id=buyer_id)
    products = list(Product.objects.filter(id__in=product_ids))
    with fault(Fault(number, after=after, act=lambda: os._exit(9))):
        place(buyer, products, f"dies-{number}-{after}")
    os._exit(0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_that_dies_at_any_statement_leaves_a_whole_order_or_none(after: bool) -> None:
    buyer, products = drills.shop(products=2, stock=1000)
    ids = [one.pk for one in products]
    context = multiprocessing.get_context("fork")
    for number in range(1, STATEMENTS_MAX):
        connections.close_all()
        process = context.Process(
            target=_die_at, args=(number,), kwargs={"after": after, "buyer_id": buyer.pk, "product_ids": ids}
        )
        process.start()
        process.join(timeout=30)
        if process.exitcode == 0:
            break
        assert process.exitcode == 9
        assert world(buyer) == times(WHOLE, 0), f"died at statement {number}"
    assert 8 <= number < STATEMENTS_MAX
    assert world(buyer) == WHOLE


def _freeze(product_id: int, ready: Any) -> None:
    connections.close_all()
    with transaction.atomic():
        ledger.lock_stock(product_id)
        StockLevel.objects.filter(product_id=product_id).update(reserved=1)
        ready.set()
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.slow
def test_a_frozen_worker_holds_its_locks_ten_seconds_at_most() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=10)
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    connections.close_all()
    process = context.Process(target=_freeze, args=(lamp.pk, ready))
    process.start()
    assert ready.wait(10)
    began, refusals = time.monotonic(), 0
    try:
        while True:
            try:
                services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk)
                break
            except Busy:
                refusals += 1
                assert time.monotonic() - began < 20
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join(timeout=10)
    assert time.monotonic() - began < 14
    assert refusals >= 1, "while it is frozen the answer is a clear 503, not a hang"
    assert ProductStock.objects.get(product=lamp).reserved == 1


IDLE_SECONDS = 1  # the servers' limit is ten; twenty frozen workers at that would take minutes


def _load(product_id: int, buyer_id: int) -> None:
    connections.close_all()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION idle_write_transaction_timeout = %s", [IDLE_SECONDS])
    while True:
        services.place_order([Item(product_id, ONE)], user_id=buyer_id)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["kill -9", "SIGSTOP"])
def test_workers_killed_or_frozen_under_load_hold_nothing_and_leave_whole_orders(how: signal.Signals) -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=100_000)
    context = multiprocessing.get_context("fork")
    for _ in range(20):
        connections.close_all()
        process = context.Process(target=_load, args=(lamp.pk, buyer.pk))
        process.start()
        time.sleep(0.08)
        os.kill(process.pid or 0, how)
        began = time.monotonic()
        try:
            services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk)
            assert time.monotonic() - began < IDLE_SECONDS + 2
        finally:
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join(timeout=10)
    placed = Order.objects.filter(user=buyer).count()
    assert placed > 20
    assert ProductStock.objects.get(product=lamp).reserved == placed
    assert Event.objects.filter(type="order_placed").count() == placed
    assert not StockMovement.objects.filter(movement_type="sale").exists()
