"""The stock lookup: what a text finds, what the page says of a product, its dialogs, roles, walls, statements."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import User
from insights import curve_cache, demand, facts, refit
from insights.models import Alert
from insights.tests.conftest import SellDaily, sell_daily  # noqa: F401  (a fixture)
from inventory.models import Barcode, Product, ProductStock, StockMovement, Transfer, Warehouse
from inventory.services import ledger
from orders import services as orders
from orders.models import OrderLine
from orders.services import Item
from purchasing.models import PurchaseOrder, PurchaseOrderLine
from purchasing.services import vendors
from purchasing.services.orders import send_purchase_order
from purchasing.services.vendors import NewPrice
from tests.walled import HIDDEN, HIDDEN_ID, build
from workbox.lookup import stock
from workbox.lookup.stock import initials

pytestmark = pytest.mark.django_db
D = Decimal
STAFF = ("clerk", "manager", "analyst", "admin")
STEADY = [2, 3, 1, 2, 4, 0, 2] * 6
COUNTS = json.loads((Path(__file__).parent / "query_counts.json").read_text())


@pytest.fixture
def browser(make_user: Callable[..., User]) -> Callable[..., Client]:
    def make(role: str = "clerk") -> Client:
        client = Client()
        client.force_login(User.objects.filter(username=role).first() or make_user(role))
        return client

    return make


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    product = make_product("Desk lamp, brass", stock=10, sku="LAMP", category="Light")
    Barcode.objects.create(code="012345678905", product=product)
    return product


@pytest.fixture
def selling(make_product: Callable[..., Product], sell_daily: SellDaily) -> Product:  # noqa: F811  (a fixture)
    """Two a day for six weeks; twelve are left."""
    product = make_product("Kettle", sku="KETTLE", category="Kitchen")
    sell_daily(product, STEADY, stock=12)
    refit.refit()
    return product


def url(product: Product) -> str:
    return f"/admin/lookup/{product.pk}/"


def words(answer: HttpResponse) -> str:
    """The page's text, with its white space as one."""
    assert answer.status_code == 200, answer.content[:300]
    if hasattr(answer, "render"):
        answer.render()
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def submit(client: Client, path: str, **given: object) -> HttpResponse:
    """As the dialog's form sends it."""
    return client.post(path, given | {"_form_submitted": "True"})


def offer(product: Product, name: str = "Mill", **terms: object) -> int:
    vendor = vendors.create_vendor({"name": name}).pk
    vendors.add_price(vendor, NewPrice(product_id=product.pk, **({"unit_price": D(4), "lead_time_days": 7} | terms)))  # type: ignore[arg-type]  # what the case names
    return vendor


# ---- finding ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text", ["LAMP", "012345678905", "0012345678905", " 00012345678905 ", "]E00012345678905", "brass"]
)
def test_a_code_in_any_spelling_or_a_name_that_only_one_has_opens_the_product(
    browser: Callable[..., Client], lamp: Product, text: str
) -> None:
    answer = browser().get("/admin/lookup/", {"q": text})
    assert (answer.status_code, answer.headers.get("Location")) == (302, url(lamp))


def test_a_part_of_a_name_lists_what_it_may_mean_with_what_is_available(
    browser: Callable[..., Client], lamp: Product, make_product: Callable[..., Product]
) -> None:
    floor = make_product("Floor lamp", sku="FLOOR")
    Product.objects.filter(pk=floor.pk).update(is_active=False)
    client = browser()
    found = client.get("/admin/lookup/hits/", {"q": "lam"}).json()
    assert found == {
        "product_id": None,
        "hits": [
            {"id": lamp.pk, "sku": "LAMP", "name": "Desk lamp, brass", "url": url(lamp), "note": "10 piece available"},
            {"id": floor.pk, "sku": "FLOOR", "name": "Floor lamp", "url": url(floor), "note": "retired"},
        ],
    }
    assert "2 found for “lam”" in words(client.get("/admin/lookup/", {"q": "lam"}))


def test_an_unknown_code_says_what_to_do(browser: Callable[..., Client], lamp: Product) -> None:
    told = words(browser().get("/admin/lookup/", {"q": "4711"}))
    assert "No product has the barcode or SKU “4711”" in told
    assert browser().get("/admin/lookup/hits/", {"q": "  "}).json() == {"product_id": None, "hits": []}


@pytest.mark.parametrize(
    ("name", "letters"), [("Desk lamp, brass", "DL"), ("mug", "M"), ("(4) × 2", "2"), ("Łódź box", "ŁB"), ("–", "–")]
)
def test_initials_stand_where_a_picture_would(name: str, letters: str) -> None:
    assert initials(name) == letters


