"""The scan station's endpoint: every mode and its refusals, roles, walls, replays, undo."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, User
from inventory.gs1 import Scanned, read
from inventory.models import (
    Barcode,
    CountLine,
    Product,
    ProductStock,
    StockCount,
    StockLevel,
    StockMovement,
    StockOperation,
    Transfer,
    Warehouse,
)
from inventory.services import counts
from orders import services
from orders.models import Order, Shipment
from orders.services import Item
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt
from purchasing.queries import purchase_differences
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order, send_purchase_order
from purchasing.services.receipts import undo_receipt
from workbox.scan import pages

pytestmark = pytest.mark.django_db
D = Decimal
BOOK, UNDO = "/admin/scan/book/", "/admin/scan/undo/"
ROLES = ("user", "clerk", "manager", "analyst", "admin")


class Station:
    """Somebody at the scan station."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user, backend="accounts.roles.RoleBackend")
        self.number = 0

    def post(self, url: str, body: dict[str, Any]) -> HttpResponse:
        return self.client.post(url, json.dumps(body), content_type="application/json")

    def scan(self, mode: str, code: str = "LAMP", *, key: str = "", **more: Any) -> HttpResponse:
        self.number += 1
        return self.post(BOOK, {"mode": mode, "code": code, "key": key or f"k{self.number}", **more})

    def told(self, mode: str, code: str = "LAMP", **more: Any) -> dict[str, Any]:
        answer = self.scan(mode, code, **more)
        assert "refused" not in answer.json(), answer.content
        return answer.json()

    def undo(self) -> HttpResponse:
        """The last scan, by its key."""
        return self.post(UNDO, {"key": f"k{self.number}"})


@pytest.fixture
def people(make_user: Callable[..., User]) -> dict[str, Station]:
    return {role: Station(make_user(role)) for role in ROLES}


@pytest.fixture
def clerk(people: dict[str, Station]) -> Station:
    return people["clerk"]


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    """Ten lamps in the main store; a carton's code means twelve."""
    product = make_product("Lamp", stock=10, sku="LAMP")
    Barcode.objects.create(code="4006381333931", product=product)
    Barcode.objects.create(code="14006381333938", product=product, pack_quantity=D(12))
    return product


@pytest.fixture
def purchase(lamp: Product, main: Warehouse) -> PurchaseOrder:
    """Twenty lamps are on their way."""
    vendor = vendors.create_vendor({"name": "Bright"})
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(20), D(4))], warehouse_id=main.pk)
    return send_purchase_order(order.pk)


@pytest.fixture
def order(lamp: Product) -> int:
    """Four lamps to pick."""
    return services.place_order([Item(lamp.pk, D(4))], user_id=None, confirm=True).id


def on_hand(product: Product, warehouse: Warehouse | None = None) -> Decimal:
    if warehouse is None:
        return ProductStock.objects.get(product=product).on_hand
    level = StockLevel.objects.filter(product=product, warehouse=warehouse).first()
    return level.on_hand if level else D(0)


def refused(answer: HttpResponse) -> tuple[int, str, str]:
    body = answer.json()["refused"]
    return body["status"], body["code"], body["detail"]


def status(answer: HttpResponse) -> int:
    """Of the refusal, if it is one."""
    is_json = answer["Content-Type"].startswith("application/json")
    return answer.json().get("refused", {}).get("status", answer.status_code) if is_json else answer.status_code


# ---- codes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("LAMP-01", Scanned("LAMP-01")),
        (" 4006381333931 ", Scanned("4006381333931")),
        ("]E04006381333931", Scanned("4006381333931")),
        ("]C10104006381333931", Scanned("04006381333931")),
        ("]C1010400638133393110L7\x1d3724", Scanned("04006381333931", 24)),
        ("]d2011400638133393817261231" + "3005", Scanned("14006381333938", 5)),
        ("(01)04006381333931(37)6", Scanned("04006381333931", 6)),
        ("]C11234", Scanned("1234")),
        ("(0", Scanned("(0")),
        ("", Scanned("")),
    ],
)
def test_what_a_scanner_sends_is_read(raw: str, meant: Scanned) -> None:
    assert read(raw) == meant


