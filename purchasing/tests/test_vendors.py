"""Vendors and their prices over REST: one name each, prices only added to, offers compared, lead times measured."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from inventory.models import Product
from purchasing.models import Vendor, VendorPrice
from purchasing.queries import lead_times, vendor_lead_times
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order, send_purchase_order
from purchasing.services.receipts import Received, receive_purchase_order
from purchasing.services.vendors import NewPrice
from tests.client import Api
from workbox.core.errors import Invalid

pytestmark = pytest.mark.django_db
D = Decimal


# ---- vendors ---------------------------------------------------------------------------------------------------------
def test_a_vendor_is_made_changed_retired_and_restored(manager: Api) -> None:
    made = manager("POST", "vendors", {"name": "  Northwind   Mill ", "contact_email": "hello@northwind.example"})
    vendor = made.json()
    assert (made.status_code, vendor["name"], vendor["quoted_lead_time_days"]) == (201, "Northwind Mill", 7)
    path = f"vendors/{vendor['id']}"
    etag = manager("GET", path)["ETag"]
    changed = manager("PATCH", path, {"quoted_lead_time_days": 12}, If_Match=etag)
    assert (changed.status_code, changed.json()["quoted_lead_time_days"]) == (200, 12)
    assert manager("PUT", path, {"notes": "late"}, If_Match=etag).status_code == 412
    assert manager("DELETE", path).status_code == 204
    assert manager("GET", "vendors").json()["results"] == []
    assert manager("GET", "vendors?include_inactive=true").json()["count"] == 1
    assert manager("GET", path).json()["is_active"] is False
    assert manager("POST", f"{path}/restore").json()["is_active"] is True
    assert manager("GET", "vendors?search=NORTH").json()["count"] == 1


@pytest.mark.parametrize("name", ["northwind mill", " NORTHWIND  MILL ", "Ｎorthwind Mill"])
def test_a_vendors_name_is_taken_in_every_spelling(name: str, make_vendor: Callable[..., Vendor], manager: Api) -> None:
    make_vendor("Northwind Mill")
    answer = manager("POST", "vendors", {"name": name})
    assert (answer.status_code, answer.json()["code"]) == (400, "duplicate_name")
    assert Vendor.objects.count() == 1


def test_vendors_are_listed_by_name_or_as_asked(make_vendor: Callable[..., Vendor], manager: Api) -> None:
    for name in ("Bee", "Ant", "Cat"):
        make_vendor(name)
    names = [row["name"] for row in manager("GET", "vendors").json()["results"]]
    latest = [row["name"] for row in manager("GET", "vendors?ordering=-created_at&skip=0&limit=2").json()["results"]]
    assert (names, latest) == (["Ant", "Bee", "Cat"], ["Cat", "Ant"])


def test_an_idempotency_key_makes_one_vendor(manager: Api) -> None:
    answers = [manager("POST", "vendors", {"name": "Ant"}, Idempotency_Key="k") for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert (answers[1]["Idempotency-Replayed"], Vendor.objects.count()) == ("true", 1)


# ---- prices ----------------------------------------------------------------------------------------------------------
def test_a_new_price_closes_the_old_one_and_the_history_stays(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product], manager: Api
) -> None:
    vendor, lamp, rug = make_vendor(), make_product("Lamp"), make_product("Rug")
    path = f"vendors/{vendor.pk}/prices"
    body = {"product_id": lamp.pk, "unit_price": 12.99, "lead_time_days": 5, "minimum_order_quantity": 10}
    first = manager("POST", path, body).json()
    breaks = [{"from_quantity": 100, "unit_price": 9}, {"from_quantity": 50, "unit_price": 10.5}]
    second = manager("POST", path, body | {"unit_price": 11.5, "price_breaks": breaks}).json()
    manager("POST", path, {"product_id": rug.pk, "unit_price": 80})

    assert (first["is_current"], first["valid_to"], second["is_current"]) == (True, None, True)
    assert second["price_breaks"] == breaks[::-1]
    history = manager("GET", f"{path}?product_id={lamp.pk}").json()["results"]
    assert [(row["unit_price"], row["is_current"]) for row in history] == [(11.5, True), (12.99, False)]
    assert history[1]["valid_to"] == history[0]["valid_from"]
    current = manager("GET", f"{path}?current=true").json()["results"]
    assert [(row["unit_price"], row["lead_time_days"]) for row in current] == [(80, 7), (11.5, 5)]
    assert [row["id"] for row in manager("GET", f"{path}?current=false").json()["results"]] == [first["id"]]


def test_the_database_holds_one_current_price_per_vendor_and_product(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product]
) -> None:
    lamp = make_product("Lamp")
    vendor = make_vendor(prices={lamp.pk: "5"})
    now = datetime.now(UTC)
    row: dict[str, Any] = {"vendor": vendor, "product": lamp, "unit_price": D(1), "lead_time_days": 1}
    for wrong in ({}, {"is_current": None}, {"is_current": False, "valid_to": now}, {"valid_to": now}):
        with pytest.raises(IntegrityError), transaction.atomic():
            VendorPrice.objects.create(**row, valid_from=now, **wrong)
    VendorPrice.objects.create(**row, valid_from=now, valid_to=now, is_current=None)
    assert VendorPrice.objects.filter(is_current=True).count() == 1


def test_a_price_may_not_begin_before_the_one_it_replaces(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product]
) -> None:
    lamp = make_product("Lamp")
    vendor = make_vendor(prices={lamp.pk: "5"})
    with pytest.raises(Invalid):
        vendors.add_price(vendor.pk, NewPrice(lamp.pk, D(4)), valid_from=datetime.now(UTC) - timedelta(days=1))
    assert VendorPrice.objects.count() == 1


def test_a_former_vendor_makes_no_offer_and_gets_no_price(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp")
    vendor = make_vendor(prices={lamp.pk: "5"})
    manager("DELETE", f"vendors/{vendor.pk}")
    assert manager("GET", f"products/{lamp.pk}/vendors").json()["results"] == []
    refused = manager("POST", f"vendors/{vendor.pk}/prices", {"product_id": lamp.pk, "unit_price": 4})
    assert (refused.status_code, refused.json()["code"]) == (400, "vendor_retired")


# ---- comparison ------------------------------------------------------------------------------------------------------
def test_offers_are_compared_at_the_door_for_the_quantity_asked(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp", sku="LAMP")
    near, far = make_vendor("Near"), make_vendor("Far")
    vendors.add_price(near.pk, NewPrice(lamp.pk, D("10"), 2))
    cheap = NewPrice(
        lamp.pk, D("9"), 20, minimum_order_quantity=D(5), pack_quantity=D(4), shipping_cost=D(16),
        breaks=[(D(100), D("8"))],
    )  # fmt: skip
    vendors.add_price(far.pk, cheap)

    one = manager("GET", f"products/{lamp.pk}/vendors").json()
    assert (one["sku"], one["quantity"], one["count"]) == ("LAMP", 1, 2)
    rows = [(row["vendor_name"], row["order_quantity"], row["landed_cost"], row["landed_unit_cost"],
             row["is_recommended"]) for row in one["results"]]  # fmt: skip
    assert rows == [("Near", 1, 10, 10, True), ("Far", 8, 88, 11, False)]
    assert one["results"][1]["quantity_note"] == ("Rounded up from 1 to 8: the minimum order of 5 and full packs of 4.")
    many = manager("GET", f"products/{lamp.pk}/vendors?quantity=100").json()["results"]
    assert [(row["vendor_name"], row["unit_price"], row["landed_unit_cost"]) for row in many] == [
        ("Far", 8, 8.16),
        ("Near", 10, 10),
    ]
    assert [row["is_recommended"] for row in many] == [True, False]
    assert (many[0]["lead_time_days"], many[0]["measured_lead_time_days"]) == (20, None)
    assert manager("GET", f"products/{lamp.pk}/vendors?quantity=0").status_code == 422
    assert manager("GET", "products/987654321/vendors").json()["code"] == "product_not_found"


# ---- lead times ------------------------------------------------------------------------------------------------------
def bought(vendor: Vendor, product: Product, *days: float) -> None:
    """One order sent so many days before it came, per entry."""
    now = datetime.now(UTC)
    for number, one in enumerate(days):
        order = create_purchase_order(vendor.pk, [PurchaseItem(product.pk, D(1))])
        arrived = now - timedelta(days=number)
        send_purchase_order(order.pk, sent_at=arrived - timedelta(days=one))
        receive_purchase_order(order.pk, received_at=arrived)


def test_lead_times_are_quoted_until_five_receipts_and_measured_from_then_on(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product], manager: Api
) -> None:
    lamp, rug = make_product("Lamp"), make_product("Rug")
    vendor = make_vendor(prices={lamp.pk: "5", rug.pk: "9"}, quoted_lead_time_days=10)
    bought(vendor, lamp, 4, 6, 8, 10)
    quoted = vendor_lead_times([vendor.pk])[vendor.pk]
    assert (quoted.receipts, quoted.is_measured, quoted.mean_days, quoted.sd_days) == (4, False, D(10), D("3.0"))
    bought(vendor, rug, 12)
    measured = vendor_lead_times([vendor.pk])[vendor.pk]
    assert (measured.receipts, measured.mean_days, measured.sd_days) == (5, D("8.00"), D("3.16"))

    report = manager("GET", f"vendors/{vendor.pk}/lead-times").json()
    assert (report["mean_days"], report["sd_days"], report["is_measured"]) == (8, 3.16, True)
    assert [(row["name"], row["receipts"], row["is_measured"]) for row in report["products"]] == [
        ("Lamp", 4, False),
        ("Rug", 1, False),
    ]
    # A product with too few receipts of its own is expected to take as long as its vendor does.
    offer = manager("GET", f"products/{rug.pk}/vendors").json()["results"][0]
    assert (offer["lead_time_days"], offer["measured_lead_time_days"]) == (10, 8)
    bought(vendor, rug, 2, 2, 2, 2)
    assert lead_times([(vendor.pk, rug.pk, 10)])[vendor.pk, rug.pk].mean_days == D(4)


def test_a_receipt_in_two_parts_counts_twice(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product]
) -> None:
    lamp = make_product("Lamp")
    vendor = make_vendor(prices={lamp.pk: "5"})
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(4))])
    now = datetime.now(UTC)
    send_purchase_order(order.pk, sent_at=now - timedelta(days=6))
    receive_purchase_order(order.pk, [Received(lamp.pk, D(1))], received_at=now - timedelta(days=2))
    receive_purchase_order(order.pk, received_at=now)
    assert vendor_lead_times([vendor.pk])[vendor.pk].receipts == 2


def test_a_product_in_two_lines_of_a_receipt_took_one_time(
    make_vendor: Callable[..., Vendor], make_product: Callable[..., Product], manager: Api
) -> None:
    lamp, rug = make_product("Lamp"), make_product("Rug")
    vendor = make_vendor(prices={lamp.pk: "5", rug.pk: "9"})
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(4)), PurchaseItem(rug.pk, D(1))])
    now = datetime.now(UTC)
    send_purchase_order(order.pk, sent_at=now - timedelta(days=6))
    came = [Received(lamp.pk, D(1), D(5)), Received(lamp.pk, D(1), D(6)), Received(rug.pk, D(1))]
    receive_purchase_order(order.pk, came, received_at=now)
    report = manager("GET", f"vendors/{vendor.pk}/lead-times").json()
    assert [(row["name"], row["receipts"]) for row in report["products"]] == [("Lamp", 1), ("Rug", 1)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"unit_price": D(10**12)}, "unit_price"),
        ({"breaks": [(D("1e25"), D(1))]}, "price_breaks.0.from_quantity"),
        ({"breaks": [(D(5), D("1e25"))]}, "price_breaks.0.unit_price"),
        ({"breaks": [(D(5), D("0.00001"))]}, "price_breaks.0.unit_price"),
        ({"breaks": [(D("1.5"), D(1))]}, "price_breaks.0.from_quantity"),
        ({"breaks": [(D(one), D(1)) for one in range(1, 22)]}, "price_breaks"),
        ({"pack_quantity": D("0.5")}, "pack_quantity"),
    ],
)
def test_numbers_of_a_price_that_make_no_sense_are_named(
    wrong: dict[str, Any], field: str, make_vendor: Callable[..., Vendor], make_product: Callable[..., Product]
) -> None:
    price = NewPrice(make_product("Lamp").pk, **{"unit_price": D(5)} | wrong)
    with pytest.raises(Invalid) as refused:
        vendors.add_price(make_vendor().pk, price)
    assert list(refused.value.fields) == [field]
