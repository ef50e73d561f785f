"""The stock ledger's one door: every change of what is physically there is posted here, and nowhere else.

An operation is one business act; its movements are its signed lines. Nothing is ever edited or deleted: a mistake is
corrected by `reverse`, an operation that points at the one it undoes. Lock order: see `levels.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from inventory.errors import AlreadyReversed, InsufficientStock, ProductUnknown, Shortage, WarehouseUnknown
from inventory.models import (
    INBOUND_TYPES,
    OUTBOUND_TYPES,
    MovementType,
    Product,
    StockMovement,
    StockOperation,
    Warehouse,
)
from inventory.queries import operations_seen
from inventory.services.costs import Valued, follow
from inventory.services.holds import has_expired, release_expired
from inventory.services.levels import (
    Delta,
    Shelf,
    ShelfProduct,
    Span,
    StockAfter,
    announce,
    change,
    ensure_levels,
    hold,
    read_shelf,
)
from workbox.core import context, walls
from workbox.core.db import TryAgain, in_parts, insert_rows, retrying, transactional, utc_text
from workbox.core.errors import DomainError, Invalid, NotFound, PreconditionFailed, RuleViolation
from workbox.core.numbers import QUANTITY_MAX, has_places, plain

ZERO = Decimal(0)
PRODUCTS_AT_ONCE = 500  # the CASE of a changing statement is searched once per row: its cost grows with the square
MOVEMENTS_AT_ONCE = 2000
Kind = StockOperation.Kind
# Acts of a person on a place they name. Orders ship from anywhere, and documents have walls of their own.
OWN_KINDS = frozenset({Kind.OPENING, Kind.MOVEMENT, Kind.ADJUSTMENT, Kind.REVERSAL, Kind.COUNT, Kind.IMPORT})
BY_HAND = frozenset({Kind.MOVEMENT, Kind.ADJUSTMENT})
_OPERATION_COLUMNS = (
    "kind", "reason", "reference", "actor_id", "request_id", "reverses_id", "occurred_at", "created_at",
)  # fmt: skip
_MOVEMENT_COLUMNS = (
    "operation_id", "product_id", "warehouse_id", "movement_type", "quantity", "unit_cost", "balance_after",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """A line to post. `quantity` is signed already (see `signed`); `unit_cost` is what one unit cost us.

    `undoes_cost`: it reverses a line that changed the average cost, and takes its value out again (or back in).
    """

    product_id: int
    warehouse_id: int
    movement_type: str
    quantity: Decimal
    unit_cost: Decimal | None = None
    undoes_cost: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted operation: its id, its movements' ids in line order, and each product's stock right after."""

    operation_id: int
    movement_ids: list[int]
    stock: dict[int, StockAfter]
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class PastOperation:
    """One finished act to take over from another system's books, with its signed movements."""

    kind: str
    movements: Sequence[Movement]
    occurred_at: datetime
    reason: str = ""
    reference: str = ""


def signed(movement_type: str, quantity: Decimal) -> Decimal:
    """The signed quantity of a movement: the type decides, whatever sign the client sent.

    An adjustment keeps its own.
    """
    if movement_type in INBOUND_TYPES:
        return abs(quantity)
    if movement_type in OUTBOUND_TYPES:
        return -abs(quantity)
    return quantity


def check_quantity(quantity: Decimal, product: ShelfProduct, *, name: str = "quantity") -> None:
    """Raise Invalid when the quantity is zero, too large, or finer than the product's unit of measure allows."""
    if quantity == 0:
        raise Invalid(f"{name} must not be zero.", fields={name: ["must not be zero"]})
    if abs(quantity) > QUANTITY_MAX:
        raise Invalid(f"{name} may be at most {QUANTITY_MAX}.", fields={name: [f"may be at most {QUANTITY_MAX}"]})
    if not has_places(quantity, product.decimal_places):
        message = (
            "must be a whole number"
            if product.decimal_places == 0
            else f"may have at most {product.decimal_places} decimal places"
        )
        raise Invalid(f"{name} of {product.name} ({product.sku}) {message}.", fields={name: [message]})