@pytest.mark.parametrize(
    ("code", "quantity", "units"),
    [
        ("LAMP", "1", 1),
        ("4006381333931", "3", 3),
        ("14006381333938", "2", 24),
        ("]C10114006381333938", "1", 12),
        ("]C101140063813339383702", "1", 24),
    ],
)
def test_a_scan_counts_quantity_times_pack_times_what_the_symbol_counts(
    clerk: Station, lamp: Product, main: Warehouse, code: str, quantity: str, units: int
) -> None:
    told = clerk.told("receive", code, quantity=quantity, warehouse_id=main.pk, reason="Found a pallet")
    assert (told["quantity"], on_hand(lamp)) == (units, 10 + units)


@pytest.mark.parametrize("mode", ["look_up", "receive", "pick", "count", "move", "adjust"])
def test_an_unknown_code_says_how_to_link_it(clerk: Station, lamp: Product, main: Warehouse, mode: str) -> None:
    answer = clerk.scan(mode, "999", warehouse_id=main.pk, reason="x")
    assert refused(answer) == (
        404,
        "barcode_not_found",
        "No product has the barcode or SKU “999”. Link it on its product's page, under Barcodes, and scan again.",
    )
    assert answer.json()["refused"]["what_to_do"] == "Link the code to its product, then try again."


# ---- modes -----------------------------------------------------------------------------------------------------------
def test_a_look_up_tells_what_is_where_and_writes_nothing(clerk: Station, lamp: Product, order: int) -> None:
    StockLevel.objects.filter(product=lamp).update(bin="A-1")
    with CaptureQueriesContext(connection) as captured:
        told = clerk.told("look_up")
    assert told["text"] == "Lamp (LAMP): 6 piece available."
    assert told["places"] == [{"warehouse": "Main store", "bin": "A-1", "on_hand": "10", "available": "6"}]
    assert [one["sql"] for one in captured if not one["sql"].startswith("SELECT")] == []


def test_goods_by_themselves_are_received_with_a_reason(clerk: Station, lamp: Product, main: Warehouse) -> None:
    told = clerk.told("receive", quantity="5", warehouse_id=main.pk, reason="Back from the fair")
    assert told["text"] == "Received 5 × Lamp (LAMP) into Main store: 15 on hand now, 15 available."
    operation = StockOperation.objects.latest("id")
    assert (operation.kind, operation.reason, operation.actor.username) == ("movement", "Back from the fair", "clerk")
    assert StockMovement.objects.get(operation=operation).movement_type == "purchase"
    silent = clerk.scan("receive", warehouse_id=main.pk)
    assert refused(silent)[1:] == ("validation_error", "Say why: a receipt without a purchase order needs a reason.")
    assert refused(clerk.scan("receive", reason="x"))[2] == "Choose the warehouse first."


def test_goods_are_received_on_a_purchase_order_and_not_more_than_ordered(
    clerk: Station, lamp: Product, purchase: PurchaseOrder
) -> None:
    told = clerk.told("receive", "14006381333938", purchase_order_id=purchase.pk)
    assert told["text"] == f"Received 12 × Lamp (LAMP) on {purchase}: 12 of 20."
    more = clerk.scan("receive", "14006381333938", purchase_order_id=purchase.pk)
    assert refused(more)[:2] == (400, "over_receipt")
    assert (on_hand(lamp), Receipt.objects.get().received_by.username) == (22, "clerk")