# ---- the page --------------------------------------------------------------------------------------------------------
def test_the_page_shows_stock_movements_orders_purchases_and_alerts(
    browser: Callable[..., Client], lamp: Product, main: Warehouse
) -> None:
    order = orders.place_order([Item(lamp.pk, D(3))], user_id=None, confirm=True)
    ledger.adjust(lamp.pk, quantity=D(-2), warehouse_id=main.pk, reason="Dropped")
    Alert.objects.create(
        alert_type="low_stock", severity="critical", product=lamp, subject="x", open_key="x", title="Lamps are low",
        message="Five left.", current_quantity=5, threshold=6, raised_at="2026-01-01T00:00Z",
        last_seen_at="2026-01-01T00:00Z",
    )  # fmt: skip
    answer = browser().get(url(lamp))
    told = words(answer)
    assert answer.context["total"] == {
        "available": "5", "on_hand": "8", "reserved": "3", "threshold": "10", "is_low": True,
    }  # fmt: skip
    assert f"Order {order.id} nobody named Confirmed 3" in told
    assert "Lamps are low" in told
    assert [(one["quantity"], one["balance"]) for one in answer.context["movements"]["rows"]] == [
        ("−2", "8"),
        ("+10", "10"),
    ]
    assert answer.context["movements"]["chart"]["series"][0]["values"] == [10.0, 8.0]
    assert "from 10 to 8 piece, at least 8, at most 10." in told
    assert "No sale of it is known to the forecasts yet." in told


def test_the_forecast_shows_band_dates_stock_line_deliveries_and_why(
    browser: Callable[..., Client], selling: Product, main: Warehouse
) -> None:
    panel = browser().get(url(selling)).context["forecast"]
    assert (panel["state"], panel["note"]) == ("model", "")
    sold, stock = panel["sold"], panel["stock"]
    assert len(sold["labels"]) == 180
    assert [one["look"] for one in sold["series"]] == ["bars", "low", "band", "line"]
    assert sum(sold["series"][0]["values"]) == sum(STEADY)
    low, high = sold["series"][1]["values"][90:], sold["series"][2]["values"][90:]
    assert all(one <= other for one, other in zip(low, high, strict=True))
    assert [one["look"] for one in stock["series"]] == ["low", "band", "line"]
    assert 28 <= len(stock["labels"]) < 60
    line = stock["series"][2]["values"]
    assert line == sorted(line, reverse=True)
    assert (line[0], line[-1]) == (pytest.approx(10, abs=2), 0)
    assert panel["headline"].startswith("Used up on ")
    assert panel["why"].startswith("With 12 available it is used up on ")
    assert [one["label"] for one in panel["figures"]][:3] == [
        "One in ten: used up by", "Half: used up by", "Nine in ten: used up by",
    ]  # fmt: skip
    assert {one["what"] for one in panel["rows"]} == {"sold", "expected"}


def test_a_delivery_with_a_date_is_a_mark_on_the_stock_line(
    browser: Callable[..., Client], selling: Product, main: Warehouse
) -> None:
    vendor = offer(selling)
    client = browser("manager")
    submit(client, f"{url(selling)}reorder/", vendor=vendor, quantity="30", warehouse=main.pk)
    order = PurchaseOrder.objects.get()
    due = facts.today() + timedelta(days=3)
    send_purchase_order(order.pk)
    PurchaseOrder.objects.update(expected_on=due)
    seen = client.get(url(selling)).context
    coming = [(one["label"], one["quantity"], one["expected"]) for one in seen["purchases"]["rows"]]
    assert coming == [(str(order), "30", due)]
    stock = seen["forecast"]["stock"]
    marks = {
        day: units
        for day, units in zip(stock["labels"], stock["series"][3]["values"], strict=True)
        if units is not None
    }
    assert marks == {due.isoformat(): 30.0}
    line = stock["series"][2]["values"]
    assert line[3] > line[0]
    assert f"30 due on {due}" in seen["forecast"]["stock_in_words"]


@pytest.mark.parametrize(
    ("values", "state", "told"),
    [
        ({"is_stocked": False}, "not_stocked", "is a charge; no stock is kept of it."),
        ({}, "no_history", "No sale of it is known to the forecasts yet."),
    ],
)
def test_what_cannot_be_forecast_is_said_honestly(
    browser: Callable[..., Client], make_product: Callable[..., Product], values: dict[str, Any], state: str, told: str
) -> None:
    product = make_product("Thing", **values)
    demand.ensure_built()
    answer = browser().get(url(product))
    assert answer.context["forecast"]["state"] == state
    assert told in words(answer)


def test_few_days_of_history_are_called_provisional(
    browser: Callable[..., Client],
    make_product: Callable[..., Product],
    sell_daily: SellDaily,  # noqa: F811  (a fixture)
) -> None:
    product = make_product("Young", sku="YOUNG")
    sell_daily(product, [1, 2, 1, 3, 1], stock=9)
    refit.refit()
    panel = browser().get(url(product)).context["forecast"]
    assert panel["state"] == "peer_estimate"
    assert panel["note"].startswith("Provisional: 5 of 30 days of history.")


