"""Plans: where an order would ship from; ordering by a plan that no longer holds changes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from inventory.models import Product, ProductStock, Reservation, Warehouse
from inventory.services import ledger
from orders.models import Order
from orders.plans import plan_order
from orders.services import Item
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


def stock_in(product: Product, place: Warehouse, quantity: int) -> None:
    ledger.adjust(product.pk, quantity=D(quantity), reason="delivered", warehouse_id=place.pk)


def items(product: Product, quantity: int) -> dict[str, object]:
    return {"items": [{"product_id": product.pk, "quantity": quantity}]}


def test_a_plan_names_the_warehouses_and_what_is_short(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp, chair = make_product("Lamp", stock=3, price="2"), make_product("Chair", stock=1)
    stock_in(lamp, annex, 4)
    plan = plan_order([Item(lamp.pk, D(6)), Item(chair.pk, D(5))])
    first, second = plan.lines
    assert [(one.warehouse_id, one.quantity) for one in first.sources] == [(main.pk, 3), (annex.pk, 3)]
    assert (first.short, second.short, second.available, second.sources) == (0, 4, 1, ())
    assert (plan.is_complete, plan.total_amount) == (False, 62)
    assert not Order.objects.exists()
    assert not Reservation.objects.exists()


def test_ordering_by_a_plan_takes_exactly_its_sources(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, buyer: Api
) -> None:
    lamp = make_product("Lamp", stock=3)
    stock_in(lamp, annex, 4)
    token = plan_order([Item(lamp.pk, D(6))]).token
    assert buyer("POST", "orders", items(lamp, 6) | {"plan": token}).status_code == 201
    taken = Reservation.objects.order_by("level__warehouse_id").values_list("level__warehouse_id", "quantity")
    assert list(taken) == [(main.pk, 3), (annex.pk, 3)]


def test_an_outdated_plan_answers_409_with_a_new_one_and_changes_nothing(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, buyer: Api
) -> None:
    lamp = make_product("Lamp", stock=3)
    stock_in(lamp, annex, 4)
    old = plan_order([Item(lamp.pk, D(3))])
    stock_in(lamp, main, -2)
    answer = buyer("POST", "orders", items(lamp, 3) | {"plan": old.token})
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_outdated")
    new = answer.json()["new_plan"]
    assert new["items"][0]["sources"] == [{"warehouse_id": annex.pk, "quantity": 3}]
    assert (new["is_complete"], Order.objects.count(), ProductStock.objects.get(product=lamp).reserved) == (True, 0, 0)
    assert buyer("POST", "orders", items(lamp, 3) | {"plan": new["plan"]}).status_code == 201


def test_confirming_by_an_outdated_plan_leaves_the_order_pending(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, buyer: Api
) -> None:
    lamp = make_product("Lamp", stock=3)
    stock_in(lamp, annex, 2)
    order = buyer("POST", "orders/create_order", items(lamp, 3)).json()["id"]
    token = plan_order([Item(lamp.pk, D(3))]).token
    stock_in(lamp, main, -3)
    answer = buyer("POST", f"orders/{order}/confirm", {"plan": token})
    assert (answer.status_code, answer.json()["new_plan"]["items"][0]["short"]) == (409, 1)
    assert Order.objects.get().status == "pending"
    stock_in(lamp, main, 3)
    assert buyer("POST", f"orders/{order}/confirm", {"plan": token}).json()["status"] == "confirmed"


def test_damaged_goods_go_aside_or_are_written_off(
    make_product: MakeProduct, main: Warehouse, as_staff: Callable[[str], Api]
) -> None:
    clerk, lamp = as_staff("clerk"), make_product("Lamp", stock=10)

    def sell() -> int:
        number = int(clerk("POST", "orders", items(lamp, 4)).json()["id"])
        clerk("POST", f"orders/{number}/ship")
        return number

    back = {"product_id": lamp.pk, "quantity": 1, "condition": "damaged"}
    good = {"product_id": lamp.pk, "quantity": 2, "condition": "good"}
    answer = clerk("POST", f"orders/{sell()}/return", {"items": [back, good]})
    assert answer.status_code == 200, answer.content
    stock = ProductStock.objects.get(product=lamp)
    assert (stock.on_hand, stock.available) == (8, 8), "two are back, the broken one was written off"
    quarantine = Warehouse.objects.create(name="Quarantine", code="QUAR", is_sellable=False)
    clerk("POST", f"orders/{sell()}/return", {"items": [back, good]})
    stock.refresh_from_db()
    assert (stock.on_hand, stock.available) == (7, 6)
    assert lamp.levels.get(warehouse=quarantine).on_hand == 1
    wrong = clerk("POST", f"orders/{sell()}/return", {"items": [back | {"condition": "so-so"}]})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["items.0.condition"])


def test_what_is_on_order_tells_the_earliest_day(make_product: MakeProduct, main: Warehouse, manager: Api) -> None:
    lamp, chair = make_product("Lamp", stock=1), make_product("Chair", stock=1)
    vendor = manager("POST", "vendors", {"name": "Northwind Mill"}).json()["id"]
    today = datetime.now(UTC).date()
    for days, quantity in ((9, 5), (3, 2)):
        order = {
            "vendor_id": vendor,
            "items": [{"product_id": lamp.pk, "quantity": quantity, "unit_cost": 1}],
            "expected_on": (today + timedelta(days=days)).isoformat(),
        }
        made = manager("POST", "purchase-orders", order).json()["id"]
        assert manager("POST", f"purchase-orders/{made}/send").status_code == 200

    def earliest(product: Product, quantity: int) -> str | None:
        plan = manager("POST", "orders/plan", items(product, quantity))
        assert plan.status_code == 200, plan.content
        return plan.json()["items"][0]["earliest_on"]

    assert earliest(lamp, 1) == today.isoformat()
    assert earliest(lamp, 3) == (today + timedelta(days=3)).isoformat()
    assert earliest(lamp, 4) == (today + timedelta(days=9)).isoformat()
    assert earliest(lamp, 9) is None
    assert earliest(chair, 2) is None
