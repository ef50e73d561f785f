"""Many corrections in one call: all of them or each on its own, by the same rules as one by one."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import (
    MovementType,
    Product,
    ProductStock,
    StockMovement,
    StockOperation,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services import bulk, ledger, levels
from inventory.services.bulk import BulkLine
from inventory.services.catalog import create_products
from inventory.services.ledger import Movement
from orders import services
from orders.services import Item
from tests.client import Api
from workbox.core import db
from workbox.core.models import Event

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


def on_hand() -> dict[str, Decimal]:
    return dict(ProductStock.objects.values_list("product__name", "on_hand"))


@pytest.fixture
def three(make_product: MakeProduct) -> list[Product]:
    return [make_product(name, stock=5, sku=name.upper()) for name in ("Lamp", "Desk", "Bulb")]


def test_all_rows_are_one_operation(three: list[Product], manager: Api, annex: Warehouse) -> None:
    items = [
        {"product_id": three[0].pk, "quantity": 2},
        {"sku": "DESK", "quantity": -5},
        {"inventory_id": three[2].pk, "quantity": 1, "warehouse_id": annex.pk},
        {"sku": "LAMP", "quantity": 1},
    ]
    answer = manager("POST", "inventory/bulk-adjust", {"items": items, "reason": "Stocktaking"})
    assert answer.status_code == 200, answer.json()
    operation = StockOperation.objects.latest("id")
    assert answer.json() == {
        "mode": "all_or_nothing",
        "ok": 4,
        "failed": 0,
        "operation_ids": [operation.pk],
        "results": [],
    }
    assert (operation.kind, operation.reason, operation.movements.count()) == ("adjustment", "Stocktaking", 4)
    assert on_hand() == {"Lamp": 8, "Desk": 0, "Bulb": 6}


def test_rows_with_reasons_of_their_own_are_operations_of_their_own(three: list[Product], manager: Api) -> None:
    items = [
        {"sku": "LAMP", "quantity": 2, "reason": "found"},
        {"sku": "DESK", "quantity": -1, "reason": "broken"},
        {"sku": "BULB", "quantity": 3, "reason": "found"},
    ]
    ids = manager("POST", "inventory/bulk-adjust", {"items": items}).json()["operation_ids"]
    made = StockOperation.objects.filter(id__in=ids).order_by("id")
    assert [(one.reason, one.movements.count()) for one in made] == [("found", 2), ("broken", 1)]


def test_one_refused_row_refuses_all_and_every_short_product_is_named(three: list[Product], manager: Api) -> None:
    items = [{"sku": "LAMP", "quantity": 9}, {"sku": "DESK", "quantity": -6}, {"sku": "BULB", "quantity": -7}]
    before = StockOperation.objects.count()
    refused = manager("POST", "inventory/bulk-adjust", {"items": items, "reason": "r"})
    assert (refused.status_code, refused.json()["code"]) == (400, "insufficient_stock")
    assert sorted(one["sku"] for one in refused.json()["shortages"]) == ["BULB", "DESK"]
    assert (on_hand(), StockOperation.objects.count()) == ({"Lamp": 5, "Desk": 5, "Bulb": 5}, before)
    unknown = manager("POST", "inventory/bulk-adjust", {"items": [{"sku": "NO", "quantity": 1}], "reason": "r"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no product with the SKU NO.")


def test_each_row_is_done_or_says_why_not(three: list[Product], manager: Api, main: Warehouse) -> None:
    items: list[dict[str, Any]] = [
        {"sku": "LAMP", "quantity": 2},
        {"sku": "DESK", "quantity": -6},
        {"sku": "NO", "quantity": 1},
        {"product_id": 987654321, "quantity": 1},
        {"sku": "BULB", "quantity": 1, "warehouse_id": 987654321},
        {"sku": "BULB", "quantity": "0.5"},
        {"sku": "BULB", "quantity": -1, "warehouse_id": main.pk},
    ]
    answer = manager("POST", "inventory/bulk-adjust", {"mode": "each", "items": items, "reason": "r"})
    body = answer.json()
    assert (answer.status_code, body["mode"], body["ok"], body["failed"]) == (200, "each", 2, 5)
    codes = [(row["index"], row["error"] and row["error"]["code"]) for row in body["results"]]
    assert codes == [
        (0, None),
        (1, "insufficient_stock"),
        (2, "product_not_found"),
        (3, "product_not_found"),
        (4, "warehouse_not_found"),
        (5, "validation_error"),
        (6, None),
    ]
    assert body["results"][2]["error"]["detail"] == "There is no product with the SKU NO."
    assert on_hand() == {"Lamp": 7, "Desk": 5, "Bulb": 4}


def test_a_body_that_makes_no_sense_is_refused_whole(three: list[Product], manager: Api) -> None:
    def faults(path: str, body: object) -> tuple[int, list[str]]:
        answer = manager("POST", path, body)
        return answer.status_code, sorted(answer.json().get("fields", {}))

    one = {"sku": "LAMP", "quantity": 1}
    assert faults("inventory/bulk-adjust", {"items": []}) == (422, ["items"])
    assert faults("inventory/bulk-adjust", {"items": [one], "mode": "some"}) == (422, ["items.0.reason", "mode"])
    assert faults("inventory/bulk-adjust", {"items": [one, {}], "reason": "r"}) == (
        422,
        ["items.1.product_id", "items.1.quantity"],
    )
    assert faults("inventory/bulk-adjust", {"items": [one] * 10_001, "reason": "r"}) == (422, ["items"])
    moved = {"items": [one | {"movement_type": "transfer_in"}, one | {"movement_type": "purchase", "unit_cost": -1}]}
    assert faults("stock-movements/bulk", moved) == (422, ["items.0.movement_type", "items.1.unit_cost"])
    twice = [{"sku": "LAMP", "price": 1}, {"product_id": three[0].pk, "price": 2}]
    assert faults("products/bulk-price", twice) == (422, ["items.1.product_id"])
    assert faults("products/bulk-price", b"7") == (422, [])


def test_movements_keep_their_signs_and_costs(three: list[Product], manager: Api) -> None:
    items = [
        {"sku": "LAMP", "movement_type": "purchase", "quantity": 5, "unit_cost": 4},
        {"sku": "DESK", "movement_type": "damaged", "quantity": 2, "notes": "fell"},
    ]
    answer = manager("POST", "stock-movements/bulk", {"items": items, "reference_number": "DELIVERY-1"})
    assert len(answer.json()["operation_ids"]) == 2  # two reasons
    assert on_hand() == {"Lamp": 10, "Desk": 3, "Bulb": 5}
    assert ProductStock.objects.get(product=three[0]).average_cost == 4
    assert set(StockMovement.objects.order_by("-id").values_list("operation__reference", flat=True)[:2]) == {
        "DELIVERY-1"
    }


def test_prices_are_set_and_told(three: list[Product], manager: Api) -> None:
    Event.objects.all()._raw_delete("default")
    answer = manager("POST", "products/bulk-price", [{"sku": "LAMP", "price": 9.5}, {"sku": "DESK", "price": 3}])
    assert (answer.status_code, answer.json()["ok"]) == (200, 2)
    assert dict(Product.objects.values_list("name", "price")) == {"Lamp": D("9.5"), "Desk": 3, "Bulb": 10}
    assert manager("GET", f"products/{three[0].pk}").json()["price"] == 9.5
    told = Event.objects.filter(type="product_updated").order_by("id").values_list("subject_id", flat=True)
    assert list(told) == [three[0].pk, three[1].pk]
    free = [{"sku": "LAMP", "price": 0}, {"sku": "BULB", "price": 2}]
    assert manager("POST", "products/bulk-price", free).json()["code"] == "price_not_positive"
    body = manager("POST", "products/bulk-price", {"mode": "each", "items": free}).json()
    assert [row["status"] for row in body["results"]] == ["failed", "ok"]
    assert dict(Product.objects.values_list("name", "price")) == {"Lamp": D("9.5"), "Desk": 3, "Bulb": 2}


def test_sent_twice_under_one_key_it_happens_once(three: list[Product], manager: Api) -> None:
    body = {"items": [{"sku": "LAMP", "quantity": 2}], "reason": "r"}
    first = manager("POST", "inventory/bulk-adjust", body, Idempotency_Key="k")
    again = manager("POST", "inventory/bulk-adjust", body, Idempotency_Key="k")
    assert (first.content, again.headers["Idempotency-Replayed"]) == (again.content, "true")
    assert on_hand()["Lamp"] == 7


def test_promised_stock_stays_promised(three: list[Product], manager: Api) -> None:
    services.place_order([Item(three[0].pk, D(4))], user_id=None)
    items = [{"sku": "LAMP", "quantity": -2}, {"sku": "DESK", "quantity": -2}]
    body = manager("POST", "inventory/bulk-adjust", {"mode": "each", "items": items, "reason": "r"}).json()
    assert [row["status"] for row in body["results"]] == ["failed", "ok"]


def test_rows_cost_no_statements_of_their_own(main: Warehouse) -> None:
    products = sorted(create_products([Product(sku=f"P{n}", name=f"P{n}", price=1) for n in range(1100)]).values())

    def count(ids: list[int]) -> int:
        lines = [BulkLine(Movement(one, main.pk, MovementType.ADJUSTMENT, D(1)), "r") for one in ids]
        with CaptureQueriesContext(connection) as captured:
            bulk.post_all(lines, kind=StockOperation.Kind.ADJUSTMENT)
        return len(captured)

    def parts(rows: int, size: int) -> int:
        return -(-rows // size)

    def growing(rows: int) -> int:
        """Totals and levels change ROWS_PER_STATEMENT at once, 500 products are read and told of at once."""
        full, rest = divmod(rows, ledger.PRODUCTS_AT_ONCE)
        sizes = [ledger.PRODUCTS_AT_ONCE] * full + [rest] * bool(rest)
        changing = sum(2 * parts(size, levels.ROWS_PER_STATEMENT) + 2 for size in sizes)
        return changing + parts(rows, db.ROWS_PER_INSERT)  # the movements

    count(products)  # makes the levels
    fixed = count(products[:1]) - growing(1)  # the lock, the shelf, the operation, the savepoint
    for rows in (10, 200, 201, 500, 501, 1100):
        assert count(products[:rows]) == fixed + growing(rows), rows
    assert (ledger.PRODUCTS_AT_ONCE, levels.ROWS_PER_STATEMENT, db.ROWS_PER_INSERT) == (500, 200, 1000)


def test_many_refused_rows_cost_no_more_statements_than_few(
    manager: Api, piece: UnitOfMeasure, main: Warehouse
) -> None:
    def posted(count: int) -> int:
        ids = create_products(
            [Product(sku=f"P{count}-{n}", name=f"P {n}", price=D(1), unit=piece) for n in range(count)]
        ).values()
        lines = [BulkLine(Movement(one, main.pk, MovementType.ADJUSTMENT, D(-1)), "r") for one in ids]
        lines += [BulkLine(Movement(one, main.pk, MovementType.ADJUSTMENT, D("0.5")), "r") for one in ids]
        with CaptureQueriesContext(
            connection,
        ) as statements:
            outcomes = bulk.post_each(lines, kind=StockOperation.Kind.ADJUSTMENT)
        assert [one.index for one in outcomes] == list(range(2 * count))
        codes = [one.error and one.error.code for one in outcomes]
        assert codes == ["insufficient_stock"] * count + ["validation_error"] * count
        return len(statements)

    assert posted(40) == posted(4)


def test_each_row_is_done_after_those_before_it(three: list[Product], manager: Api) -> None:
    items = [{"sku": "LAMP", "quantity": one} for one in (-4, -2, 3, -4, -1)]
    body = manager("POST", "inventory/bulk-adjust", {"mode": "each", "items": items, "reason": "r"}).json()
    assert [row["status"] for row in body["results"]] == ["ok", "failed", "ok", "ok", "failed"]
    short = body["results"][1]["error"]["shortages"]
    assert [(one["requested"], one["available"]) for one in short] == [(2, 1)]
    assert on_hand()["Lamp"] == 0
