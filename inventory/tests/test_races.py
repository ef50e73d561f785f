"""Transfers and counts under many threads on MariaDB (promises 15 and 16), beside negative controls."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from accounts.models import User
from inventory.errors import WarehouseUnknown
from inventory.models import MovementType, Product, StockCount, StockLevel, StockMovement, Transfer, Warehouse
from inventory.services import counts, ledger, protection, transfers, warehouses
from inventory.services.counts import Found
from inventory.services.ledger import Movement
from workbox import drills
from workbox.core.db import execute

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
MakeProduct = Callable[..., Product]
D = Decimal
ROUNDS = 200


def units_there_and_on_the_way(product: Product) -> Decimal:
    """Σ on hand + in transit, read in one statement: one snapshot."""
    row = execute(
        "SELECT (SELECT SUM(on_hand) FROM inventory_stocklevel WHERE product_id = %s)"
        " + (SELECT COALESCE(SUM(l.quantity), 0) FROM inventory_transferline l JOIN inventory_transfer t"
        "    ON t.id = l.transfer_id WHERE l.product_id = %s AND t.status = 'in_transit')",
        [product.pk, product.pk],
    ).fetchone()
    return Decimal(row[0])


def watch(product: Product, seen: Counter[Decimal], stop: threading.Event) -> threading.Thread:
    """A thread that looks at the units again and again."""

    def look() -> None:
        while not stop.is_set():
            seen[units_there_and_on_the_way(product)] += 1
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def storm(product: Product, act: Callable[[int, int], str], main: Warehouse, annex: Warehouse) -> Counter[str]:
    """A→B and B→A at once, 400 times, on 16 threads."""
    ways = [(main.pk, annex.pk), (annex.pk, main.pk)]
    return drills.in_threads([lambda way=ways[n % 2]: act(*way) for n in range(400)], threads=16)  # type: ignore[misc]  # bound by the default


def test_a_storm_of_transfers_both_ways_keeps_every_unit(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=30)
    ledger.post([Movement(lamp.pk, annex.pk, MovementType.PURCHASE, D(30))])
    seen: Counter[Decimal] = Counter()
    stop = threading.Event()
    watcher = watch(lamp, seen, stop)

    def move(source: int, target: int) -> str:
        made = transfers.create_transfer({lamp.pk: D(3)}, from_warehouse_id=source, to_warehouse_id=target)
        if made.id % 3:
            transfers.dispatch_transfer(made.id)
        if made.id % 4:
            return transfers.complete_transfer(made.id).status
        return transfers.cancel_transfer(made.id).status

    before = drills.deadlocks_so_far()
    outcomes = storm(lamp, move, main, annex)
    stop.set()
    watcher.join(timeout=30)
    assert set(outcomes) <= {"completed", "cancelled", "InsufficientStock"}, outcomes
    assert outcomes["completed"] > 200
    assert set(seen) == {D(60)}, seen
    assert sum(seen.values()) > 50
    assert StockLevel.objects.filter(product=lamp).aggregate(n=Sum("on_hand"), r=Sum("reserved")) == {"n": 60, "r": 0}
    assert drills.deadlocks_so_far() == before


@pytest.mark.broken_books
def test_control_two_transactions_lose_sight_of_units_on_the_way(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=2000)
    ledger.post([Movement(lamp.pk, annex.pk, MovementType.PURCHASE, D(2000))])
    seen: Counter[Decimal] = Counter()
    stop = threading.Event()
    watcher = watch(lamp, seen, stop)

    def move(source: int, target: int) -> str:
        ledger.post([Movement(lamp.pk, source, MovementType.TRANSFER_OUT, D(-3))])
        ledger.post([Movement(lamp.pk, target, MovementType.TRANSFER_IN, D(3))])
        return "moved"

    storm(lamp, move, main, annex)
    stop.set()
    watcher.join(timeout=30)
    assert len(seen) > 1, seen


def test_complete_cancel_and_dispatch_of_one_transfer_have_one_ending(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=ROUNDS * 2)
    endings: Counter[str] = Counter()
    for _ in range(ROUNDS):
        made = transfers.create_transfer({lamp.pk: D(2)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
        outcomes = drills.in_threads(
            [
                lambda: "complete" if transfers.complete_transfer(made.id) else "",  # noqa: B023  (called before the next round)
                lambda: "cancel" if transfers.cancel_transfer(made.id) else "",  # noqa: B023  (called before the next round)
                lambda: "dispatch" if transfers.dispatch_transfer(made.id) else "",  # noqa: B023  (called before the next round)
            ],
            threads=3,
        )
        assert outcomes["complete"] + outcomes["cancel"] == 1, outcomes
        assert outcomes["dispatch"] <= 1
        assert sum(outcomes.values()) - outcomes["IllegalStep"] == 1 + outcomes["dispatch"], outcomes
        status = Transfer.objects.get(pk=made.id).status
        assert status == ("completed" if outcomes["complete"] else "cancelled")
        endings[status] += 1
    arrived = endings["completed"] * 2
    assert StockLevel.objects.get(product=lamp, warehouse=annex).on_hand == arrived
    level = StockLevel.objects.get(product=lamp, warehouse=main)
    assert (level.on_hand, level.reserved) == (ROUNDS * 2 - arrived, 0)


@pytest.mark.broken_books
def test_control_looking_at_the_status_first_completes_twice(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=10)
    made = transfers.create_transfer({lamp.pk: D(2)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    transfers.dispatch_transfer(made.id)

    def complete() -> str:
        with transaction.atomic():
            if Transfer.objects.get(pk=made.id).status != "in_transit":
                return "refused"
            time.sleep(0.01)
            ledger.post([Movement(lamp.pk, annex.pk, MovementType.TRANSFER_IN, D(2))])
            Transfer.objects.filter(pk=made.id).update(status="completed")
        return "completed"

    outcomes = drills.in_threads([complete] * 8, threads=8)
    assert outcomes["completed"] > 1
    assert StockLevel.objects.get(product=lamp, warehouse=annex).on_hand > 2


def test_two_who_close_a_count_adjust_once(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=500)
    for number in range(100):
        opened = counts.open_count(main.pk)
        counts.record(opened.id, [Found(lamp.pk, D(500 - number - 1))])
        outcomes = drills.in_threads([lambda: counts.close_count(opened.id).status] * 2, threads=2)  # noqa: B023  (called before the next round)
        assert outcomes == {"closed": 1, "IllegalStep": 1}
    assert StockLevel.objects.get(product=lamp).on_hand == 400
    assert StockMovement.objects.filter(operation__kind="count").count() == 100


@pytest.mark.broken_books
def test_control_closing_without_the_claim_adjusts_twice(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=500)
    opened = counts.open_count(main.pk)
    counts.record(opened.id, [Found(lamp.pk, D(400))])

    def close() -> str:
        with transaction.atomic():
            if StockCount.objects.get(pk=opened.id).status != "open":
                return "refused"
            variance = D(400) - StockLevel.objects.get(product=lamp).on_hand
            time.sleep(0.01)
            ledger.post([Movement(lamp.pk, main.pk, MovementType.ADJUSTMENT, variance)], kind="count")
            StockCount.objects.filter(pk=opened.id).update(status="closed")
        return "closed"

    outcomes = drills.in_threads([close] * 4, threads=4)
    assert outcomes["closed"] > 1
    assert StockLevel.objects.get(product=lamp).on_hand < 400


def test_a_count_closed_while_sales_go_on_ends_with_counted_less_what_was_sold_since(
    make_product: MakeProduct, main: Warehouse, make_user: Callable[..., User]
) -> None:
    lamp = make_product("Lamp", stock=1000)
    opened = counts.open_count(main.pk)
    ledger.post([Movement(lamp.pk, main.pk, MovementType.SALE, D(-40))])
    counts.record(opened.id, [Found(lamp.pk, D(950))])  # the books say 960

    def sell() -> str:
        ledger.post([Movement(lamp.pk, main.pk, MovementType.SALE, D(-2))])
        return "sold"

    def close() -> str:
        time.sleep(0.15)
        return counts.close_count(opened.id).status

    outcomes = drills.in_threads([close, *[sell] * 200], threads=12)
    assert outcomes == {"closed": 1, "sold": 200}
    count = counts.read_count(opened.id)
    assert [(one.expected, one.variance) for one in count.lines] == [(960, -10)]
    assert StockLevel.objects.get(product=lamp).on_hand == 950 - 400
    adjusted = StockMovement.objects.get(operation_id=count.operation_id)
    later = StockMovement.objects.filter(id__gt=adjusted.pk, movement_type="sale").count()
    assert 0 < later < 200


@pytest.fixture
def emptied(make_product: MakeProduct, annex: Warehouse) -> Product:
    """A product that the annex had once."""
    lamp = make_product("Lamp", stock=5)
    for change in (1, -1):
        ledger.post([Movement(lamp.pk, annex.pk, MovementType.ADJUSTMENT, D(change))])
    return lamp


def closing(annex: Warehouse) -> Counter[str]:
    """Somebody else closes it now."""
    return drills.in_threads(
        [lambda: "open" if warehouses.close_warehouse(annex.pk).is_active else "closed"], threads=1
    )


def test_nothing_arrives_in_a_warehouse_that_is_closed_between_the_look_and_the_change(
    emptied: Product, annex: Warehouse
) -> None:
    seen: list[Counter[str]] = []

    def meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not seen and sql.startswith("UPDATE inventory_productstock"):
            seen.append(closing(annex))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile), pytest.raises(WarehouseUnknown):
        ledger.post([Movement(emptied.pk, annex.pk, MovementType.PURCHASE, D(1))])
    assert seen == [{"closed": 1}]
    assert StockLevel.objects.get(product=emptied, warehouse=annex).on_hand == 0


def test_a_warehouse_is_not_closed_over_goods_that_are_just_arriving(emptied: Product, annex: Warehouse) -> None:
    outcomes: list[Counter[str]] = []
    closer = threading.Thread(target=lambda: outcomes.append(closing(annex)))
    with transaction.atomic():
        ledger.post([Movement(emptied.pk, annex.pk, MovementType.PURCHASE, D(1))])
        closer.start()
        time.sleep(0.2)
        assert outcomes == [], "it waits for them"
    closer.join(timeout=30)
    assert outcomes == [{"Conflict": 1}]
    assert Warehouse.objects.get(pk=annex.pk).is_active


@pytest.mark.broken_books
def test_control_looking_at_the_warehouse_once_fills_a_closed_one(emptied: Product, annex: Warehouse) -> None:
    was_open = Warehouse.objects.get(pk=annex.pk).is_active
    assert closing(annex) == {"closed": 1}
    if was_open:
        execute(
            "UPDATE inventory_stocklevel SET on_hand = 1 WHERE product_id = %s AND warehouse_id = %s",
            [emptied.pk, annex.pk],
        )
    assert not Warehouse.objects.get(pk=annex.pk).is_active
    assert StockLevel.objects.get(product=emptied, warehouse=annex).on_hand == 1


def test_an_operation_is_reversed_once_without_a_lock_in_the_ledger(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=500)
    locking: set[str] = set()

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "FOR UPDATE" in sql:
            locking.update(table for table in protection.TABLES if table in sql)
        return execute(sql, params, many, context)

    def undo(operation_id: int) -> str:
        ledger.reverse(operation_id, reason="twice")
        return "reversed"

    with connection.execute_wrapper(look):
        undo(ledger.post([Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1))]).operation_id)
    assert locking == set(), "the printed grants let the ledger's tables be read and added to, no more"
    for _ in range(30):
        posted = ledger.post([Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1))]).operation_id
        outcomes = drills.in_threads([lambda: undo(posted)] * 4, threads=4)  # noqa: B023  (run before the next round)
        assert outcomes == {"reversed": 1, "AlreadyReversed": 3}
    assert StockLevel.objects.get(product=lamp).on_hand == 500
