"""Plays the demo's story through the services.

What was played before is recognised by its reference, so the demo may be interrupted and repeated.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from accounts.capabilities import Role
from accounts.models import User
from accounts.services import check_password, set_password
from inventory.models import (
    Barcode,
    MovementType,
    Product,
    StockCount,
    StockLevel,
    StockOperation,
    Transfer,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services import catalog, counts, ledger, transfers
from inventory.services.counts import Found
from inventory.services.ledger import Movement, PastOperation
from orders import services
from orders.history import PastLine, PastOrder, record_history
from orders.models import Customer, Order, Return
from orders.services import Item
from purchasing.services.orders import PurchaseItem
from workbox.core import context
from workbox.core.db import transact
from workbox.core.errors import RuleViolation
from workbox.demo.buying import deliver, delivered_before, order_what_is_low, set_up_vendors
from workbox.demo.catalogue import CUSTOMERS, DELIVERY, PLACES, Article, articles
from workbox.demo.story import DAYS, Act, BroughtBack, Correction, Sale, Story, tell

OPENING_REFERENCE = "DEMO-OPENING"
VANS = ("DEMO-VAN-1", "DEMO-VAN-2", "DEMO-VAN-3")
VAN_LOAD = Decimal(4)
COUNTED = "Barn, first aisle"
OPENING_REASON = "What was there when the shop opened ({} products, {} orders)"
LIVED_DAYS = 10  # orders of the last days go through every step, so that their time-lines tell something
EMAIL_DOMAIN = "example.com"
USERS = (
    ("admin", Role.ADMIN, "Ada Fernhill"),
    ("manager", Role.MANAGER, "Marlon Fernhill"),
    ("clerk", Role.CLERK, "Chiara Bell"),
    ("analyst", Role.ANALYST, "Anouk Singh"),
    ("customer", Role.USER, "Cosmo Field"),
)


@dataclass(slots=True)
class Stage:
    """The ids of everything the story names, and its first midnight."""

    first_midnight: datetime
    now: datetime
    warehouses: dict[str, int]
    products: dict[str, int]
    prices: dict[int, Decimal]
    customers: dict[str, int]
    web_user_id: int
    clerk_id: int
    manager_id: int
    sellers: dict[str, int] = field(default_factory=dict)  # SKU → the vendor who delivers it
    known: set[str] = field(default_factory=set)  # references of what was played before

    def moment(self, minutes: int) -> datetime:
        """A moment of the story as a time; nothing happens in the future."""
        return min(self.first_midnight + timedelta(minutes=minutes), self.now)


def play(*, password: str, products: int, orders: int, begin: Callable[[str, int], Callable[[int], None]]) -> None:
    """The demo shop exists with its people, places, products and history; a second call adds only what is missing.

    The numbers of the first call stand. Raises Invalid for a weak password, RuleViolation when one of the demo's user
    names belongs to somebody else.
    """
    users = _people(password)
    products, orders = _told_before() or (products, orders)
    shelf = [*articles(products), DELIVERY]
    now = datetime.now(UTC)
    first_midnight = _first_midnight(now)
    story = tell(shelf[:-1], orders=orders, first_weekday=first_midnight.weekday())
    stage = Stage(
        first_midnight=first_midnight,
        now=now,
        warehouses=_places(),
        products=_products(shelf, story),
        prices={},
        customers=_customers(),
        web_user_id=users["customer"].pk,
        clerk_id=users["clerk"].pk,
        manager_id=users["manager"].pk,
    )
    stage.prices = dict(Product.objects.values_list("id", "price"))
    _open_shop(stage, story, reason=OPENING_REASON.format(products, orders))
    stage.sellers = set_up_vendors(shelf, stage.products, opened=first_midnight)
    stage.known = _played()
    tick = begin("Playing 75 days", len(story.acts))
    done = 0
    for batch in _batches(story.acts):
        _perform(stage, batch)
        done += len(batch)
        tick(done)
    barn = stage.warehouses[PLACES[0].code]
    order_what_is_low(stage.sellers, warehouse_id=barn, buyer_id=stage.manager_id, now=now)
    token = context.actor_id.set(stage.clerk_id)
    try:
        transact(lambda: _move_and_count(stage))
    finally:
        context.actor_id.reset(token)


def _told_before() -> tuple[int, int] | None:
    """With how many products and orders the story was begun: it is finished as begun, whatever is asked for now."""
    reason = StockOperation.objects.filter(reference=OPENING_REFERENCE).values_list("reason", flat=True).first()
    found = re.search(r"(\d+) products, (\d+) orders", reason or "")
    return (int(found[1]), int(found[2])) if found else None


def _first_midnight(now: datetime) -> datetime:
    """The story ends today, or on the day it ended when it was first played."""
    opening = StockOperation.objects.filter(reference=OPENING_REFERENCE).order_by("id").first()
    if opening is not None:
        return opening.occurred_at
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)


def _people(password: str) -> dict[str, User]:
    found: dict[str, User] = {}
    for name, role, full_name in USERS:
        email = f"{name}@{EMAIL_DOMAIN}"
        user = User.objects.by_identifier(name)
        if user is None:
            check_password(password, user=User(username=name, email=email, full_name=full_name))
            user = User.objects.create_user(name, email, password, role=role, full_name=full_name)
        elif user.email != email:
            raise RuleViolation(f"The user name {name} belongs to {user.email}; the demo needs a database of its own.")
        elif not user.check_password(password):
            set_password(user, password=password)
        found[name] = user
    return found


def _places() -> dict[str, int]:
    return {
        place.code: Warehouse.objects.get_or_create(
            code=place.code,
            defaults={
                "name": place.name,
                "address": place.address,
                "priority": place.priority,
                "is_sellable": place.is_sellable,
            },
        )[0].pk
        for place in PLACES
    }


def _products(shelf: Sequence[Article], story: Story) -> dict[str, int]:
    skus = [one.sku for one in shelf]
    known = dict(Product.objects.filter(sku__in=skus).values_list("sku", "id"))
    units = {
        "piece": catalog.unit_coded("piece"),
        "kg": UnitOfMeasure.objects.get_or_create(code="kg", defaults={"name": "Kilogram", "decimal_places": 3})[0],
    }
    categories = {name: catalog.category_named(name) for name in {one.category for one in shelf}}

    def create(missing: list[Article]) -> dict[str, int]:
        ids = catalog.create_products(
            [
                Product(
                    sku=one.sku,
                    name=one.name,
                    category=categories[one.category],
                    unit=units[one.unit],
                    price=one.price,
                    unit_cost=one.cost,
                    reorder_threshold=story.thresholds.get(one.sku, Decimal(0)),
                    reorder_quantity=story.thresholds.get(one.sku, Decimal(0)) * 3,
                    is_stocked=one.is_stocked,
                )
                for one in missing
            ]
        )
        codes = [Barcode(code=one.barcode, product_id=ids[one.sku]) for one in missing if one.barcode]
        Barcode.objects.bulk_create(codes)
        return ids

    missing = [one for one in shelf if one.sku not in known]
    return known | (transact(lambda: create(missing)) if missing else {})


def _customers() -> dict[str, int]:
    return {code: Customer.objects.get_or_create(code=code, defaults={"name": name})[0].pk for code, name in CUSTOMERS}


def _open_shop(stage: Stage, story: Story, *, reason: str) -> None:
    if StockOperation.objects.filter(reference=OPENING_REFERENCE).exists():
        return
    lines = [
        Movement(stage.products[sku], stage.warehouses[place], MovementType.PURCHASE, quantity)
        for (sku, place), quantity in sorted(story.opening.items())
    ]
    opening = PastOperation(StockOperation.Kind.OPENING, lines, stage.first_midnight, reason, OPENING_REFERENCE)
    ledger.post_past([opening])


def _played() -> set[str]:
    moved = StockOperation.objects.filter(reference__startswith="DEMO-").values_list("reference", flat=True)
    placed = Order.objects.filter(external_reference__startswith="DEMO-").values_list("external_reference", flat=True)
    back = Return.objects.filter(order__external_reference__startswith="DEMO-")
    returned = back.values_list("order__external_reference", flat=True)
    return {*moved, *delivered_before(), *(one for one in placed if one), *(f"{one} back" for one in returned)}


# ---- one act after the other -----------------------------------------------------------------------------------------
def _is_past(act: Act) -> bool:
    return isinstance(act, Sale) and act.at < (DAYS - LIVED_DAYS) * 24 * 60


def _batches(acts: Sequence[Act]) -> Iterator[list[Act]]:
    """Older sales that follow each other at one place are taken together; everything else is played by itself."""
    for key, group in groupby(acts, lambda act: (_is_past(act), act.place if isinstance(act, Sale) else "")):
        if key[0]:
            yield list(group)
        else:
            yield from ([act] for act in group)


def _perform(stage: Stage, batch: Sequence[Act]) -> None:
    past = [act for act in batch if isinstance(act, Sale) and _is_past(act) and act.reference not in stage.known]
    if past:
        record_history([_as_past(stage, sale) for sale in past], warehouse_id=stage.warehouses[past[0].place])
    for act in batch:
        if isinstance(act, Sale) and not _is_past(act) and act.reference not in stage.known:
            transact(lambda sale=act: _live(stage, sale))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        elif isinstance(act, Correction) and act.reference not in stage.known:
            _correct(stage, act)
        elif isinstance(act, BroughtBack) and f"{act.sale} back" not in stage.known:
            _bring_back(stage, act)


def _as_past(stage: Stage, sale: Sale) -> PastOrder:
    at = stage.moment(sale.at)
    return PastOrder(
        reference=sale.reference,
        placed_at=at,
        lines=[
            PastLine(stage.products[sku], quantity, stage.prices[stage.products[sku]]) for sku, quantity in sale.lines
        ],
        customer_id=stage.customers.get(sale.customer or ""),
        user_id=stage.web_user_id if sale.is_web_user else None,
        channel=_channel(sale),
        shipped_at=at + timedelta(hours=2) if sale.customer else None,
        delivered_at=at + timedelta(days=2) if sale.customer else None,
    )


def _channel(sale: Sale) -> str:
    return Order.Channel.API if sale.customer else Order.Channel.COUNTER


def _live(stage: Stage, sale: Sale) -> None:
    """Place the order and take it as far as the story says, one step after the other."""
    at = stage.moment(sale.at)
    order = services.place_order(
        [Item(stage.products[sku], quantity) for sku, quantity in sale.lines],
        user_id=stage.web_user_id if sale.is_web_user else None,
        confirm=sale.ending != "pending",
        warehouse_id=stage.warehouses[sale.place],
        channel=_channel(sale),
        customer_id=stage.customers.get(sale.customer or ""),
        placed_at=at,
        external_reference=sale.reference,
    )
    if sale.ending == "cancelled":
        services.cancel_order(order.id, reason="The customer changed their mind")
    if sale.ending == "partially_shipped" and (part := _half(stage, sale)):
        services.ship_order(order.id, quantities=part, shipped_at=min(at + timedelta(hours=2), stage.now))
    if sale.ending in ("shipped", "delivered"):
        services.ship_order(order.id, shipped_at=min(at + timedelta(hours=2 if sale.customer else 0), stage.now))
    if sale.ending == "delivered":
        services.deliver_order(order.id, delivered_at=min(at + timedelta(days=2 if sale.customer else 0), stage.now))


def _move_and_count(stage: Stage) -> None:
    """One transfer has arrived (a piece broke), one is on its way, one waits; and one shelf was counted."""
    barn, store = stage.warehouses["BARN"], stage.warehouses["RIVER"]
    fullest = StockLevel.objects.filter(warehouse_id=barn, product__unit__code="piece").order_by("-on_hand", "id")
    goods = [level.product_id for level in fullest[:8] if level.available >= VAN_LOAD]
    for reference, picked in zip(VANS, (goods[:3], goods[3:5], goods[5:6]), strict=True):
        if not picked or Transfer.objects.filter(reference=reference).exists():
            continue
        made = transfers.create_transfer(
            dict.fromkeys(picked, VAN_LOAD), from_warehouse_id=barn, to_warehouse_id=store, reference=reference
        )
        if reference == VANS[0]:
            chipped = {picked[0]: transfers.Arrival(VAN_LOAD - 1, damaged=Decimal(1))}
            transfers.complete_transfer(made.id, arrivals=chipped, reason="One was chipped on the way")
        elif reference == VANS[1]:
            transfers.dispatch_transfer(made.id)
    if StockCount.objects.filter(notes=COUNTED).exists():
        return
    opened = counts.open_count(barn, is_blind=True, notes=COUNTED)
    shelf = [level for level in fullest.order_by("id")[:12] if level.available >= 1][:6]
    if shelf:
        found = [
            Found(level.product_id, level.on_hand - (1 if number == 1 else 0)) for number, level in enumerate(shelf)
        ]
        counts.record(opened.id, found)
    counts.close_count(opened.id)


def _half(stage: Stage, sale: Sale) -> dict[int, Decimal]:
    """The first line, or one of it when it is the only one; nothing when there is nothing to split."""
    sku, quantity = sale.lines[0]
    if len(sale.lines) > 1:
        return {stage.products[sku]: quantity}
    return {stage.products[sku]: Decimal(1)} if quantity > 1 else {}


def _correct(stage: Stage, act: Correction) -> None:
    if act.movement_type == MovementType.PURCHASE:
        deliver(
            stage.sellers[act.sku],
            PurchaseItem(stage.products[act.sku], act.quantity, act.unit_cost),
            warehouse_id=stage.warehouses[act.place],
            reference=act.reference,
            arrived_at=stage.moment(act.at),
            buyer_id=stage.manager_id,
            clerk_id=stage.clerk_id,
        )
        return
    line = Movement(
        stage.products[act.sku], stage.warehouses[act.place], act.movement_type, act.quantity, act.unit_cost
    )
    ledger.post(
        [line],
        kind=StockOperation.Kind.ADJUSTMENT,
        reason=act.reason,
        reference=act.reference,
        occurred_at=stage.moment(act.at),
        actor_id=stage.clerk_id,
    )


def _bring_back(stage: Stage, act: BroughtBack) -> None:
    order_id = Order.objects.values_list("id", flat=True).get(external_reference=act.sale)
    services.return_order(
        order_id,
        quantities={stage.products[act.sku]: act.quantity},
        warehouse_id=stage.warehouses["HOLD"],
        reason=act.reason,
        returned_at=stage.moment(act.at),
    )