def test_an_order_is_picked_and_shipped_as_one(clerk: Station, lamp: Product, order: int) -> None:
    told = clerk.told("pick", order_id=order, quantity="3")
    assert (told["text"], told["undo"]) == (f"Picked 3 × Lamp (LAMP) for order {order}: 3 of 4. 1 to go.", False)
    picked = [{"product_id": lamp.pk, "quantity": 3}]
    over = clerk.scan("pick", order_id=order, quantity="2", quantities=picked)
    assert refused(over)[:2] == (400, "over_pick")
    assert "waits for 4 × Lamp and 3 are picked: put this back" in refused(over)[2]
    assert (on_hand(lamp), Shipment.objects.count()) == (10, 0)
    told = clerk.told("ship", "", order_id=order, quantities=picked)
    assert told["text"] == f"Order {order}: 3 units shipped. It is partially shipped now."
    assert (on_hand(lamp), Shipment.objects.count(), Order.objects.get().status) == (7, 1, "partially_shipped")
    too_many = clerk.scan("ship", "", order_id=order, quantities=picked)
    assert status(too_many) == 422
    assert on_hand(lamp) == 7


def test_all_that_is_open_takes_charges_along(
    clerk: Station, lamp: Product, make_product: Callable[..., Product]
) -> None:
    postage = make_product("Postage", sku="POST", is_stocked=False)
    placed = services.place_order([Item(lamp.pk, D(2)), Item(postage.pk, D(1))], user_id=None, confirm=True)
    told = clerk.told("ship", "", order_id=placed.id, quantities=[{"product_id": lamp.pk, "quantity": "2"}])
    assert told["text"].endswith("2 units shipped. It is shipped now.")


def test_what_is_not_on_the_order_or_no_longer_open_is_refused(
    clerk: Station, lamp: Product, order: int, make_product: Callable[..., Product]
) -> None:
    make_product("Box", stock=1, sku="BOX")
    assert refused(clerk.scan("pick", "BOX", order_id=order))[2] == f"Box (BOX) is not on order {order}: put it back."
    assert refused(clerk.scan("pick"))[2] == "Choose the order to pick first."
    assert refused(clerk.scan("pick", order_id=9999))[:2] == (404, "order_not_found")
    services.ship_order(order)
    answer = clerk.scan("pick", order_id=order)
    assert refused(answer) == (409, "illegal_transition", f"Order {order} is shipped; it cannot be picked.")
    assert answer.json()["refused"]["what_to_do"].startswith("Somebody closed it meanwhile.")


def test_counting_adds_up_as_of_the_newest_scan(clerk: Station, lamp: Product, main: Warehouse) -> None:
    count = counts.open_count(main.pk, is_blind=True)
    clerk.told("count", count_id=count.id)
    told = clerk.told("count", "14006381333938", count_id=count.id)
    assert told["text"] == "Counted 12 × Lamp (LAMP): 13 found in Main store so far."
    line = CountLine.objects.get()
    assert (line.counted_quantity, line.recorded_by.username) == (13, "clerk")
    counts.close_count(count.id)
    answer = clerk.scan("count", count_id=count.id)
    assert refused(answer) == (409, "illegal_transition", f"Count {count.id} is closed; it cannot be recorded on.")


