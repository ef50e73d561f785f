"""The life of orders told as worked examples; each closes with what is on hand, reserved and available."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from inventory.errors import InsufficientStock
from inventory.models import MovementType, Product, ProductStock, Reservation, StockLevel, StockMovement, Warehouse
from inventory.services import ledger
from inventory.services.catalog import update_product
from inventory.services.ledger import Movement
from orders import services
from orders.errors import IllegalTransition
from orders.models import Order, OrderLine
from orders.services import Item
from workbox.core import events

D = Decimal
MakeProduct = Callable[..., Product]


def numbers(product: Product) -> tuple[Decimal, Decimal, Decimal]:
    """(on hand, reserved, available) over all warehouses."""
    stock = ProductStock.objects.get(product=product)
    return stock.on_hand, stock.reserved, stock.available


def put(product: Product, warehouse: Warehouse, quantity: str) -> None:
    ledger.post([Movement(product.pk, warehouse.pk, MovementType.PURCHASE, D(quantity))])


def test_placing_an_order_promises_stock_and_leaves_it_on_the_shelf(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=50, price="999.99")
    cable = make_product("Cable", stock=5, price="30")
    order = services.place_order([Item(lamp.pk, D(2)), Item(cable.pk, D(1))], user_id=customer.pk)
    assert (order.status, order.total_amount) == ("confirmed", D("2029.98"))
    assert numbers(lamp) == (50, 2, 48)
    assert numbers(cable) == (5, 1, 4)


def test_a_pending_order_moves_nothing_until_it_is_confirmed(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=5)
    order = services.place_order([Item(lamp.pk, D(3))], user_id=customer.pk, confirm=False)
    assert (order.status, numbers(lamp)) == ("pending", (5, 0, 5))
    assert services.confirm_order(order.id).status == "confirmed"
    assert numbers(lamp) == (5, 3, 2)
    with pytest.raises(IllegalTransition) as refused:
        services.confirm_order(order.id)
    assert refused.value.extra["status"] == "confirmed"


def test_all_shortages_come_in_one_error_and_nothing_is_written(make_product: MakeProduct, customer: User) -> None:
    lamp, cable, desk = make_product(stock=1), make_product("Cable", stock=0), make_product("Desk", stock=9)
    with pytest.raises(InsufficientStock) as short:
        services.place_order([Item(lamp.pk, D(2)), Item(cable.pk, D(1)), Item(desk.pk, D(1))], user_id=customer.pk)
    assert [(one.product_id, one.requested, one.available) for one in short.value.shortages] == [
        (lamp.pk, 2, 1),
        (cable.pk, 1, 0),
    ]
    assert "Available: 1, Requested: 2" in short.value.detail
    assert (numbers(lamp), numbers(desk)) == ((1, 0, 1), (9, 0, 9))


def test_two_lines_of_one_product_share_what_is_there(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=3)
    with pytest.raises(InsufficientStock) as short:
        services.place_order([Item(lamp.pk, D(2)), Item(lamp.pk, D(2))], user_id=customer.pk)
    assert (short.value.shortages[0].requested, short.value.shortages[0].available) == (4, 3)
    services.place_order([Item(lamp.pk, D(2)), Item(lamp.pk, D(1))], user_id=customer.pk)
    assert numbers(lamp) == (3, 3, 0)


def test_a_line_is_split_only_when_no_warehouse_can_fill_it_alone(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, customer: User
) -> None:
    lamp = make_product(stock=3)
    put(lamp, annex, "5")
    services.place_order([Item(lamp.pk, D(4))], user_id=customer.pk)  # the annex alone can fill it
    assert StockLevel.objects.get(product=lamp, warehouse=annex).reserved == 4
    services.place_order([Item(lamp.pk, D(4))], user_id=customer.pk)  # 3 here, 1 there
    assert StockLevel.objects.get(product=lamp, warehouse=main).reserved == 3
    assert numbers(lamp) == (8, 8, 0)


def test_stock_in_quarantine_is_on_hand_but_not_for_sale(
    make_product: MakeProduct, quarantine: Warehouse, customer: User
) -> None:
    lamp = make_product(stock=1)
    put(lamp, quarantine, "9")
    assert numbers(lamp) == (10, 0, 1)
    with pytest.raises(InsufficientStock):
        services.place_order([Item(lamp.pk, D(2))], user_id=customer.pk)


def test_shipping_takes_goods_and_their_promise_together(make_product: MakeProduct, customer: User) -> None:
    lamp, cable = make_product(stock=5), make_product("Cable", stock=5)
    order = services.place_order([Item(lamp.pk, D(3)), Item(cable.pk, D(1))], user_id=customer.pk)
    part = services.ship_order(order.id, quantities={lamp.pk: D(2)})
    assert (part.status, numbers(lamp), numbers(cable)) == ("partially_shipped", (3, 1, 2), (5, 1, 4))
    assert services.ship_order(order.id).status == "shipped"
    assert (numbers(lamp), numbers(cable)) == ((2, 0, 2), (4, 0, 4))
    assert services.deliver_order(order.id).status == "delivered"
    sales = StockMovement.objects.filter(product=lamp, movement_type="sale").order_by("id")
    assert [(row.quantity, row.balance_after) for row in sales] == [(-2, 3), (-1, 2)]


def test_cancelling_releases_exactly_what_is_still_promised(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=5)
    order = services.place_order([Item(lamp.pk, D(3))], user_id=customer.pk)
    services.cancel_order(order.id)
    assert numbers(lamp) == (5, 0, 5)
    pending = services.place_order([Item(lamp.pk, D(3))], user_id=customer.pk, confirm=False)
    services.cancel_order(pending.id)
    assert numbers(lamp) == (5, 0, 5)
    with pytest.raises(IllegalTransition):
        services.cancel_order(pending.id)
    assert not Reservation.objects.filter(quantity__gt=0).exists()


def test_a_shipped_order_is_returned_not_cancelled(make_product: MakeProduct, annex: Warehouse, customer: User) -> None:
    lamp = make_product(stock=5, price="7.25")
    order = services.place_order([Item(lamp.pk, D(2))], user_id=customer.pk)
    services.ship_order(order.id)
    with pytest.raises(IllegalTransition):
        services.cancel_order(order.id)
    services.return_order(order.id, quantities={lamp.pk: D(1)}, warehouse_id=annex.pk, reason="wrong colour")
    assert numbers(lamp) == (4, 0, 4)
    assert StockLevel.objects.get(product=lamp, warehouse=annex).on_hand == 1
    assert Order.objects.get(id=order.id).returns.get().refund_amount == D("7.25")


def test_the_price_is_fixed_when_ordered(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=5, price="10")
    order = services.place_order([Item(lamp.pk, D(2))], user_id=customer.pk)
    update_product(lamp.pk, changes={"price": D("99")})
    assert OrderLine.objects.get(order_id=order.id).unit_price == 10
    assert services.read_order(order.id).total_amount == 20


def test_line_ids_in_the_answer_are_those_in_the_table(make_product: MakeProduct, customer: User) -> None:
    products = [make_product(f"Item {index}", stock=5) for index in range(4)]
    order = services.place_order([Item(one.pk, D(1)) for one in products], user_id=customer.pk)
    stored = OrderLine.objects.filter(order_id=order.id).order_by("id").values_list("id", "product_id")
    assert [(line.id, line.product_id) for line in order.lines] == list(stored)


def test_weighed_goods_stay_exact(make_product: MakeProduct, kilogram: object, customer: User) -> None:
    tea = make_product("Tea", stock="0.3", unit="kg", price="20")
    services.place_order([Item(tea.pk, D("0.1"))], user_id=customer.pk)
    services.place_order([Item(tea.pk, D("0.2"))], user_id=customer.pk)
    assert numbers(tea) == (D("0.3"), D("0.3"), 0)


def test_a_counter_sale_is_one_act(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product(stock=5)
    sale = services.counter_sale([Item(lamp.pk, D(2))], user_id=customer.pk)
    assert (sale.status, numbers(lamp)) == ("delivered", (3, 0, 3))


def test_placing_tells_one_fact_per_product_and_one_of_the_order(make_product: MakeProduct, customer: User) -> None:
    lamp, cable = make_product(stock=5), make_product("Cable", stock=5)
    events.sequence_pending()
    last = events.head()
    order = services.place_order([Item(lamp.pk, D(1)), Item(cable.pk, D(1))], user_id=customer.pk)
    events.sequence_pending()
    told = events.read_after(last)
    assert len({fact.event_id for fact in told}) == 1, "one row holds what one transaction made true"
    assert [(fact.type, fact.subject_id, fact.owner_id) for fact in told] == [
        ("inventory_update", lamp.pk, None),
        ("inventory_update", cable.pk, None),
        ("order_placed", order.id, customer.pk),
    ]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_placing_takes_the_same_few_statements_whatever_the_number_of_lines(
    make_product: MakeProduct, customer: User, count: int
) -> None:
    items = [Item(make_product(f"Item {index}", stock=5).pk, D(1)) for index in range(count)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        services.place_order(items, user_id=customer.pk)
    assert len(queries) <= 9, [query["sql"][:100] for query in queries]
