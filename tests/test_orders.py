"""An order from end to end through the API, as the mini order API's README asks for: `pytest tests/test_orders.py -v`.

The rules one by one: orders/tests/test_orders.py.
"""

from collections.abc import Callable

import pytest

from inventory.models import Product
from tests.client import Api

pytestmark = pytest.mark.django_db


def available(api: Api, product: Product) -> int:
    found: int = api("GET", f"products/{product.pk}").json()["stock_quantity"]
    return found


def test_creating_confirming_and_cancelling_an_order(make_product: Callable[..., Product], manager: Api) -> None:
    hoodie = make_product("Hoodie", stock=3, price="499.9")
    made = manager("POST", "orders/create_order", {"items": [{"product_id": hoodie.pk, "quantity": 2}]})
    assert (made.status_code, made.json()["status"], made.json()["total_amount"]) == (201, "pending", 999.8)
    assert available(manager, hoodie) == 3
    confirmed = manager("PATCH", f"orders/{made.json()['id']}/confirm")
    assert (confirmed.status_code, confirmed.json()["message"]) == (200, "Order Confirmed successfully")
    assert available(manager, hoodie) == 1
    short = manager("POST", "orders", {"items": [{"product_id": hoodie.pk, "quantity": 2}]})
    assert (short.status_code, short.json()["code"]) == (400, "insufficient_stock")
    cancelled = manager("PATCH", f"orders/{made.json()['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert available(manager, hoodie) == 3
    assert [row["status"] for row in manager("GET", "orders").json()["results"]] == ["cancelled"]