def test_goods_are_moved_by_a_completed_transfer(
    clerk: Station, lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    told = clerk.told("move", quantity="4", warehouse_id=main.pk, to_warehouse_id=annex.pk)
    assert told["text"] == "Moved 4 × Lamp (LAMP) from Main store to Annex."
    assert (on_hand(lamp, main), on_hand(lamp, annex), Transfer.objects.get().status) == (6, 4, "completed")
    short = clerk.scan("move", quantity="7", warehouse_id=main.pk, to_warehouse_id=annex.pk)
    assert refused(short)[:2] == (400, "insufficient_stock")
    assert short.json()["refused"]["what_to_do"].startswith("Count the shelf")
    same = clerk.scan("move", warehouse_id=main.pk, to_warehouse_id=main.pk)
    assert refused(same)[1] == "same_warehouse"
    assert Transfer.objects.count() == 1


def test_an_adjustment_adds_or_takes_away_with_its_reason(clerk: Station, lamp: Product, main: Warehouse) -> None:
    told = clerk.told("adjust", quantity="2", warehouse_id=main.pk, reason="Dropped", takes_away=True)
    assert told["text"] == "Lamp (LAMP): −2 in Main store, 8 on hand now, 8 available."
    clerk.told("adjust", warehouse_id=main.pk, reason="Found")
    assert (on_hand(lamp), StockOperation.objects.latest("id").reason) == (9, "Found")
    assert refused(clerk.scan("adjust", warehouse_id=main.pk))[2] == "Say why: an adjustment needs a reason."


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "above zero"),
        ({"quantity": "0.5"}, "whole number"),
        ({"quantity": "x"}, "number"),
        ({"code": ""}, "Scan a code first."),
        ({"code": 7}, "text"),
        ({"code": "x" * 201}, "at most 200"),
        ({"mode": "steal"}, "mode"),
        ({"key": ""}, "needs a key"),
        ({"key": "x" * 101}, "at most 100"),
        ({"warehouse_id": 0}, "id"),
        ({"warehouse_id": 9999}, "There is no open warehouse 9999"),
        ({"scanned_at": "2020-01-01T00:00:00Z", "sent_at": "2026-01-01T00:00:00Z"}, "14 days"),
        ({"quantities": [{"product_id": 1}]}, "required"),
    ],
)
def test_a_wrong_scan_is_explained_and_books_nothing(
    clerk: Station, lamp: Product, main: Warehouse, more: dict[str, Any], words: str
) -> None:
    body = {"mode": "adjust", "code": "LAMP", "key": "k", "warehouse_id": main.pk, "reason": "Found"}
    answer = clerk.post(BOOK, body | more)
    assert 400 <= status(answer) < 500
    assert words in answer.content.decode()
    assert on_hand(lamp) == 10


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', "{}"])
def test_a_broken_body_is_refused(clerk: Station, body: str) -> None:
    answer = clerk.client.post(BOOK, body, content_type="application/json")
    assert status(answer) in {400, 422}
    assert refused(answer)[2]


# ---- roles and walls -------------------------------------------------------------------------------------------------
MAY = {
    "look_up": {"clerk", "manager", "analyst", "admin"},
    "receive": {"clerk", "manager", "admin"},
    "pick": {"clerk", "manager", "admin"},
    "ship": {"clerk", "manager", "admin"},
    "count": {"clerk", "manager", "admin"},
    "move": {"clerk", "manager", "admin"},
    "adjust": {"clerk", "manager", "admin"},
}


@pytest.mark.parametrize("mode", sorted(MAY))
def test_each_mode_is_for_its_roles(
    people: dict[str, Station], lamp: Product, main: Warehouse, annex: Warehouse, order: int, mode: str
) -> None:
    count = counts.open_count(main.pk)
    setup = {
        "warehouse_id": main.pk, "to_warehouse_id": annex.pk, "order_id": order, "count_id": count.id, "reason": "x",
        "quantities": [{"product_id": lamp.pk, "quantity": 1}],
    }  # fmt: skip
    got = {role: status(station.scan(mode, **setup)) for role, station in people.items()}
    expected = {role: 200 if role in MAY[mode] else 403 for role in ROLES} | {"user": 302}
    assert got == expected


def test_who_may_only_read_may_not_receive_or_undo(
    people: dict[str, Station], lamp: Product, main: Warehouse, purchase: PurchaseOrder
) -> None:
    analyst = people["analyst"]
    answer = analyst.scan("receive", purchase_order_id=purchase.pk)
    assert refused(answer)[:2] == (403, "forbidden")
    people["clerk"].told("adjust", key="shared", warehouse_id=main.pk, reason="x")
    for other in ("analyst", "manager"):  # not theirs: a scan is undone by who made it
        assert refused(people[other].post(UNDO, {"key": "shared"}))[:2] == (404, "scan_unknown")
    assert on_hand(lamp) == 11


