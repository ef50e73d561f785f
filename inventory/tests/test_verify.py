"""`verify_stock` finds every kind of wrong number, names it, and is silent when the books balance."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from inventory.models import MovementType, Product, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from inventory.tasks import verify_stock as verify_stock_task
from orders import services
from orders.services import Item
from orders.tasks import verify_orders

D = Decimal
MakeProduct = Callable[..., Product]
pytestmark = pytest.mark.django_db


def verify() -> tuple[dict[str, Any], int]:
    out, code = io.StringIO(), 0
    try:
        call_command("verify_stock", "--json", stdout=out)
    except SystemExit as left:
        code = int(left.code or 0)
    return json.loads(out.getvalue()), code


@pytest.fixture
def busy_shop(make_product: MakeProduct, customer: User, main: Warehouse, annex: Warehouse) -> Product:
    """A product with orders in every state, and one that came back."""
    lamp = make_product(stock=50)
    ledger.post([Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1), D(4))])
    ledger.adjust(lamp.pk, quantity=D(-1), reason="gone")
    services.place_order([Item(lamp.pk, D(2))], user_id=customer.pk)
    partly = services.place_order([Item(lamp.pk, D(3)), Item(lamp.pk, D(1))], user_id=customer.pk)
    services.ship_order(partly.id, quantities={lamp.pk: D(2)})
    sold = services.counter_sale([Item(lamp.pk, D(4))], user_id=customer.pk)
    services.return_order(sold.id, quantities={lamp.pk: D(1)}, warehouse_id=annex.pk, reason="broken")
    services.place_order([Item(lamp.pk, D(1))], user_id=customer.pk, confirm=False)
    off = services.place_order([Item(lamp.pk, D(1))], user_id=customer.pk)
    services.cancel_order(off.id)
    return lamp


@pytest.mark.usefixtures("busy_shop")
def test_books_that_balance_are_clean() -> None:
    answer, code = verify()
    assert (answer["clean"], answer["count"], code) == (True, 0, 0)
    assert len(answer["checks"]) == 21
    assert verify_stock_task() == 0 == verify_orders()


FORGERIES = {
    "on hand is the sum of the ledger": "UPDATE inventory_stocklevel SET on_hand = on_hand + 1",
    "reserved is the sum of open reservations": (
        "UPDATE inventory_stocklevel SET reserved = reserved + 1 WHERE on_hand > 9"
    ),
    "each movement's balance follows from the one before": (
        "UPDATE inventory_stockmovement SET balance_after = 9 WHERE quantity = 50"
    ),
    "a level without late entries moved in the order of time": (
        "UPDATE inventory_stockmovement SET created_at = '2020-01-01 00:00:00.000000' WHERE quantity = -4"
    ),
    "a level knows when it last moved": "UPDATE inventory_stocklevel SET last_moved_at = '2020-01-01 00:00:00.000000'",
    "each average cost follows from the one before and the movement that changed it": (
        "UPDATE inventory_costchange SET average_cost = average_cost + 0.01"
    ),
    "what came in at a cost changed the average cost": (
        "UPDATE inventory_stockmovement SET unit_cost = 3 WHERE unit_cost IS NULL AND movement_type = 'purchase'"
    ),
    "a product's average cost is the last one it changed to": ("UPDATE inventory_productstock SET average_cost = 99"),
    "a product's total available is the sum of its levels": (
        "UPDATE inventory_productstock SET available = available - 1"
    ),
    "what an order's lines say was shipped is what its sale movements say": (
        "UPDATE orders_orderline SET shipped_quantity = 3 WHERE shipped_quantity = 2"
    ),
    "open reservations are what confirmed orders have not shipped yet": (
        "UPDATE orders_order SET status = 'cancelled' WHERE status = 'confirmed'"
    ),
    "what an order's lines say came back is what its returns say": (
        "UPDATE orders_orderline SET returned_quantity = 2 WHERE returned_quantity = 1"
    ),
    "an order's total is the sum of its lines": "UPDATE orders_order SET total_amount = total_amount + 0.01",
    "a shipped order has shipped every line": (
        "UPDATE orders_order SET status = 'shipped' WHERE status = 'partially_shipped'"
    ),
}


@pytest.mark.broken_books
@pytest.mark.usefixtures("busy_shop")
@pytest.mark.parametrize(("rule", "forgery"), FORGERIES.items(), ids=FORGERIES)
def test_a_wrong_number_is_found_and_named(rule: str, forgery: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(forgery)
        assert cursor.rowcount > 0
    answer, code = verify()
    assert code == 3
    assert rule in {one["rule"] for one in answer["findings"]}
    assert verify_stock_task() + verify_orders() == answer["count"]


@pytest.mark.broken_books
@pytest.mark.usefixtures("busy_shop")
def test_the_first_findings_are_told_in_words() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_productstock SET on_hand = 99")
    out = io.StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("verify_stock", stdout=out)
    assert left.value.code == 3
    assert "says 99, its rows say 45" in out.getvalue()