@transactional
def post(
    movements: Sequence[Movement],
    *,
    kind: str = Kind.MOVEMENT,
    reason: str = "",
    reference: str = "",
    occurred_at: datetime | None = None,
    consuming: Mapping[int, Decimal] | None = None,
    reverses_id: int | None = None,
    actor_id: int | None = None,
) -> Posted:
    """Post one operation: balances, totals, movements and events change together or not at all.

    `consuming` (level id → quantity) are promises that end with these movements; only `reservations.consume` passes it.
    Raises Invalid (zero, precision), ProductUnknown, WarehouseUnknown, RuleViolation (retired product: adjust and move
    nothing of it), and InsufficientStock with every short product when unpromised stock would fall below zero. Runs in
    its caller's transaction or one of its own.
    """
    if kind in OWN_KINDS:
        refuse_foreign(line.warehouse_id for line in movements)
    shelf = _shelf_for(movements)
    if kind in BY_HAND:
        _refuse_retired(shelf)
    deltas = _deltas(movements, shelf, consuming or {})
    now = utc_text(occurred_at)
    operation_id = insert_rows(
        StockOperation._meta.db_table,
        _OPERATION_COLUMNS,
        [
            (
                kind,
                reason,
                reference,
                actor_id or context.actor_id.get(),
                context.request_id.get(),
                reverses_id,
                now,
                utc_text(),
            )
        ],
    )[0]
    after = _change(deltas, _spans(movements, shelf, [occurred_at] * len(movements)) if occurred_at else None)
    moments = [now if occurred_at else after[line.product_id].moved_at[line.warehouse_id] for line in movements]
    movement_ids = _insert_movements(
        [
            (
                operation_id,
                line.product_id,
                line.warehouse_id,
                line.movement_type,
                line.quantity,
                line.unit_cost,
                balance,
                moment,
            )
            for line, balance, moment in zip(movements, _balances(movements, after), moments, strict=True)
        ],
    )
    follow(_valued(movements, movement_ids, moments, after))
    _announce(shelf, after)
    return Posted(operation_id, movement_ids, after, shelf)


@transactional
def post_past(operations: Sequence[PastOperation], *, actor_id: int | None = None) -> list[int]:
    """Post finished operations in the given order, in as many statements as one: history is taken over, not relived.

    Every movement gets the balance it would have had if posted alone, and none may dip into promised stock on the way.
    One event per product tells how much there is in the end. Returns the operations' ids in order. Raises as `post`
    does, except that a retired product's past may be recorded.
    """
    lines = [line for operation in operations for line in operation.movements]
    refuse_foreign(line.warehouse_id for line in lines)
    shelf = _shelf_for(lines)
    moments = [operation.occurred_at for operation in operations for _ in operation.movements]
    after = _change(_deltas(lines, shelf, {}), _spans(lines, shelf, moments))
    balances = _balances(lines, after)
    _refuse_dips(lines, balances, shelf, after)
    actor, request, recorded = actor_id or context.actor_id.get(), context.request_id.get(), utc_text()
    ids = insert_rows(
        StockOperation._meta.db_table,
        _OPERATION_COLUMNS,
        [
            (one.kind, one.reason, one.reference, actor, request, None, utc_text(one.occurred_at), recorded)
            for one in operations
        ],
    )
    owners = [
        (operation_id, utc_text(operation.occurred_at))
        for operation_id, operation in zip(ids, operations, strict=True)
        for _ in operation.movements
    ]
    movement_ids = _insert_movements(
        [
            (owner, one.product_id, one.warehouse_id, one.movement_type, one.quantity, one.unit_cost, balance, moment)
            for (owner, moment), one, balance in zip(owners, lines, balances, strict=True)
        ],
    )
    follow(_valued(lines, movement_ids, [moment for _, moment in owners], after))
    _announce(shelf, after)
    return ids


