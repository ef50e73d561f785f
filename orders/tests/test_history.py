"""Taking over history leaves the same books as living it, and refuses what could not have happened."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from inventory.errors import InsufficientStock
from inventory.models import Product, ProductStock, StockMovement, Warehouse
from orders import services
from orders.errors import EmptyOrder
from orders.history import PastAdjustment, PastLine, PastOrder, PastReturn, record_history
from orders.models import Customer, Order, OrderLine, Return, ReturnLine, Shipment
from orders.queries import order_differences
from orders.services import Item
from workbox.core import events

D = Decimal
MakeProduct = Callable[..., Product]
AT = datetime(2024, 5, 1, 9, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def books(product: Product) -> list[Any]:
    """What the tables say of the product, without numbers and times of recording."""
    return [
        list(
            StockMovement.objects.filter(product=product)
            .order_by("id")
            .values_list("movement_type", "quantity", "balance_after", "created_at")
        ),
        list(
            Order.objects.order_by("id").values_list(
                "status", "total_amount", "placed_at", "shipped_at", "delivered_at"
            )
        ),
        list(OrderLine.objects.order_by("id").values_list("quantity", "shipped_quantity", "returned_quantity")),
        list(Return.objects.values_list("refund_amount", "returned_at", "customer__code")),
        list(ReturnLine.objects.values_list("quantity", "unit_price")),
        list(Shipment.objects.values_list("shipped_at")),
        list(ProductStock.objects.filter(product=product).values_list("on_hand", "reserved", "available")),
    ]


@pytest.fixture
def buyer(db: None) -> Customer:
    return Customer.objects.create(code="K1")


def test_recorded_history_equals_lived_history(make_product: MakeProduct, main: Warehouse, buyer: Customer) -> None:
    lived, told = make_product(stock=20, price="3"), make_product("Told", stock=20, price="3")
    later = AT + timedelta(days=2)
    order = services.counter_sale(
        [Item(lived.pk, D(5)), Item(lived.pk, D(1))],
        user_id=None,
        customer_id=buyer.pk,
        sold_at=AT,
        warehouse_id=main.pk,
    )
    services.return_order(order.id, quantities={lived.pk: D(2)}, warehouse_id=main.pk, returned_at=later)
    wanted = books(lived)
    services_made = set(Order.objects.values_list("id", flat=True))
    lines = [PastLine(told.pk, D(5), D(3)), PastLine(told.pk, D(1), D(3))]
    record_history(
        [
            PastOrder("A-1", AT, lines, buyer.pk),
            PastReturn("C-1", later, [PastLine(told.pk, D(2), D(3))], buyer.pk),
        ],
        warehouse_id=main.pk,
    )
    found = books(told)
    assert [row[:3] for row in found[0]] == [row[:3] for row in wanted[0]]
    assert [row[3] for row in found[0]][1:] == [row[3] for row in wanted[0]][1:]
    assert found[6] == wanted[6] == [(16, 0, 16)]
    mine, theirs = Order.objects.exclude(id__in=services_made).get(), Order.objects.get(id=order.id)
    for column in ("status", "total_amount", "placed_at", "confirmed_at", "shipped_at", "delivered_at"):
        assert getattr(mine, column) == getattr(theirs, column), column
    assert sum(line.returned_quantity for line in mine.lines.all()) == 2
    assert [one.refund_amount for one in Return.objects.all()] == [6, 6]
    assert list(order_differences()) == []


def test_a_shelf_may_not_fall_below_zero_on_the_way(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product(stock=5)
    before = (Order.objects.count(), StockMovement.objects.count())
    papers = [
        PastOrder("A-1", AT, [PastLine(lamp.pk, D(6), D(1))]),
        PastAdjustment("IMPORT-1", AT, lamp.pk, D(10), "found"),
    ]
    with pytest.raises(InsufficientStock) as short:
        record_history(papers, warehouse_id=main.pk)
    assert [(one.requested, one.available) for one in short.value.shortages] == [(6, 5)]
    assert (Order.objects.count(), StockMovement.objects.count()) == before
    record_history(papers[::-1], warehouse_id=main.pk)
    assert ProductStock.objects.get(product=lamp).on_hand == 9


def test_what_is_promised_to_a_living_order_is_not_taken(
    make_product: MakeProduct, main: Warehouse, customer: User
) -> None:
    lamp = make_product(stock=5)
    services.place_order([Item(lamp.pk, D(3))], user_id=customer.pk)
    with pytest.raises(InsufficientStock):
        record_history([PastOrder("A-1", AT, [PastLine(lamp.pk, D(3), D(1))])], warehouse_id=main.pk)


def test_a_reference_is_used_once_and_an_order_has_lines(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product(stock=5)
    paper = PastOrder("A-1", AT, [PastLine(lamp.pk, D(1), D(1))])
    record_history([paper], warehouse_id=main.pk)
    with pytest.raises(EmptyOrder):
        record_history([PastOrder("A-2", AT, [])], warehouse_id=main.pk)
    with pytest.raises(IntegrityError):
        record_history([paper], warehouse_id=main.pk)


def test_a_batch_costs_the_same_few_statements_and_one_event_per_product(
    make_product: MakeProduct, main: Warehouse, buyer: Customer
) -> None:
    lamp, cable = make_product(stock=500), make_product("Cable", stock=500)
    lines = [PastLine(lamp.pk, D(2), D(1)), PastLine(cable.pk, D(1), D(1))]
    events.sequence_pending()
    last = events.head()
    papers: list[Any] = [PastOrder(f"A-{number}", AT, lines, buyer.pk) for number in range(40)]
    papers += [PastReturn(f"C-{number}", AT, lines[:1], buyer.pk) for number in range(10)]
    with CaptureQueriesContext(connection) as queries:
        record_history(papers, warehouse_id=main.pk)
    assert len(queries) <= 20, [query["sql"][:80] for query in queries]
    events.sequence_pending()
    assert Counter(fact.type for fact in events.read_after(last)) == {"inventory_update": 2, "order_updated": 50}
