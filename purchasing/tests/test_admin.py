"""Buying in the admin: a manager makes vendor, price and draft and sends it, a clerk receives; refusals are told."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from inventory.models import Product, ProductStock, Warehouse
from purchasing.models import PurchaseOrder, Receipt, Vendor, VendorPrice
from purchasing.services.orders import PurchaseItem, create_purchase_order, send_purchase_order
from purchasing.services.receipts import Received, receive_purchase_order
from purchasing.services.vendors import create_vendor

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def browser(make_user: Callable[..., User]) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        client = Client()
        user = User.objects.filter(username=role).first() or make_user(role)
        client.force_login(user, backend="accounts.roles.RoleBackend")
        return client

    return log_in


def act(client: Client, model: str, step: str, pk: int, **fields: Any) -> HttpResponse:
    url = reverse(f"admin:purchasing_{model}_{step}", args=[pk])
    return client.post(url, {"_form_submitted": "on", **fields}, headers={"HX-Request": "true"})


def test_a_clerk_undoes_a_receipt_once_and_the_order_says_so(
    browser: Callable[[str], Client], make_product: Callable[..., Product], main: Warehouse
) -> None:
    lamp, clerk = make_product("Lamp", sku="LAMP"), browser("clerk")
    order = create_purchase_order(
        create_vendor({"name": "Mill"}).pk, [PurchaseItem(lamp.pk, D(5), D(2))], warehouse_id=main.pk
    )
    send_purchase_order(order.pk)
    receipt = receive_purchase_order(order.pk, [Received(lamp.pk, D(2))])
    assert act(browser("analyst"), "receipt", "undo", receipt.pk, reason="Wrong pallet").status_code == 403
    assert "required" in act(clerk, "receipt", "undo", receipt.pk, reason="").content.decode()
    act(clerk, "receipt", "undo", receipt.pk, reason="Wrong pallet")
    order.refresh_from_db()
    assert (order.status, ProductStock.objects.get(product=lamp).on_hand) == ("sent", 0)
    page = clerk.get(reverse("admin:purchasing_purchaseorder_change", args=[order.pk])).content.decode()
    assert f"Receipt {receipt.pk} (undone)" in page
    again = act(clerk, "receipt", "undo", receipt.pk, reason="Twice")
    assert f"Purchase order {order.pk} is sent; it cannot be given back." in again.content.decode()


def test_from_vendor_to_receipt(
    browser: Callable[[str], Client], make_product: Callable[..., Product], main: Warehouse
) -> None:
    lamp, manager, clerk = make_product("Lamp", sku="LAMP"), browser("manager"), browser("clerk")
    given = {"name": "Northwind Mill", "quoted_lead_time_days": "5"}
    manager.post(reverse("admin:purchasing_vendor_add"), given)
    vendor = Vendor.objects.get()
    twice = manager.post(reverse("admin:purchasing_vendor_add"), given | {"name": "northwind MILL"})
    assert "is in use" in twice.content.decode()

    price = {
        "sku": "LAMP", "unit_price": "4.50", "minimum_order_quantity": "1", "pack_quantity": "1", "shipping_cost": "0",
        "shipping_basis": "line", "price_breaks": "10 = 4; 50 = 3.5",
    }  # fmt: skip
    wrong = act(manager, "vendor", "add_price", vendor.pk, **price | {"sku": "NOPE", "price_breaks": "ten"})
    assert "There is no product with this SKU." in wrong.content.decode()
    assert "is not a quantity = price" in wrong.content.decode()
    act(manager, "vendor", "add_price", vendor.pk, **price)
    kept = VendorPrice.objects.get()
    assert (kept.unit_price, kept.lead_time_days, kept.breaks.count()) == (D("4.5"), 5, 2)

    lines = {
        "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "0", "lines-0-product": lamp.pk, "lines-0-quantity": "10",
        "lines-0-unit_cost": "",
    }  # fmt: skip
    manager.post(reverse("admin:purchasing_purchaseorder_add"), {"vendor": vendor.pk, "warehouse": main.pk, **lines})
    order = PurchaseOrder.objects.get()
    assert (order.status, order.total_amount, order.created_by.username) == ("draft", 40, "manager")
    assert act(clerk, "purchaseorder", "send", order.pk).status_code == 403
    act(manager, "purchaseorder", "send", order.pk)

    field = f"quantity_{lamp.pk}"
    over = act(clerk, "purchaseorder", "receive", order.pk, **{field: "11"}).content.decode()
    assert "ordered 10, received 0, asked 11" in over
    assert "at least one product" in act(clerk, "purchaseorder", "receive", order.pk, **{field: "0"}).content.decode()
    act(clerk, "purchaseorder", "receive", order.pk, **{field: "4"})
    act(manager, "purchaseorder", "close", order.pk, reason="no more")
    order.refresh_from_db()
    assert (order.status, ProductStock.objects.get(product=lamp).on_hand) == ("received", 4)
    assert Receipt.objects.get().received_by.username == "clerk"
    page = clerk.get(reverse("admin:purchasing_purchaseorder_change", args=[order.pk])).content.decode()
    assert [words for words in ("LAMP", "4 × LAMP at 4.00", "Receipt") if words not in page] == []
    late = act(manager, "purchaseorder", "cancel", order.pk).content.decode()
    assert f"Purchase order {order.pk} is received; it cannot be cancelled." in late


def test_a_vendor_is_retired_and_restored(browser: Callable[[str], Client], make_vendor: Callable[..., Vendor]) -> None:
    vendor, manager = make_vendor(), browser("manager")
    act(manager, "vendor", "retire", vendor.pk)
    assert not Vendor.objects.get().is_active
    act(manager, "vendor", "restore", vendor.pk)
    assert Vendor.objects.get().is_active
    assert act(browser("clerk"), "vendor", "retire", vendor.pk).status_code == 403


def test_a_price_break_beyond_all_bounds_is_explained(
    browser: Callable[[str], Client], make_product: Callable[..., Product], make_vendor: Callable[..., Vendor]
) -> None:
    make_product("Lamp", sku="LAMP")
    price = {
        "sku": "LAMP", "unit_price": "4.50", "minimum_order_quantity": "1", "pack_quantity": "1", "shipping_cost": "0",
        "shipping_basis": "line",
    }  # fmt: skip
    for breaks, told in (
        ("1e25 = 4", "may be at most"),
        ("1.5 = 4", "must be a whole number"),
        ("5 = 1e25", "at most"),
    ):
        page = act(browser("manager"), "vendor", "add_price", make_vendor(breaks).pk, **price, price_breaks=breaks)
        assert (page.status_code, told in page.content.decode()) == (200, True), breaks
    assert not VendorPrice.objects.exists()


def test_a_quantity_of_a_line_that_was_received_meanwhile_is_refused_and_nothing_is_booked(
    browser: Callable[[str], Client], make_product: Callable[..., Product], main: Warehouse
) -> None:
    lamp, rug, clerk = make_product("Lamp", sku="LAMP"), make_product("Rug", sku="RUG"), browser("clerk")
    items = [PurchaseItem(lamp.pk, D(5), D(2)), PurchaseItem(rug.pk, D(3), D(2))]
    order = create_purchase_order(create_vendor({"name": "Mill"}).pk, items, warehouse_id=main.pk)
    send_purchase_order(order.pk)
    receive_purchase_order(order.pk, [Received(lamp.pk, D(5))])  # somebody else, while the dialog was open
    typed = {f"quantity_{lamp.pk}": "5", f"quantity_{rug.pk}": "3"}
    page = act(clerk, "purchaseorder", "receive", order.pk, **typed).content.decode()
    assert "Lamp (LAMP) came in meanwhile" in page
    assert Receipt.objects.count() == 1
    act(clerk, "purchaseorder", "receive", order.pk, **typed | {f"quantity_{lamp.pk}": "0"})
    order.refresh_from_db()
    assert order.status == "received"


def test_the_lines_of_a_draft_are_changed_taken_off_and_added_until_it_is_sent(
    browser: Callable[[str], Client], make_product: Callable[..., Product], make_vendor: Callable[..., Vendor]
) -> None:
    lamp, rug, mug = (make_product(name, sku=name.upper()) for name in ("Lamp", "Rug", "Mug"))
    vendor = make_vendor(prices={lamp.pk: "3", mug.pk: "7"})
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(5), D(2)), PurchaseItem(rug.pk, D(3), D(2))])
    manager, field = browser("manager"), f"quantity_{lamp.pk}"
    typed = {field: "8", f"quantity_{rug.pk}": "0"}

    def lines() -> list[tuple[str, D, D]]:
        return list(order.lines.values_list("product__sku", "quantity", "unit_cost"))

    shown = manager.get(reverse("admin:purchasing_purchaseorder_lines", args=[order.pk])).content.decode()
    assert [words for words in ("Lamp (LAMP) at 2.00", "Rug (RUG) at 2.00") if words not in shown] == []
    assert act(browser("clerk"), "purchaseorder", "lines", order.pk, **typed).status_code == 403
    for wrong, told in (
        ({"sku": "NOPE", "quantity": "1"}, "There is no product with this SKU."),
        ({"sku": "MUG"}, "enter its SKU and how many"),
        ({"sku": "LAMP", "quantity": "1"}, "is named twice"),
        ({field: "1.5"}, "must be a whole number"),
        ({field: "0"}, "needs at least one line"),
        ({"quantity_987654321": "1"}, "was taken off meanwhile"),
    ):
        assert told in act(manager, "purchaseorder", "lines", order.pk, **typed | wrong).content.decode(), wrong
    assert lines() == [("LAMP", 5, 2), ("RUG", 3, 2)]
    act(manager, "purchaseorder", "lines", order.pk, **typed, sku="MUG", quantity="4")
    assert lines() == [("LAMP", 8, 2), ("MUG", 4, 7)]
    act(manager, "purchaseorder", "lines", order.pk, **{field: "8"}, asks_anew="on")
    assert lines() == [("LAMP", 8, 3), ("MUG", 4, 7)]  # a line that the dialog did not show stays
    act(manager, "purchaseorder", "send", order.pk)
    late = act(manager, "purchaseorder", "lines", order.pk, **{field: "1"}).content.decode()
    assert "Only drafts are edited." in late