def _refuse_dips(
    lines: Sequence[Movement], balances: Sequence[Decimal], shelf: Shelf, after: Mapping[int, StockAfter]
) -> None:
    """Expects the levels to be locked by the change, so that the balances are the true ones."""
    promised = {
        (product_id, warehouse_id): reserved
        for product_id, stock in after.items()
        for warehouse_id, _, reserved, _ in stock.levels.values()
    }
    shortages: dict[int, Shortage] = {}
    for line, balance in zip(lines, balances, strict=True):
        left = balance - promised[line.product_id, line.warehouse_id]
        if left < 0 and line.quantity < 0:
            one = shelf.products[line.product_id]
            shortages[one.id] = Shortage(one.id, one.sku, one.name, -line.quantity, left - line.quantity)
    if shortages:
        raise InsufficientStock(list(shortages.values()))


def _refuse_retired(shelf: Shelf) -> None:
    retired = [product for product in shelf.products.values() if not product.is_active]
    if retired:
        raise _retired(retired)


def _retired(products: Sequence[ShelfProduct]) -> RuleViolation:
    names = ", ".join(f"{one.name} ({one.sku})" for one in products)
    return RuleViolation(f"{names} is retired; restore it before you move its stock.", code="product_retired")


def _no_product(product_ids: Sequence[int]) -> ProductUnknown:
    missing = ", ".join(map(str, product_ids))
    return ProductUnknown(f"There is no product {missing}.", fields={"product_id": ["unknown product"]})


def _check_goods(line: Movement, product: ShelfProduct) -> None:
    check_quantity(line.quantity, product)
    if not product.is_stocked:
        raise RuleViolation(f"{product.name} ({product.sku}) is a charge; no stock is kept of it.", code="not_stocked")


def faults_of(lines: Sequence[Movement], *, kind: str) -> dict[int, DomainError]:
    """What `post` would refuse each of these lines for, whatever the stock is (place in the list → error).

    Nothing is locked for it: what changes meanwhile is found when the lines are posted.
    """
    shelf = read_shelf((line.product_id for line in lines), levels=False)
    named = {line.warehouse_id for line in lines}
    closed = named - set(Warehouse.objects.filter(id__in=named, is_active=True).values_list("id", flat=True))
    shut = closed.union(walls.foreign(named) if kind in OWN_KINDS else ())
    found: dict[int, DomainError] = {}
    for place, line in enumerate(lines):
        try:
            _check_alone(line, shelf.products.get(line.product_id), kind=kind, is_shut=line.warehouse_id in shut)
        except DomainError as error:
            found[place] = error
    return found


def _check_alone(line: Movement, product: ShelfProduct | None, *, kind: str, is_shut: bool) -> None:
    if product is None:
        raise _no_product([line.product_id])
    if is_shut:
        raise _unknown([line.warehouse_id])
    _check_goods(line, product)
    if kind in BY_HAND and not product.is_active:
        raise _retired([product])


def _shelf_for(movements: Sequence[Movement]) -> Shelf:
    if not movements:
        raise Invalid("An operation needs at least one movement.")
    product_ids = {line.product_id for line in movements}
    if retrying():
        release_expired(product_ids)
    # The second time (somebody took the stock between reading and changing) it must stand still, so that this look
    # stands.
    shelf = read_shelf(product_ids, hold_first=retrying())
    missing = sorted(product_ids - shelf.products.keys())
    if missing:
        raise _no_product(missing)
    found = {
        (line.product_id, line.warehouse_id): shelf.level(line.product_id, line.warehouse_id) for line in movements
    }
    new = {pair for pair, level in found.items() if level is None}
    closed = {warehouse_id for (_, warehouse_id), level in found.items() if level is not None and not level.is_open}
    if closed:
        _check_warehouses(closed)
    for line in movements:
        _check_goods(line, shelf.products[line.product_id])
    if new:
        _check_warehouses({warehouse_id for _, warehouse_id in new})
        ensure_levels(new)
        shelf = read_shelf(product_ids)
    return shelf


