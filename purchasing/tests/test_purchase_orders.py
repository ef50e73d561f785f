"""Purchase orders over REST: draft, sent, received in parts, closed short, cancelled; what is on its way; the books."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.core.management import call_command

from inventory.models import Barcode, Product, ProductStock, StockLevel, StockMovement, StockOperation, Warehouse
from inventory.services import ledger
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt, Vendor
from purchasing.queries import incoming, purchase_differences
from purchasing.services.orders import PurchaseItem, close_short, create_purchase_order, send_purchase_order
from purchasing.services.receipts import Received, receive_purchase_order, undo_receipt
from purchasing.tasks import verify_purchases
from tests.client import Api
from workbox.core.errors import RuleViolation
from workbox.core.models import Event

pytestmark = pytest.mark.django_db
D = Decimal


def on_order(product_ids: list[int] | None = None, *, include_drafts: bool = False) -> dict[int, Decimal]:
    """What is open on the lines, counted by the test itself."""
    statuses = {"sent", "partially_received"} | ({"draft"} if include_drafts else set())
    found: dict[int, Decimal] = {}
    for line in PurchaseOrderLine.objects.filter(order__status__in=statuses):
        open_ = line.quantity - line.received_quantity
        if open_ > 0 and (product_ids is None or line.product_id in product_ids):
            found[line.product_id] = found.get(line.product_id, D(0)) + open_
    return found


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    return make_product("Lamp", sku="LAMP", stock=2)


@pytest.fixture
def rug(make_product: Callable[..., Product]) -> Product:
    return make_product("Rug", sku="RUG")


@pytest.fixture
def vendor(make_vendor: Callable[..., Vendor], lamp: Product, rug: Product) -> Vendor:
    return make_vendor(prices={lamp.pk: "4.50", rug.pk: "30"})


@pytest.fixture
def clerk(as_staff: Callable[[str], Api]) -> Api:
    return as_staff("clerk")


def line(product: Product, quantity: Any, **more: Any) -> dict[str, Any]:
    return {"product_id": product.pk, "quantity": quantity, **more}


def drafted(manager: Api, vendor: Vendor, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = manager("POST", "purchase-orders", {"vendor_id": vendor.pk, "items": list(items), **more})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def sent(manager: Api, vendor: Vendor, *items: dict[str, Any]) -> str:
    """The path of an order that was sent."""
    path = f"purchase-orders/{drafted(manager, vendor, *items)['id']}"
    assert manager("POST", f"{path}/send").status_code == 200
    return path


def on_hand(product: Product) -> Decimal:
    return ProductStock.objects.get(product=product).on_hand


# ---- the life of a purchase order ------------------------------------------------------------------------------------
def test_an_order_is_drafted_sent_and_received_in_two_parts(
    manager: Api, clerk: Api, vendor: Vendor, lamp: Product, rug: Product, main: Warehouse
) -> None:
    made = drafted(manager, vendor, line(lamp, 10), {"sku": "RUG", "quantity": 2, "unit_cost": 28.5}, total_amount=1)
    path = f"purchase-orders/{made['id']}"
    assert (made["status"], made["total_amount"], made["warehouse_id"]) == ("draft", 102, main.pk)
    assert [row["unit_cost"] for row in made["items"]] == [4.5, 28.5]
    assert (on_order([lamp.pk]), on_order([lamp.pk], include_drafts=True)) == ({}, {lamp.pk: D(10)})

    on_its_way = manager("PUT", f"{path}/send").json()
    assert (on_its_way["status"], on_its_way["message"]) == ("sent", "Purchase order sent")
    assert on_its_way["expected_on"] == (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    assert on_order() == {lamp.pk: D(10), rug.pk: D(2)}

    body = {"items": [line(lamp, 3), line(lamp, 1, unit_cost=4.2)]}
    part = clerk("POST", f"{path}/receive", body).json()
    assert (part["status"], part["received_at"], part["message"]) == ("partially_received", None, "Goods received")
    assert [row["received_quantity"] for row in part["items"]] == [4, 0]
    assert [(row["quantity"], row["unit_cost"]) for row in part["receipt"]["items"]] == [(3, 4.5), (1, 4.2)]
    assert (on_hand(lamp), on_order()) == (6, {lamp.pk: D(6), rug.pk: D(2)})

    whole = clerk("PATCH", f"{path}/receive").json()
    assert (whole["status"], whole["received_at"]) == ("received", whole["receipt"]["received_at"])
    assert (on_hand(lamp), on_hand(rug), on_order(), incoming()) == (12, 2, {}, [])
    operations = StockOperation.objects.filter(kind="receipt").order_by("id")
    assert [(one.reference, one.actor_id, one.movements.count()) for one in operations] == [
        (f"PO-{made['id']}", clerk.user.pk, 2),
        (f"PO-{made['id']}", clerk.user.pk, 2),
    ]
    assert set(StockMovement.objects.filter(operation__in=operations).values_list("movement_type", flat=True)) == {
        "purchase"
    }
    receipts = clerk("GET", f"{path}/receipts").json()["results"]
    assert [sum(row["total_cost"] for row in one["items"]) for one in receipts] == [84, 17.7]
    again = clerk("POST", f"{path}/receive")
    assert (again.status_code, again.json()["status"]) == (409, "received")


def test_every_step_is_told_with_the_stock_it_moved(manager: Api, vendor: Vendor, lamp: Product) -> None:
    path = sent(manager, vendor, line(lamp, 3))
    manager("POST", f"{path}/receive")
    rows = Event.objects.filter(topic="purchasing").order_by("id")
    told = [orjson.loads(row.payload) for row in rows]
    assert [(one["previous_status"], one["status"]) for one in told] == [
        (None, "draft"),
        ("draft", "sent"),
        ("sent", "received"),
    ]
    assert told[2]["received"] == [{"inventory_id": lamp.pk, "name": "Lamp", "quantity": 3}]
    assert (
        Event.objects.filter(type="inventory_update", subject_id=lamp.pk).latest("id").payload.find('"on_hand":5') > 0
    )


def test_only_a_draft_is_edited(manager: Api, vendor: Vendor, lamp: Product, rug: Product, annex: Warehouse) -> None:
    made = drafted(manager, vendor, line(lamp, 10), expected_on="2030-05-01", notes="soon")
    path = f"purchase-orders/{made['id']}"
    etag = manager("GET", path)["ETag"]
    body = {"items": [line(rug, 1), line(lamp, 2)], "warehouse_id": annex.pk, "expected_on": None}
    changed = manager("PATCH", path, body, If_Match=etag).json()
    assert (changed["total_amount"], changed["warehouse_id"], changed["notes"]) == (39, annex.pk, "soon")
    assert (changed["expected_on"], [row["sku"] for row in changed["items"]]) == (None, ["RUG", "LAMP"])
    assert manager("PUT", path, {"notes": "later"}, If_Match=etag).status_code == 412
    assert manager("PATCH", path, {"vendor_id": 987654321}).status_code == 422
    manager("POST", f"{path}/send")
    late = manager("PATCH", path, {"notes": "later"})
    assert (late.status_code, late.json()["code"], late.json()["status"]) == (409, "illegal_transition", "sent")
    assert PurchaseOrder.objects.get().notes == "soon"


def test_a_draft_or_a_sent_order_is_cancelled_until_something_came(manager: Api, vendor: Vendor, lamp: Product) -> None:
    draft = f"purchase-orders/{drafted(manager, vendor, line(lamp, 1))['id']}"
    assert manager("POST", f"{draft}/cancel", {"reason": "twice"}).json()["status"] == "cancelled"
    assert manager("POST", f"{draft}/send").json()["status"] == "cancelled"
    path = sent(manager, vendor, line(lamp, 5))
    manager("POST", f"{path}/receive", {"items": [line(lamp, 1)]})
    refused = manager("POST", f"{path}/cancel")
    assert (refused.status_code, refused.json()["status"]) == (409, "partially_received")
    assert on_order() == {lamp.pk: D(4)}


def test_a_partially_received_order_is_closed_short(manager: Api, vendor: Vendor, lamp: Product) -> None:
    path = sent(manager, vendor, line(lamp, 5))
    assert manager("POST", f"{path}/close").json()["status"] == "sent"
    manager("POST", f"{path}/receive", {"items": [line(lamp, 1)]})
    closed = manager("POST", f"{path}/close", {"reason": "discontinued"}).json()
    assert (closed["status"], closed["items"][0]["received_quantity"]) == ("received", 1)
    assert closed["closed_at"] is not None
    assert closed["received_at"] == Receipt.objects.get().received_at.isoformat().replace("+00:00", "Z")
    assert (on_order(), manager("POST", f"{path}/receive").status_code) == ({}, 409)


# ---- more than ordered -----------------------------------------------------------------------------------------------
def test_more_than_ordered_is_refused_and_every_such_line_is_named(
    manager: Api, vendor: Vendor, lamp: Product, rug: Product
) -> None:
    path = sent(manager, vendor, line(lamp, 10), line(rug, 5))
    manager("POST", f"{path}/receive", {"items": [line(lamp, 4)]})
    answer = manager("POST", f"{path}/receive", {"items": [line(lamp, 3), line(lamp, 4), line(rug, 6)]})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "over_receipt")
    assert [(one["sku"], one["ordered"], one["received"], one["asked"]) for one in body["lines"]] == [
        ("LAMP", 10, 4, 7),
        ("RUG", 5, 0, 6),
    ]
    assert (on_hand(lamp), on_hand(rug), Receipt.objects.count()) == (6, 0, 1)


def test_a_tolerance_accepts_so_much_more_and_not_a_piece_beyond(
    settings: Any, manager: Api, vendor: Vendor, lamp: Product
) -> None:
    settings.WORKBOX_OVER_RECEIPT_PERCENT = 10
    path = sent(manager, vendor, line(lamp, 20))
    assert manager("POST", f"{path}/receive", {"items": [line(lamp, 23)]}).json()["code"] == "over_receipt"
    taken = manager("POST", f"{path}/receive", {"items": [line(lamp, 22)]}).json()
    assert (taken["status"], taken["items"][0]["received_quantity"], on_hand(lamp)) == ("received", 22, 24)


def test_a_line_that_came_in_whole_or_more_is_no_longer_on_order(
    settings: Any, manager: Api, vendor: Vendor, lamp: Product, rug: Product
) -> None:
    settings.WORKBOX_OVER_RECEIPT_PERCENT = 10
    path = sent(manager, vendor, line(lamp, 20), line(rug, 2))
    part = manager("POST", f"{path}/receive", {"items": [line(lamp, 22)]}).json()
    assert part["status"] == "partially_received"
    assert (on_order(), [(one.product_id, one.quantity) for one in incoming()]) == ({rug.pk: D(2)}, [(rug.pk, D(2))])
    rest = manager("POST", f"{path}/receive").json()
    assert [row["quantity"] for row in rest["receipt"]["items"]] == [2]


def test_a_receipt_is_booked_once_per_idempotency_key(manager: Api, vendor: Vendor, lamp: Product) -> None:
    path = sent(manager, vendor, line(lamp, 20))
    answers = [
        manager("POST", f"{path}/receive", {"items": [line(lamp, 5)]}, Idempotency_Key="dock-1") for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert on_hand(lamp) == 7


def test_a_scanned_carton_means_its_units(manager: Api, vendor: Vendor, lamp: Product) -> None:
    Barcode.objects.create(code="4006381300001", product=lamp, pack_quantity=D(6))
    path = sent(manager, vendor, line(lamp, 20))
    manager("POST", f"{path}/receive", {"items": [{"barcode": "4006381300001", "quantity": 2}]})
    assert PurchaseOrderLine.objects.get().received_quantity == 12


def test_goods_of_a_retired_product_still_come_in(manager: Api, vendor: Vendor, lamp: Product) -> None:
    path = sent(manager, vendor, line(lamp, 1))
    manager("DELETE", f"products/{lamp.pk}")
    assert manager("POST", f"{path}/receive").json()["status"] == "received"


def test_a_receipt_is_not_reversed_behind_its_orders_back(manager: Api, vendor: Vendor, lamp: Product) -> None:
    path = sent(manager, vendor, line(lamp, 1))
    manager("POST", f"{path}/receive")
    with pytest.raises(RuleViolation) as refused:
        ledger.reverse(Receipt.objects.get().operation_id, reason="wrong")
    assert (refused.value.code, on_hand(lamp)) == ("belongs_to_purchase_order", 3)


# ---- prices on lines -------------------------------------------------------------------------------------------------
def test_a_line_costs_what_the_vendor_asks_for_so_many(
    manager: Api, make_vendor: Callable[..., Vendor], lamp: Product
) -> None:
    maker = make_vendor("Maker")
    manager(
        "POST",
        f"vendors/{maker.pk}/prices",
        {"product_id": lamp.pk, "unit_price": 5, "price_breaks": [{"from_quantity": 10, "unit_price": 4}]},
    )
    assert drafted(manager, maker, line(lamp, 9))["total_amount"] == 45
    assert drafted(manager, maker, line(lamp, 10))["total_amount"] == 40


def test_lines_without_a_price_are_all_named(manager: Api, make_vendor: Callable[..., Vendor], lamp: Product) -> None:
    stranger = make_vendor("Stranger")
    answer = manager("POST", "purchase-orders", {"vendor_id": stranger.pk, "items": [line(lamp, 1)]})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_vendor_price")
    assert list(answer.json()["fields"]) == ["items.0.unit_cost"]
    assert not PurchaseOrder.objects.exists()


@pytest.mark.parametrize("is_active", [True, False])
def test_nothing_is_bought_from_a_former_vendor(manager: Api, vendor: Vendor, lamp: Product, is_active: bool) -> None:
    made = drafted(manager, vendor, line(lamp, 1))
    manager("PATCH", f"vendors/{vendor.pk}", {"is_active": is_active})
    statuses = [
        manager("POST", f"purchase-orders/{made['id']}/send").status_code,
        manager("POST", "purchase-orders", {"vendor_id": vendor.pk, "items": [line(lamp, 1)]}).status_code,
    ]
    assert statuses == ([200, 201] if is_active else [400, 400])


# ---- lists -----------------------------------------------------------------------------------------------------------
def test_orders_are_found_by_what_they_say(
    manager: Api, vendor: Vendor, lamp: Product, rug: Product, annex: Warehouse, make_vendor: Callable[..., Vendor]
) -> None:
    other = make_vendor("Other", prices={rug.pk: "3"})
    first = drafted(manager, vendor, line(lamp, 1), reference="Q-77")["id"]
    second = drafted(manager, other, line(rug, 1), warehouse_id=annex.pk)["id"]
    manager("POST", f"purchase-orders/{second}/send")
    today = datetime.now(UTC).date()
    expected = {
        "": [second, first],
        f"vendor_id={vendor.pk}": [first],
        "status=SENT": [second],
        f"product_id={rug.pk}": [second],
        f"warehouse_id={annex.pk}": [second],
        "search=q-77": [first],
        f"search=PO-{first}": [first],
        "search=rug": [second],
        "search=other": [second],
        "ordering=created_at": [first, second],
        f"created_from_date={today + timedelta(days=1)}": [],
        f"created_to_date={today}": [second, first],
    }
    found = {
        query: [row["id"] for row in manager("GET", f"purchase-orders?{query}").json()["results"]] for query in expected
    }
    assert found == expected


def test_what_is_to_come_stands_in_the_order_of_its_arrival(vendor: Vendor, lamp: Product, main: Warehouse) -> None:
    for day in (date(2030, 3, 1), date(2030, 2, 1)):
        order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(day.month))], expected_on=day)
        send_purchase_order(order.pk)
    create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(9))])
    assert [(one.product_id, one.quantity, one.expected_on, one.warehouse_id) for one in incoming([lamp.pk])] == [
        (lamp.pk, D(2), date(2030, 2, 1), main.pk),
        (lamp.pk, D(3), date(2030, 3, 1), main.pk),
    ]
    assert on_order([lamp.pk], include_drafts=True) == {lamp.pk: D(14)}


# ---- the books -------------------------------------------------------------------------------------------------------
@pytest.mark.broken_books
def test_books_that_were_tampered_with_are_found(manager: Api, vendor: Vendor, lamp: Product, rug: Product) -> None:
    path = sent(manager, vendor, line(lamp, 5), line(rug, 2))
    manager("POST", f"{path}/receive", {"items": [line(lamp, 1)]})
    assert list(purchase_differences()) == []
    order = PurchaseOrder.objects.get()

    def rules() -> list[str]:
        return [one.rule for one in purchase_differences()]

    PurchaseOrder.objects.update(total_amount=1)
    assert rules() == ["a purchase order's total is the sum of its lines"]
    PurchaseOrder.objects.update(total_amount=order.total_amount)
    PurchaseOrderLine.objects.filter(product=rug).update(received_quantity=1)
    assert rules() == ["what a purchase order's lines say was received is what its receipts moved"]
    PurchaseOrderLine.objects.filter(product=rug).update(received_quantity=0)
    PurchaseOrder.objects.update(status="received")
    assert rules() == ["a received purchase order has all of every line, unless it was closed short"] * 2
    PurchaseOrder.objects.update(status="sent")
    assert rules() == ["nothing came in on a purchase order that is a draft, sent or cancelled"]
    PurchaseOrder.objects.update(status="partially_received")
    PurchaseOrderLine.objects.update(quantity=D(1), received_quantity=D(1))
    assert "of a partially received purchase order something came and something is open" in rules()
    assert verify_purchases() == len(rules())


@pytest.mark.broken_books
def test_the_command_names_what_differs(manager: Api, vendor: Vendor, lamp: Product) -> None:
    drafted(manager, vendor, line(lamp, 5))

    def run() -> dict[str, Any]:
        out = io.StringIO()
        with suppress(SystemExit):
            call_command("verify_purchasing", json=True, stdout=out)
        return dict(json.loads(out.getvalue()))

    assert (run()["clean"], len(run()["checks"])) == (True, 5)
    PurchaseOrder.objects.update(total_amount=1)
    assert (run()["clean"], run()["count"]) == (False, 1)
    assert StockLevel.objects.get(product=lamp).on_hand == 2


# ---- receipts that were a mistake ------------------------------------------------------------------------------------
def test_what_is_left_after_an_undone_over_receipt_decides_the_status(
    settings: Any, manager: Api, vendor: Vendor, lamp: Product
) -> None:
    settings.WORKBOX_OVER_RECEIPT_PERCENT = 50
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(10))])
    send_purchase_order(order.pk)
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    small = receive_purchase_order(order.pk, [Received(lamp.pk, D(4))], received_at=first)
    large = receive_purchase_order(order.pk, [Received(lamp.pk, D(10))], received_at=second)
    undo_receipt(small.pk, reason="Wrong pallet")
    order.refresh_from_db()
    assert (order.status, order.received_at) == ("received", second)
    assert list(purchase_differences()) == []
    undo_receipt(large.pk, reason="That one, too")
    order.refresh_from_db()
    assert (order.status, order.received_at) == ("sent", None)


def test_an_order_closed_short_was_received_when_the_last_of_what_stayed_came(vendor: Vendor, lamp: Product) -> None:
    order = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(10))])
    send_purchase_order(order.pk)
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    receive_purchase_order(order.pk, [Received(lamp.pk, D(4))], received_at=first)
    wrong = receive_purchase_order(order.pk, [Received(lamp.pk, D(1))], received_at=second)
    undo_receipt(wrong.pk, reason="Wrong pallet")
    assert close_short(order.pk).received_at == first
