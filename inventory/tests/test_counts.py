"""Stock counts: what was found is compared with the books of that moment, and the warehouse goes on meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from inventory.models import (
    Barcode,
    MovementType,
    Product,
    ProductStock,
    StockCount,
    StockLevel,
    StockMovement,
    StockOperation,
    Warehouse,
)
from inventory.queries import balances_when_counted
from inventory.services import counts, ledger
from inventory.services.counts import Found
from inventory.services.ledger import Movement
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    """Who counts."""
    return as_staff("clerk")


@pytest.fixture
def lamp(make_product: MakeProduct) -> Product:
    """Twenty lamps in the main store."""
    return make_product("Lamp", sku="LAMP", stock=20)


@pytest.fixture
def opened(clerk: Api, main: Warehouse) -> int:
    """An open count of the main store."""
    return int(clerk("POST", "stock-counts", {"warehouse_id": main.pk, "notes": "Shelf A"}).json()["id"])


def on_hand(product: Product, place: Warehouse) -> Decimal:
    return StockLevel.objects.get(product=product, warehouse=place).on_hand


def sell(product: Product, quantity: int, place: Warehouse, at: datetime | None = None) -> None:
    ledger.post([Movement(product.pk, place.pk, MovementType.SALE, D(-quantity))], occurred_at=at)


def line(answer: Any) -> dict[str, Any]:
    return answer.json()["lines"][0]


def test_the_life_of_a_count(
    clerk: Api, opened: int, lamp: Product, make_product: MakeProduct, main: Warehouse
) -> None:
    desk, rug = make_product("Desk", stock=4), make_product("Rug")
    lines = [
        {"product_id": lamp.pk, "counted_quantity": 18},
        {"product_id": desk.pk, "counted_quantity": 4},
        {"product_id": rug.pk, "counted_quantity": 2},
    ]
    recorded = clerk("POST", f"stock-counts/{opened}/lines", {"lines": lines}).json()
    assert (recorded["status"], recorded["line_count"]) == ("open", 3)
    assert {(one["expected_quantity"], one["variance"]) for one in recorded["lines"]} == {(None, None)}
    assert on_hand(lamp, main) == 20
    closed = clerk("POST", f"stock-counts/{opened}/close").json()
    assert [(one["expected_quantity"], one["variance"]) for one in closed["lines"]] == [(20, -2), (4, 0), (0, 2)]
    assert (closed["status"], closed["closed_by"]) == ("closed", clerk.user.pk)
    assert [on_hand(one, main) for one in (lamp, desk, rug)] == [18, 4, 2]
    operation = StockOperation.objects.get(pk=closed["operation_id"])
    assert (operation.kind, operation.reference) == ("count", f"COUNT-{opened}")
    assert operation.reason == f"Count {opened} of Main store: Shelf A"
    posted = [(row.product_id, row.movement_type, row.quantity) for row in operation.movements.order_by("product_id")]
    assert posted == [(lamp.pk, "adjustment", -2), (rug.pk, "adjustment", 2)]
    assert clerk("GET", f"stock-counts/{opened}").json() == closed


def test_a_count_without_differences_posts_nothing(clerk: Api, opened: int, lamp: Product) -> None:
    clerk("POST", f"stock-counts/{opened}/lines", {"sku": "LAMP", "counted_quantity": 20})
    closed = clerk("POST", f"stock-counts/{opened}/close").json()
    assert (closed["operation_id"], line(clerk("GET", f"stock-counts/{opened}"))["variance"]) == (None, 0)
    assert StockMovement.objects.count() == 1


def test_what_is_sold_after_the_counting_is_left_alone(clerk: Api, opened: int, lamp: Product, main: Warehouse) -> None:
    clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 18})
    sell(lamp, 5, main)
    closed = line(clerk("POST", f"stock-counts/{opened}/close"))
    assert (closed["expected_quantity"], closed["variance"]) == (20, -2)
    assert on_hand(lamp, main) == 18 - 5


def test_a_scanner_that_was_offline_counts_as_of_its_own_moment(
    clerk: Api, opened: int, lamp: Product, main: Warehouse
) -> None:
    now = datetime.now(UTC)
    counted_at = now - timedelta(hours=2)
    opening = Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(10))
    ledger.post([opening], occurred_at=now - timedelta(hours=3))
    sell(lamp, 4, main, at=now - timedelta(hours=1))
    # The fixture's twenty came in "now": two hours ago there were ten.
    body = {"product_id": lamp.pk, "counted_quantity": 9, "counted_at": counted_at.isoformat()}
    assert clerk("POST", f"stock-counts/{opened}/lines", body).status_code == 200
    closed = line(clerk("POST", f"stock-counts/{opened}/close"))
    assert (closed["expected_quantity"], closed["variance"]) == (10, -1)
    assert on_hand(lamp, main) == 10 + 20 - 4 - 1


def test_a_movement_of_that_very_moment_was_there(
    opened: int, lamp: Product, make_product: MakeProduct, main: Warehouse
) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    ledger.post([Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(3))], occurred_at=moment)
    earlier = Found(make_product("Desk").pk, D(0), at=moment - timedelta(minutes=1))
    counts.record(opened, [Found(lamp.pk, D(0), at=moment), earlier])
    assert balances_when_counted(opened) == {lamp.pk: D(3), earlier.product_id: D(0)}


def test_other_warehouses_and_products_do_not_enter(
    opened: int, lamp: Product, make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    desk = make_product("Desk", stock=7)
    counts.record(opened, [Found(lamp.pk, D(20)), Found(desk.pk, D(7))])
    ledger.post([Movement(lamp.pk, annex.pk, MovementType.PURCHASE, D(100))])
    sell(desk, 2, main)
    assert balances_when_counted(opened) == {lamp.pk: D(20), desk.pk: D(7)}


def test_recording_again_replaces_or_adds(clerk: Api, opened: int, lamp: Product) -> None:
    Barcode.objects.create(code="CARTON", product=lamp, pack_quantity=D(6))
    path = f"stock-counts/{opened}/lines"
    assert line(clerk("POST", path, {"product_id": lamp.pk, "quantity": 5}))["counted_quantity"] == 5
    assert line(clerk("POST", path, {"sku": "LAMP", "counted_quantity": 3, "mode": "add"}))["counted_quantity"] == 8
    assert line(clerk("POST", path, {"barcode": "CARTON", "quantity": 2, "mode": "add"}))["counted_quantity"] == 20
    twice = {"lines": [{"sku": "LAMP", "quantity": 1}, {"sku": "LAMP", "quantity": 2, "mode": "add"}]}
    assert line(clerk("POST", path, twice))["counted_quantity"] == 3
    assert (
        line(clerk("POST", path, {"lines": [{"sku": "LAMP", "quantity": 4}], "mode": "add"}))["counted_quantity"] == 7
    )
    assert line(clerk("POST", path, {"sku": "LAMP", "counted_quantity": 0}))["counted_quantity"] == 0


def test_the_same_key_adds_once(clerk: Api, opened: int, lamp: Product) -> None:
    body = {"product_id": lamp.pk, "counted_quantity": 3, "mode": "add"}
    for _ in range(3):
        answer = clerk("POST", f"stock-counts/{opened}/lines", body, Idempotency_Key="scan-1")
    assert line(answer)["counted_quantity"] == 3


def test_a_blind_count_tells_nothing_until_it_is_closed(
    clerk: Api, manager: Api, lamp: Product, main: Warehouse
) -> None:
    blind = clerk("POST", "stock-counts", {"warehouse_id": main.pk, "is_blind": True}).json()["id"]
    clerk("POST", f"stock-counts/{blind}/lines", {"product_id": lamp.pk, "counted_quantity": 19})
    for asker in (clerk, manager):
        shown = line(asker("GET", f"stock-counts/{blind}"))
        assert (shown["expected_quantity"], shown["variance"]) == (None, None)
        refused = asker("GET", f"stock-counts/{blind}/variances")
        assert (refused.status_code, refused.json()["code"]) == (409, "count_is_blind")
    clerk("POST", f"stock-counts/{blind}/close")
    shown = clerk("GET", f"stock-counts/{blind}/variances").json()
    assert (shown["differences"], shown["lines"][0]["variance"]) == (1, -1)


def test_an_open_count_shows_what_a_close_would_post(clerk: Api, opened: int, lamp: Product, main: Warehouse) -> None:
    clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 22})
    sell(lamp, 1, main)
    shown = clerk("GET", f"stock-counts/{opened}/variances").json()
    assert (shown["status"], shown["differences"]) == ("open", 1)
    assert (shown["lines"][0]["expected_quantity"], shown["lines"][0]["variance"]) == (20, 2)
    assert on_hand(lamp, main) == 19


def test_promised_stock_is_not_counted_away(
    clerk: Api, opened: int, lamp: Product, make_product: MakeProduct, main: Warehouse
) -> None:
    desk = make_product("Desk", stock=4)
    clerk("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 15}]})
    lines = [{"product_id": lamp.pk, "quantity": 14}, {"product_id": desk.pk, "quantity": 3}]
    clerk("POST", f"stock-counts/{opened}/lines", {"lines": lines})
    refused = clerk("POST", f"stock-counts/{opened}/close")
    assert (refused.status_code, refused.json()["code"]) == (400, "insufficient_stock")
    assert [one["product_id"] for one in refused.json()["shortages"]] == [lamp.pk]
    assert (on_hand(lamp, main), on_hand(desk, main)) == (20, 4)
    assert StockCount.objects.get().status == "open"


@pytest.mark.parametrize(("first", "second"), [("close", "close"), ("close", "cancel"), ("cancel", "close")])
def test_a_count_ends_once(first: str, second: str, clerk: Api, opened: int, lamp: Product, main: Warehouse) -> None:
    clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 19})
    status = clerk("POST", f"stock-counts/{opened}/{first}").json()["status"]
    answer = clerk("PUT", f"stock-counts/{opened}/{second}")
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (409, "illegal_transition", status)
    late = clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 1})
    assert (late.status_code, late.json()["status"]) == (409, status)
    assert on_hand(lamp, main) == (19 if first == "close" else 20)


def test_a_cancelled_count_moves_nothing(clerk: Api, opened: int, lamp: Product) -> None:
    clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 1})
    off = clerk("POST", f"stock-counts/{opened}/cancel").json()
    assert (off["status"], off["lines"][0]["counted_quantity"], off["lines"][0]["variance"]) == ("cancelled", 1, None)
    assert ProductStock.objects.get(product=lamp).on_hand == 20


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "counted_quantity"),
        ({"product_id": "P"}, 422, "counted_quantity"),
        ({"product_id": "P", "counted_quantity": -1}, 422, "counted_quantity"),
        ({"product_id": "P", "counted_quantity": 0.5}, 422, "counted_quantity"),
        ({"product_id": "P", "counted_quantity": 1, "mode": "guess"}, 422, "mode"),
        ({"product_id": "P", "counted_quantity": 1, "counted_at": "soon"}, 422, "counted_at"),
        ({"product_id": "P", "counted_quantity": 1, "counted_at": "2999-01-01"}, 422, "counted_at"),
        ({"product_id": "P", "counted_quantity": 1, "counted_at": "2020-01-01"}, 422, "counted_at"),
        ({"product_id": 987654, "counted_quantity": 1}, 404, "product_id"),
        ({"barcode": "nope", "counted_quantity": 1}, 404, "barcode"),
        ({"lines": []}, 422, "lines"),
        ({"lines": [{"product_id": "P"}]}, 422, "lines.0.counted_quantity"),
        ({"lines": [{"sku": "no", "quantity": 1}]}, 404, "lines.0.sku"),
    ],
)
def test_a_line_that_cannot_be_is_refused(
    body: dict[str, Any], status: int, field: str, clerk: Api, opened: int, lamp: Product
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        return lamp.pk if value == "P" else value

    answer = clerk("POST", f"stock-counts/{opened}/lines", filled(body))
    assert (answer.status_code, field in answer.json()["fields"]) == (status, True), answer.json()
    assert not StockCount.objects.get().lines.exists()


def test_a_scanners_clock_may_run_ahead_a_little(clerk: Api, opened: int, lamp: Product) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    body = {"product_id": lamp.pk, "counted_quantity": 20, "counted_at": ahead}
    stored = line(clerk("POST", f"stock-counts/{opened}/lines", body))["counted_at"]
    assert datetime.fromisoformat(stored) <= datetime.now(UTC)


def test_counts_are_found(clerk: Api, opened: int, main: Warehouse, annex: Warehouse, lamp: Product) -> None:
    other = clerk("POST", "stock-counts", {"warehouse_id": annex.pk, "notes": "Cellar"}).json()["id"]
    clerk("POST", f"stock-counts/{other}/cancel")
    clerk("POST", f"stock-counts/{opened}/lines", {"product_id": lamp.pk, "counted_quantity": 1})

    def ids(query: str) -> list[int]:
        return [row["id"] for row in clerk("GET", f"stock-counts?{query}").json()["results"]]

    assert ids("") == [other, opened]
    assert ids("sort_by=opened_asc") == [opened, other]
    assert ids("status=Open") == ids(f"warehouse_id={main.pk}") == ids(f"product_id={lamp.pk}") == [opened]
    assert ids("search=cellar") == ids(f"search={other}") == [other]
    row = clerk("GET", "stock-counts?status=open").json()["results"][0]
    assert (row["line_count"], "lines" in row) == (1, False)
    assert clerk("GET", "stock-counts/987654").json()["code"] == "count_not_found"
    assert clerk("POST", "stock-counts", {"warehouse_id": 987654}).json()["code"] == "warehouse_not_found"
