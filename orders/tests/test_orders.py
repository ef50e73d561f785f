"""Orders over REST: from placing to returning, who may see and do what, time-line, lists and counter sales."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from inventory.models import Barcode, Product, ProductStock, StockLevel, Warehouse
from inventory.services.catalog import update_product
from orders.models import Customer, Order
from tests.client import Api

pytestmark = pytest.mark.django_db

MakeProduct = Callable[..., Product]
D = Decimal


def numbers(product: Product) -> tuple[Decimal, Decimal, Decimal]:
    """(on hand, reserved, available)"""
    stock = ProductStock.objects.get(product=product)
    return stock.on_hand, stock.reserved, stock.available


def line(product: Product, quantity: Any = 1) -> dict[str, Any]:
    return {"product_id": product.pk, "quantity": quantity}


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    return as_staff("clerk")


@pytest.fixture
def stranger(make_user: Callable[..., User], client_of: Callable[[User], Api]) -> Api:
    """Another customer."""
    return client_of(make_user("user", "stranger"))


# ---- the life of an order --------------------------------------------------------------------------------------------
def test_an_order_goes_from_placing_to_delivery(make_product: MakeProduct, buyer: Api, clerk: Api) -> None:
    lamp = make_product("Lamp", stock=10, price="9.99")
    placed = buyer("POST", "orders", {"items": [line(lamp, 4)], "total_amount": 1, "status": "delivered"})
    assert placed.status_code == 201
    order = placed.json()
    assert (order["status"], order["total_amount"], order["user_id"]) == ("confirmed", 39.96, buyer.user.pk)
    assert (order["confirmed_at"], order["shipped_at"]) == (order["created_at"], None)
    assert numbers(lamp) == (10, 4, 6)
    assert buyer("GET", f"orders/{order['id']}").json() == order

    part = clerk("POST", f"orders/{order['id']}/ship", {"items": [line(lamp, 1)]}).json()
    assert (part["status"], part["items"][0]["shipped_quantity"], part["shipped_at"]) == ("partially_shipped", 1, None)
    rest = clerk("PUT", f"orders/{order['id']}/ship").json()
    assert (rest["status"], numbers(lamp)) == ("shipped", (6, 0, 6))
    assert clerk("PATCH", f"orders/{order['id']}/deliver").json()["status"] == "delivered"
    back = clerk("POST", f"orders/{order['id']}/return", {"items": [line(lamp, 3)], "reason": "too bright"}).json()
    assert (back["items"][0]["returned_quantity"], numbers(lamp)) == (3, (9, 0, 9))
    much = clerk("POST", f"orders/{order['id']}/return", {"items": [line(lamp, 2)]})
    assert much.status_code == 422


@pytest.mark.parametrize("step", ["confirm", "cancel", "ship", "deliver", "return"])
def test_what_a_step_answers_is_what_is_stored(step: str, make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=10)
    order = manager("POST", "orders", {"items": [line(lamp)], "confirm": step != "confirm"}).json()["id"]
    for before in {"deliver": ("ship",), "return": ("ship", "deliver")}.get(step, ()):
        manager("POST", f"orders/{order}/{before}")
    answer = manager("POST", f"orders/{order}/{step}").json()
    assert answer.pop("message")
    assert manager("GET", f"orders/{order}").json() == answer


@pytest.mark.parametrize(
    ("made", "refused"),
    [
        ((), ("ship", "deliver", "return")),
        (("confirm",), ("confirm", "deliver", "return")),
        (("confirm", "ship"), ("confirm", "cancel", "ship")),
        (("confirm", "ship", "deliver"), ("confirm", "cancel", "ship", "deliver")),
        (("cancel",), ("confirm", "cancel", "ship", "deliver", "return")),
    ],
)
def test_a_step_out_of_turn_is_a_409_that_says_the_status(
    made: tuple[str, ...], refused: tuple[str, ...], make_product: MakeProduct, manager: Api
) -> None:
    lamp = make_product("Lamp", stock=10)
    order = manager("POST", "orders/create_order", {"items": [line(lamp)]}).json()["id"]
    for step in made:
        assert manager("POST", f"orders/{order}/{step}").status_code == 200
    before = (manager("GET", f"orders/{order}").json(), numbers(lamp))
    for step in refused:
        answer = manager("POST", f"orders/{order}/{step}")
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition"), step
        assert answer.json()["status"] == before[0]["status"]
    assert (manager("GET", f"orders/{order}").json(), numbers(lamp)) == before


def test_every_short_line_is_named_and_nothing_is_promised(make_product: MakeProduct, buyer: Api) -> None:
    lamp, desk, rug = make_product("Lamp", stock=1), make_product("Desk", stock=0), make_product("Rug", stock=5)
    refused = buyer("POST", "orders", {"items": [line(lamp, 2), line(desk, 1), line(rug, 5)]})
    assert (refused.status_code, refused.json()["code"]) == (400, "insufficient_stock")
    assert [(row["product_id"], row["requested"], row["available"]) for row in refused.json()["shortages"]] == [
        (lamp.pk, 2, 1),
        (desk.pk, 1, 0),
    ]
    assert [numbers(one)[1] for one in (lamp, desk, rug)] == [0, 0, 0]


def test_a_line_keeps_the_price_at_the_time_of_order(make_product: MakeProduct, buyer: Api) -> None:
    lamp = make_product("Lamp", stock=5, price="10")
    order = buyer("POST", "orders", {"items": [line(lamp, 2) | {"unit_price": 0.01}]}).json()
    update_product(lamp.pk, changes={"price": D(99)})
    again = buyer("GET", f"orders/{order['id']}").json()
    assert (again["items"][0]["unit_price"], again["total_amount"]) == (10, 20)


def test_a_line_names_its_product_by_id_sku_or_barcode(make_product: MakeProduct, buyer: Api) -> None:
    lamp, desk = make_product("Lamp", stock=50, sku="L-1"), make_product("Desk", stock=5)
    Barcode.objects.create(code="012345678905", product=lamp)
    Barcode.objects.create(code="1012345678902", product=lamp, pack_quantity=D(6))
    items = [
        {"product_id": str(lamp.pk), "quantity": "1"},
        {"inventory_id": lamp.pk, "quantity": 1},
        {"sku": "L-1", "quantity": 1},
        {"barcode": "012345678905", "quantity": 1},
        {"barcode": "1012345678902", "quantity": 2},
        {"product_id": lamp.pk, "sku": "L-1", "barcode": "012345678905", "quantity": 1},
    ]
    order = buyer("POST", "orders", {"items": items}).json()
    assert [(row["product_id"], row["quantity"]) for row in order["items"]] == [
        (lamp.pk, one) for one in (1, 1, 1, 1, 12, 1)
    ]
    torn = buyer("POST", "orders", {"items": [{"product_id": desk.pk, "sku": "L-1", "quantity": 1}]})
    assert (torn.status_code, torn.json()["code"]) == (422, "aliases_disagree")


def test_an_order_may_name_its_warehouse(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, buyer: Api
) -> None:
    lamp = make_product("Lamp", stock=5)
    short = buyer("POST", "orders", {"items": [line(lamp)], "warehouse_id": annex.pk})
    assert short.json()["shortages"][0]["available"] == 0
    assert buyer("POST", "orders", {"items": [line(lamp)], "warehouse_id": main.pk}).json()["warehouse_id"] == main.pk


def test_goods_return_into_the_warehouse_that_is_named(
    make_product: MakeProduct, annex: Warehouse, manager: Api
) -> None:
    lamp = make_product("Lamp", stock=5)
    order = manager("POST", "sales", line(lamp, 2)).json()["id"]
    manager("POST", f"orders/{order}/return", {"warehouse_id": annex.pk, "reason": "broken"})
    assert StockLevel.objects.get(product=lamp, warehouse=annex).on_hand == 2
    nowhere = manager("POST", f"orders/{order}/return", {"warehouse_id": 987654321, "items": [line(lamp)]})
    assert nowhere.status_code in (404, 422)


@pytest.mark.parametrize(("auto", "status"), [(True, "confirmed"), (False, "pending")])
def test_the_shop_decides_what_placing_means(
    auto: bool, status: str, settings: Any, make_product: MakeProduct, buyer: Api
) -> None:
    settings.WORKBOX_ORDERS_AUTO_CONFIRM = auto
    lamp = make_product("Lamp", stock=5)
    assert buyer("POST", "orders", {"items": [line(lamp)]}).json()["status"] == status
    assert buyer("POST", "orders", {"items": [line(lamp)], "confirm": not auto}).json()["status"] != status


# ---- who may ---------------------------------------------------------------------------------------------------------
def test_somebody_elses_order_does_not_exist(make_product: MakeProduct, buyer: Api, stranger: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    order = buyer("POST", "orders/create_order", {"items": [line(lamp)]}).json()["id"]
    for method, path in (
        ("GET", f"orders/{order}"),
        ("GET", f"orders/{order}/timeline"),
        ("POST", f"orders/{order}/confirm"),
        ("PATCH", f"orders/{order}/cancel"),
    ):
        answer = stranger(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found"), path
    assert stranger("GET", "orders").json()["results"] == []
    assert stranger("GET", f"orders?user_id={buyer.user.pk}").json()["count"] == 0
    assert stranger("GET", f"orders?search={order}").json()["count"] == 0
    assert Order.objects.get(id=order).status == "pending"


def test_a_customer_orders_for_nobody_else(make_product: MakeProduct, buyer: Api, stranger: Api, clerk: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    own = buyer("POST", "orders", {"items": [line(lamp)], "user_id": buyer.user.pk})
    assert own.json()["user_id"] == buyer.user.pk
    other = buyer("POST", "orders", {"items": [line(lamp)], "user_id": stranger.user.pk})
    assert (other.status_code, other.json()["code"]) == (403, "forbidden")
    assert (
        clerk("POST", "orders", {"items": [line(lamp)], "user_id": stranger.user.pk}).json()["user_id"]
        == stranger.user.pk
    )
    assert [row["user_id"] for row in stranger("GET", "orders").json()["results"]] == [stranger.user.pk]


def test_nobody_orders_for_an_account_that_is_switched_off(
    make_product: MakeProduct, stranger: Api, clerk: Api
) -> None:
    User.objects.filter(pk=stranger.user.pk).update(is_active=False)
    refused = clerk("POST", "orders", {"items": [line(make_product("Lamp", stock=5))], "user_id": stranger.user.pk})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["user_id"])


def test_a_customer_confirms_and_cancels_while_the_order_is_pending(
    make_product: MakeProduct, buyer: Api, clerk: Api
) -> None:
    lamp = make_product("Lamp", stock=5)
    first, second = (buyer("POST", "orders/create_order", {"items": [line(lamp)]}).json()["id"] for _ in range(2))
    assert buyer("POST", f"orders/{first}/confirm").json()["message"] == "Order Confirmed successfully"
    assert buyer("POST", f"orders/{second}/cancel").json()["message"] == "Order cancelled"
    assert buyer("POST", f"orders/{first}/confirm").status_code == 409
    late = buyer("POST", f"orders/{first}/cancel")
    assert (late.status_code, late.json()["code"]) == (403, "ask_staff")
    assert buyer("POST", f"orders/{first}/ship").status_code == 403
    assert numbers(lamp) == (5, 1, 4)
    assert clerk("POST", f"orders/{first}/cancel", {"reason": "customer called"}).json()["status"] == "cancelled"
    assert numbers(lamp) == (5, 0, 5)


def test_the_time_line_tells_every_step_and_staff_who_did_it(make_product: MakeProduct, buyer: Api, clerk: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    order = buyer("POST", "orders/create_order", {"items": [line(lamp)]}).json()["id"]
    buyer("POST", f"orders/{order}/confirm")
    clerk("POST", f"orders/{order}/ship")
    rows = clerk("GET", f"orders/{order}/timeline").json()["results"]
    assert [(row["type"], row["status"], row["actor"]) for row in rows] == [
        ("order_placed", "pending", "customer"),
        ("order_updated", "confirmed", "customer"),
        ("order_updated", "shipped", "clerk"),
    ]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert {row["actor"] for row in buyer("GET", f"orders/{order}/timeline").json()["results"]} == {None}


# ---- lists -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def placed(make_product: MakeProduct, buyer: Api, stranger: Api) -> dict[str, int]:
    """Three orders that differ in everything one can ask for."""
    lamp, desk = (
        make_product("Lamp", stock=50, price="10", sku="LMP"),
        make_product("Desk", stock=50, price="100", sku="DSK"),
    )
    found = {
        "A": buyer("POST", "orders", {"items": [line(lamp, 3)]}).json()["id"],
        "B": buyer("POST", "orders/create_order", {"items": [line(desk)]}).json()["id"],
        "C": stranger("POST", "orders", {"items": [line(lamp), line(lamp)]}).json()["id"],
    }
    acme = Customer.objects.create(code="ACME-7", name="Acme Ltd")
    Order.objects.filter(id=found["B"]).update(customer=acme, external_reference="INV-99")
    for name, day in (("A", 1), ("B", 2), ("C", 3)):
        Order.objects.filter(id=found[name]).update(placed_at=datetime(2024, 5, day, 12, tzinfo=UTC))
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "CBA"),
        ("sort_by=created_asc", "ABC"),
        ("sort_by=total_desc", "BAC"),
        ("ordering=total_amount", "CAB"),
        ("status=pending", "B"),
        ("status=CONFIRMED", "CA"),
        ("user_id=BUYER", "BA"),
        ("customer=acme", "B"),
        ("customer=LTD", "B"),
        ("search=stranger", "C"),
        ("search=inv-9", "B"),
        ("search=lmp", "CA"),
        ("search=desk", "B"),
        ("created_from_date=2024-05-02", "CB"),
        ("created_to_date=2024-05-02", "BA"),
        ("created_from_date=2024-05-02&created_to_date=2024-05-02&status=pending", "B"),
        ("page=2&page_size=2", "A"),
    ],
)
def test_orders_are_filtered(query: str, expected: str, placed: dict[str, int], buyer: Api, clerk: Api) -> None:
    rows = clerk("GET", f"orders?{query.replace('BUYER', str(buyer.user.pk))}").json()["results"]
    names = {number: name for name, number in placed.items()}
    assert "".join(names[row["id"]] for row in rows) == expected
    assert all(row["items"] for row in rows)


def test_an_order_is_found_by_its_number(placed: dict[str, int], clerk: Api) -> None:
    assert placed["B"] in [row["id"] for row in clerk("GET", f"orders?search={placed['B']}").json()["results"]]


# ---- counter sales ---------------------------------------------------------------------------------------------------
def test_a_counter_sale_takes_several_lines_and_a_past_day(make_product: MakeProduct, clerk: Api) -> None:
    lamp, desk = make_product("Lamp", stock=5, price="10"), make_product("Desk", stock=5, price="100")
    sale = clerk("POST", "sales", {"items": [line(lamp, 2), line(desk)], "sale_date": "2024-05-06"}).json()
    assert (sale["status"], sale["channel"], sale["total_amount"], sale["user_id"]) == (
        "delivered",
        "counter",
        120,
        None,
    )
    assert (sale["sale_date"], sale["delivered_at"]) == ("2024-05-06T00:00:00Z", "2024-05-06T00:00:00Z")
    assert (numbers(lamp), numbers(desk)) == ((3, 0, 3), (4, 0, 4))
    listed = clerk("GET", "sales?start_date=2024-05-06&end_date=2024-05-06").json()["results"]
    assert [(row["product_name"], row["quantity"], row["total_amount"]) for row in listed] == [
        ("Desk", 1, 100),
        ("Lamp", 2, 20),
    ]
    assert clerk("GET", f"sales?product_id={lamp.pk}").json()["count"] == 1
    assert clerk("GET", "sales?start_date=2024-05-07").json()["count"] == 0
    movements = clerk("GET", "inventory/movements?movement_type=sale&created_to_date=2024-05-06").json()
    assert movements["count"] == 2


def test_a_sale_beyond_the_shelf_sells_nothing(make_product: MakeProduct, clerk: Api) -> None:
    lamp = make_product("Lamp", stock=1)
    assert clerk("POST", "sales", line(lamp, 2)).json()["code"] == "insufficient_stock"
    assert numbers(lamp) == (1, 0, 1)


def test_pending_and_cancelled_orders_are_no_sales(placed: dict[str, int], clerk: Api) -> None:
    clerk("POST", f"orders/{placed['C']}/cancel")
    assert [row["order_id"] for row in clerk("GET", "sales").json()["results"]] == [placed["A"]]


def test_charges_ship_with_the_first_goods_that_are_named(make_product: MakeProduct, buyer: Api, clerk: Api) -> None:
    lamp, desk = make_product("Lamp", stock=10), make_product("Desk", stock=10)
    postage = make_product("Postage", is_stocked=False)
    order = buyer("POST", "orders", {"items": [line(lamp, 2), line(desk, 1), line(postage)]}).json()
    part = clerk("POST", f"orders/{order['id']}/ship", {"items": [line(lamp, 2)]}).json()
    assert [one["shipped_quantity"] for one in part["items"]] == [2, 0, 1]
    assert part["status"] == "partially_shipped"
    rest = clerk("POST", f"orders/{order['id']}/ship", {"items": [line(desk, 1)]}).json()
    assert ([one["shipped_quantity"] for one in rest["items"]], rest["status"]) == ([2, 1, 1], "shipped")


def test_what_a_named_place_does_not_hold_is_told_by_its_sku(
    make_product: MakeProduct, buyer: Api, clerk: Api, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=10, sku="LAMP")
    order = buyer("POST", "orders", {"items": [line(lamp, 4)]}).json()
    refused = clerk("POST", f"orders/{order['id']}/ship", {"warehouse_id": annex.pk}).json()
    (short,) = refused["shortages"]
    assert (short["sku"], short["name"], short["requested"], short["available"]) == ("LAMP", "Lamp", 4, 0)
    assert "Lamp" in refused["detail"]


def test_a_plan_that_is_no_text_is_refused(make_product: MakeProduct, buyer: Api) -> None:
    lamp = make_product("Lamp", stock=10)
    order = buyer("POST", "orders", {"items": [line(lamp)], "confirm": False}).json()
    for plan in (7, "x" * 65):
        refused = buyer("POST", f"orders/{order['id']}/confirm", {"plan": plan})
        assert (refused.status_code, list(refused.json()["fields"])) == (422, ["plan"])
    assert buyer("GET", f"orders/{order['id']}").json()["status"] == "pending"
