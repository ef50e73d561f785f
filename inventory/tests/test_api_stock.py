"""The ledger over REST: signs, filters, history with running balance, reversals; and warehouses, categories, units."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from inventory.models import MovementType, Product, ProductStock, StockMovement, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from tests.client import Api

pytestmark = pytest.mark.django_db

MakeProduct = Callable[..., Product]
D = Decimal


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    """Who does the work on the shelves."""
    return as_staff("clerk")


@pytest.mark.parametrize(
    ("movement_type", "sent", "posted"),
    [
        ("purchase", -2, 2),
        ("purchase", 2, 2),
        ("Purchase", 2, 2),
        ("return", -2, 2),
        ("sale", 2, -2),
        ("sale", -2, -2),
        ("damaged", 2, -2),
        ("adjustment", 2, 2),
        ("adjustment", -2, -2),
    ],
)
def test_the_sign_follows_the_type(
    movement_type: str, sent: int, posted: int, make_product: MakeProduct, clerk: Api
) -> None:
    lamp = make_product("Lamp", stock=5)
    body = {"product_id": lamp.pk, "movement_type": movement_type, "quantity": sent, "notes": "why", "unit_cost": 1.5}
    made = clerk("POST", "stock-movements", body).json()
    assert (made["quantity"], made["balance_after"], made["on_hand"], made["stock_quantity"]) == (
        posted,
        5 + posted,
        5 + posted,
        5 + posted,
    )
    assert (made["total_cost"], made["created_by"], made["reason"]) == (3, clerk.user.pk, "why")


def test_outgoing_stock_stops_at_what_is_promised(make_product: MakeProduct, clerk: Api, manager: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 4}]})
    refused = clerk("POST", "stock-movements", {"product_id": lamp.pk, "movement_type": "damaged", "quantity": 2})
    assert refused.status_code == 400
    assert "Available: 1, Requested: 2" in refused.json()["detail"]
    assert ProductStock.objects.get(product=lamp).on_hand == 5


@pytest.fixture
def posted(make_product: MakeProduct, main: Warehouse, annex: Warehouse) -> dict[str, Product]:
    """Movements that differ in everything one can ask for."""
    lamp, desk = make_product("Lamp", sku="LMP-1"), make_product("Desk", sku="DSK-1")
    for product, place, kind, quantity, reference, reason, moment in (
        (lamp, main, MovementType.PURCHASE, 10, "PO-1", "spring", datetime(2024, 1, 1, tzinfo=UTC)),
        (lamp, annex, MovementType.PURCHASE, 5, "PO-2", "summer", datetime(2024, 1, 2, 23, 59, 59, tzinfo=UTC)),
        (desk, main, MovementType.PURCHASE, 7, "PO-1", "", datetime(2024, 1, 3, tzinfo=UTC)),
        (lamp, main, MovementType.DAMAGED, -1, "", "wet cellar", datetime(2024, 1, 4, tzinfo=UTC)),
    ):
        line = Movement(product.pk, place.pk, kind, D(quantity))
        ledger.post([line], reference=reference, reason=reason, occurred_at=moment)
    return {"lamp": lamp, "desk": desk}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [-1, 7, 5, 10]),
        ("sort_by=created_asc", [10, 5, 7, -1]),
        ("ordering=created_at", [10, 5, 7, -1]),
        ("product_id=LAMP", [-1, 5, 10]),
        ("warehouse_id=ANNEX", [5]),
        ("movement_type=damaged", [-1]),
        ("movement_type=PURCHASE&product_id=LAMP", [5, 10]),
        ("reference=PO-1", [7, 10]),
        ("reference_number=PO-2", [5]),
        ("search=lmp", [-1, 5, 10]),
        ("search=desk", [7]),
        ("search=annex", [5]),
        ("search=po-", [7, 5, 10]),
        ("search=CELLAR", [-1]),
        ("created_from_date=2024-01-02&created_to_date=2024-01-02", [5]),
        ("start_date=2024-01-03&end_date=2024-01-03", [7]),
        ("product_id=987654321", []),
        ("page=2&page_size=3", [10]),
    ],
)
def test_movements_are_filtered(
    query: str, expected: list[int], posted: dict[str, Product], annex: Warehouse, clerk: Api
) -> None:
    query = query.replace("LAMP", str(posted["lamp"].pk)).replace("ANNEX", str(annex.pk))
    for path in ("inventory/movements", "stock-movements"):
        assert [row["quantity"] for row in clerk("GET", f"{path}?{query}").json()["results"]] == expected


def test_history_carries_the_balance_over_all_warehouses(
    posted: dict[str, Product], main: Warehouse, clerk: Api
) -> None:
    path = f"inventory/products/{posted['lamp'].pk}/history"
    rows = clerk("GET", path).json()["results"]
    assert [(row["quantity"], row["balance"], row["balance_after"]) for row in rows] == [
        (-1, 14, 9),
        (5, 15, 5),
        (10, 10, 10),
    ]
    here = clerk("GET", f"{path}?warehouse_id={main.pk}&sort_by=created_asc").json()["results"]
    assert [(row["quantity"], row["balance"]) for row in here] == [(10, 10), (-1, 14)]
    assert [row["balance"] for row in clerk("GET", f"{path}?page=2&page_size=1").json()["results"]] == [15]


def test_an_operation_is_reversed_once_and_both_point_at_each_other(posted: dict[str, Product], clerk: Api) -> None:
    operation = StockMovement.objects.order_by("id").last().operation_id
    path = f"inventory/operations/{operation}/reverse"
    assert clerk("POST", path).status_code == 422
    made = clerk("POST", path, {"reason": "miscounted"})
    assert (made.status_code, made.json()["reverses_id"], made.json()["movements"][0]["quantity"]) == (
        201,
        operation,
        1,
    )
    assert clerk("GET", f"stock-operations/{operation}").json()["reversed_by"] == made.json()["id"]
    again = clerk("POST", path, {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
    assert ProductStock.objects.get(product=posted["lamp"]).on_hand == 15


def test_an_orders_shipment_is_not_reversed_in_the_ledger(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=5)
    manager("POST", "sales", {"product_id": lamp.pk, "quantity": 1})
    operation = StockMovement.objects.filter(movement_type="sale").get().operation_id
    refused = manager("POST", f"inventory/operations/{operation}/reverse", {"reason": "oops"})
    assert (refused.status_code, refused.json()["code"]) == (400, "belongs_to_order")


def test_operations_are_listed_by_what_they_are(make_product: MakeProduct, manager: Api, clerk: Api) -> None:
    lamp, desk = make_product("Lamp", stock=5), make_product("Desk", stock=5)
    clerk("POST", "inventory/adjust", {"product_id": lamp.pk, "quantity": 1, "reason": "found", "reference": "R-1"})
    manager("POST", "inventory/adjust", {"product_id": desk.pk, "quantity": 2, "reason": "found"})

    def listed(query: str) -> list[Any]:
        rows = manager("GET", f"stock-operations?{query}").json()["results"]
        return [(row["kind"], row["reference_number"], row["movement_count"]) for row in rows]

    found, opening = ("adjustment", "", 1), ("opening", "", 1)
    assert listed("") == [found, ("adjustment", "R-1", 1), opening, opening]
    assert listed("kind=adjustment&sort_by=created_asc") == [("adjustment", "R-1", 1), found]
    assert listed(f"product_id={lamp.pk}") == [("adjustment", "R-1", 1), opening]
    assert listed(f"created_by={clerk.user.pk}") == listed("reference=R-1") == [("adjustment", "R-1", 1)]
    assert listed("created_to_date=2020-01-01") == []
    assert manager("GET", "stock-operations?kind=gift").status_code == 422


@pytest.mark.parametrize(
    ("kind", "code", "instead"),
    [
        ("shipment", "belongs_to_order", "orders/ID/return"),
        ("return", "belongs_to_order", "inventory/adjust"),
        ("receipt", "belongs_to_purchase_order", "inventory/adjust"),
        ("transfer", "belongs_to_transfer", "stock-transfers/ID/cancel"),
    ],
)
def test_what_belongs_to_a_document_is_not_reversed_and_says_what_to_do(
    kind: str, code: str, instead: str, make_product: MakeProduct, manager: Api, main: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=5)
    line = Movement(lamp.pk, main.pk, MovementType.ADJUSTMENT, D(1))
    operation = ledger.post([line], kind=kind, reference="DOC-1").operation_id
    refused = manager("POST", f"inventory/operations/{operation}/reverse", {"reason": "oops"})
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert "DOC-1" in refused.json()["detail"]
    assert instead in refused.json()["detail"]


@pytest.mark.parametrize("kind", ["opening", "movement", "adjustment", "count", "import"])
def test_what_stands_alone_is_reversed(kind: str, make_product: MakeProduct, manager: Api, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=5)
    operation = ledger.post([Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(3))], kind=kind).operation_id
    made = manager("POST", f"inventory/operations/{operation}/reverse", {"reason": "oops"})
    assert (made.status_code, made.json()["movements"][0]["balance_after"]) == (201, 5)


def test_low_stock_is_what_is_at_or_below_its_threshold(make_product: MakeProduct, manager: Api, buyer: Api) -> None:
    make_product("Plenty", stock=11)
    at = make_product("At", stock=10)
    below = make_product("Below", stock=12)
    charge = make_product("Postage", is_stocked=False)
    retired = make_product("Retired", stock=1)
    manager("DELETE", f"products/{retired.pk}")
    buyer("POST", "orders", {"items": [{"product_id": below.pk, "quantity": 5}]})
    rows = buyer("GET", "inventory/low-stock").json()["results"]
    assert [(row["product_id"], row["current_quantity"]) for row in rows] == [(below.pk, 7), (at.pk, 10)]
    assert charge.pk not in [row["product_id"] for row in rows]


# ---- warehouses, categories, units -----------------------------------------------------------------------------------
def test_a_warehouse_that_stops_selling_takes_its_stock_out_of_what_is_available(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, manager: Api
) -> None:
    lamp = make_product("Lamp", stock=4)
    ledger.post([Movement(lamp.pk, annex.pk, MovementType.PURCHASE, D(6))])
    changed = manager("PATCH", f"warehouses/{annex.pk}", {"is_sellable": False, "name": "Cellar"}).json()
    assert (changed["is_sellable"], changed["name"], changed["code"]) == (False, "Cellar", "ANNEX")
    shown = manager("GET", f"products/{lamp.pk}").json()
    assert (shown["on_hand"], shown["stock_quantity"]) == (10, 4)
    refused = manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}], "warehouse_id": annex.pk})
    assert (refused.status_code, refused.json()["code"]) == (400, "warehouse_not_sellable")
    manager("PATCH", f"warehouses/{annex.pk}", {"is_sellable": True})
    assert manager("GET", f"products/{lamp.pk}").json()["stock_quantity"] == 10
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}], "warehouse_id": annex.pk})
    held = manager("PATCH", f"warehouses/{annex.pk}", {"is_sellable": False})
    assert (held.status_code, held.json()["code"]) == (409, "stock_promised")


def test_a_warehouse_closes_when_it_is_empty_and_takes_nothing_after(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, manager: Api
) -> None:
    lamp = make_product("Lamp", stock=4, warehouse=annex)
    full = manager("DELETE", f"warehouses/{annex.pk}")
    assert (full.status_code, full.json()["code"]) == (409, "warehouse_not_empty")
    assert manager("PUT", f"warehouses/{annex.pk}", {"is_active": False}).status_code == 409
    manager("PUT", f"products/{lamp.pk}", {"stock_quantity": 0})
    assert manager("DELETE", f"warehouses/{annex.pk}").status_code == 204
    into = {"product_id": lamp.pk, "warehouse_id": annex.pk, "movement_type": "purchase", "quantity": 1}
    assert manager("POST", "stock-movements", into).json()["code"] == "warehouse_not_found"
    assert [row["id"] for row in manager("GET", "warehouses").json()["results"]] == [main.pk]
    both = manager("GET", "warehouses?include_inactive=true").json()["results"]
    assert [(row["id"], row["is_active"]) for row in both] == [(main.pk, True), (annex.pk, False)]
    assert manager("PATCH", f"warehouses/{annex.pk}", {"is_active": True}).status_code == 200
    assert manager("POST", "stock-movements", into).status_code == 201


@pytest.mark.parametrize(
    ("path", "first", "changed"),
    [
        ("warehouses", {"name": "North", "code": "N"}, {"address": "1 Pier"}),
        ("categories", {"name": "Toys"}, {"description": "to play with"}),
        ("units", {"code": "litre", "name": "Litre", "decimal_places": 3}, {"decimal_places": 2}),
    ],
)
def test_small_tables_are_made_read_and_changed(
    path: str, first: dict[str, Any], changed: dict[str, Any], manager: Api
) -> None:
    made = manager("POST", path, first)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in first} == first
    where = f"{path}/{made.json()['id']}"
    assert manager("GET", where).json() == made.json()
    after = manager("PATCH", where, changed).json()
    assert after == made.json() | changed
    assert after in manager("GET", path).json()["results"]
    assert manager("POST", path, first).status_code == 400


def test_categories_are_found_by_a_part_of_their_name(manager: Api) -> None:
    for name in ("Toys", "Tools"):
        manager("POST", "categories", {"name": name})
    assert [row["name"] for row in manager("GET", "categories?search=oys").json()["results"]] == ["Toys"]
