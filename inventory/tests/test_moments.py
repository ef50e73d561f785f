"""Stock as of a past moment is what a replay of the ledger says, at every instant, late entries included."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.models import MovementType, Product, StockLevel, StockMovement, StockOperation, Warehouse
from inventory.queries import low_stock_ids_at, stock_differences
from inventory.queries.moments import levels_at
from inventory.services import ledger
from inventory.services.ledger import Movement, PastOperation
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def bring(product: Product, warehouse: Warehouse, quantity: int, at: datetime | None = None) -> None:
    ledger.post(
        [Movement(product.pk, warehouse.pk, MovementType.PURCHASE, D(quantity))],
        occurred_at=at,
        kind=StockOperation.Kind.OPENING,
    )


def replay(product: Product, moment: datetime) -> dict[int, Decimal]:
    held: dict[int, Decimal] = {}
    for row in StockMovement.objects.filter(product=product, created_at__lte=moment).order_by("id"):
        held[row.warehouse_id] = held.get(row.warehouse_id, D(0)) + row.quantity
    return held


def seen(product: Product, moment: datetime) -> dict[int, Decimal]:
    return {row["warehouse_id"]: row["on_hand"] for row in levels_at([product.pk], moment)[product.pk]}


# (late by so many minutes or None: now; warehouse; quantity; alone or together with the next)
POSTINGS = st.lists(
    st.tuples(st.none() | st.integers(0, 60), st.integers(0, 1), st.integers(1, 9), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(postings=POSTINGS)
def test_any_instant_is_what_a_replay_says(
    postings: list[tuple[int | None, int, int, bool]], make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    with transaction.atomic():
        lamp, places = make_product(f"Lamp {len(StockMovement.objects.all())}"), (main, annex)
        waiting: list[PastOperation] = []
        for late, where, quantity, together in postings:
            at = None if late is None else datetime.now(UTC) - timedelta(minutes=late)
            if at is not None and together:
                line = Movement(lamp.pk, places[where].pk, MovementType.PURCHASE, D(quantity))
                waiting.append(PastOperation(StockOperation.Kind.IMPORT, [line], at))
                continue
            bring(lamp, places[where], quantity, at)
        if waiting:
            ledger.post_past(waiting)
        moments = sorted(StockMovement.objects.filter(product=lamp).values_list("created_at", flat=True))
        step = timedelta(microseconds=1)
        for moment in [one + offset for one in moments for offset in (-step, step * 0, step)]:
            held = replay(lamp, moment)
            assert seen(lamp, moment) == {
                one.warehouse_id: held.get(one.warehouse_id, D(0)) for one in StockLevel.objects.filter(product=lamp)
            }
        assert list(stock_differences()) == []
        transaction.set_rollback(True)


def test_only_a_movement_behind_a_newer_one_marks_its_level(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp")
    bring(lamp, main, 5, NOON)
    bring(lamp, main, 5, NOON)
    bring(lamp, main, 5)
    assert not StockLevel.objects.filter(has_late_entries=True).exists()
    bring(lamp, annex, 1, NOON)
    bring(lamp, main, 1, NOON)
    assert StockLevel.objects.get(has_late_entries=True).warehouse_id == main.pk


def test_a_batch_out_of_order_marks_a_level_that_never_moved(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp")
    line = Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(3))
    kind = StockOperation.Kind.IMPORT
    ledger.post_past([PastOperation(kind, [line], NOON), PastOperation(kind, [line], NOON - timedelta(hours=1))])
    assert StockLevel.objects.get(product=lamp).has_late_entries
    assert seen(lamp, NOON - timedelta(minutes=1)) == {main.pk: D(3)}


def test_a_product_shows_what_was_there_then(
    make_product: MakeProduct, manager: Api, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp")
    bring(lamp, main, 5, NOON)
    bring(lamp, annex, 2, NOON + timedelta(days=1))
    body = manager("GET", f"products/{lamp.pk}?as_of=2026-01-15").json()
    assert (body["on_hand"], body["stock_quantity"], body["reserved"], body["in_transit"]) == (5, None, None, None)
    assert [(row["warehouse_id"], row["quantity"], row["available"]) for row in body["stock_by_warehouse"]] == [
        (main.pk, 5, None),
        (annex.pk, 0, None),
    ]
    assert body["as_of"] == "2026-01-15T23:59:59.999999Z"
    page = manager("GET", "inventory?as_of=2026-01-16T12:00:00Z").json()
    assert [(row["id"], row["on_hand"]) for row in page["results"]] == [(lamp.pk, 7)]
    assert manager("GET", "products?as_of=2026-01-15T11:59:59Z").json()["results"][0]["on_hand"] == 0
    today = manager("GET", f"products/{lamp.pk}?as_of={datetime.now(UTC).date()}")
    assert (today.status_code, today.json()["on_hand"]) == (200, 7)


def test_low_stock_of_the_past_goes_by_what_sellable_warehouses_held(
    make_product: MakeProduct, manager: Api, main: Warehouse, quarantine: Warehouse
) -> None:
    lamp, desk = make_product("Lamp", reorder_threshold=D(4)), make_product("Desk", reorder_threshold=D(4))
    bring(lamp, main, 4, NOON)
    bring(lamp, main, 4, NOON + timedelta(days=1))
    bring(desk, main, 9, NOON)
    bring(lamp, quarantine, 9, NOON)

    def low(day: str) -> Any:
        body = manager("GET", f"inventory/low-stock?as_of={day}").json()
        assert "count" in body, body
        return body["count"], [(row["product_id"], row["current_quantity"]) for row in body["results"]]

    assert low("2026-01-14") == (2, [(lamp.pk, 0), (desk.pk, 0)])
    assert low("2026-01-15") == (1, [(lamp.pk, 4)])
    assert low("2026-01-16") == (0, [])
    moment = NOON - timedelta(days=1)
    assert low_stock_ids_at(moment, offset=1, limit=1) == [desk.pk]


def test_what_is_not_past_is_refused(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    for path in (f"products/{lamp.pk}", "products", "inventory", "inventory/low-stock"):
        for moment in (tomorrow, "soon", "2026-13-01"):
            response = manager("GET", f"{path}?as_of={moment}")
            assert (response.status_code, list(response.json()["fields"])) == (422, ["as_of"]), (path, moment)
    mixed = manager("GET", "products?as_of=2026-01-15&sort_by=stock_desc&low_stock=true")
    assert (mixed.status_code, sorted(mixed.json()["fields"])) == (422, ["as_of", "low_stock"])


def test_a_page_of_the_past_takes_the_same_statements_whatever_has_moved(
    make_product: MakeProduct, manager: Api, main: Warehouse
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert manager("GET", "products?as_of=2026-01-20&page_size=5", Cache_Control="no-cache").status_code == 200
        return len(captured)

    for number in range(5):
        bring(make_product(f"P{number}"), main, 5, NOON)
    count()  # who asks is known from here on
    few = count()
    for product in Product.objects.all():
        for day in range(4):
            bring(product, main, 5, NOON + timedelta(days=day))
        bring(product, main, 5, NOON - timedelta(days=2))
    assert count() == few
