"""Transfers: pending reserves, dispatched goods are in transit, and units out = units in, with every loss named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection

from inventory.models import (
    Hold,
    Product,
    ProductStock,
    Reservation,
    StockLevel,
    StockMovement,
    StockOperation,
    Transfer,
    UnitOfMeasure,
    Warehouse,
)
from inventory.queries import stock_differences
from inventory.services.holds import hold_for
from tests.client import Api
from workbox.core.models import Event

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    """Who carries the boxes."""
    return as_staff("clerk")


@pytest.fixture
def lamp(make_product: MakeProduct) -> Product:
    """Twenty lamps in the main store."""
    return make_product("Lamp", sku="LAMP", stock=20)


def seed_body(product: Product, source: Warehouse, target: Warehouse, quantity: Any = 10) -> dict[str, Any]:
    return {
        "product_id": product.pk,
        "from_warehouse_id": source.pk,
        "to_warehouse_id": target.pk,
        "quantity": quantity,
        "transfer_reference": "TRANS-001",
        "notes": "Moving to secondary warehouse",
    }


@pytest.fixture
def sent(clerk: Api, lamp: Product, main: Warehouse, annex: Warehouse) -> int:
    """A pending transfer of ten lamps from main to annex."""
    return int(clerk("POST", "stock-transfers", seed_body(lamp, main, annex)).json()["id"])


def level(product: Product, place: Warehouse) -> tuple[Decimal, Decimal]:
    """(on hand, reserved)"""
    row = StockLevel.objects.get(product=product, warehouse=place)
    return row.on_hand, row.reserved


def totals(product: Product) -> tuple[Decimal, Decimal, Decimal]:
    row = ProductStock.objects.get(product=product)
    return row.on_hand, row.reserved, row.available


def movements(transfer_id: int) -> list[tuple[str, str, Decimal]]:
    rows = StockMovement.objects.filter(operation__reference=f"TRANSFER-{transfer_id}").order_by("id")
    return [(row.movement_type, row.warehouse.code, row.quantity) for row in rows.select_related("warehouse")]


def in_transit(api: Api, product: Product) -> Any:
    return api("GET", f"products/{product.pk}").json()["in_transit"]


def test_the_life_of_a_transfer(clerk: Api, lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    answer = clerk("POST", "stock-transfers", seed_body(lamp, main, annex))
    made = answer.json()
    assert (answer.status_code, made["status"], made["product_id"], made["quantity"]) == (201, "pending", lamp.pk, 10)
    assert (made["transfer_reference"], made["created_by"]) == ("TRANS-001", clerk.user.pk)
    assert (level(lamp, main), level(lamp, annex), totals(lamp)) == ((20, 10), (0, 0), (20, 10, 10))
    assert Reservation.objects.get().holder_type == "transfer_line"

    gone = clerk("POST", f"stock-transfers/{made['id']}/dispatch").json()
    assert (gone["status"], gone["dispatched_at"] is not None) == ("in_transit", True)
    assert (level(lamp, main), totals(lamp), in_transit(clerk, lamp)) == ((10, 0), (10, 0, 10), 10)
    rows = clerk("GET", f"products/{lamp.pk}").json()["stock_by_warehouse"]
    assert {row["warehouse_id"]: row["in_transit"] for row in rows} == {main.pk: 0, annex.pk: 10}

    done = clerk("PUT", f"stock-transfers/{made['id']}/complete").json()
    assert (done["status"], done["completed_at"] is not None, done["items"][0]["received"]) == ("completed", True, 10)
    assert (level(lamp, main), level(lamp, annex), totals(lamp)) == ((10, 0), (10, 0), (20, 0, 20))
    assert in_transit(clerk, lamp) == 0
    assert movements(made["id"]) == [("transfer_out", "MAIN", D(-10)), ("transfer_in", "ANNEX", D(10))]
    assert clerk("GET", f"stock-transfers/{made['id']}").json() == done


def test_complete_on_a_pending_transfer_does_both_steps(
    clerk: Api, sent: int, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    done = clerk("PUT", f"stock-transfers/{sent}/complete").json()
    assert (done["status"], done["dispatched_at"] is None, done["completed_at"] is None) == ("completed", False, False)
    assert movements(sent) == [("transfer_out", "MAIN", D(-10)), ("transfer_in", "ANNEX", D(10))]
    assert set(StockOperation.objects.exclude(kind="opening").values_list("kind", flat=True)) == {"transfer"}
    assert (level(lamp, main), level(lamp, annex)) == ((10, 0), (10, 0))


def test_what_was_lost_or_damaged_on_the_way_stands_in_the_ledger(
    clerk: Api, sent: int, lamp: Product, annex: Warehouse
) -> None:
    clerk("POST", f"stock-transfers/{sent}/dispatch")
    body = {"items": [{"product_id": lamp.pk, "received": 7, "lost": 1, "damaged": 2}], "reason": "The van was hit"}
    done = clerk("POST", f"stock-transfers/{sent}/complete", body).json()
    line = done["items"][0]
    assert (line["quantity"], line["received"], line["lost"], line["damaged"]) == (10, 7, 1, 2)
    assert movements(sent) == [
        ("transfer_out", "MAIN", D(-10)),
        ("transfer_in", "ANNEX", D(10)),
        ("damaged", "ANNEX", D(-2)),
        ("adjustment", "ANNEX", D(-1)),
    ]
    arrival = StockOperation.objects.order_by("-id").first()
    assert arrival is not None
    assert arrival.movements.count() == 3
    assert "2 × LAMP damaged, 1 × LAMP lost: The van was hit" in arrival.reason
    assert (level(lamp, annex), totals(lamp)) == ((7, 0), (17, 0, 17))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"received": 9}, "received + lost + damaged is 9, but 10 were sent"),
        ({"received": 10, "lost": 1}, "received + lost + damaged is 11, but 10 were sent"),
        ({"received": 11, "lost": -1}, "no part may be below zero"),
    ],
)
def test_parts_that_do_not_add_up_are_refused_with_the_line(
    parts: dict[str, int], says: str, clerk: Api, sent: int, lamp: Product, main: Warehouse
) -> None:
    answer = clerk("POST", f"stock-transfers/{sent}/complete", {"items": [{"product_id": lamp.pk, **parts}]})
    assert answer.status_code == 422
    assert answer.json()["fields"] == {"items": [f"product {lamp.pk} (LAMP): {says}"]}
    assert (Transfer.objects.get().status, movements(sent), level(lamp, main)) == ("pending", [], (20, 10))


def test_a_product_that_is_not_on_the_transfer_is_refused(clerk: Api, sent: int, make_product: MakeProduct) -> None:
    desk = make_product("Desk")
    answer = clerk("POST", f"stock-transfers/{sent}/complete", {"items": [{"product_id": desk.pk, "received": 1}]})
    assert (answer.status_code, answer.json()["fields"]["items"]) == (
        422,
        [f"product {desk.pk} is not on this transfer"],
    )


def test_cancel_of_a_pending_transfer_releases(clerk: Api, sent: int, lamp: Product, main: Warehouse) -> None:
    off = clerk("PUT", f"stock-transfers/{sent}/cancel").json()
    assert (off["status"], off["cancelled_at"] is not None) == ("cancelled", True)
    assert (level(lamp, main), totals(lamp), movements(sent)) == ((20, 0), (20, 0, 20), [])


def test_cancel_on_the_way_brings_the_goods_back_to_the_source(
    clerk: Api, sent: int, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    clerk("POST", f"stock-transfers/{sent}/dispatch")
    clerk("POST", f"stock-transfers/{sent}/cancel", {"reason": "Road closed"})
    assert (level(lamp, main), level(lamp, annex), in_transit(clerk, lamp)) == ((20, 0), (0, 0), 0)
    assert movements(sent) == [("transfer_out", "MAIN", D(-10)), ("transfer_in", "MAIN", D(10))]
    assert "Road closed" in StockOperation.objects.latest("id").reason


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("complete", "complete", "completed"),
        ("complete", "cancel", "completed"),
        ("complete", "dispatch", "completed"),
        ("cancel", "cancel", "cancelled"),
        ("cancel", "complete", "cancelled"),
        ("cancel", "dispatch", "cancelled"),
        ("dispatch", "dispatch", "in_transit"),
    ],
)
def test_a_step_that_comes_too_late_is_a_409_with_the_status(
    first: str, second: str, status: str, clerk: Api, sent: int
) -> None:
    assert clerk("POST", f"stock-transfers/{sent}/{first}").status_code == 200
    before = movements(sent)
    answer = clerk("POST", f"stock-transfers/{sent}/{second}")
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (409, "illegal_transition", status)
    assert movements(sent) == before


def test_every_shortage_is_told_in_one_answer_and_nothing_is_reserved(
    clerk: Api, lamp: Product, make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    desk, rug = make_product("Desk", stock=1), make_product("Rug", stock=5)
    items = [{"product_id": one.pk, "quantity": 3} for one in (desk, rug)] + [{"sku": "LAMP", "quantity": 21}]
    answer = clerk(
        "POST", "stock-transfers", {"from_warehouse_id": main.pk, "to_warehouse_id": annex.pk, "items": items}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "insufficient_stock")
    short = {one["product_id"]: (one["requested"], one["available"]) for one in answer.json()["shortages"]}
    assert short == {desk.pk: (3, 1), lamp.pk: (21, 20)}
    assert not Transfer.objects.exists()
    assert (totals(rug), Reservation.objects.count()) == ((5, 0, 5), 0)


def test_several_lines_and_the_same_product_twice(
    clerk: Api, lamp: Product, make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    desk = make_product("Desk", stock=4)
    items = [
        {"product_id": lamp.pk, "quantity": 2},
        {"product_id": desk.pk, "quantity": 4},
        {"sku": "LAMP", "quantity": 1},
    ]
    made = clerk(
        "POST", "stock-transfers", {"from_warehouse_id": main.pk, "to_warehouse_id": annex.pk, "items": items}
    ).json()
    assert [(line["sku"], line["quantity"]) for line in made["items"]] == [("LAMP", 3), (desk.sku, 4)]
    assert (made["product_id"], made["quantity"]) == (None, None)
    done = clerk(
        "POST",
        f"stock-transfers/{made['id']}/complete",
        {"items": [{"product_id": desk.pk, "received": 3, "damaged": 1}]},
    ).json()
    assert [(line["received"], line["damaged"]) for line in done["items"]] == [(3, 0), (3, 1)]
    assert (level(lamp, annex), level(desk, annex)) == ((3, 0), (3, 0))


def test_from_a_place_that_does_not_sell_and_back(
    clerk: Api, make_product: MakeProduct, main: Warehouse, quarantine: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=5, warehouse=quarantine)
    assert totals(lamp) == (5, 0, 0)
    made = clerk("POST", "stock-transfers", seed_body(lamp, quarantine, main, 3)).json()
    assert (level(lamp, quarantine), totals(lamp)) == ((5, 3), (5, 3, 0))
    clerk("POST", f"stock-transfers/{made['id']}/complete")
    assert (level(lamp, quarantine), level(lamp, main), totals(lamp)) == ((2, 0), (3, 0), (5, 0, 3))


def test_orders_cannot_have_what_a_transfer_holds(clerk: Api, sent: int, lamp: Product) -> None:
    assert clerk("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 11}]}).status_code == 400
    assert clerk("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 10}]}).status_code == 201
    assert clerk("POST", f"stock-transfers/{sent}/complete").status_code == 200


def test_an_expired_hold_gives_way_to_a_transfer(clerk: Api, lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    order = clerk("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 15}]}).json()
    hold_for([line["id"] for line in order["items"]], seconds=60)
    assert clerk("POST", "stock-transfers", seed_body(lamp, main, annex)).status_code == 400
    Hold.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert clerk("POST", "stock-transfers", seed_body(lamp, main, annex)).status_code == 201
    assert level(lamp, main) == (20, 10)


def test_what_cannot_be_a_transfer_is_refused(
    clerk: Api, lamp: Product, make_product: MakeProduct, main: Warehouse, annex: Warehouse, manager: Api
) -> None:
    def refused(**changes: Any) -> tuple[int, str]:
        answer = clerk("POST", "stock-transfers", seed_body(lamp, main, annex) | changes)
        return answer.status_code, answer.json()["code"]

    retired = make_product("Old", stock=5)
    manager("DELETE", f"products/{retired.pk}")
    charge = make_product("Postage", is_stocked=False)
    assert refused(to_warehouse_id=main.pk) == (400, "same_warehouse")
    assert refused(quantity=0) == refused(quantity=-1) == (400, "quantity_not_positive")
    assert refused(quantity=1.5) == (422, "validation_error")
    assert refused(product_id=retired.pk) == (404, "product_not_found")
    assert refused(product_id=charge.pk) == (400, "not_stocked")
    assert refused(to_warehouse_id=987654) == (404, "warehouse_not_found")
    Warehouse.objects.filter(pk=annex.pk).update(is_active=False)
    assert refused() == (404, "warehouse_not_found")
    assert not Transfer.objects.exists()


def test_grams_travel_exactly(
    clerk: Api, make_product: MakeProduct, main: Warehouse, annex: Warehouse, kilogram: UnitOfMeasure
) -> None:
    beans = make_product("Beans", unit="kg", stock="2.125")
    made = clerk("POST", "stock-transfers", seed_body(beans, main, annex, 1.625)).json()
    body = {"items": [{"product_id": beans.pk, "received": 1.5, "lost": 0.125}]}
    assert clerk("POST", f"stock-transfers/{made['id']}/complete", body).status_code == 200
    assert (level(beans, main), level(beans, annex)) == ((D("0.5"), 0), (D("1.5"), 0))


def test_a_warehouse_with_open_transfers_is_not_closed(manager: Api, clerk: Api, sent: int, annex: Warehouse) -> None:
    answer = manager("DELETE", f"warehouses/{annex.pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "warehouse_has_transfers")
    clerk("POST", f"stock-transfers/{sent}/cancel")
    assert manager("DELETE", f"warehouses/{annex.pk}").status_code == 204


def test_a_transfers_operation_is_not_reversed(clerk: Api, sent: int) -> None:
    clerk("POST", f"stock-transfers/{sent}/dispatch")
    number = StockOperation.objects.latest("id").pk
    answer = clerk("POST", f"inventory/operations/{number}/reverse", {"reason": "oops"})
    assert (answer.status_code, answer.json()["code"]) == (400, "belongs_to_transfer")


def test_the_world_hears_of_every_step(clerk: Api, sent: int, lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    clerk("POST", f"stock-transfers/{sent}/dispatch")
    clerk("POST", f"stock-transfers/{sent}/complete", {"items": [{"product_id": lamp.pk, "received": 9, "damaged": 1}]})
    told = [orjson.loads(one.payload) for one in Event.objects.filter(topic="transfers").order_by("id")]
    assert [(one["previous_status"], one["status"]) for one in told] == [
        (None, "pending"),
        ("pending", "in_transit"),
        ("in_transit", "completed"),
    ]
    assert told[-1] == {
        "transfer_id": sent,
        "status": "completed",
        "previous_status": "in_transit",
        "transfer_reference": "TRANS-001",
        "from_warehouse_id": main.pk,
        "to_warehouse_id": annex.pk,
        "items": [
            {"inventory_id": lamp.pk, "name": "Lamp", "quantity": 10, "received": 9, "lost": 0, "damaged": 1},
        ],
    }


def test_the_same_key_moves_once(clerk: Api, sent: int, lamp: Product, annex: Warehouse) -> None:
    first = clerk("POST", f"stock-transfers/{sent}/complete", Idempotency_Key="k")
    again = clerk("POST", f"stock-transfers/{sent}/complete", Idempotency_Key="k")
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (200, first.content, "true")
    assert level(lamp, annex) == (10, 0)


def test_a_stale_etag_is_refused(clerk: Api, sent: int) -> None:
    tag = clerk("GET", f"stock-transfers/{sent}")["ETag"]
    assert clerk("POST", f"stock-transfers/{sent}/dispatch", If_Match=tag).status_code == 200
    assert clerk("POST", f"stock-transfers/{sent}/complete", If_Match=tag).status_code == 412
    assert clerk("GET", f"stock-transfers/{sent}", If_None_Match=tag).status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["T-2", "T-1"]),
        ("ordering=created_at", ["T-1", "T-2"]),
        ("status=IN_TRANSIT", ["T-1"]),
        ("product_id=LAMP", ["T-1"]),
        ("from_warehouse_id=ANNEX", ["T-2"]),
        ("to_warehouse_id=ANNEX", ["T-1"]),
        ("search=t-2", ["T-2"]),
        ("search=desk", ["T-2"]),
        ("search=ANNEX", []),
        ("created_from_date=2999-01-01", []),
        ("created_to_date=2999-01-01", ["T-2", "T-1"]),
        ("limit=1&skip=1", ["T-1"]),
    ],
)
def test_transfers_are_found(
    query: str,
    expected: list[str],
    clerk: Api,
    lamp: Product,
    make_product: MakeProduct,
    main: Warehouse,
    annex: Warehouse,
) -> None:
    desk = make_product("Desk", stock=5, warehouse=annex)
    first = clerk("POST", "stock-transfers", seed_body(lamp, main, annex) | {"transfer_reference": "T-1"}).json()
    clerk("POST", f"stock-transfers/{first['id']}/dispatch")
    clerk("POST", "stock-transfers", seed_body(desk, annex, main, 1) | {"transfer_reference": "T-2"})
    asked = (
        query.replace("LAMP", str(lamp.pk))
        .replace("_id=ANNEX", f"_id={annex.pk}")
        .replace("search=ANNEX", "search=nowhere")
    )
    found = clerk("GET", f"stock-transfers?{asked}").json()
    assert [row["transfer_reference"] for row in found["results"]] == expected


FORGERIES = {
    "what left and did not arrive is what is in transit": (
        "UPDATE inventory_transfer SET status = 'completed' WHERE status = 'in_transit'"
    ),
    "what was lost or damaged on a transfer is what its movements say": (
        "UPDATE inventory_transferline SET lost_quantity = 0 WHERE lost_quantity = 1"
    ),
    "every unit of a completed transfer was received, lost or damaged": (
        "UPDATE inventory_transferline SET received_quantity = 8 WHERE received_quantity = 9"
    ),
    "a pending transfer reserves its lines at the source, no other does": (
        "UPDATE inventory_transfer SET status = 'cancelled' WHERE status = 'pending'"
    ),
}


@pytest.mark.broken_books
@pytest.mark.parametrize(("rule", "forgery"), FORGERIES.items(), ids=FORGERIES)
def test_verify_stock_finds_a_wrong_transfer(
    rule: str, forgery: str, clerk: Api, make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=60)
    numbers = [clerk("POST", "stock-transfers", seed_body(lamp, main, annex)).json()["id"] for _ in range(4)]
    clerk("POST", f"stock-transfers/{numbers[0]}/dispatch")
    body = {"items": [{"product_id": lamp.pk, "received": 9, "lost": 1}]}
    clerk("POST", f"stock-transfers/{numbers[1]}/complete", body)
    clerk("POST", f"stock-transfers/{numbers[2]}/cancel")
    assert list(stock_differences()) == []
    with connection.cursor() as cursor:
        cursor.execute(forgery)
        assert cursor.rowcount > 0
    assert rule in {one.rule for one in stock_differences()}