def test_the_page_offers_what_the_role_may_and_is_for_staff(people: dict[str, Station]) -> None:
    pages = {role: station.client.get("/admin/scan/") for role, station in people.items()}
    assert {role: page.status_code for role, page in pages.items()} == {
        "user": 302, "clerk": 200, "manager": 200, "analyst": 200, "admin": 200,
    }  # fmt: skip
    assert 'data-modes="look_up,receive,pick,count,move,adjust"' in pages["clerk"].content.decode()
    assert 'data-modes="look_up"' in pages["analyst"].content.decode()
    assert Client().get("/admin/scan/").status_code == 302
    assert people["clerk"].client.get(BOOK).status_code == 405
    assert people["clerk"].client.get("/admin/scan/worker.js")["Content-Type"] == "text/javascript"


def test_a_scan_without_the_csrf_token_is_refused(make_user: Callable[..., User], lamp: Product) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("clerk"), backend="accounts.roles.RoleBackend")
    body = json.dumps({"mode": "look_up", "code": "LAMP"})
    assert client.post(BOOK, body, content_type="application/json").status_code == 403


def test_scans_end_at_the_walls(
    clerk: Station, lamp: Product, main: Warehouse, annex: Warehouse, purchase: PurchaseOrder
) -> None:
    theirs = services.place_order([Item(lamp.pk, D(1))], user_id=None, confirm=True, warehouse_id=main.pk)
    count = counts.open_count(main.pk)
    Membership.objects.create(user=User.objects.get(username="clerk"), warehouse_id=annex.pk)
    tries = [
        clerk.scan("receive", warehouse_id=main.pk, reason="x"),
        clerk.scan("receive", purchase_order_id=purchase.pk),
        clerk.scan("pick", order_id=theirs.id),
        clerk.scan("ship", order_id=theirs.id, quantities=[{"product_id": lamp.pk, "quantity": 1}]),
        clerk.scan("count", count_id=count.id),
        clerk.scan("move", warehouse_id=main.pk, to_warehouse_id=annex.pk),
        clerk.scan("adjust", warehouse_id=main.pk, reason="x"),
    ]
    assert [status(answer) for answer in tries] == [404] * len(tries)
    assert clerk.told("look_up")["places"] == []
    offered = clerk.client.get("/admin/scan/choices/").json()
    assert {name: len(rows) for name, rows in offered.items() if name != "user_id"} == {
        "warehouses": 1, "purchase_orders": 0, "orders": 0, "counts": 0,
    }  # fmt: skip
    assert on_hand(lamp) == 10


def test_the_choices_are_what_is_open_in_a_constant_number_of_statements(
    clerk: Station, lamp: Product, main: Warehouse, order: int, purchase: PurchaseOrder
) -> None:
    count = counts.open_count(main.pk)

    def ask() -> tuple[int, dict[str, Any]]:
        with CaptureQueriesContext(connection) as captured:
            found = clerk.client.get("/admin/scan/choices/").json()
        return len(captured), found

    few, found = ask()
    assert found["orders"] == [{"id": order, "label": f"Order {order} · nobody named"}]
    assert found["counts"] == [{"id": count.id, "label": f"Count {count.id} · Main store"}]
    assert found["purchase_orders"] == [{"id": purchase.pk, "label": f"{purchase} · Bright"}]
    for _ in range(3):
        counts.open_count(main.pk)
        services.place_order([Item(lamp.pk, D(1))], user_id=None, confirm=True)
    assert ask()[0] == few


# ---- exactly once ----------------------------------------------------------------------------------------------------
def test_a_paper_beyond_the_list_is_on_it_when_it_is_named(
    clerk: Station, lamp: Product, order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "CHOICES_MAX", 1)
    last = services.place_order([Item(lamp.pk, D(1))], user_id=None, confirm=True).id

    def listed(**named: Any) -> list[int]:
        return [one["id"] for one in clerk.client.get("/admin/scan/choices/", named).json()["orders"]]

    assert (listed(), listed(order_id=last), listed(order_id=order)) == ([order], [order, last], [order])
    assert listed(order_id="9" * 30) == listed(order_id="x") == [order]
    services.ship_order(last)
    assert listed(order_id=last) == [order]


