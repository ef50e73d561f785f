"""Promise 2: whatever staff do in whatever order, the books are what a plain-Python model of the shop says."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from conftest import assert_ledger_balances
from inventory.errors import AlreadyReversed, InsufficientStock
from inventory.models import MovementType, ProductStock, StockLevel, Warehouse
from inventory.queries import stock_differences
from inventory.services import ledger
from inventory.services.catalog import create_product
from inventory.services.ledger import Movement
from inventory.services.warehouses import set_sellable
from orders import services
from orders.errors import IllegalTransition
from orders.services import Item
from workbox.core.errors import Conflict, Invalid

D = Decimal
ZERO = D(0)
SMALL = st.integers(1, 8).map(D)
PICK = st.integers(0, 2)
WHERE = st.integers(0, 2)  # two sellable warehouses and one quarantine


def act(function: Any, *args: Any, **kwargs: Any) -> Any:
    """One act of the staff: a refusal leaves nothing behind, as when it is a transaction of its own."""
    with transaction.atomic():
        return function(*args, **kwargs)


class Shop(RuleBasedStateMachine):
    """The model: dictionaries of on-hand per (product, warehouse), promises per order, what each order may still do."""

    @initialize()
    def open_shop(self) -> None:
        self.user = User.objects.create_user("buyer", "buyer@example.com")
        self.places = [
            Warehouse.objects.create(name=f"W{number}", code=f"W{number}", priority=number, is_sellable=number < 2)
            for number in range(3)
        ]
        self.sellable = [True, True, False]
        self.products = [create_product(name=f"P{number}", sku=f"P{number}", price=D(1)).pk for number in range(3)]
        self.on_hand: dict[tuple[int, int], Decimal] = {}
        self.promised: dict[tuple[int, int], Decimal] = {}
        self.orders: list[dict[str, Any]] = []
        self.operations: list[tuple[int, tuple[int, int], Decimal]] = []
        self.reversed: set[int] = set()

    def free(self, product: int, place: int) -> Decimal:
        return self.on_hand.get((product, place), ZERO) - self.promised.get((product, place), ZERO)

    def move(self, product: int, place: int, quantity: Decimal) -> None:
        self.on_hand[product, place] = self.on_hand.get((product, place), ZERO) + quantity

    def post(self, product: int, place: int, kind: str, quantity: Decimal) -> None:
        line = Movement(self.products[product], self.places[place].pk, kind, quantity)
        if quantity < 0 and self.free(product, place) + quantity < 0:
            with pytest.raises(InsufficientStock):
                act(ledger.post, [line])
            return
        posted = act(ledger.post, [line])
        self.move(product, place, quantity)
        self.operations.append((posted.operation_id, (product, place), quantity))

    @rule(product=PICK, place=WHERE, quantity=SMALL)
    def receive(self, product: int, place: int, quantity: Decimal) -> None:
        self.post(product, place, MovementType.PURCHASE, quantity)

    @rule(product=PICK, place=WHERE, quantity=SMALL)
    def damage(self, product: int, place: int, quantity: Decimal) -> None:
        self.post(product, place, MovementType.DAMAGED, -quantity)

    @rule(product=PICK, place=WHERE, quantity=SMALL, sign=st.sampled_from([1, -1]))
    def adjust(self, product: int, place: int, quantity: Decimal, sign: int) -> None:
        self.post(product, place, MovementType.ADJUSTMENT, quantity * sign)

    @rule(product=PICK, place=WHERE, counted=st.integers(0, 12).map(D))
    def count(self, product: int, place: int, counted: Decimal) -> None:
        posted = None
        try:
            posted = act(
                ledger.set_quantity, self.products[product], on_hand=counted, warehouse_id=self.places[place].pk
            )
        except InsufficientStock:
            assert counted < self.promised.get((product, place), ZERO)
            return
        change = counted - self.on_hand.get((product, place), ZERO)
        assert (posted is None) == (change == 0)
        self.move(product, place, change)

    @precondition(lambda self: self.operations)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        operation_id, (product, place), quantity = data.draw(st.sampled_from(self.operations))
        if operation_id in self.reversed:
            with pytest.raises(AlreadyReversed):
                act(ledger.reverse, operation_id, reason="again")
        elif self.free(product, place) - quantity < 0:
            with pytest.raises(InsufficientStock):
                act(ledger.reverse, operation_id, reason="mistake")
        else:
            act(ledger.reverse, operation_id, reason="mistake")
            self.reversed.add(operation_id)
            self.move(product, place, -quantity)

    def plan(self, wanted: list[tuple[int, Decimal]]) -> list[tuple[int, int, Decimal]] | None:
        """Where each line comes from: alone by priority, else split; None when something is short."""
        free = {
            (product, place): self.free(product, place)
            for product in range(3)
            for place in range(3)
            if self.sellable[place]
        }
        takes = []
        for product, quantity in wanted:
            mine = [place for place in range(3) if (product, place) in free]
            if sum((free[product, place] for place in mine), ZERO) < quantity:
                return None
            alone = next((place for place in mine if free[product, place] >= quantity), None)
            for place in [alone] if alone is not None else mine:
                taken = min(free[product, place], quantity)
                if taken > 0:
                    free[product, place] -= taken
                    quantity -= taken
                    takes.append((product, place, taken))
        return takes

    def promise(self, order: dict[str, Any], takes: list[tuple[int, int, Decimal]]) -> None:
        order |= {"status": "confirmed", "takes": takes}
        for product, place, quantity in takes:
            self.promised[product, place] = self.promised.get((product, place), ZERO) + quantity

    @rule(lines=st.lists(st.tuples(PICK, SMALL), min_size=1, max_size=3), confirm=st.booleans())
    def place(self, lines: list[tuple[int, Decimal]], confirm: bool) -> None:
        items = [Item(self.products[product], quantity) for product, quantity in lines]
        takes = self.plan(lines)
        if confirm and takes is None:
            with pytest.raises(InsufficientStock):
                act(services.place_order, items, user_id=self.user.pk, confirm=True)
            return
        placed = act(services.place_order, items, user_id=self.user.pk, confirm=confirm)
        order: dict[str, Any] = {"id": placed.id, "lines": lines, "status": "pending", "shipped": {}, "returned": {}}
        self.orders.append(order)
        if confirm and takes is not None:
            self.promise(order, takes)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        order = self.orders[data.draw(st.integers(0, len(self.orders) - 1))]
        takes = self.plan(order["lines"])
        if order["status"] != "pending":
            with pytest.raises(IllegalTransition):
                act(services.confirm_order, order["id"])
        elif takes is None:
            with pytest.raises(InsufficientStock):
                act(services.confirm_order, order["id"])
        else:
            act(services.confirm_order, order["id"])
            self.promise(order, takes)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = self.orders[data.draw(st.integers(0, len(self.orders) - 1))]
        if order["status"] not in ("pending", "confirmed"):
            with pytest.raises(IllegalTransition):
                act(services.cancel_order, order["id"])
            return
        act(services.cancel_order, order["id"])
        for product, place, quantity in order.pop("takes", []):
            self.promised[product, place] -= quantity
        order["status"] = "cancelled"

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def ship(self, data: st.DataObject) -> None:
        order = self.orders[data.draw(st.integers(0, len(self.orders) - 1))]
        if order["status"] != "confirmed":
            with pytest.raises(IllegalTransition):
                act(services.ship_order, order["id"])
            return
        act(services.ship_order, order["id"])
        for product, place, quantity in order["takes"]:
            self.promised[product, place] -= quantity
            self.move(product, place, -quantity)
            order["shipped"][product] = order["shipped"].get(product, ZERO) + quantity
        order["status"] = "shipped"

    @precondition(lambda self: any(order["shipped"] for order in self.orders))
    @rule(data=st.data(), place=WHERE, quantity=SMALL)
    def take_back(self, data: st.DataObject, place: int, quantity: Decimal) -> None:
        shipped = [one for one in self.orders if one["shipped"]]
        order = shipped[data.draw(st.integers(0, len(shipped) - 1))]
        product = data.draw(st.sampled_from(sorted(order["shipped"])))
        left = order["shipped"][product] - order["returned"].get(product, ZERO)
        wanted = {self.products[product]: quantity}
        if quantity > left:
            with pytest.raises(Invalid):
                act(services.return_order, order["id"], quantities=wanted, warehouse_id=self.places[place].pk)
            return
        act(services.return_order, order["id"], quantities=wanted, warehouse_id=self.places[place].pk)
        order["returned"][product] = order["returned"].get(product, ZERO) + quantity
        self.move(product, place, quantity)

    @rule(place=st.integers(1, 2))
    def turn_sellable(self, place: int) -> None:
        held = any(quantity for (_, where), quantity in self.promised.items() if where == place)
        if self.sellable[place] and held:
            with pytest.raises(Conflict):
                act(set_sellable, self.places[place].pk, is_sellable=False)
            return
        self.sellable[place] = not self.sellable[place]
        act(set_sellable, self.places[place].pk, is_sellable=self.sellable[place])

    @invariant()
    def books_are_the_models(self) -> None:
        if not hasattr(self, "on_hand"):
            return
        index = {product: number for number, product in enumerate(self.products)}
        where = {place.pk: number for number, place in enumerate(self.places)}
        for level in StockLevel.objects.all():
            key = (index[level.product_id], where[level.warehouse_id])
            assert (level.on_hand, level.reserved) == (self.on_hand.get(key, ZERO), self.promised.get(key, ZERO)), key
        for stock in ProductStock.objects.all():
            free = [self.free(index[stock.product_id], place) for place in range(3) if self.sellable[place]]
            assert stock.available == sum(free, ZERO)

    def teardown(self) -> None:
        assert list(stock_differences()) == []


EXAMPLES = {"quick": (25, 30), "thorough": (500, 50)}


def _run(examples: int, steps: int, rolled_back: Any) -> Counter[str]:
    """Live the shop's life `examples` times; counts the lives and the steps after which the books were compared."""
    lived: Counter[str] = Counter()

    class Isolated(Shop):
        def __init__(self) -> None:
            super().__init__()
            lived["lives"] += 1
            self._undo = rolled_back()
            self._undo.__enter__()

        @invariant()
        def count_the_step(self) -> None:
            lived["steps"] += 1

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                self._undo.__exit__(None, None, None)

    run_state_machine_as_test(
        Isolated,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return lived


class _RolledBack:
    """A world for one example: everything it did is undone."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()

    def __exit__(self, *_: object) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)


def assert_lived(depth: str) -> None:
    """The books are compared after every step (the invariant) and life (teardown); here: that there were such steps."""
    examples, steps = EXAMPLES[depth]
    lived = _run(examples, steps, _RolledBack)
    assert lived["lives"] >= examples
    assert lived["steps"] > examples * steps // 3
    assert_ledger_balances()


@pytest.mark.django_db
def test_the_books_follow_the_model() -> None:
    assert_lived("quick")


@pytest.mark.slow
@pytest.mark.mariadb
@pytest.mark.django_db
def test_the_books_follow_the_model_through_many_lives() -> None:
    assert_lived("thorough")