def _check_warehouses(warehouse_ids: Iterable[int]) -> None:
    wanted = set(warehouse_ids)
    found = set(Warehouse.objects.filter(id__in=wanted, is_active=True).values_list("id", flat=True))
    if wanted - found:
        raise _unknown(sorted(wanted - found))


def refuse_foreign(warehouse_ids: Iterable[int | None]) -> None:
    """Raise WarehouseUnknown, as for one there is not, when a named warehouse is outside the asker's walls."""
    outside = walls.foreign(warehouse_ids)
    if outside:
        raise _unknown(outside)


def _unknown(warehouse_ids: Sequence[int]) -> WarehouseUnknown:
    missing = ", ".join(map(str, warehouse_ids))
    return WarehouseUnknown(f"There is no open warehouse {missing}.", fields={"warehouse_id": ["unknown warehouse"]})


def _deltas(movements: Sequence[Movement], shelf: Shelf, consuming: Mapping[int, Decimal]) -> dict[int, Delta]:
    deltas: dict[int, Delta] = {}
    shortages: list[Shortage] = []
    wanted: dict[int, Decimal] = {}
    for line in movements:
        level = shelf.level(line.product_id, line.warehouse_id)
        assert level is not None  # noqa: S101  (narrowing: _shelf_for made it)
        wanted[level.id] = wanted.get(level.id, ZERO) + line.quantity
    for levels in shelf.levels.values():
        for level in levels:
            if level.id not in wanted:
                continue
            consumed = consuming.get(level.id, ZERO)
            deltas[level.id] = Delta(level.product_id, wanted[level.id], -consumed, level.is_sellable)
            left = level.available + consumed + wanted[level.id]
            if left < 0:
                product = shelf.products[level.product_id]
                shortages.append(
                    Shortage(product.id, product.sku, product.name, -wanted[level.id], level.available + consumed)
                )
    if shortages:
        if not retrying() and has_expired(one.product_id for one in shortages):
            raise TryAgain("a hold on what is short is over")
        raise InsufficientStock(shortages)
    return deltas


def _change(deltas: Mapping[int, Delta], spans: Mapping[int, Span] | None) -> dict[int, StockAfter]:
    """`change` in parts: products by id, so that parts are locked in the order in which one statement locks."""
    by_product: dict[int, dict[int, Delta]] = {}
    for level_id, delta in deltas.items():
        by_product.setdefault(delta.product_id, {})[level_id] = delta
    after: dict[int, StockAfter] = {}
    for products in in_parts(sorted(by_product), PRODUCTS_AT_ONCE):
        part = {level_id: delta for one in products for level_id, delta in by_product[one].items()}
        after |= change(part, spans=spans)
    return after


def _insert_movements(rows: Sequence[Sequence[Any]]) -> list[int]:
    ids: list[int] = []
    for part in in_parts(rows, MOVEMENTS_AT_ONCE):
        ids += insert_rows(StockMovement._meta.db_table, _MOVEMENT_COLUMNS, part)
    return ids


def _announce(shelf: Shelf, after: Mapping[int, StockAfter]) -> None:
    for products in in_parts(sorted(after), PRODUCTS_AT_ONCE):
        announce(shelf, {one: after[one] for one in products})


def _spans(movements: Sequence[Movement], shelf: Shelf, moments: Sequence[datetime]) -> dict[int, Span]:
    """For each level (by id), from when to when it moves."""
    spans: dict[int, Span] = {}
    for line, moment in zip(movements, moments, strict=True):
        level = shelf.level(line.product_id, line.warehouse_id)
        assert level is not None  # noqa: S101  (narrowing: _shelf_for made it)
        text = utc_text(moment)
        known = spans.get(level.id, Span(text, text))
        spans[level.id] = Span(known.first, max(known.last, text), known.in_order and known.last <= text)
    return spans