def test_a_scan_sent_twice_is_booked_once_and_answered_twice(clerk: Station, lamp: Product, main: Warehouse) -> None:
    now = datetime.now(UTC)
    body = {"warehouse_id": main.pk, "reason": "Found", "scanned_at": now.isoformat()}
    first = clerk.scan("adjust", key="once", sent_at=now.isoformat(), **body)
    second = clerk.scan("adjust", key="once", sent_at=(now + timedelta(minutes=9)).isoformat(), **body)
    assert (first.json(), second["Idempotency-Replayed"]) == (second.json(), "true")
    assert (on_hand(lamp), StockOperation.objects.filter(kind="adjustment").count()) == (11, 1)
    other = clerk.scan("adjust", key="once", quantity="2", **body)
    assert refused(other)[:2] == (422, "idempotency_key_reused")


def test_a_refused_scan_may_be_tried_again_under_its_key(clerk: Station, lamp: Product, main: Warehouse) -> None:
    body = {"warehouse_id": main.pk, "reason": "Found", "key": "again"}
    assert status(clerk.scan("adjust", "NEW", **body)) == 404
    Barcode.objects.create(code="NEW", product=lamp)
    assert status(clerk.scan("adjust", "NEW", **body)) == 200
    assert on_hand(lamp) == 11


def test_a_scan_made_offline_stands_at_its_own_time_whatever_its_clock_says(
    clerk: Station, lamp: Product, main: Warehouse
) -> None:
    count = counts.open_count(main.pk)
    wrong = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
    times = {"scanned_at": (wrong - timedelta(minutes=30)).isoformat(), "sent_at": wrong.isoformat()}
    before = datetime.now(UTC)
    clerk.told("adjust", warehouse_id=main.pk, reason="Found", **times)
    clerk.told("count", count_id=count.id, **times)
    expected = before - timedelta(minutes=30)
    moments = [StockOperation.objects.get(kind="adjustment").occurred_at, CountLine.objects.get().counted_at]
    assert [abs(one - expected) < timedelta(seconds=20) for one in moments] == [True, True]
    clerk.told("adjust", warehouse_id=main.pk, reason="Found", scanned_at=wrong.isoformat(), sent_at=wrong.isoformat())
    assert StockOperation.objects.latest("id").occurred_at >= before


# ---- undo ------------------------------------------------------------------------------------------------------------
def test_an_adjustment_and_a_plain_receipt_are_reversed_once(clerk: Station, lamp: Product, main: Warehouse) -> None:
    for mode in ("adjust", "receive"):
        assert clerk.told(mode, quantity="3", warehouse_id=main.pk, reason="Oops")["undo"] is True
        operation = StockOperation.objects.latest("id")
        assert clerk.undo().json()["text"] == "Taken back: Lamp (LAMP), 10 on hand now."
        again = clerk.undo()
        assert (again.status_code, again["Idempotency-Replayed"]) == (200, "true")
        assert StockOperation.objects.get(reverses=operation).reason == "Undo of a scan"
        assert on_hand(lamp) == 10


def test_an_undo_that_would_take_what_is_promised_is_refused(clerk: Station, lamp: Product, main: Warehouse) -> None:
    clerk.told("adjust", quantity="5", warehouse_id=main.pk, reason="Found")
    services.place_order([Item(lamp.pk, D(14))], user_id=None, confirm=True)
    assert refused(clerk.undo())[:2] == (400, "insufficient_stock")
    assert on_hand(lamp) == 15


