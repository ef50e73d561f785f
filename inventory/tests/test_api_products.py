"""Products over REST: search, filters, sorting, the seeds' spellings, stock numbers that are set."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from inventory.models import (
    MovementType,
    Product,
    ProductStock,
    StockMovement,
    StockOperation,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services import ledger
from inventory.services.barcodes import link
from inventory.services.catalog import update_products
from inventory.services.ledger import Movement
from tests.client import Api
from workbox.core.errors import Conflict

pytestmark = pytest.mark.django_db

MakeProduct = Callable[..., Product]
D = Decimal


def names(api: Api, query: str) -> list[str]:
    response = api("GET", f"products?{query}")
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["results"]]


# ---- lists -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def shelf(make_product: MakeProduct) -> dict[str, Product]:
    """Three products that differ in everything one can ask for."""
    found = {
        "Amber lamp": make_product(
            "Amber lamp", stock=3, price="9", sku="AL-1", category="Lighting", description="warm"
        ),
        "Blue chair": make_product(
            "Blue chair", stock=30, price="99", sku="BC-2", category="Furniture", description="oak"
        ),
        "Clock": make_product("Clock", stock=10, price="50", sku="CL-3", description="for the Lighting of the hall"),
    }
    days = {
        "Amber lamp": "2024-01-01T10:00:00Z",
        "Blue chair": "2024-02-01T23:59:59.5Z",
        "Clock": "2024-03-01T00:00:00Z",
    }
    for name, day in days.items():
        Product.objects.filter(pk=found[name].pk).update(created_at=day)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=LAMP", ["Amber lamp"]),
        ("search=bc-2", ["Blue chair"]),
        ("search=oak", ["Blue chair"]),
        ("search=lighting", ["Clock", "Amber lamp"]),
        ("search=100%25", []),
        ("category=lighting", ["Amber lamp"]),
        ("category=Toys", []),
        ("low_stock=true", ["Clock", "Amber lamp"]),
        ("low_stock=false", ["Blue chair"]),
        ("created_from_date=2024-02-01", ["Clock", "Blue chair"]),
        ("created_to_date=2024-02-01", ["Blue chair", "Amber lamp"]),
        ("created_to_date=2024-02-01T12:00:00Z", ["Amber lamp"]),
        ("created_from_date=2024-02-01&created_to_date=2024-02-29", ["Blue chair"]),
        ("created_from_date=2024-03-01T01:00:00%2B01:00", ["Clock"]),
        ("created_from_date=2024-03-01T01:00:00+01:00", ["Clock"]),
        ("sort_by=name_asc", ["Amber lamp", "Blue chair", "Clock"]),
        ("sort_by=name_desc", ["Clock", "Blue chair", "Amber lamp"]),
        ("sort_by=stock_asc", ["Amber lamp", "Clock", "Blue chair"]),
        ("sort_by=stock_desc", ["Blue chair", "Clock", "Amber lamp"]),
        ("sort_by=created_asc", ["Amber lamp", "Blue chair", "Clock"]),
        ("sort_by=created_desc", ["Clock", "Blue chair", "Amber lamp"]),
        ("ordering=-price", ["Blue chair", "Clock", "Amber lamp"]),
        ("ordering=sku", ["Amber lamp", "Blue chair", "Clock"]),
        ("search=l&sort_by=name_asc&page=2&page_size=1&created_to_date=2024-12-31", ["Blue chair"]),
        ("search=", ["Clock", "Blue chair", "Amber lamp"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted(
    query: str, expected: list[str], shelf: dict[str, Product], manager: Api
) -> None:
    assert names(manager, query) == expected


def test_retired_products_are_out_of_the_list_until_asked_for(shelf: dict[str, Product], manager: Api) -> None:
    clock = shelf["Clock"].pk
    assert manager("DELETE", f"products/{clock}").status_code == 204
    assert manager("DELETE", f"products/{clock}").status_code == 204
    assert names(manager, "") == ["Blue chair", "Amber lamp"]
    assert names(manager, "include_inactive=true") == ["Clock", "Blue chair", "Amber lamp"]
    assert names(manager, "is_active=false") == ["Clock"]
    assert manager("GET", f"products/{clock}").json()["is_active"] is False
    assert StockMovement.objects.filter(product_id=clock).count() == 1
    refused = manager("POST", "inventory/adjust", {"product_id": clock, "quantity": 1, "reason": "r"})
    assert (refused.status_code, refused.json()["code"]) == (400, "product_retired")
    order = manager("POST", "orders", {"items": [{"product_id": clock, "quantity": 1}]})
    assert (order.status_code, order.json()["code"]) == (404, "product_not_found")
    assert manager("PATCH", f"products/{clock}/restore").json()["is_active"] is True
    assert names(manager, "") == ["Clock", "Blue chair", "Amber lamp"]


def test_equals_keep_their_order_over_pages(make_product: MakeProduct, manager: Api) -> None:
    ids = [make_product(f"P{index}", stock=1).pk for index in range(6)]
    seen = [
        row["id"]
        for page in (1, 2, 3)
        for row in manager("GET", f"products?sort_by=stock_asc&page_size=2&page={page}").json()["results"]
    ]
    assert seen == ids


# ---- writing ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sent", "name", "shown"),
    [
        ({"price": 9.5}, "price", 9.5),
        ({"unit_price": "9.50"}, "price", 9.5),
        ({"unit_price": 9.5, "price": "9.5000"}, "price", 9.5),
        ({"unit_cost": 7}, "price", 7),
        ({"price": 9.5, "stock_quantity": 4}, "stock_quantity", 4),
        ({"price": 9.5, "current_stock": 4}, "stock_quantity", 4),
        ({"price": 9.5, "quantity": 4}, "stock_quantity", 4),
        ({"price": 9.5, "low_stock_threshold": 4}, "reorder_threshold", 4),
        ({"price": 9.5}, "reorder_threshold", 10),
        ({"price": 9.5, "category": "Toys"}, "category", "Toys"),
        ({"price": 9.5, "sku": ""}, "is_active", True),
        ({"price": 0, "is_stocked": False}, "price", 0),
    ],
)
def test_every_spelling_of_the_seeds_is_understood(
    sent: dict[str, Any], name: str, shown: Any, main: Warehouse, manager: Api
) -> None:
    made = manager("POST", "products", {"name": "Ball", **sent})
    assert made.status_code == 201, made.content
    assert made.json()[name] == shown
    assert not {"unit_price", "current_stock", "quantity", "low_stock_threshold"} & made.json().keys()


def test_opening_stock_is_a_movement_in_the_named_warehouse(main: Warehouse, annex: Warehouse, manager: Api) -> None:
    made = manager(
        "POST", "products", {"name": "Ball", "price": 1, "stock_quantity": 4, "warehouse_id": annex.pk}
    ).json()
    assert [(row["warehouse_name"], row["quantity"], row["available"]) for row in made["stock_by_warehouse"]] == [
        ("Annex", 4, 4)
    ]
    operation = StockOperation.objects.get()
    assert (operation.kind, operation.actor_id) == ("opening", manager.user.pk)


def test_two_products_share_a_name_only_with_skus_of_their_own(main: Warehouse, manager: Api) -> None:
    first = manager("POST", "products", {"name": "Ball", "price": 1, "sku": "B-1", "id": 7}).json()
    assert manager("POST", "products", {"name": "Ball", "price": 1, "sku": "B-2"}).status_code == 201
    assert manager("POST", "products", {"name": "ball", "price": 1}).json()["code"] == "duplicate_name"
    taken = manager("POST", "products", {"name": "Other", "price": 1, "sku": "B-1"})
    assert (taken.status_code, taken.json()["code"]) == (400, "duplicate_sku")
    assert manager("PUT", f"products/{first['id']}", {"sku": "B-2"}).json()["code"] == "duplicate_sku"
    assert manager("PUT", f"products/{first['id']}", {"sku": " "}).status_code == 422


def test_a_partial_body_changes_only_what_it_names(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=3, sku="L-1", category="Lighting", description="warm", unit_cost=D(4))
    before = manager("GET", f"products/{lamp.pk}").json()
    after = manager("PUT", f"products/{lamp.pk}", {"name": "Lamp II"}).json()
    assert {name for name in before if before[name] != after[name]} == {"name", "updated_at"}
    cleared = manager("PATCH", f"products/{lamp.pk}", {"category": None, "unit_cost": None}).json()
    assert (cleared["category"], cleared["unit_cost"]) == (None, None)
    assert manager("PATCH", f"products/{lamp.pk}", {"price": 0}).json()["code"] == "price_not_positive"
    forbidden = {"id": 1, "on_hand_total": 9, "reserved": 5, "created_at": "2000-01-01", "version": 3}
    same = manager("PATCH", f"products/{lamp.pk}", forbidden).json()
    assert {name: same[name] for name in ("id", "reserved", "on_hand")} == {"id": lamp.pk, "reserved": 0, "on_hand": 3}


def test_a_stock_number_that_is_written_is_what_is_read_back(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, quarantine: Warehouse, manager: Api
) -> None:
    lamp = make_product("Lamp", stock=10)
    for place in (annex, quarantine):
        ledger.post([Movement(lamp.pk, place.pk, MovementType.PURCHASE, D(5))])
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 4}]})

    def put(body: dict[str, Any]) -> tuple[int, int, int]:
        answer = manager("PUT", f"inventory/{lamp.pk}", body)
        assert answer.status_code == 200, answer.content
        return tuple(answer.json()[name] for name in ("on_hand", "reserved", "stock_quantity"))  # type: ignore[return-value]  # of three

    assert put({"stock_quantity": 20, "reason": "counted"}) == (29, 4, 20)
    assert put({"quantity": 2}) == (11, 4, 2)
    assert put({"on_hand": 30}) == (30, 4, 21)
    assert put({"on_hand": 6})[0] == 6
    assert put({"stock_quantity": 1, "warehouse_id": annex.pk})[0] >= 5
    last = StockOperation.objects.filter(kind="adjustment").order_by("id").first()
    assert last is not None
    assert last.reason == "counted"
    below = manager("PUT", f"inventory/{lamp.pk}", {"on_hand": 1})
    assert (below.status_code, below.json()["code"]) == (400, "insufficient_stock")


def test_writing_the_number_that_is_there_posts_nothing(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=10)
    assert manager("PUT", f"products/{lamp.pk}", {"stock_quantity": 10}).status_code == 200
    assert StockMovement.objects.filter(product=lamp).count() == 1


def test_weighed_goods_show_exact_numbers(kilogram: object, main: Warehouse, manager: Api) -> None:
    made = manager(
        "POST", "products", {"name": "Tea", "price": 20.0501, "unit_of_measure": "kg", "stock_quantity": 0.3}
    )
    assert b'"price":20.0501,' in made.content
    assert b'"stock_quantity":0.3,' in made.content
    manager("POST", "inventory/adjust", {"product_id": made.json()["id"], "quantity": -0.1, "reason": "r"})
    assert ProductStock.objects.get().on_hand == D("0.2")
    finer = manager("POST", "inventory/adjust", {"product_id": made.json()["id"], "quantity": 0.0001, "reason": "r"})
    assert finer.status_code == 422


def test_the_seeds_two_names_show_the_same_product(make_product: MakeProduct, buyer: Api) -> None:
    lamp = make_product("Lamp", stock=10)
    assert buyer("GET", f"products/{lamp.pk}").content == buyer("GET", f"inventory/{lamp.pk}").content
    assert buyer("GET", "products").json()["results"] == buyer("GET", "inventory").json()["results"]


def test_what_a_product_costs_us_is_for_staff_alone(
    make_product: MakeProduct, buyer: Api, as_staff: Callable[[str], Api]
) -> None:
    lamp = make_product("Lamp", stock=5, sku="LAMP", unit_cost=Decimal(7))
    link("012345678905", product_id=lamp.pk, pack_quantity=None)
    paths = (f"products/{lamp.pk}", f"inventory/{lamp.pk}", "products", "barcode/lookup/012345678905")

    def costs(api: Api) -> list[Any]:
        answers = [api("GET", path).json() for path in paths] + [
            api("POST", "barcode/scan", {"barcode": "012345678905"}).json()
        ]
        found = [one["results"][0] if "results" in one else one.get("product", one) for one in answers]
        assert {one["name"] for one in found} == {"Lamp"}
        return [one.get("unit_cost", "not told") for one in found]

    clerk = as_staff("clerk")
    for _ in range(3):  # kept answers are told apart, too
        assert costs(clerk) == [7] * 5
        assert costs(buyer) == ["not told"] * 5


def test_a_charge_that_was_ordered_does_not_become_goods(make_product: MakeProduct, manager: Api, buyer: Api) -> None:
    postage, packing = (make_product(name, is_stocked=False, sku=name.upper()) for name in ("Postage", "Packing"))
    buyer("POST", "orders", {"items": [{"product_id": postage.pk, "quantity": 1}]})
    refused = manager("PATCH", f"products/{postage.pk}", {"is_stocked": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_as_charge")
    assert "POSTAGE" in refused.json()["detail"]
    assert manager("PATCH", f"products/{packing.pk}", {"is_stocked": True}).json()["is_stocked"] is True
    assert manager("PATCH", f"products/{postage.pk}", {"is_stocked": False, "price": 3}).status_code == 200
    with pytest.raises(Conflict, match="POSTAGE"):
        update_products({postage.pk: {"is_stocked": True}, packing.pk: {"price": Decimal(2)}})


def test_a_unit_may_not_be_coarser_than_the_stock_there_is(
    make_product: MakeProduct, manager: Api, kilogram: UnitOfMeasure, piece: UnitOfMeasure
) -> None:
    flour = make_product("Flour", unit="kg", stock="2.5", sku="FLOUR")

    def codes() -> list[Any]:
        answers = [
            manager("PATCH", f"units/{kilogram.pk}", {"decimal_places": 0}),
            manager("PATCH", f"products/{flour.pk}", {"unit_of_measure": "piece"}),
        ]
        return [(one.status_code, one.json().get("code")) for one in answers]

    assert codes() == [(409, "unit_too_coarse")] * 2
    with pytest.raises(Conflict, match="FLOUR"):
        update_products({flour.pk: {"unit_id": piece.pk}})
    assert manager("PATCH", f"units/{kilogram.pk}", {"decimal_places": 1}).status_code == 200
    manager("PATCH", f"products/{flour.pk}", {"on_hand": 3})
    assert [code for code, _ in codes()] == [200, 200]