def test_the_product_page_loads_the_same_panel(browser: Callable[..., Client], selling: Product) -> None:
    client = browser()
    assert (
        f'hx-get="/admin/inventory/product/{selling.pk}/forecast/"'
        in client.get(f"/admin/inventory/product/{selling.pk}/change/").content.decode()
    )
    panel = client.get(f"/admin/inventory/product/{selling.pk}/forecast/")
    assert "With 12 available it is used up on" in words(panel)
    assert b"<html" not in panel.content


def test_the_page_takes_the_checked_in_number_of_statements_whatever_the_history(
    browser: Callable[..., Client], selling: Product, main: Warehouse, annex: Warehouse
) -> None:
    client = browser("manager")
    offer(selling)
    client.get(url(selling))

    def statements() -> list[str]:
        curve_cache.forget(selling.pk)  # where Redis keeps curves, two statements fewer are needed
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url(selling)).status_code == 200
        return [one["sql"] for one in captured]

    few = statements()
    for number in range(6):
        ledger.adjust(selling.pk, quantity=D(5), warehouse_id=annex.pk, reason=f"Found {number}")
        orders.place_order([Item(selling.pk, D(1))], user_id=None, confirm=True)
    many = statements()
    assert len(many) == COUNTS["admin/lookup"]
    assert len(many) - len(few) <= 1  # in what transfers and orders the promises are made is asked once there are some
    assert [one for one in many if not one.startswith(("SELECT", "SAVEPOINT", "RELEASE"))] == []


def test_finished_lines_do_not_crowd_out_what_still_waits(
    browser: Callable[..., Client], lamp: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "DOCUMENTS_SHOWN", 2)
    ids = [orders.place_order([Item(lamp.pk, D(1))], user_id=None, confirm=True).id for _ in range(3)]
    OrderLine.objects.filter(order_id=ids[0]).update(shipped_quantity=1)
    seen = browser("manager").get(url(lamp)).context["orders"]
    assert ([one["label"] for one in seen["rows"]], seen["more"]) == ([f"Order {one}" for one in ids[1:]], 0)
    ids.append(orders.place_order([Item(lamp.pk, D(1))], user_id=None, confirm=True).id)
    page = browser("manager").get(url(lamp))
    assert (len(page.context["orders"]["rows"]), page.context["orders"]["more"]) == (2, 1)
    assert "And 1 more." in page.content.decode()


# ---- dialogs ---------------------------------------------------------------------------------------------------------
def test_buttons_follow_the_role(browser: Callable[..., Client], lamp: Product) -> None:
    def titles(role: str) -> list[str]:
        return [one["title"] for one in browser(role).get(url(lamp)).context["dialogs"]]

    assert {role: titles(role) for role in STAFF} == {
        "clerk": ["Adjust", "Transfer"],
        "manager": ["Adjust", "Transfer", "Reorder"],
        "analyst": [],
        "admin": ["Adjust", "Transfer", "Reorder"],
    }


@pytest.mark.parametrize(
    "path",
    ["/admin/lookup/", "/admin/lookup/hits/?q=LAMP", "/admin/lookup/{}/", "/admin/inventory/product/{}/forecast/"],
)
def test_customers_and_strangers_do_not_look_anything_up(
    browser: Callable[..., Client], lamp: Product, path: str
) -> None:
    for client in (browser("user"), Client()):
        answer = client.get(path.format(lamp.pk))
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")


def test_an_adjustment_is_seen_at_once(browser: Callable[..., Client], lamp: Product, main: Warehouse) -> None:
    client = browser()
    client.post(
        f"/admin/inventory/product/{lamp.pk}/adjust_stock/",
        {"warehouse": main.pk, "quantity": "-3", "reason": "Broken", "_form_submitted": "on"},
    )
    told = words(client.get(url(lamp)))
    assert "Desk lamp, brass (LAMP): −3 in Main store. Now 7 on hand, 7 available." in told
    assert "Broken" in told


