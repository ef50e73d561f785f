"""The moving average cost follows what came in, and values the stock now and on any past day."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from inventory.average import as_cost, average_after
from inventory.models import CostChange, MovementType, Product, ProductStock, StockOperation, Warehouse
from inventory.queries import stock_differences
from inventory.services import ledger, transfers
from inventory.services.catalog import OpeningStock, create_product
from inventory.services.ledger import Movement, PastOperation
from orders import services
from orders.services import Item
from tests.client import Api
from workbox.core.errors import HistoryIsFixed

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def buy(product: Product, warehouse: Warehouse, quantity: int, cost: str, at: datetime | None = None) -> int:
    line = Movement(product.pk, warehouse.pk, MovementType.PURCHASE, D(quantity), D(cost))
    return ledger.post([line], occurred_at=at).operation_id


def average(product: Product) -> Decimal | None:
    return ProductStock.objects.get(product=product).average_cost


def test_goods_that_come_in_are_averaged_with_those_there(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp")
    assert average(lamp) is None
    buy(lamp, main, 10, "2")
    buy(lamp, annex, 5, "5")  # over all warehouses: (10 × 2 + 5 × 5) / 15
    assert average(lamp) == D("3")
    buy(lamp, main, 6, "4")
    assert average(lamp) == as_cost(D(69) / 21)
    assert CostChange.objects.filter(product=lamp).count() == 3


def test_lines_of_one_operation_are_averaged_one_after_the_other(make_product: MakeProduct, main: Warehouse) -> None:
    lamp, desk = make_product("Lamp"), make_product("Desk")
    ledger.post(
        [
            Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1), D(2)),
            Movement(desk.pk, main.pk, MovementType.PURCHASE, D(1), D(9)),
            Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(3), D(6)),
        ]
    )
    assert (average(lamp), average(desk)) == (D(5), D(9))


def test_what_is_sold_moved_returned_or_counted_keeps_the_average(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, customer: User
) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 10, "2.5")
    sold = services.counter_sale([Item(lamp.pk, D(2))], user_id=customer.pk)
    services.return_order(sold.id, quantities={lamp.pk: D(1)}, warehouse_id=main.pk)
    ledger.adjust(lamp.pk, quantity=D(3), reason="found", warehouse_id=main.pk)
    moved = transfers.create_transfer({lamp.pk: D(4)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    transfers.complete_transfer(moved.id)
    ledger.post([Movement(lamp.pk, main.pk, MovementType.RETURN, D(1), D(99))])
    assert (average(lamp), CostChange.objects.count()) == (D("2.5"), 1)


def test_goods_on_an_empty_shelf_bring_their_own_cost(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 2, "7")
    ledger.adjust(lamp.pk, quantity=D(-2), reason="gone", warehouse_id=main.pk)
    assert average(lamp) == D(7)
    buy(lamp, main, 1, "3")
    assert average(lamp) == D(3)


def test_a_reversal_takes_the_value_out_and_its_own_reversal_brings_it_back(
    make_product: MakeProduct, main: Warehouse
) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 10, "2")
    dear = buy(lamp, main, 10, "4")
    assert average(lamp) == D(3)
    undone = ledger.reverse(dear, reason="booked twice").operation_id
    assert average(lamp) == D(2)
    ledger.reverse(undone, reason="it was right")
    assert average(lamp) == D(3)


def test_reversing_what_never_had_a_cost_of_its_own_changes_nothing(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 10, "2")
    back = ledger.post([Movement(lamp.pk, main.pk, MovementType.RETURN, D(5), D(99))]).operation_id
    ledger.reverse(back, reason="not ours")
    assert (average(lamp), CostChange.objects.count()) == (D(2), 1)


def test_opening_stock_has_the_cost_of_its_product(main: Warehouse) -> None:
    lamp = create_product(name="Lamp", price=D(9), unit_cost=D(4), opening=OpeningStock(D(5), main.pk))
    assert average(lamp) == D(4)


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 50), st.integers(1, 10**6).map(lambda n: D(n) / 10**4)), min_size=1, max_size=30
    )
)
def test_the_average_times_the_units_is_what_was_paid(steps: list[tuple[int, Decimal]]) -> None:
    held, paid, now = D(0), D(0), None
    for quantity, cost in steps:
        now = average_after(on_hand=held, average=now, quantity=D(quantity), cost=cost)
        held, paid = held + quantity, paid + quantity * cost
        assert abs(held * now - paid) <= held * len(steps) * D("0.000001")


def test_the_value_of_a_past_day_is_what_it_was(
    make_product: MakeProduct, manager: Api, main: Warehouse, annex: Warehouse
) -> None:
    lamp, desk = make_product("Lamp", category="Light"), make_product("Desk", category="Wood")
    make_product("Bulb", category="Light", stock=3)
    buy(lamp, main, 10, "2", NOON)
    buy(lamp, annex, 10, "4", NOON + timedelta(days=1))
    buy(desk, annex, 1, "50.5", NOON + timedelta(days=1))

    def worth(query: str) -> Any:
        body = manager("GET", f"inventory/valuation?{query}").json()
        rows = [(row["name"], row["on_hand"], row["average_cost"], row["value"]) for row in body["results"]]
        return rows, body["totals"]["value"], body["totals"]["without_cost"]

    assert worth("as_of=2026-01-14") == ([], 0, 0)
    assert worth("as_of=2026-01-15") == ([("Lamp", 10, 2, 20)], 20, 0)
    assert worth("as_of=2026-01-16") == ([("Lamp", 20, 3, 60), ("Desk", 1, 50.5, 50.5)], 110.5, 0)
    now = [("Lamp", 20, 3, 60), ("Desk", 1, 50.5, 50.5), ("Bulb", 3, None, None)]
    assert worth("") == (now, 110.5, 1)
    assert worth("category=light") == ([now[0], now[2]], 60, 1)
    assert worth(f"warehouse_id={annex.pk}") == ([("Desk", 1, 50.5, 50.5), ("Lamp", 10, 3, 30)], 80.5, 0)
    page = manager("GET", "inventory/valuation?page_size=1&page=2").json()
    assert (page["count"], page["totals"]["products"], [row["name"] for row in page["results"]]) == (3, 3, ["Desk"])
    assert page["totals"]["on_hand"] == 24


def test_a_cost_posted_late_does_not_change_the_value_of_a_day_that_was_closed(
    make_product: MakeProduct, manager: Api, main: Warehouse
) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 10, "2", NOON)
    buy(lamp, main, 10, "4", NOON + timedelta(days=2))
    buy(lamp, main, 20, "9", NOON + timedelta(days=1))
    row = manager("GET", "inventory/valuation?as_of=2026-01-16").json()["results"][0]
    assert (row["on_hand"], row["average_cost"]) == (30, 2)
    row = manager("GET", "inventory/valuation?as_of=2026-01-17").json()["results"][0]
    assert (row["on_hand"], row["average_cost"], row["value"]) == (40, 6, 240)


def test_a_valuation_of_nowhere_or_of_tomorrow_is_refused(manager: Api) -> None:
    assert manager("GET", "inventory/valuation?warehouse_id=987654").json()["code"] == "warehouse_not_found"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    for query in (f"as_of={tomorrow}", "as_of=soon", "warehouse_id=x"):
        assert manager("GET", f"inventory/valuation?{query}").status_code == 422


def test_only_goods_with_a_cost_take_statements_of_their_own(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=50)

    def count(line: Movement) -> int:
        with CaptureQueriesContext(connection) as captured:
            ledger.post([line])
        return len(captured)

    sale = count(Movement(lamp.pk, main.pk, MovementType.SALE, D(-1)))
    assert count(Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1))) == sale
    assert count(Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1), D(2))) == sale + 3


def test_cost_changes_are_history(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp")
    buy(lamp, main, 1, "2")
    change = CostChange.objects.get()
    for act in (change.save, change.delete, CostChange.objects.all().delete):
        with pytest.raises(HistoryIsFixed):
            act()


def test_the_migration_finds_what_the_ledger_would_have_kept(make_product: MakeProduct, main: Warehouse) -> None:
    lamp, desk = make_product("Lamp"), make_product("Desk")
    buy(lamp, main, 10, "2", NOON)
    ledger.reverse(buy(lamp, main, 5, "8"), reason="twice")
    buy(lamp, main, 7, "3.3333")
    back = ledger.post([Movement(desk.pk, main.pk, MovementType.RETURN, D(5), D(99))]).operation_id
    ledger.reverse(back, reason="not ours")
    kinds = StockOperation.Kind.IMPORT
    ledger.post_past(
        [
            PastOperation(kinds, [Movement(desk.pk, main.pk, MovementType.PURCHASE, D(1), D(4))], NOON),
            PastOperation(kinds, [Movement(desk.pk, main.pk, MovementType.PURCHASE, D(3), D(8))], NOON),
        ]
    )
    columns = ("product_id", "movement_id", "average_cost", "effective_at")
    kept = list(CostChange.objects.order_by("movement_id").values_list(*columns))
    averages = dict(ProductStock.objects.values_list("product_id", "average_cost"))
    assert averages[desk.pk] == D(7)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inventory_costchange")
        cursor.execute("UPDATE inventory_productstock SET average_cost = NULL, average_cost_at = NULL")
    migration = import_module("inventory.migrations.0007_average_cost")
    migration.fill(apps, type("Editor", (), {"connection": connection}))
    assert list(CostChange.objects.order_by("movement_id").values_list(*columns)) == kept
    assert dict(ProductStock.objects.values_list("product_id", "average_cost")) == averages
    assert list(stock_differences()) == []
