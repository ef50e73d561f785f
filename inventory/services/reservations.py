"""Promises on stock: reserve, release, consume. The only place that changes `reserved`.

A reservation says how much of one level is promised to one holder (an order line, a transfer line). Callers hold their
document's row lock, so nobody else touches the same holder's reservations. Lock order: see `levels.py`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from inventory.errors import InsufficientStock, PlanOutdated, Shortage
from inventory.models import MovementType, Reservation, StockOperation
from inventory.services.holds import end_holds, has_expired, release_expired
from inventory.services.ledger import Movement, Posted, post
from inventory.services.levels import (
    Delta,
    Shelf,
    ShelfLevel,
    StockAfter,
    change,
    promise,
    promise_levels,
    read_shelf,
)
from workbox.core.db import TryAgain, execute, insert_later, marks, retrying, utc_text
from workbox.core.numbers import as_quantity

ZERO = Decimal(0)
ORDER_LINE = Reservation.Holder.ORDER_LINE.value
TRANSFER_LINE = Reservation.Holder.TRANSFER_LINE.value


@dataclass(frozen=True, slots=True)
class Demand:
    """How much of a product one holder (an order line id) wants."""

    holder_id: int
    product_id: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Take:
    """How much of one level a demand is filled from."""

    demand: Demand
    level: ShelfLevel
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Open:
    """An open promise: how much of which level a holder still has."""

    id: int
    holder_id: int
    level_id: int
    product_id: int
    warehouse_id: int
    quantity: Decimal
    is_sellable: bool


def source(demands: Sequence[Demand], shelf: Shelf, *, warehouse_id: int | None = None) -> list[Take]:
    """Decide which levels fill the demands: the first warehouse by priority that can fill a line alone, else a split.

    Pure: reads `shelf`, changes nothing. With `warehouse_id` only that warehouse counts, if it sells. Raises
    InsufficientStock with every short product.
    """
    takes, shortages = allocate(demands, shelf, warehouse_id=warehouse_id)
    if shortages:
        raise InsufficientStock(shortages)
    return takes


def allocate(
    demands: Sequence[Demand], shelf: Shelf, *, warehouse_id: int | None = None
) -> tuple[list[Take], list[Shortage]]:
    """As `source`, with what is short beside what can be given; a short demand gets nothing."""
    left: dict[int, Decimal] = {}
    takes: list[Take] = []
    shortages: dict[int, Shortage] = {}
    for demand in demands:
        levels = [
            level
            for level in shelf.levels.get(demand.product_id, ())
            if level.is_sellable and (warehouse_id is None or level.warehouse_id == warehouse_id)
        ]
        free = [(level, left.get(level.id, level.available)) for level in levels]
        total = sum((one for _, one in free), ZERO)
        if total < demand.quantity:
            product = shelf.products[demand.product_id]
            wanted = sum((one.quantity for one in demands if one.product_id == product.id), ZERO)
            available = sum((level.available for level in levels), ZERO)
            shortages[product.id] = Shortage(product.id, product.sku, product.name, wanted, available)
            continue
        alone = next((level for level, one in free if one >= demand.quantity), None)
        needed = demand.quantity
        for level, one in [(alone, demand.quantity)] if alone is not None else free:
            taken = min(one, needed)
            if taken > 0:
                takes.append(Take(demand, level, taken))
                left[level.id] = left.get(level.id, level.available) - taken
                needed -= taken
    return takes, list(shortages.values())


def plan_token(takes: Iterable[Take]) -> str:
    """A short text that is equal for equal sourcing: the same quantities of the same products from the same places."""
    amounts: dict[tuple[int, int], Decimal] = {}
    for take in takes:
        key = (take.level.product_id, take.level.warehouse_id)
        amounts[key] = amounts.get(key, ZERO) + take.quantity
    text = ";".join(f"{product}:{place}:{amount.normalize():f}" for (product, place), amount in sorted(amounts.items()))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def claim(wanted: Mapping[int, Decimal]) -> tuple[Shelf, bool]:
    """Take these quantities (product id → quantity) out of what is available before anything else is decided.

    Returns the shelf and whether they are taken, for `reserve`. True: the products stand still. False: this is a
    repeated transaction, nothing is taken and `reserve` looks before it takes (that is where shortages get their
    words). Raises TryAgain.
    """
    if retrying():
        release_expired(wanted)
        return read_shelf(wanted), False
    return promise(wanted), True


def reserve(
    demands: Sequence[Demand],
    shelf: Shelf,
    *,
    warehouse_id: int | None = None,
    claimed: bool,
    agreed: str | None = None,
) -> dict[int, StockAfter]:
    """Promise stock to the demands, all of them or none; `available` falls, `on_hand` stays.

    Expects the caller's transaction, and `shelf` and `claimed` from `claim`. Returns the stock afterwards. Raises
    InsufficientStock with every short product, PlanOutdated when `agreed` is not the token of this sourcing.
    """
    if not claimed:
        source(demands, shelf, warehouse_id=warehouse_id)  # says what is short, in words
        shelf = promise(sum_by_product((demand.product_id, demand.quantity) for demand in demands))
    takes = source(demands, shelf, warehouse_id=warehouse_id)
    if agreed is not None and plan_token(takes) != agreed:
        raise PlanOutdated("The stock would come from other places than planned; look at the new plan.")
    taken: dict[int, Decimal] = {}
    rows: dict[tuple[int, int], Decimal] = {}
    for take in takes:
        taken[take.level.id] = taken.get(take.level.id, ZERO) + take.quantity
        key = (take.demand.holder_id, take.level.id)
        rows[key] = rows.get(key, ZERO) + take.quantity
    after = promise_levels(shelf, taken)
    _remember(ORDER_LINE, rows)
    return after


def reserve_at(
    demands: Sequence[Demand], shelf: Shelf, *, warehouse_id: int, holder_type: str = TRANSFER_LINE
) -> dict[int, StockAfter]:
    """Promise stock of one warehouse, whether it sells or not, to the demands, all of them or none.

    Expects the caller's transaction, and a `shelf` just read (held, when the transaction is repeated). Returns the
    stock afterwards. Raises InsufficientStock with every short product, TryAgain when the shelf moved.
    """
    wanted = sum_by_product((demand.product_id, demand.quantity) for demand in demands)
    shortages: list[Shortage] = []
    for product_id, quantity in wanted.items():
        level = shelf.level(product_id, warehouse_id)
        available = level.available if level else ZERO
        if available < quantity:
            product = shelf.products[product_id]
            shortages.append(Shortage(product.id, product.sku, product.name, quantity, available))
    if shortages:
        if not retrying() and has_expired(one.product_id for one in shortages):
            raise TryAgain("a hold on what is short is over")
        raise InsufficientStock(shortages)
    found = {one: shelf.level(one, warehouse_id) for one in wanted}
    levels = {one: level for one, level in found.items() if level is not None}
    after = change({level.id: Delta(one, ZERO, wanted[one], level.is_sellable) for one, level in levels.items()})
    rows: dict[tuple[int, int], Decimal] = {}
    for demand in demands:
        key = (demand.holder_id, levels[demand.product_id].id)
        rows[key] = rows.get(key, ZERO) + demand.quantity
    _remember(holder_type, rows)
    return after


def _remember(holder_type: str, rows: Mapping[tuple[int, int], Decimal]) -> None:
    """One reservation per (holder id, level id)."""
    now = utc_text()
    insert_later(
        Reservation._meta.db_table,
        ("holder_type", "holder_id", "level_id", "quantity", "created_at"),
        [(holder_type, holder_id, level_id, quantity, now) for (holder_id, level_id), quantity in rows.items()],
    )


def sum_by_product(pairs: Iterable[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """(product id, quantity) pairs added up per product."""
    total: dict[int, Decimal] = {}
    for product_id, quantity in pairs:
        total[product_id] = total.get(product_id, ZERO) + quantity
    return total


def open_reservations(holder_ids: Iterable[int], *, holder_type: str = ORDER_LINE) -> list[Open]:
    """What these holders (order lines) still have promised, in level order."""
    ids = sorted(holder_ids)
    if not ids:
        return []
    rows = execute(
        "SELECT r.id, r.holder_id, r.level_id, l.product_id, l.warehouse_id,"  # noqa: S608  (only placeholders)
        " r.quantity, w.is_sellable"
        " FROM inventory_reservation r JOIN inventory_stocklevel l ON l.id = r.level_id"
        " JOIN inventory_warehouse w ON w.id = l.warehouse_id"
        f" WHERE r.holder_type = %s AND r.holder_id IN ({marks(len(ids))}) AND r.quantity > 0"
        " ORDER BY r.level_id, r.id",
        [holder_type, *ids],
    ).fetchall()
    return [Open(row[0], row[1], row[2], row[3], row[4], as_quantity(row[5]), is_sellable=bool(row[6])) for row in rows]


def release(holder_ids: Iterable[int], *, holder_type: str = ORDER_LINE) -> dict[int, StockAfter]:
    """End every open promise of these holders (order lines); `available` rises by exactly what they still held.

    Expects the caller's transaction with the order's (the transfer's) row locked. Returns the stock afterwards, empty
    when nothing was held.
    """
    held = open_reservations(holder_ids, holder_type=holder_type)
    if not held:
        return {}
    deltas: dict[int, Delta] = {}
    for one in held:
        before = deltas.get(one.level_id)
        deltas[one.level_id] = Delta(
            one.product_id, ZERO, (before.reserved if before else ZERO) - one.quantity, one.is_sellable
        )
    after = change(deltas)
    _reduce([(one.id, one.quantity) for one in held])
    return after


def keep_held(holder_ids: Iterable[int]) -> bool:
    """Turn the holds of these order lines into promises without an end, if none of them has expired.

    False: they are over; their stock is available again and nothing is promised to these lines any more. Expects the
    caller's transaction with the order row locked and the products held (`levels.hold`).
    """
    ids = sorted(holder_ids)
    is_alive = end_holds(ids)
    if not is_alive:
        release(ids)
        execute(
            f"DELETE FROM inventory_reservation WHERE holder_type = %s AND holder_id IN ({marks(len(ids))})",  # noqa: S608  (only placeholders)
            [ORDER_LINE, *ids],
        )
    return is_alive


def consume(
    wanted: Sequence[Demand],
    *,
    warehouse_id: int | None = None,
    reference: str,
    occurred_at: datetime | None = None,
    actor_id: int | None = None,
) -> Posted | None:
    """Ship promised stock: post `sale` movements and end the promises they fulfil; `available` stays.

    `wanted` is taken from each order line's promises, from `warehouse_id` only when given.
    Returns None when the lines hold no stock (charges). Raises InsufficientStock when a line holds less than wanted
    there. Expects the caller's transaction with the order row locked.
    """
    held = open_reservations(demand.holder_id for demand in wanted)
    movements: list[Movement] = []
    consuming: dict[int, Decimal] = {}
    reductions: list[tuple[int, Decimal]] = []
    missing: dict[int, Decimal] = {}
    for demand in wanted:
        needed = demand.quantity
        for one in held:
            if (
                one.holder_id != demand.holder_id
                or (warehouse_id is not None and one.warehouse_id != warehouse_id)
                or needed <= 0
            ):
                continue
            taken = min(one.quantity, needed)
            movements.append(Movement(one.product_id, one.warehouse_id, MovementType.SALE, -taken))
            consuming[one.level_id] = consuming.get(one.level_id, ZERO) + taken
            reductions.append((one.id, taken))
            needed -= taken
        if needed > 0:
            missing[demand.product_id] = missing.get(demand.product_id, ZERO) + needed
    if missing:
        raise InsufficientStock(_as_shortages(missing, wanted))
    if not movements:
        return None
    posted = post(
        movements,
        kind=StockOperation.Kind.SHIPMENT,
        reference=reference,
        occurred_at=occurred_at,
        consuming=consuming,
        actor_id=actor_id,
    )
    _reduce(reductions)
    return posted


def consume_transfer(line_ids: Iterable[int], *, reference: str, reason: str) -> Posted:
    """Send what these transfer lines hold: post `transfer_out` movements and end their promises; `available` stays.

    Expects the caller's transaction with the transfer's row locked.
    """
    held = open_reservations(line_ids, holder_type=TRANSFER_LINE)
    posted = post(
        [Movement(one.product_id, one.warehouse_id, MovementType.TRANSFER_OUT, -one.quantity) for one in held],
        kind=StockOperation.Kind.TRANSFER,
        reason=reason,
        reference=reference,
        consuming={one.level_id: one.quantity for one in held},
    )
    _reduce([(one.id, one.quantity) for one in held])
    return posted


def _as_shortages(missing: Mapping[int, Decimal], wanted: Sequence[Demand]) -> list[Shortage]:
    """Of each product (id → how much its lines do not hold) what was wanted and what is held."""
    asked = sum_by_product((demand.product_id, demand.quantity) for demand in wanted)
    products = read_shelf(missing, levels=False).products
    return [
        Shortage(product_id, products[product_id].sku, products[product_id].name, asked[product_id], held)
        for product_id, short in missing.items()
        for held in (asked[product_id] - short,)
    ]


def _reduce(reductions: Sequence[tuple[int, Decimal]]) -> None:
    """Lower the open quantity of reservations (id, by how much)."""
    ids = sorted(one for one, _ in reductions)
    values: list[Any] = [value for pair in reductions for value in pair]
    execute(
        "UPDATE inventory_reservation SET quantity = ROUND(quantity - (CASE id"  # noqa: S608  (only placeholders)
        f"{' WHEN %s THEN %s' * len(ids)} END), 3) WHERE id IN ({marks(len(ids))})",
        [*values, *ids],
    )
