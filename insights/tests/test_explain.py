"""Every document behind an available quantity is named, and the parts add up to it, whatever happened."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from insights import explain as explaining
from insights.explain import explain
from inventory.errors import InsufficientStock
from inventory.models import Hold, MovementType, Product, Warehouse
from inventory.queries import product_detail
from inventory.services import ledger, transfers
from inventory.services.ledger import Movement
from inventory.services.warehouses import set_sellable
from orders import services
from orders.models import Order
from orders.services import Item
from orders.states import OrderStatus
from tests.client import Api
from workbox.core.errors import Conflict

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


def adds_up(found: dict[str, Any]) -> bool:
    total = sum((part["quantity"] for part in found["equation"]["parts"]), D(0))
    return total == found["stock_quantity"] == found["equation"]["available"]


def test_every_document_behind_the_number_is_named(
    make_product: MakeProduct, manager: Api, main: Warehouse, annex: Warehouse, quarantine: Warehouse, customer: User
) -> None:
    lamp = make_product("Lamp", stock=50)
    ledger.post([Movement(lamp.pk, annex.pk, MovementType.PURCHASE, D(9))], reason="A gift")
    ledger.post([Movement(lamp.pk, quarantine.pk, MovementType.PURCHASE, D(2))])
    order = services.place_order([Item(lamp.pk, D(5))], user_id=customer.pk)
    waiting = transfers.create_transfer({lamp.pk: D(3)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    moving = transfers.create_transfer({lamp.pk: D(4)}, from_warehouse_id=annex.pk, to_warehouse_id=main.pk)
    transfers.dispatch_transfer(moving.id)
    vendor = manager("POST", "vendors", {"name": "Mill"}).json()["id"]
    bought = {"vendor_id": vendor, "items": [{"product_id": lamp.pk, "quantity": 25, "unit_cost": 2}]}
    purchase = manager("POST", "purchase-orders", bought).json()["id"]
    manager("POST", f"purchase-orders/{purchase}/send")

    found = manager("GET", f"products/{lamp.pk}/availability/explain").json()

    assert (found["stock_quantity"], found["on_hand"], found["not_for_sale"]) == (47, 57, 2)
    assert [(row["warehouse_name"], row["on_hand"], row["available"]) for row in found["warehouses"]] == [
        ("Main store", 50, 42),
        ("Annex", 5, 5),
        ("Quarantine", 2, 0),
    ]
    last = found["warehouses"][1]["last_operation"]
    assert (last["kind"], last["reference_number"], last["quantity"]) == ("transfer", f"TRANSFER-{moving.id}", -4)
    named = [(row["kind"], row["order_id"], row["transfer_id"], row["quantity"]) for row in found["reservations"]]
    assert named == [("order", order.id, None, 5), ("transfer", None, waiting.id, 3)]
    assert (found["reservations"][0]["status"], found["reservations"][0]["customer"]) == ("confirmed", "customer")
    assert [(row["transfer_id"], row["quantity"]) for row in found["in_transit"]] == [(moving.id, 4)]
    assert [(row["purchase_order_id"], row["vendor_name"], row["quantity"]) for row in found["incoming"]] == [
        (purchase, "Mill", 25)
    ]
    assert found["equation"]["text"] == (
        f"available 47 = 50 (on hand in Main store) + 5 (on hand in Annex) − 5 (order {order.id} from Main store)"
        f" − 3 (transfer {waiting.id} from Main store)"
    )


def test_a_hold_says_when_it_ends_and_that_it_is_over(make_product: MakeProduct, customer: User) -> None:
    lamp = make_product("Lamp", stock=5)
    services.place_order([Item(lamp.pk, D(2))], user_id=customer.pk, confirm=False, hold_minutes=10)
    row = explain(lamp.pk)["reservations"][0]
    assert (row["status"], row["is_expired"]) == ("pending", False)
    Hold.objects.update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    found = explain(lamp.pk)
    assert (found["reservations"][0]["is_expired"], found["stock_quantity"], adds_up(found)) == (True, 3, True)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["receive", "adjust", "order", "hold", "cancel", "ship", "transfer", "send", "arrive", "sell"]),
        st.integers(0, 2),
        st.integers(1, 6).map(D),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_parts_add_up_whatever_happened(
    steps: list[tuple[str, int, Decimal]],
    make_product: MakeProduct,
    main: Warehouse,
    annex: Warehouse,
    quarantine: Warehouse,
) -> None:
    places = [main, annex, quarantine]
    with transaction.atomic():
        lamp = make_product(f"Lamp {Product.objects.count()}", stock=6)

        def act(what: str, where: int, quantity: Decimal) -> None:
            place, other = places[where], places[(where + 1) % 3]
            orders = Order.objects.filter(lines__product=lamp)
            moves = lamp.transfer_lines.order_by("id")
            if what == "receive":
                ledger.post([Movement(lamp.pk, place.pk, MovementType.PURCHASE, quantity)])
            elif what == "adjust":
                ledger.adjust(lamp.pk, quantity=-quantity, reason="gone", warehouse_id=place.pk)
            elif what in ("order", "hold"):
                waits = {"confirm": False, "hold_minutes": 5} if what == "hold" else {}
                services.place_order([Item(lamp.pk, quantity)], user_id=None, **waits)  # type: ignore[arg-type]  # what the case names
            elif what in ("cancel", "ship"):
                found = orders.filter(status=OrderStatus.CONFIRMED).first()
                step = services.cancel_order if what == "cancel" else services.ship_order
                if found is not None:
                    step(found.pk)
            elif what == "transfer":
                items = {lamp.pk: quantity}
                transfers.create_transfer(items, from_warehouse_id=place.pk, to_warehouse_id=other.pk)
            elif what in ("send", "arrive"):
                status = "pending" if what == "send" else "in_transit"
                line = moves.filter(transfer__status=status).first()
                step = transfers.dispatch_transfer if what == "send" else transfers.complete_transfer
                if line is not None:
                    step(line.transfer_id)
            else:
                place.refresh_from_db()
                set_sellable(place.pk, is_sellable=not place.is_sellable)

        for step in steps:
            try:
                with transaction.atomic():
                    act(*step)
            except (InsufficientStock, Conflict):
                continue
            found = explain(lamp.pk)
            assert adds_up(found), (step, found["equation"])
            shown = product_detail(lamp.pk)
            assert shown is not None
            assert found["stock_quantity"] == shown["stock_quantity"]
        transaction.set_rollback(True)


def test_what_changes_while_one_looks_is_looked_at_again(
    make_product: MakeProduct, main: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp, looks = make_product("Lamp", stock=5), []
    look = explaining._reservations

    def interrupted(product_id: int) -> Any:
        looks.append(1)
        if len(looks) < 3:  # somebody takes one between two statements
            ledger.adjust(lamp.pk, quantity=D(-1), reason="gone", warehouse_id=main.pk)
        return look(product_id)

    monkeypatch.setattr(explaining, "_reservations", interrupted)
    found = explain(lamp.pk)
    assert (len(looks), found["stock_quantity"], adds_up(found)) == (3, 3, True)


def test_staff_read_the_same_in_the_admin(make_product: MakeProduct, make_user: Callable[..., User]) -> None:
    lamp = make_product("Lamp", stock=5)
    services.place_order([Item(lamp.pk, D(2))], user_id=None)
    browser = Client()
    browser.force_login(make_user("clerk"), backend="accounts.roles.RoleBackend")
    where = f"/admin/inventory/product/{lamp.pk}/explain/"
    assert where in browser.get(f"/admin/inventory/product/{lamp.pk}/change/").content.decode()
    page = browser.get(where)
    assert page.status_code == 200
    assert [part["quantity"] for part in page.context["parts"]] == ["+5", "−2"]
    assert browser.get("/admin/inventory/product/987654321/explain/").status_code == 404
    assert Client().get(where).status_code == 302


def test_an_unknown_product_has_no_number(manager: Api) -> None:
    response = manager("GET", "products/987654321/availability/explain")
    assert (response.status_code, response.json()["code"]) == (404, "product_not_found")
