"""Promises 1, 5, 6, 11 and 15 under many threads on MariaDB, each beside a negative control.

A control does the same work in the obvious, wrong way and must break the promise: if it did not, the drill would prove
nothing about the right way.
"""

import random
import threading
import time
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import Error, connection, transaction
from django.db.models import F
from django.utils import timezone

from inventory.models import ProductStock, StockLevel
from orders import services
from orders.models import Order
from orders.services import Item
from workbox import drills
from workbox.core import events
from workbox.core.errors import DomainError
from workbox.core.idempotency import once
from workbox.core.models import Event, IdempotencyKey

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
ONE = Decimal(1)


def test_stock_is_never_oversold_nor_undersold() -> None:
    report = drills.oversell(threads=64, orders=1500, units=400)
    assert report.kept, report
    assert report.figures["placed"] == 400
    assert report.figures["InsufficientStock"] == 1100


@pytest.mark.broken_books
def test_control_read_then_write_oversells() -> None:
    _, (lamp,) = drills.shop(products=1, stock=50)

    def buy() -> str:
        with transaction.atomic():
            level = StockLevel.objects.get(product=lamp)
            if level.available < 1:
                return "refused"
            time.sleep(0.002)
            StockLevel.objects.filter(id=level.id).update(reserved=level.reserved + 1)
            return "placed"

    outcomes = drills.in_threads([buy] * 400, threads=32)
    assert outcomes["placed"] > 50, outcomes


def test_contention_over_few_products_ends_in_no_error_and_no_deadlock() -> None:
    report = drills.contention(threads=64, orders=600)
    assert report.kept, report
    assert report.figures == {"placed": 600, "deadlocks": 0}


@pytest.mark.broken_books
def test_control_locking_in_the_order_of_the_request_deadlocks() -> None:
    _, made = drills.shop(products=10, stock=5000)
    ids = list(StockLevel.objects.filter(product__in=made).values_list("id", flat=True))
    chance = random.Random(5)
    before = drills.deadlocks_so_far()

    def buy() -> str:
        with transaction.atomic():
            for level_id in chance.sample(ids, 5):
                StockLevel.objects.filter(id=level_id).update(reserved=F("reserved") + 1)
        return "placed"

    outcomes = drills.in_threads([buy] * 300, threads=32)
    assert drills.deadlocks_so_far() - before > 0
    assert outcomes["placed"] < 300


def test_twins_of_one_key_make_one_order_and_get_one_answer() -> None:
    report = drills.twins(threads=50, keys=20)
    assert report.kept, report
    assert (report.figures["first"], report.figures["replayed"], report.figures["different_bodies"]) == (20, 980, 20)


def test_twins_of_a_key_that_has_expired_make_one_new_order() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=500)

    def send(key: str) -> str:
        def work() -> tuple[int, bytes]:
            return 201, str(services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk).id).encode()

        return "replayed" if once(work, user_id=buyer.pk, key=key, fingerprint="f").replayed else "first"

    for number in range(20):
        key = f"old-{number}"
        long_ago = timezone.now() - timedelta(hours=25)
        IdempotencyKey.objects.create(
            user_id=buyer.pk, key=key, request_hash="f", status=201, body="7", created_at=long_ago
        )
        assert drills.in_threads([partial(send, key)] * 8, threads=8) == {"first": 1, "replayed": 7}
    assert Order.objects.filter(user=buyer).count() == 20


def test_control_looking_for_the_key_before_writing_it_doubles_orders() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=500)

    def send() -> str:
        if IdempotencyKey.objects.filter(user_id=buyer.pk, key="same").exists():
            return "replayed"
        services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk)
        IdempotencyKey.objects.bulk_create(
            [IdempotencyKey(user_id=buyer.pk, key="same", created_at="2026-01-01T00:00:00Z")], ignore_conflicts=True
        )
        return "first"

    outcomes = drills.in_threads([send] * 50, threads=50)
    assert Order.objects.filter(user=buyer).count() == outcomes["first"] > 1


def test_each_step_of_an_order_happens_at_most_once_and_legally() -> None:
    report = drills.transitions(threads=3, rounds=60)
    assert report.kept, report
    assert report.figures["confirm"] + report.figures["cancel"] >= 60


@pytest.mark.broken_books
def test_control_reading_the_status_before_writing_it_confirms_twice() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=500)
    order = services.place_order([Item(lamp.pk, ONE)], user_id=buyer.pk, confirm=False)

    def confirm() -> str:
        with transaction.atomic():
            found = Order.objects.get(id=order.id)
            if found.status != "pending":
                return "refused"
            time.sleep(0.01)
            Order.objects.filter(id=order.id).update(status="confirmed")
            ProductStock.objects.filter(product=lamp).update(reserved=F("reserved") + 1, available=F("available") - 1)
            return "confirmed"

    outcomes = drills.in_threads([confirm] * 8, threads=8)
    assert outcomes["confirmed"] > 1
    assert ProductStock.objects.get(product=lamp).reserved > 1


def test_a_follower_of_seq_sees_every_event_once_without_a_gap() -> None:
    report = drills.stream(writers=16, orders=400)
    assert report.kept, report
    assert report.figures["seen"] == 800


def test_control_a_follower_of_ids_misses_events() -> None:
    buyer, made = drills.shop(products=8, stock=2000)
    last = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    first, stop = last, threading.Event()
    seen: set[int] = set()

    def follow() -> None:
        nonlocal last
        while not stop.is_set():
            for found in Event.objects.filter(id__gt=last).order_by("id").values_list("id", flat=True):
                seen.add(found)
                last = found
        connection.close()

    follower = threading.Thread(target=follow)
    follower.start()
    chance = random.Random(11)

    def buy() -> str:
        def slow_commit() -> None:
            services.place_order([Item(chance.choice(made).pk, ONE)], user_id=buyer.pk)
            time.sleep(chance.random() * 0.01)  # the id is taken, the commit comes later

        with transaction.atomic():
            slow_commit()
        return "placed"

    drills.in_threads([buy] * 400, threads=16)
    time.sleep(0.3)
    stop.set()
    follower.join(timeout=30)
    assert len(seen) < Event.objects.filter(id__gt=first).count()


def test_sequencers_that_die_leave_no_gap_and_no_double() -> None:
    """A sequencer's connection is killed in the middle of its transaction again and again while writers go on."""
    buyer, made = drills.shop(products=8, stock=2000)
    while events.sequence_pending():
        pass
    first, stop, killed = events.head(), threading.Event(), []

    def sequence() -> None:
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute("SELECT CONNECTION_ID()")
                victim = cursor.fetchone()[0]
            timer = threading.Timer(0.02 + random.random() * 0.05, _kill, [victim, killed])
            timer.start()
            try:
                while True:
                    events.sequence_pending()
            except (Error, DomainError):
                connection.close()
            timer.join()
        connection.close()

    runner = threading.Thread(target=sequence)
    runner.start()
    chance = random.Random(12)
    outcomes = drills.in_threads(
        [lambda: str(bool(services.place_order([Item(chance.choice(made).pk, ONE)], user_id=buyer.pk)))] * 400,
        threads=16,
    )
    stop.set()
    runner.join(timeout=30)
    while events.sequence_pending():
        pass
    begin = first // events.PLACES
    seqs = list(Event.objects.filter(seq__gt=begin).order_by("seq").values_list("seq", flat=True))
    assert outcomes == {"True": 400}
    assert seqs == list(range(begin + 1, begin + 401))
    assert len(killed) > 5


def _kill(connection_id: int, killed: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"KILL CONNECTION {connection_id}")
    killed.append(connection_id)
    connection.close()