def test_a_receipt_is_given_back_and_the_order_waits_again(
    clerk: Station, lamp: Product, purchase: PurchaseOrder
) -> None:
    clerk.told("receive", quantity="8", purchase_order_id=purchase.pk)
    clerk.told("receive", quantity="12", purchase_order_id=purchase.pk)
    purchase.refresh_from_db()
    assert purchase.status == "received"
    assert clerk.undo().json()["text"] == f"Taken back: the receipt on {purchase}, which is partially received now."
    clerk.number -= 1
    assert clerk.undo().json()["text"] == f"Taken back: the receipt on {purchase}, which is sent now."
    purchase.refresh_from_db()
    line = PurchaseOrderLine.objects.get()
    assert (purchase.status, purchase.received_at, line.received_quantity, on_hand(lamp)) == ("sent", None, 0, 10)
    assert list(purchase_differences()) == []
    clerk.told("receive", quantity="20", purchase_order_id=purchase.pk, key="third")
    assert list(purchase_differences()) == []


def test_a_receipt_is_undone_once_with_a_reason(clerk: Station, lamp: Product, purchase: PurchaseOrder) -> None:
    clerk.told("receive", quantity="8", purchase_order_id=purchase.pk)
    clerk.told("receive", quantity="2", purchase_order_id=purchase.pk)
    receipt = Receipt.objects.order_by("id").first()
    assert receipt is not None
    undo_receipt(receipt.pk, reason="Wrong pallet")
    for number, reason in ((receipt.pk, "Twice"), (receipt.pk + 99, "None"), (receipt.pk, " ")):
        with pytest.raises(Exception, match=r"has been undone already|There is no receipt|Say why"):
            undo_receipt(number, reason=reason)
    assert on_hand(lamp) == 12


def test_a_count_line_is_as_it_was_before(clerk: Station, lamp: Product, main: Warehouse) -> None:
    count = counts.open_count(main.pk)
    clerk.told("count", count_id=count.id, quantity="7")
    before = CountLine.objects.values("product_id", "counted_quantity", "counted_at").get()
    clerk.told("count", count_id=count.id, quantity="5")
    assert clerk.undo().json()["text"] == "Taken back: Lamp (LAMP) is 7 counted as before."
    assert CountLine.objects.values("product_id", "counted_quantity", "counted_at").get() == before
    clerk.number -= 1
    assert clerk.undo().json()["text"] == "Taken back: Lamp (LAMP) is not counted."
    assert CountLine.objects.count() == 0


def test_an_undo_never_overwrites_what_somebody_counted_since(
    people: dict[str, Station], lamp: Product, main: Warehouse
) -> None:
    count = counts.open_count(main.pk)
    clerk, manager = people["clerk"], people["manager"]
    clerk.told("count", count_id=count.id, quantity="7")
    manager.told("count", count_id=count.id, quantity="2", key="other")
    assert refused(clerk.undo())[:2] == (409, "counted_since")
    assert CountLine.objects.get().counted_quantity == 9
    StockCount.objects.filter(pk=count.id).update(status="closed")
    assert refused(clerk.undo())[:2] == (409, "illegal_transition")


def test_a_move_is_moved_back(clerk: Station, lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    clerk.told("move", quantity="4", warehouse_id=main.pk, to_warehouse_id=annex.pk)
    assert clerk.undo().json()["text"] == "Taken back: 4 × Lamp (LAMP) came back."
    clerk.undo()
    assert (on_hand(lamp, main), on_hand(lamp, annex), Transfer.objects.count()) == (10, 0, 2)


def test_a_shipment_and_an_unknown_scan_are_not_undone(clerk: Station, lamp: Product, order: int) -> None:
    assert refused(clerk.post(UNDO, {"key": "never"}))[:2] == (404, "scan_unknown")
    assert refused(clerk.post(UNDO, {}))[0] == 422
    clerk.told("ship", "", order_id=order, quantities=[{"product_id": lamp.pk, "quantity": 1}])
    assert refused(clerk.undo())[:2] == (404, "nothing_to_undo")
    assert on_hand(lamp) == 9
