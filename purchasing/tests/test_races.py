"""Two at one purchase order under many threads on MariaDB: never more in than ordered, one winner per step.

Each beside a negative control: the same work in the obvious, wrong way must break the promise.
"""

import time
from decimal import Decimal

import pytest
from django.db import transaction

from inventory.models import Product, ProductStock, StockMovement, Warehouse
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt
from purchasing.queries import purchase_differences
from purchasing.services import vendors
from purchasing.services.orders import (
    PurchaseItem,
    cancel_purchase_order,
    create_purchase_order,
    send_purchase_order,
)
from purchasing.services.receipts import Received, receive_purchase_order, undo_receipt
from purchasing.services.vendors import NewPrice
from workbox import drills

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
D = Decimal
ROUNDS = 100


def world() -> tuple[int, Product]:
    """A vendor and an empty product."""
    _, (lamp,) = drills.shop(products=1, stock=0)
    assert Warehouse.objects.exists()
    return vendors.create_vendor({"name": "Drill vendor"}).pk, lamp


def on_its_way(vendor_id: int, product: Product, quantity: int) -> int:
    order = create_purchase_order(vendor_id, [PurchaseItem(product.pk, D(quantity), D(1))])
    return send_purchase_order(order.pk).pk


@pytest.mark.parametrize("percent", [0, 10])
def test_two_receivers_of_one_open_quantity_never_take_more_than_ordered(percent: int, settings: object) -> None:
    settings.WORKBOX_OVER_RECEIPT_PERCENT = percent  # type: ignore[attr-defined]  # of the library's or the test's own object
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 10) for _ in range(ROUNDS)]

    def take(order_id: int) -> str:
        receive_purchase_order(order_id, [Received(lamp.pk, D(6))])
        return "received"

    outcomes = drills.in_threads([lambda one=one: take(one) for one in orders for _ in range(2)], threads=8)
    assert outcomes == {"received": ROUNDS, "OverReceipt": ROUNDS}
    received = list(PurchaseOrderLine.objects.values_list("received_quantity", flat=True))
    assert received == [D(6)] * ROUNDS
    assert ProductStock.objects.get(product=lamp).on_hand == 6 * ROUNDS
    assert list(purchase_differences()) == []


@pytest.mark.broken_books
def test_control_looking_at_the_line_before_holding_its_order_takes_it_twice() -> None:
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 10) for _ in range(20)]

    def take(order_id: int) -> str:
        with transaction.atomic():
            line = PurchaseOrderLine.objects.get(order_id=order_id)
            if line.received_quantity + 6 > line.quantity:
                return "refused"
            time.sleep(0.01)
            PurchaseOrderLine.objects.filter(pk=line.pk).update(received_quantity=line.received_quantity + 6)
            return "received"

    outcomes = drills.in_threads([lambda one=one: take(one) for one in orders for _ in range(2)], threads=8)
    assert outcomes["received"] > len(orders), outcomes


def test_receivers_of_everything_book_it_once() -> None:
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 3) for _ in range(ROUNDS)]
    acts = [lambda one=one: str(bool(receive_purchase_order(one))) for one in orders for _ in range(2)]
    outcomes = drills.in_threads(acts, threads=8)
    assert outcomes == {"True": ROUNDS, "IllegalPurchaseStep": ROUNDS}
    assert StockMovement.objects.filter(product=lamp).count() == ROUNDS
    assert ProductStock.objects.get(product=lamp).on_hand == 3 * ROUNDS


def test_of_a_cancel_and_a_receipt_one_wins() -> None:
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 3) for _ in range(ROUNDS)]
    acts = [
        act
        for one in orders
        for act in (
            lambda one=one: f"received {bool(receive_purchase_order(one))}",
            lambda one=one: f"cancelled {bool(cancel_purchase_order(one))}",
        )
    ]
    outcomes = drills.in_threads(acts, threads=8)
    assert outcomes["IllegalPurchaseStep"] == ROUNDS
    assert outcomes["received True"] + outcomes["cancelled True"] == ROUNDS
    assert ProductStock.objects.get(product=lamp).on_hand == 3 * outcomes["received True"]
    assert list(purchase_differences()) == []


def test_of_a_send_and_a_cancel_the_last_word_is_legal() -> None:
    """A sent order may still be cancelled, a cancelled one never sent: it always ends cancelled, told once."""
    vendor_id, lamp = world()
    drafts = [create_purchase_order(vendor_id, [PurchaseItem(lamp.pk, D(1), D(1))]).pk for _ in range(ROUNDS)]
    acts = [
        act
        for one in drafts
        for act in (
            lambda one=one: f"sent {bool(send_purchase_order(one))}",
            lambda one=one: f"cancelled {bool(cancel_purchase_order(one))}",
        )
    ]
    outcomes = drills.in_threads(acts, threads=8)
    assert outcomes["cancelled True"] == ROUNDS
    assert outcomes["sent True"] + outcomes["IllegalPurchaseStep"] == ROUNDS
    assert set(PurchaseOrder.objects.values_list("status", flat=True)) == {"cancelled"}
    assert PurchaseOrder.objects.filter(sent_at__isnull=False).count() == outcomes["sent True"]


def test_many_new_prices_at_once_leave_one_in_force() -> None:
    vendor_id, lamp = world()
    acts = [
        lambda price=price: str(bool(vendors.add_price(vendor_id, NewPrice(lamp.pk, D(price)))))
        for price in range(1, 41)
    ]
    assert drills.in_threads(acts, threads=8) == {"True": 40}
    prices = vendors.VendorPrice.objects.filter(vendor_id=vendor_id)
    assert (prices.count(), prices.filter(is_current=True).count()) == (40, 1)


def test_of_two_who_undo_a_receipt_one_wins_and_the_goods_leave_once() -> None:
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 10) for _ in range(ROUNDS)]
    receipts = [receive_purchase_order(one, [Received(lamp.pk, D(6))]).pk for one in orders]

    def undo(receipt_id: int) -> str:
        undo_receipt(receipt_id, reason="Scanned twice")
        return "undone"

    outcomes = drills.in_threads([lambda one=one: undo(one) for one in receipts for _ in range(2)], threads=8)
    # The second finds the order sent again, with nothing received.
    assert outcomes == {"undone": ROUNDS, "IllegalPurchaseStep": ROUNDS}
    assert set(PurchaseOrder.objects.values_list("status", flat=True)) == {"sent"}
    assert ProductStock.objects.get(product=lamp).on_hand == 0
    assert list(purchase_differences()) == []


@pytest.mark.broken_books
def test_control_looking_for_a_reversal_before_holding_the_order_takes_the_goods_out_twice() -> None:
    vendor_id, lamp = world()
    orders = [on_its_way(vendor_id, lamp, 20) for _ in range(20)]
    receipts = [receive_purchase_order(one, [Received(lamp.pk, D(6))]).pk for one in orders]

    def undo(receipt_id: int) -> str:
        with transaction.atomic():
            receipt = Receipt.objects.get(pk=receipt_id)
            line = PurchaseOrderLine.objects.get(order_id=receipt.order_id)
            if line.received_quantity < 6:
                return "refused"
            time.sleep(0.02)
            PurchaseOrderLine.objects.filter(pk=line.pk).update(received_quantity=line.received_quantity - 6)
        return "undone"

    outcomes = drills.in_threads([lambda one=one: undo(one) for one in receipts for _ in range(2)], threads=8)
    assert outcomes["undone"] > len(receipts)
