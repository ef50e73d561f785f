"""Barcodes: scan, look up, link, unlink; one trade number under its several spellings."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from inventory.gtin import check_digit, gtin_of
from inventory.models import Barcode, Product
from inventory.queries import products_by_barcode
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
UPC, EAN, GTIN = "012345678905", "0012345678905", "00012345678905"


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    """Who holds the scanner."""
    return as_staff("clerk")


@pytest.fixture
def lamp(make_product: MakeProduct) -> Product:
    """Five lamps."""
    return make_product("Lamp", sku="LAMP", stock=5)


def linked(api: Api, code: str, product: Product, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = api("POST", "barcode/link", {"barcode": code, "product_id": product.pk, **more})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("code", "gtin"),
    [
        ("012345678905", "00012345678905"),
        ("4006381333931", "04006381333931"),
        ("96385074", "00000096385074"),
        ("10012345678902", "10012345678902"),
        ("012345678904", None),
        ("12345678905", None),
        ("ABC-123", None),
        ("٠١٢٣٤٥٦٧٨٩٠٥", None),
        ("", None),
    ],
)
def test_a_code_with_the_right_check_digit_has_a_gtin(code: str, gtin: str | None) -> None:
    assert gtin_of(code) == gtin


def test_the_check_digit_is_computed() -> None:
    assert [check_digit(code) for code in ("012345678900", "4006381333930", "96385070")] == ["5", "1", "4"]


def test_a_scan_answers_product_and_stock(clerk: Api, buyer: Api, lamp: Product) -> None:
    assert linked(clerk, UPC, lamp)[0] == 201
    scanned = buyer("POST", "barcode/scan", {"barcode": UPC})
    body = scanned.json()
    assert (scanned.status_code, body["barcode"], body["product_id"]) == (200, UPC, lamp.pk)
    assert (body["pack_quantity"], body["stock_quantity"]) == (1, 5)
    assert body["product"] == buyer("GET", f"products/{lamp.pk}").json()
    assert buyer("GET", f"barcode/lookup/{UPC}").json() == body


def test_an_unknown_code_says_how_to_link_it(clerk: Api) -> None:
    for answer in (clerk("POST", "barcode/scan", {"barcode": UPC}), clerk("GET", f"barcode/lookup/{UPC}")):
        body = answer.json()
        assert (answer.status_code, body["code"], body["hint"]) == (404, "barcode_not_found", "link")
        assert body["link"] == {"method": "POST", "path": "/api/v1/barcode/link"}
        assert "POST /api/v1/barcode/link" in body["detail"]


def test_every_spelling_of_a_trade_number_finds_it_and_the_printed_one_is_kept(
    clerk: Api, lamp: Product, make_product: MakeProduct
) -> None:
    linked(clerk, UPC, lamp)
    assert set(products_by_barcode([UPC, EAN, GTIN, "12345678905"])) == {UPC, EAN, GTIN}
    assert Barcode.objects.get().code == UPC
    assert linked(clerk, EAN, lamp)[0] == 200
    status, body = linked(clerk, GTIN, make_product("Desk"))
    assert (status, body["code"], body["product_id"]) == (409, "barcode_taken", lamp.pk)
    assert Barcode.objects.count() == 1


def test_a_code_of_another_product_is_a_409_that_names_it(clerk: Api, lamp: Product, make_product: MakeProduct) -> None:
    linked(clerk, "SHELF-1", lamp)
    status, body = linked(clerk, "SHELF-1", make_product("Desk"))
    assert (status, body["code"], body["sku"], body["name"]) == (409, "barcode_taken", "LAMP", "Lamp")
    assert Barcode.objects.get().product == lamp


def test_linking_the_same_twice_is_fine_and_may_change_the_pack(clerk: Api, lamp: Product) -> None:
    assert linked(clerk, "BOX", lamp, pack_quantity=6)[0] == 201
    status, body = linked(clerk, "BOX", lamp)
    assert (status, body["pack_quantity"]) == (200, 6)
    assert linked(clerk, "BOX", lamp, pack_quantity=12)[1]["pack_quantity"] == 12
    assert clerk("POST", "barcode/scan", {"barcode": "BOX"}).json()["pack_quantity"] == 12


def test_a_misread_digit_is_refused_with_the_expected_one(clerk: Api, lamp: Product) -> None:
    status, body = linked(clerk, "012345678904", lamp)
    assert (status, list(body["fields"])) == (422, ["barcode"])
    assert "should be 5" in body["detail"]
    assert not Barcode.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "barcode"),
        ({"barcode": " ", "product_id": 1}, 422, "barcode"),
        ({"barcode": "X" * 65, "product_id": 1}, 422, "barcode"),
        ({"barcode": "X"}, 422, "product_id"),
        ({"barcode": "X", "product_id": 987654}, 404, "product_id"),
        ({"barcode": "X", "product_id": "P", "pack_quantity": 0}, 422, "pack_quantity"),
        ({"barcode": "X", "product_id": "P", "pack_quantity": 1.5}, 422, "pack_quantity"),
    ],
)
def test_what_cannot_be_linked_is_refused(
    body: dict[str, Any], status: int, field: str, clerk: Api, lamp: Product
) -> None:
    filled = {name: lamp.pk if value == "P" else value for name, value in body.items()}
    answer = clerk("POST", "barcode/link", filled)
    assert (answer.status_code, field in answer.json()["fields"]) == (status, True), answer.json()


def test_unlinking(clerk: Api, lamp: Product, make_product: MakeProduct) -> None:
    linked(clerk, UPC, lamp)
    assert clerk("DELETE", f"barcode/{EAN}").status_code == 204
    assert clerk("DELETE", f"barcode/{UPC}").json()["code"] == "barcode_not_found"
    assert linked(clerk, UPC, make_product("Desk"))[0] == 201


def test_a_products_codes_are_listed(clerk: Api, lamp: Product, make_product: MakeProduct) -> None:
    linked(clerk, UPC, lamp)
    linked(clerk, "BOX", lamp, pack_quantity=6)
    linked(clerk, "DESK", make_product("Desk"))
    found = clerk("GET", f"products/{lamp.pk}/barcodes").json()
    assert [(row["barcode"], row["gtin"], row["pack_quantity"]) for row in found["results"]] == [
        (UPC, GTIN, 1),
        ("BOX", None, 6),
    ]
    assert clerk("GET", "products/987654/barcodes").status_code == 404


def test_an_order_line_understands_another_spelling(clerk: Api, lamp: Product) -> None:
    linked(clerk, UPC, lamp)
    order = clerk("POST", "orders", {"items": [{"barcode": EAN, "quantity": 2}]}).json()
    assert [(row["product_id"], row["quantity"]) for row in order["items"]] == [(lamp.pk, 2)]


def test_codes_that_differ_in_case_only_are_different(clerk: Api, lamp: Product, make_product: MakeProduct) -> None:
    desk = make_product("Desk")
    assert [linked(clerk, "ab", lamp)[0], linked(clerk, "AB", desk)[0]] == [201, 201]
    assert clerk("GET", "barcode/lookup/AB").json()["product_id"] == desk.pk