def _balances(movements: Sequence[Movement], after: Mapping[int, StockAfter]) -> list[Decimal]:
    """The running on-hand after each line, worked back from the level's final balance."""
    final = {
        (product_id, warehouse_id): on_hand
        for product_id, stock in after.items()
        for warehouse_id, on_hand, *_ in stock.levels.values()
    }
    balances: list[Decimal] = []
    for line in reversed(movements):
        key = (line.product_id, line.warehouse_id)
        balances.append(final[key])
        final[key] -= line.quantity
    return balances[::-1]


def _valued(
    movements: Sequence[Movement], ids: Sequence[int], moments: Sequence[str], after: Mapping[int, StockAfter]
) -> list[Valued]:
    """The lines that change an average cost, each with the product's on-hand before it."""
    if not any(_has_value(line) for line in movements):
        return []
    left = {product_id: stock.on_hand for product_id, stock in after.items()}
    found: list[Valued] = []
    for line, movement_id, moment in reversed(list(zip(movements, ids, moments, strict=True))):
        left[line.product_id] -= line.quantity
        if _has_value(line) and line.unit_cost is not None:
            before = left[line.product_id]
            found.append(Valued(movement_id, line.product_id, line.quantity, line.unit_cost, before, moment))
    return found[::-1]


def _has_value(line: Movement) -> bool:
    return line.unit_cost is not None and (line.movement_type == MovementType.PURCHASE or line.undoes_cost)


def default_warehouse() -> Warehouse:
    """Where stock goes when nobody names a place: the open, sellable warehouse with the lowest priority number.

    Of those inside the asker's walls; who has only places that do not sell gets the first of these.
    """
    if walls.own() is None:
        found = Warehouse.objects.filter(is_active=True, is_sellable=True).order_by("priority", "id").first()
    else:
        mine = walls.within(Warehouse.objects.filter(is_active=True), "id")
        found = mine.order_by("-is_sellable", "priority", "id").first()
    if found is None:
        raise RuleViolation(
            "There is no sellable warehouse yet; create one first (POST /api/v1/warehouses/).", code="no_warehouse"
        )
    return found


@transactional
def adjust(
    product_id: int,
    *,
    quantity: Decimal,
    reason: str,
    warehouse_id: int | None = None,
    reference: str = "",
    actor_id: int | None = None,
) -> Posted:
    """Post a signed adjustment with its reason; raises Invalid without a reason, otherwise as `post`."""
    if not reason.strip():
        raise Invalid("Say why: an adjustment needs a reason.", fields={"reason": ["this field is required"]})
    line = Movement(product_id, warehouse_id or default_warehouse().pk, MovementType.ADJUSTMENT, quantity)
    return post([line], kind=Kind.ADJUSTMENT, reason=reason.strip(), reference=reference, actor_id=actor_id)


@transactional
def set_quantity(
    product_id: int,
    *,
    available: Decimal | None = None,
    on_hand: Decimal | None = None,
    compare_quantity: Decimal | None = None,
    warehouse_id: int | None = None,
    reason: str = "",
    actor_id: int | None = None,
) -> Posted | None:
    """Make the product's available (or physical) quantity equal to the target.

    The difference is posted as an adjustment. Without a warehouse the target is the total (of what is available: over
    sellable warehouses); what must go is taken by warehouse priority, from sellable ones first, what is added goes to
    the default warehouse. `compare_quantity` is the number the caller decided on: PreconditionFailed (412) when it has
    moved. Returns None when nothing had to change. Raises InsufficientStock when promised stock would go.
    """
    refuse_foreign([warehouse_id])
    lock_stock(product_id)
    shelf = read_shelf([product_id])
    levels = [level for level in shelf.levels[product_id] if warehouse_id in (None, level.warehouse_id)]
    if warehouse_id is None and on_hand is None:
        levels = [level for level in levels if level.is_sellable]
    levels.sort(key=lambda level: not level.is_sellable)  # stable: what is for sale by priority, then the rest
    current = sum((level.on_hand if on_hand is not None else level.available for level in levels), ZERO)
    if compare_quantity is not None and compare_quantity != current:
        raise PreconditionFailed(
            f"The quantity is {plain(current)} now, not {plain(compare_quantity)};"
            " look again and decide on the new number.",
            extra={"current_quantity": current},
        )
    target = on_hand if on_hand is not None else available
    if target is None or target < 0:
        raise Invalid("A quantity may not be negative.", fields={"quantity": ["may not be negative"]})
    change_by = target - current
    if change_by == 0:
        return None
    lines: list[Movement] = []
    if change_by < 0 and not warehouse_id:
        for level in levels:
            if walls.hides(level.warehouse_id):
                continue
            taken = min(level.available, -change_by)
            if taken > 0:
                lines.append(Movement(product_id, level.warehouse_id, MovementType.ADJUSTMENT, -taken))
                change_by += taken
    if change_by:
        lines.append(Movement(product_id, warehouse_id or default_warehouse().pk, MovementType.ADJUSTMENT, change_by))
    text = reason.strip() or f"Quantity set to {plain(target)}"
    return post(lines, kind=Kind.ADJUSTMENT, reason=text, actor_id=actor_id)


