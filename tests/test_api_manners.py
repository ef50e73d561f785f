"""How the API behaves whatever it is about: idempotency keys, ETags and If-Match, pages, headers."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from accounts.models import User
from inventory.models import Product, ProductStock, StockMovement, StockOperation, Warehouse
from orders.models import Order, OrderLine
from tests.client import Api
from workbox.core.models import Event, IdempotencyKey

pytestmark = pytest.mark.django_db

MakeProduct = Callable[..., Product]


def body_of(path: str, product: Product) -> dict[str, Any]:
    """A body that works for each route that takes an Idempotency-Key."""
    line = {"product_id": product.pk, "quantity": 1}
    return {
        "orders": {"items": [line]},
        "orders/create_order": {"items": [line]},
        "sales": line,
        "inventory/adjust": line | {"reason": "found"},
        "stock-movements": line | {"movement_type": "purchase"},
        "products": {"name": "Brand new", "price": 5, "stock_quantity": 3},
        "inventory": {"name": "Brand new", "price": 5},
        "warehouses": {"name": "Brand new"},
        "categories": {"name": "Brand new"},
        "units": {"code": "litre", "decimal_places": 3},
        "users": {"username": "rosa", "email": "rosa@example.com"},
    }[path]


CREATING = ("orders", "orders/create_order", "sales", "inventory/adjust", "stock-movements", "products", "inventory",
            "warehouses", "categories", "units", "users")  # fmt: skip


def rows() -> tuple[int, ...]:
    """How many there are of everything a request may leave behind."""
    models = (Order, OrderLine, Product, StockOperation, StockMovement, Warehouse, Event, IdempotencyKey, User)
    return tuple(model._base_manager.count() for model in models)


# ---- idempotency -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", CREATING)
def test_the_same_request_twice_happens_once_and_answers_the_same(
    path: str, make_product: MakeProduct, manager: Api
) -> None:
    body = body_of(path, make_product("Lamp", stock=9))
    first = manager("POST", path, body, Idempotency_Key="k-1")
    after_first = rows()
    second = manager("POST", path, body, Idempotency_Key="k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
    assert rows() == after_first


@pytest.mark.parametrize("path", CREATING)
def test_a_key_used_for_another_body_is_refused(path: str, make_product: MakeProduct, manager: Api) -> None:
    body = body_of(path, make_product("Lamp", stock=9))
    manager("POST", path, body, Idempotency_Key="k-1")
    after_first = rows()
    other = manager("POST", path, body | {"extra": 1}, Idempotency_Key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert rows() == after_first


@pytest.mark.parametrize("step", ["confirm", "cancel", "ship", "deliver", "return", "restore", "reverse"])
def test_a_step_with_a_key_is_replayed_instead_of_refused(step: str, make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=9)
    order = manager(
        "POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}], "confirm": step != "confirm"}
    ).json()
    for before in {"deliver": ("ship",), "return": ("ship", "deliver")}.get(step, ()):
        manager("POST", f"orders/{order['id']}/{before}")
    operation = StockOperation.objects.filter(kind="opening").get()
    path = {"restore": f"products/{lamp.pk}/restore", "reverse": f"inventory/operations/{operation.pk}/reverse"}
    if step == "reverse":
        manager("POST", f"orders/{order['id']}/cancel")
    where = path.get(step, f"orders/{order['id']}/{step}")
    first = manager("POST", where, {"reason": "r"}, Idempotency_Key="s-1")
    second = manager("POST", where, {"reason": "r"}, Idempotency_Key="s-1")
    assert first.status_code in (200, 201), first.content
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_key_belongs_to_its_user(make_product: MakeProduct, manager: Api, buyer: Api) -> None:
    body = {"items": [{"product_id": make_product("Lamp", stock=9).pk, "quantity": 1}]}
    mine, theirs = (api("POST", "orders", body, Idempotency_Key="same") for api in (manager, buyer))
    assert mine.json()["id"] != theirs.json()["id"]


@pytest.mark.parametrize("key", ["x" * 129, "caf\x07"])
def test_a_key_nobody_can_read_is_refused(key: str, make_product: MakeProduct, manager: Api) -> None:
    body = {"items": [{"product_id": make_product("Lamp", stock=9).pk, "quantity": 1}]}
    response = manager("POST", "orders", body, Idempotency_Key=key)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_invalid")
    assert Order.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_refused_request_leaves_no_row_and_its_key_may_be_used_again(make_product: MakeProduct, manager: Api) -> None:
    lamp, desk = make_product("Lamp", stock=1), make_product("Desk", stock=9)
    before = rows()
    items = [{"product_id": desk.pk, "quantity": 1}, {"product_id": lamp.pk, "quantity": 2}]
    short = manager("POST", "orders", {"items": items}, Idempotency_Key="k-1")
    assert (short.status_code, short.json()["code"]) == (400, "insufficient_stock")
    assert short.json()["shortages"] == [
        {
            "product_id": lamp.pk,
            "inventory_id": lamp.pk,
            "sku": lamp.sku,
            "name": "Lamp",
            "requested": 2,
            "available": 1,
        }
    ]
    refused = (
        manager("POST", "products", {"name": "Tea", "price": 1, "stock_quantity": 0.5}),
        manager("POST", "sales", {"product_id": lamp.pk, "quantity": 2}),
        manager("PUT", f"products/{lamp.pk}", {"name": "New name", "stock_quantity": 0.5}),
    )
    assert [response.status_code for response in refused] == [422, 400, 422]
    assert rows() == before
    assert Product.objects.get(pk=lamp.pk).name == "Lamp"
    items[1]["quantity"] = 1
    assert manager("POST", "orders", {"items": items}, Idempotency_Key="k-1").status_code == 201


# ---- ETag, 304, If-Match ---------------------------------------------------------------------------------------------
@pytest.fixture
def things(make_product: MakeProduct, manager: Api, main: Warehouse) -> dict[str, str]:
    """A path for every kind of GET."""
    lamp = make_product("Lamp", stock=9, category="Lighting")
    order = manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]}).json()["id"]
    movement = StockMovement.objects.get()
    return {
        "products": "products",
        "product": f"products/{lamp.pk}",
        "inventory-item": f"inventory/{lamp.pk}",
        "low-stock": "inventory/low-stock",
        "movements": "inventory/movements",
        "cursor": "inventory/movements?cursor=",
        "movement": f"stock-movements/{movement.pk}",
        "operation": f"stock-operations/{movement.operation_id}",
        "history": f"inventory/products/{lamp.pk}/history",
        "warehouses": "warehouses",
        "warehouse": f"warehouses/{main.pk}",
        "categories": "categories",
        "category": f"categories/{lamp.category_id}",
        "units": "units",
        "unit": f"units/{lamp.unit_id}",
        "orders": "orders",
        "order": f"orders/{order}",
        "timeline": f"orders/{order}/timeline",
        "sales": "sales",
        "events": "events",
        "users": "users",
        "me": "auth/me",
    }


def test_every_answer_has_an_etag_and_is_not_sent_twice(things: dict[str, str], manager: Api) -> None:
    for name, path in things.items():
        first = manager("GET", path)
        again = manager("GET", path, If_None_Match=first.headers["ETag"])
        assert (first.status_code, again.status_code, again.content) == (200, 304, b""), name
        assert again.headers["ETag"] == first.headers["ETag"]
        assert manager("GET", path, If_None_Match='"other"').status_code == 200


def test_a_change_changes_the_etag_of_the_thing_and_its_list(things: dict[str, str], manager: Api) -> None:
    names = ("products", "product", "orders", "order")
    before = {name: manager("GET", things[name]).headers["ETag"] for name in names}
    manager("PATCH", things["product"], {"price": 77})
    manager("POST", things["order"] + "/ship")
    after = {name: manager("GET", things[name]).headers["ETag"] for name in names}
    assert [name for name in names if after[name] == before[name]] == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("product", {"stock_quantity": 50}),
        ("inventory-item", {"quantity": 50}),
        ("warehouse", {"priority": 7}),
        ("category", {"name": "Light"}),
        ("unit", {"name": "Piece!"}),
    ],
)
def test_a_stale_if_match_is_a_412_and_changes_nothing(
    method: str, name: str, body: dict[str, Any], things: dict[str, str], manager: Api
) -> None:
    path = things[name]
    stale = manager("GET", path).headers["ETag"]
    assert manager(method, path, body, If_Match=stale).status_code == 200
    now = manager("GET", path)
    refused = manager(method, path, body, If_Match=stale)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert manager("GET", path).content == now.content
    assert manager(method, path, body, If_Match=now.headers["ETag"]).status_code == 200
    assert manager(method, path, body, If_Match="*").status_code == 200


@pytest.mark.parametrize(("name", "suffix"), [("product", ""), ("warehouse", "")])
def test_a_stale_delete_is_a_412(name: str, suffix: str, things: dict[str, str], manager: Api) -> None:
    assert manager("DELETE", things[name], If_Match='"stale"').status_code == 412
    assert manager("GET", things[name]).json()["is_active"] is True


def test_a_stale_step_is_a_412_and_the_order_stays(things: dict[str, str], manager: Api) -> None:
    for step in ("ship", "cancel"):
        assert manager("POST", f"{things['order']}/{step}", If_Match='"stale"').status_code == 412
    assert manager("GET", things["order"]).json()["status"] == "confirmed"
    fresh = manager("GET", things["order"]).headers["ETag"]
    assert manager("POST", f"{things['order']}/ship", If_Match=fresh).status_code == 200


def test_the_answer_to_a_put_carries_the_etag_of_the_new_state(things: dict[str, str], manager: Api) -> None:
    changed = manager("PUT", things["product"], {"price": 5})
    assert changed.headers["ETag"] == manager("GET", things["product"]).headers["ETag"]


def test_a_number_that_moved_is_a_412(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=9)
    refused = manager("PUT", f"products/{lamp.pk}", {"stock_quantity": 20, "compare_quantity": 8})
    assert (refused.status_code, refused.json()["current_quantity"]) == (412, 9)
    assert ProductStock.objects.get(product=lamp).on_hand == 9
    assert manager("PUT", f"products/{lamp.pk}", {"stock_quantity": 20, "compare_quantity": 9}).status_code == 200


# ---- pages -----------------------------------------------------------------------------------------------------------
def test_pages_lead_through_the_whole_list_and_back(make_product: MakeProduct, manager: Api) -> None:
    ids = [make_product(f"P{index}").pk for index in range(5)]
    seen, path, pages = [], "/api/v1/products/?page_size=2&sort_by=created_asc", []
    while path:
        page = manager("GET", path).json()
        pages.append((page["count"], page["previous"] is None))
        seen += [row["id"] for row in page["results"]]
        path = page["next"]
    assert (seen, pages) == (ids, [(5, True), (5, False), (5, False)])
    by_skip = manager("GET", "products?skip=2&limit=2&sort_by=created_asc").json()
    assert [row["id"] for row in by_skip["results"]] == ids[2:4]
    assert "skip=4" in by_skip["next"]
    assert "skip=0" in by_skip["previous"]
    assert manager("GET", "products?page=9").json()["results"] == []


def test_a_cursor_leads_through_the_ledger_in_either_order(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp", stock=1)
    for quantity in (2, 3, 4):
        manager("POST", "inventory/adjust", {"product_id": lamp.pk, "quantity": quantity, "reason": "r"})
    for order, expected in (("created_desc", [4, 3, 2, 1]), ("created_asc", [1, 2, 3, 4])):
        seen, path = [], f"/api/v1/inventory/movements?cursor=&limit=3&sort_by={order}"
        while path:
            page = manager("GET", path).json()
            assert page["count"] is None
            seen += [row["quantity"] for row in page["results"]]
            path = page["next"]
        assert seen == expected


def test_a_long_list_says_how_many_at_least(
    monkeypatch: pytest.MonkeyPatch, make_product: MakeProduct, manager: Api
) -> None:
    for index in range(6):
        make_product(f"P{index}")
    monkeypatch.setattr("workbox.core.api.COUNT_MAX", 3)
    first = manager("GET", "products?page_size=2").json()
    third = manager("GET", "products?page_size=2&page=3").json()
    second = manager("GET", "products?page_size=2&page=2").json()
    assert (first["count"], second["count"], third["count"]) == (3, 5, 6)
    assert second["next"] is not None
    assert third["next"] is None


# ---- headers ---------------------------------------------------------------------------------------------------------
def test_a_request_id_comes_back_and_stands_in_the_ledger(make_product: MakeProduct, manager: Api) -> None:
    lamp = make_product("Lamp")
    body = {"product_id": lamp.pk, "quantity": 1, "reason": "r"}
    made = manager("POST", "inventory/adjust", body, X_Request_ID="till-7.42")
    assert made.headers["X-Request-ID"] == "till-7.42"
    operation = manager("GET", f"stock-operations/{made.json()['operation_id']}").json()
    assert (operation["request_id"], operation["created_by"]) == ("till-7.42", manager.user.pk)


def test_who_asks_too_often_is_told_when_to_come_back(settings: Any, manager: Api) -> None:
    settings.WORKBOX_THROTTLE = True
    settings.WORKBOX_THROTTLE_USER_PER_MINUTE = 2
    with time_machine.travel((time.time() // 60 + 1) * 60 + 15, tick=False):  # a quarter into the next minute
        answers = [manager("GET", "units") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"] == "limit=2, remaining=1, reset=45"
    assert (answers[2].json()["code"], answers[2].headers["Retry-After"]) == ("throttled", "45")


def test_long_answers_are_compressed_for_those_who_can_read_them(
    manager: Api, make_product: Callable[..., Product]
) -> None:
    for number in range(12):
        make_product(f"Lamp {number}")
    plain = manager("GET", "products")
    packed = manager("GET", "products", Accept_Encoding="gzip, br")
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", plain.headers["Vary"])
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 2
    known = manager("GET", "products", If_None_Match=packed.headers["ETag"])
    assert (known.status_code, known.content) == (304, b"")
    short = manager("GET", "warehouses", Accept_Encoding="gzip")
    assert "Content-Encoding" not in short.headers