@pytest.mark.parametrize(("leaves", "status", "held"), [("", "pending", 10), ("on", "in_transit", 6)])
def test_a_transfer_is_made_and_leaves_at_once_if_wanted(
    browser: Callable[..., Client],
    lamp: Product,
    main: Warehouse,
    annex: Warehouse,
    leaves: str,
    status: str,
    held: int,
) -> None:
    client = browser()
    given = {"from_warehouse": main.pk, "to_warehouse": annex.pk, "quantity": "4", "leaves_now": leaves}
    submit(client, f"/admin/inventory/product/{lamp.pk}/transfer_stock/", **given)
    made = Transfer.objects.get()
    assert (made.status, made.created_by.username) == (status, "clerk")
    assert ProductStock.objects.get(product=lamp).on_hand == held
    assert f"Transfer {made.pk}: 4 × Desk lamp, brass (LAMP) from Main store to Annex" in words(client.get(url(lamp)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"to_warehouse": "main"}, "Choose another warehouse than the one it comes from."),
        ({"quantity": "11"}, "Available: 10"),
        ({"quantity": "0"}, "greater than or equal to 0.001"),
        ({"quantity": "1.5"}, "whole"),
    ],
)
def test_a_wrong_transfer_is_explained_and_moves_nothing(
    browser: Callable[..., Client], lamp: Product, main: Warehouse, annex: Warehouse, change: dict[str, str], told: str
) -> None:
    given = {"from_warehouse": main.pk, "to_warehouse": annex.pk, "quantity": "4", "leaves_now": "on"} | change
    given["to_warehouse"] = main.pk if given["to_warehouse"] == "main" else given["to_warehouse"]
    answer = submit(browser(), f"/admin/inventory/product/{lamp.pk}/transfer_stock/", **given)
    assert told in words(answer)
    assert not Transfer.objects.exists()
    assert StockMovement.objects.count() == 1


def test_a_reorder_begins_with_what_the_vendor_delivers_and_becomes_a_draft(
    browser: Callable[..., Client], lamp: Product, main: Warehouse
) -> None:
    vendor = offer(lamp, minimum_order_quantity=D(24), pack_quantity=D(12))
    client = browser("manager")
    told = client.get(f"{url(lamp)}reorder/").content.decode()
    assert "Mill: 4.00 each, at least 24, packs of 12, 7 days" in told
    assert 'value="24"' in told
    refused = submit(client, f"{url(lamp)}reorder/", vendor=vendor, quantity="30", warehouse=main.pk)
    assert "Mill delivers 36: order that many." in words(refused)
    assert not PurchaseOrder.objects.exists()
    submit(client, f"{url(lamp)}reorder/", vendor=vendor, quantity="36", warehouse=main.pk)
    line = PurchaseOrderLine.objects.select_related("order__created_by").get()
    assert (line.product_id, line.quantity, line.unit_cost, line.order.status) == (lamp.pk, 36, 4, "draft")
    assert line.order.created_by.username == "manager"
    told = words(client.get(url(lamp)))
    assert f"{line.order} is drafted: 36 × Desk lamp, brass (LAMP) from Mill." in told


def test_without_a_vendor_the_reorder_dialog_says_how_to_begin(browser: Callable[..., Client], lamp: Product) -> None:
    told = words(browser("manager").get(f"{url(lamp)}reorder/"))
    assert "No active vendor has a price for Desk lamp, brass (LAMP). Add one under Vendor prices first" in told


@pytest.mark.parametrize("role", ["clerk", "analyst"])
def test_who_may_not_buy_gets_no_reorder_dialog(
    browser: Callable[..., Client], lamp: Product, main: Warehouse, role: str
) -> None:
    vendor = offer(lamp)
    given = {"vendor": vendor, "quantity": "5", "warehouse": main.pk}
    client = browser(role)
    assert client.get(f"{url(lamp)}reorder/").status_code == 403
    assert submit(client, f"{url(lamp)}reorder/", **given).status_code == 403
    assert not PurchaseOrder.objects.exists()


# ---- walls -----------------------------------------------------------------------------------------------------------
def test_nobody_looks_over_a_wall(
    browser: Callable[..., Client], lamp: Product, main: Warehouse, make_user: Callable[..., User]
) -> None:
    shop = build(lamp, main, make_user("admin", "boss"))
    manager = make_user("manager")
    accounts.bind(User.objects.get(username="boss"), user_id=manager.pk, warehouse_ids=[main.pk])
    client = browser("manager")
    for path in (url(lamp), f"{url(lamp)}reorder/", f"/admin/inventory/product/{lamp.pk}/transfer_stock/"):
        page = client.get(path).content.decode()
        assert HIDDEN not in page, path
        assert str(HIDDEN_ID) not in page, path
    given = {"vendor": shop.vendor_id, "quantity": "5", "warehouse": shop.beta.pk}
    answer = submit(client, f"{url(lamp)}reorder/", **given)
    assert "Select a valid choice" in words(answer)
    assert PurchaseOrder.objects.count() == 1


def test_an_unknown_product_is_404(browser: Callable[..., Client], lamp: Product) -> None:
    client = browser("manager")
    for path in ("/admin/lookup/999999/", "/admin/lookup/999999/reorder/", "/admin/inventory/product/999999/forecast/"):
        assert client.get(path).status_code == 404, path
    assert client.post(url(lamp)).status_code == 405