def lock_stock(product_id: int) -> None:
    """Hold the product's stock until the transaction ends, so that what is read next stays true.

    Raises ProductUnknown.
    """
    if not Product.objects.filter(id=product_id).exists():
        raise ProductUnknown(f"There is no product {product_id}.", fields={"product_id": ["unknown product"]})
    hold([product_id])


# Kinds that belong to a document, whose own steps keep its numbers true: the error's code, and what to do instead.
_INSTEAD = {
    Kind.SHIPMENT.value: (
        "belongs_to_order",
        "is an order's shipment; book the order's return instead (POST /api/v1/orders/ID/return).",
    ),
    Kind.RETURN.value: (
        "belongs_to_order",
        "is an order's return; what was booked back too much goes out by an adjustment"
        " (POST /api/v1/inventory/adjust).",
    ),
    Kind.RECEIPT.value: (
        "belongs_to_purchase_order",
        "is the receipt of a purchase order; undo the receipt in the admin (Receipts), or take out what was booked"
        " too much by an adjustment (POST /api/v1/inventory/adjust).",
    ),
    Kind.TRANSFER.value: (
        "belongs_to_transfer",
        "belongs to a transfer; cancel it while it is on the way (POST /api/v1/stock-transfers/ID/cancel), or send the"
        " goods back by a new one.",
    ),
}


@transactional
def reverse(operation_id: int, *, reason: str, actor_id: int | None = None) -> Posted:
    """Undo an operation by a counter-operation that points at it; possible once.

    Raises NotFound, AlreadyReversed, RuleViolation for shipments, returns, receipts and transfers (they belong to a
    document), Invalid without a reason, InsufficientStock when what came in is already promised or gone.
    """
    if not reason.strip():
        raise Invalid("Say why: a reversal needs a reason.", fields={"reason": ["this field is required"]})
    operation = StockOperation.objects.filter(id=operation_id).first()
    if operation is None or (
        walls.own() is not None and not operations_seen(StockOperation.objects.filter(id=operation_id)).exists()
    ):
        raise NotFound(f"There is no stock operation {operation_id}.")
    # The products' totals are locked, not the operation: an account that may only add to the ledger cannot lock in it.
    hold(operation.movements.values_list("product_id", flat=True))
    if StockOperation.objects.filter(reverses_id=operation_id).exists():
        raise AlreadyReversed(f"Operation {operation_id} has been reversed already.")
    if operation.kind in _INSTEAD:
        code, instead = _INSTEAD[operation.kind]
        raise RuleViolation(f"Operation {operation_id} ({operation.reference}) {instead}", code=code)
    rows = operation.movements.order_by("id").values_list(
        "product_id", "warehouse_id", "quantity", "unit_cost", "cost_change"
    )
    lines = [
        Movement(product_id, warehouse_id, MovementType.ADJUSTMENT, -quantity, cost, undoes_cost=change is not None)
        for product_id, warehouse_id, quantity, cost, change in rows
    ]
    return post(lines, kind=Kind.REVERSAL, reason=reason.strip(), reverses_id=operation_id, actor_id=actor_id)
