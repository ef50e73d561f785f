"""The plain SQL under ledger and reservations: read what is on the shelves, change it guarded, read what became of it.

Only `ledger.py` and `reservations.py` may call `change`. The same text runs on SQLite and MySQL, but for `_exact`:
ROUND keeps SQLite's binary numbers exact to three places, MySQL's decimals are exact already. Lock order, everywhere:
idempotency row → order row → product totals by id (one statement) → stock levels by id (one statement) → their children
→ events. Whoever changes any stock of a product holds its totals row, so what is read after that is the truth until
COMMIT.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models.constants import OnConflict

from inventory.events import PlaceAside, StockAside, inventory_update
from workbox.core import events
from workbox.core.db import TryAgain, as_utc, execute, in_parts, insert_rows, is_mysql, later, marks, utc_text
from workbox.core.numbers import as_money, as_quantity

ZERO = Decimal(0)
ROWS_PER_STATEMENT = 200  # a CASE is searched from its beginning for every row: longer ones cost more than statements
LEVELS_PER_INSERT = 1000
EVENTS_PER_STATEMENT = 5000  # the server's largest packet holds many more
CLOCKS_APART = timedelta(seconds=5)  # servers whose clocks differ by more write late entries


@dataclass(frozen=True, slots=True)
class ShelfProduct:
    """What the hot path needs to know of a product."""

    id: int
    sku: str
    name: str
    price: Decimal
    is_active: bool
    is_stocked: bool
    decimal_places: int
    on_hand: Decimal
    reserved: Decimal
    available: Decimal
    version: int
    reorder_threshold: Decimal


@dataclass(slots=True)
class ShelfLevel:
    """One product in one warehouse, as read."""

    id: int
    product_id: int
    warehouse_id: int
    on_hand: Decimal
    reserved: Decimal
    is_sellable: bool
    priority: int
    is_open: bool = True
    warehouse_name: str = ""
    reorder_threshold: Decimal | None = None

    @property
    def available(self) -> Decimal:
        """On hand and not promised."""
        return self.on_hand - self.reserved


@dataclass(slots=True)
class Shelf:
    """Products by id, and their levels by product id in sourcing order (warehouse priority, then id)."""

    products: dict[int, ShelfProduct] = field(default_factory=dict)
    levels: dict[int, list[ShelfLevel]] = field(default_factory=dict)

    def level(self, product_id: int, warehouse_id: int) -> ShelfLevel | None:
        """The level of this product in this warehouse, if it has one."""
        return next((one for one in self.levels.get(product_id, ()) if one.warehouse_id == warehouse_id), None)


@dataclass(frozen=True, slots=True)
class Delta:
    """How one level changes: signed quantities, and whether its warehouse sells."""

    product_id: int
    on_hand: Decimal
    reserved: Decimal
    is_sellable: bool


@dataclass(frozen=True, slots=True)
class Span:
    """When the movements of one level in one change took place (UTC text), and whether they stand in that order."""

    first: str
    last: str
    in_order: bool = True


@dataclass(slots=True)
class StockAfter:
    """A product's stock right after a change, consistent because the change holds its totals row.

    `moved_at` says for each changed level (by warehouse id) when its movement takes place, as UTC text.
    """

    product_id: int
    on_hand: Decimal
    reserved: Decimal
    available: Decimal
    version: int
    levels: dict[int, tuple[int, Decimal, Decimal, bool]]  # level id → (warehouse id, on hand, reserved, sellable)
    available_before: Decimal
    moved_at: dict[int, str] = field(default_factory=dict)


_SHELF_PRODUCT = (
    "SELECT p.id, p.sku, p.name, p.price, p.is_active, p.is_stocked, u.decimal_places,"
    " s.on_hand, s.reserved, s.available, s.version, p.reorder_threshold"
)
_SHELF_LEVEL = (
    ", l.id, l.warehouse_id, l.on_hand, l.reserved, w.is_sellable, w.priority, w.is_active, w.name, l.reorder_threshold"
)
_SHELF_FROM = (
    " FROM inventory_product p LEFT JOIN inventory_unitofmeasure u ON u.id = p.unit_id"
    " LEFT JOIN inventory_productstock s ON s.product_id = p.id"
)
_SHELF_LEVELS = (
    " LEFT JOIN inventory_stocklevel l ON l.product_id = p.id LEFT JOIN inventory_warehouse w ON w.id = l.warehouse_id"
)


def read_shelf(product_ids: Iterable[int], *, hold_first: bool = False, levels: bool = True) -> Shelf:
    """Products with their unit, totals and every level (unless `levels` is False), in one statement.

    With `hold_first` they stand still from here.
    """
    ids = sorted(set(product_ids))
    shelf = Shelf()
    if not ids:
        return shelf
    if hold_first:
        hold(ids)
    columns = _SHELF_PRODUCT + (_SHELF_LEVEL + _SHELF_FROM + _SHELF_LEVELS if levels else _SHELF_FROM)
    rows = execute(f"{columns} WHERE p.id IN ({marks(len(ids))})", ids).fetchall()
    for row in rows:
        product_id = row[0]
        if product_id not in shelf.products:
            shelf.products[product_id] = ShelfProduct(
                product_id, row[1], row[2], as_money(row[3]), bool(row[4]), bool(row[5]), row[6],
                as_quantity(row[7]), as_quantity(row[8]), as_quantity(row[9]), row[10], as_quantity(row[11]),
            )  # fmt: skip
            shelf.levels[product_id] = []
        if levels and row[12] is not None:
            shelf.levels[product_id].append(
                ShelfLevel(
                    row[12],
                    product_id,
                    row[13],
                    as_quantity(row[14]),
                    as_quantity(row[15]),
                    bool(row[16]),
                    row[17],
                    bool(row[18]),
                    row[19],
                    None if row[20] is None else as_quantity(row[20]),
                )
            )
    for places in shelf.levels.values():
        if len(places) > 1:
            places.sort(key=lambda level: (level.priority, level.warehouse_id))
    return shelf


def hold(product_ids: Iterable[int]) -> None:
    """Lock the totals of these products, in id order, until the transaction ends: their stock stands still."""
    ids = sorted(set(product_ids))
    if not ids or not connection.features.has_select_for_update:
        return  # SQLite's one writer holds everything already
    execute(
        f"SELECT product_id FROM inventory_productstock WHERE product_id IN ({marks(len(ids))})"  # noqa: S608  (only placeholders)
        " ORDER BY product_id FOR UPDATE",
        ids,
    ).fetchall()


def make_totals(product_ids: Iterable[int]) -> None:
    """New products have their totals row, with nothing in it."""
    columns = ("product_id", "on_hand", "reserved", "available", "version")
    insert_rows("inventory_productstock", columns, [(one, 0, 0, 0, 0) for one in product_ids])


def ensure_levels(pairs: Iterable[tuple[int, int]]) -> None:
    """Make empty levels for (product id, warehouse id) pairs that have none; concurrent makers of one pair are fine."""
    begin, now = connection.ops.insert_statement(on_conflict=OnConflict.IGNORE), utc_text()
    for part in in_parts(sorted(set(pairs)), LEVELS_PER_INSERT):
        rows = ",".join(["(%s,%s,0,0,%s,%s)"] * len(part))
        execute(
            f"{begin} inventory_stocklevel (product_id,warehouse_id,on_hand,reserved,has_late_entries,updated_at)"
            f" VALUES {rows}",
            [value for product_id, warehouse_id in part for value in (product_id, warehouse_id, False, now)],
        )


def change(deltas: Mapping[int, Delta], *, spans: Mapping[int, Span] | None = None) -> dict[int, StockAfter]:
    """Apply signed deltas (level id → Delta) to totals and levels, all of them or none; returns the stock afterwards.

    `spans` (level id → Span) is for stock that moved at another time than now: a level that has newer movements is
    marked, because its balances do not follow the time any more (`inventory.queries.moments`). Three statements for up
    to ROWS_PER_STATEMENT lines, more for more, in the same lock order. Raises TryAgain when a guard refuses: somebody
    changed a level between the caller's plain read and this statement.
    """
    products = sorted({delta.product_id for delta in deltas.values()})
    by_product: dict[int, dict[int, Delta]] = {one: {} for one in products}
    for level_id, delta in deltas.items():
        by_product[delta.product_id][level_id] = delta
    for part in in_parts(products, ROWS_PER_STATEMENT):
        _change_totals({one: delta for product in part for one, delta in by_product[product].items()}, part)
    # Read the clock under the lock of the totals only: so the moments of a level's movements follow their ids.
    now = datetime.now(UTC)
    for part in in_parts(sorted(deltas), ROWS_PER_STATEMENT):
        _change_levels({one: deltas[one] for one in part}, now, spans)
    after, closed = _read_after(products, now)
    for delta in deltas.values():
        if delta.is_sellable:
            after[delta.product_id].available_before -= delta.on_hand - delta.reserved
    if any(after[delta.product_id].levels[level_id][3] != delta.is_sellable for level_id, delta in deltas.items()):
        raise TryAgain("a warehouse stopped or began to sell")
    gaining = {level_id for level_id, delta in deltas.items() if delta.on_hand > 0}
    if gaining & closed:
        raise TryAgain("a warehouse was closed")
    return after


def promise(wanted: Mapping[int, Decimal]) -> Shelf:
    """Take these quantities (product id → quantity) out of what is available in all, and hold the products.

    One guarded statement; returns the shelf as it is after it. Raises TryAgain when a product has less, keeps no stock,
    or does not exist: the caller's second look says which. The levels follow by `promise_levels` in the same
    transaction.
    """
    products = sorted(wanted)
    taken, values = _case("product_id", [(one, wanted[one]) for one in products])
    taking = later(
        f"UPDATE inventory_productstock SET version = version + 1, reserved = {_exact(f'reserved + {taken}')},"  # noqa: S608  (only placeholders)
        f" available = {_exact(f'available - {taken}')}"
        f" WHERE product_id IN ({marks(len(products))}) AND available >= {taken}",
        [*values, *values, *products, *values],
    )
    shelf = read_shelf(products)
    if taking.rowcount != len(products):
        raise TryAgain("not enough is available")
    return shelf


def promise_levels(shelf: Shelf, taken: Mapping[int, Decimal]) -> dict[int, StockAfter]:
    """Promise these quantities (level id → quantity) on their levels; returns the stock afterwards.

    Expects the `shelf` that `promise` returned: under the held totals nothing can have moved since, so that only the
    table's own CHECK stands behind this statement.
    """
    ids = sorted(taken)
    more, values = _case("id", [(one, taken[one]) for one in ids])
    later(
        f"UPDATE inventory_stocklevel SET updated_at = %s, reserved = {_exact(f'reserved + {more}')}"  # noqa: S608  (only placeholders)
        f" WHERE id IN ({marks(len(ids))})",
        [utc_text(), *values, *ids],
    )
    return {
        product.id: StockAfter(
            product.id, product.on_hand, product.reserved, product.available, product.version,
            {
                level.id: (
                    level.warehouse_id,
                    level.on_hand,
                    level.reserved + taken.get(level.id, ZERO),
                    level.is_sellable,
                )
                for level in shelf.levels[product.id]
            },
            product.available + sum((taken.get(level.id, ZERO) for level in shelf.levels[product.id]), ZERO),
        )
        for product in shelf.products.values()
        if any(level.id in taken for level in shelf.levels[product.id])
    }  # fmt: skip


def _change_levels(deltas: Mapping[int, Delta], now: datetime, spans: Mapping[int, Span] | None) -> None:
    ids = sorted(deltas)
    on_hand = _case("id", [(one, deltas[one].on_hand) for one in ids])
    reserved = _case("id", [(one, deltas[one].reserved) for one in ids])
    moves_stock = any(delta.on_hand for delta in deltas.values())
    moves_promise = any(delta.reserved for delta in deltas.values())
    assignments, guards = ["updated_at = %s"], []
    values: list[Any] = [utc_text(now)]
    if moves_stock:
        when, moments = _moving(ids, now, spans)
        assignments += when
        values += moments
        assignments.append(f"on_hand = {_exact(f'on_hand + {on_hand[0]}')}")
        values += on_hand[1]
    if moves_promise:
        assignments.append(f"reserved = {_exact(f'reserved + {reserved[0]}')}")
        values += reserved[1]
    values += ids
    left, right = "on_hand", "reserved"
    if moves_stock:
        left = _exact(f"on_hand + {on_hand[0]}")
        values += on_hand[1]
    if moves_promise:
        right = _exact(f"reserved + {reserved[0]}")
        values += reserved[1]
    guards.append(f"{left} >= {right}")
    if any(delta.reserved < 0 for delta in deltas.values()):
        guards.append(f"{_exact(f'reserved + {reserved[0]}')} >= 0")
        values += reserved[1]
    sql = (
        f"UPDATE inventory_stocklevel SET {', '.join(assignments)}"  # noqa: S608  (only placeholders)
        f" WHERE id IN ({marks(len(ids))}) AND {' AND '.join(guards)}"
    )
    if execute(sql, values).rowcount != len(ids):
        raise TryAgain("a stock level moved")


def _moving(ids: list[int], now: datetime, spans: Mapping[int, Span] | None) -> tuple[list[str], list[Any]]:
    """Assignments for when levels last moved, and whether they have late entries (first: MySQL reads left to right).

    Another server's clock may be ahead of ours by a little; then the movement takes place when the last one did.
    """
    values: list[Any]
    if spans is None:
        text = utc_text(now)
        late, newest, values = "last_moved_at > %s", "%s", [utc_text(now + CLOCKS_APART), text, text]
    else:
        first, firsts = _case("id", [(one, spans[one].first) for one in ids])
        last, lasts = _case("id", [(one, spans[one].last) for one in ids])
        mixed = [one for one in ids if not spans[one].in_order]
        late = f"last_moved_at > {_moment(first)}" + (f" OR id IN ({marks(len(mixed))})" if mixed else "")
        newest, values = _moment(last), [*firsts, *mixed, *lasts, *lasts]
    return [
        f"has_late_entries = CASE WHEN {late} THEN 1 ELSE has_late_entries END",
        f"last_moved_at = CASE WHEN last_moved_at > {newest} THEN last_moved_at ELSE {newest} END",
    ], values


def _moment(sql: str) -> str:
    return f"CAST({sql} AS DATETIME(6))" if is_mysql() else sql


def _change_totals(deltas: Mapping[int, Delta], products: Sequence[int]) -> None:
    totals = {product_id: [ZERO, ZERO, ZERO] for product_id in products}
    for delta in deltas.values():
        total = totals[delta.product_id]
        total[0] += delta.on_hand
        total[1] += delta.reserved
        if delta.is_sellable:
            total[2] += delta.on_hand - delta.reserved
    assignments: list[str] = ["version = version + 1"]
    values: list[Any] = []
    guard, guard_values = "", []
    # MySQL assigns from left to right and `available` guards itself only, so each column is changed on its own.
    for column, name in enumerate(("on_hand", "reserved", "available")):
        if any(total[column] for total in totals.values()):
            sql, arguments = _case("product_id", [(one, totals[one][column]) for one in products])
            assignments.append(f"{name} = {_exact(f'{name} + {sql}')}")
            values += arguments
            if name == "available":
                guard, guard_values = f" AND {_exact(f'available + {sql}')} >= 0", arguments
    cursor = execute(
        f"UPDATE inventory_productstock SET {', '.join(assignments)}"  # noqa: S608  (only placeholders)
        f" WHERE product_id IN ({marks(len(products))}){guard}",
        [*values, *products, *guard_values],
    )
    if cursor.rowcount != len(products):
        raise TryAgain("a product's total moved")


def _exact(sql: str) -> str:
    return sql if is_mysql() else f"ROUND({sql}, 3)"


def _case(column: str, pairs: list[tuple[int, Any]]) -> tuple[str, list[Any]]:
    """`CASE column WHEN … THEN … END` and its parameters."""
    text = "(CASE " + column + " WHEN %s THEN %s" * len(pairs) + " END)"
    return text, [value for pair in pairs for value in pair]


def _read_after(products: list[int], now: datetime) -> tuple[dict[int, StockAfter], set[int]]:
    """The stock of these products, and which of their levels lie in closed warehouses."""
    after: dict[int, StockAfter] = {}
    closed: set[int] = set()
    text, latest = utc_text(now), utc_text(now + CLOCKS_APART)
    rows = execute(
        "SELECT s.product_id, s.on_hand, s.reserved, s.available, s.version,"  # noqa: S608  (only placeholders)
        " l.id, l.warehouse_id, l.on_hand, l.reserved, w.is_sellable, l.last_moved_at, w.is_active"
        " FROM inventory_productstock s JOIN inventory_stocklevel l ON l.product_id = s.product_id"
        " JOIN inventory_warehouse w ON w.id = l.warehouse_id"
        f" WHERE s.product_id IN ({marks(len(products))})",
        products,
    ).fetchall()
    for row in rows:
        stock = after.get(row[0])
        if stock is None:
            stock = after[row[0]] = StockAfter(
                row[0], as_quantity(row[1]), as_quantity(row[2]), as_quantity(row[3]), row[4], {},
                as_quantity(row[3]),
            )  # fmt: skip
        stock.levels[row[5]] = (row[6], as_quantity(row[7]), as_quantity(row[8]), bool(row[9]))
        if row[10] is not None:
            moved = utc_text(as_utc(row[10]))
            stock.moved_at[row[6]] = moved if text < moved <= latest else text
        if not row[11]:
            closed.add(row[5])
    return after, closed


def keep_average_costs(known: Mapping[int, tuple[Decimal | None, str]]) -> None:
    """What a unit of these products costs on average (product id → cost, since when), in one statement.

    Only `costs.py` calls it, with the totals locked.
    """
    case = f"(CASE product_id{' WHEN %s THEN %s' * len(known)} END)"
    ids = sorted(known)
    values: list[Any] = [value for one in ids for value in (one, known[one][0])]
    values += [value for one in ids for value in (one, known[one][1])]
    execute(
        f"UPDATE inventory_productstock SET average_cost = {case}, average_cost_at = {case}"  # noqa: S608  (only placeholders)
        f" WHERE product_id IN ({marks(len(ids))})",
        [*values, *ids],
    )


def announce(shelf: Shelf, after: Mapping[int, StockAfter]) -> None:
    """Append one `inventory_update` per changed product; expects the change's transaction."""
    news = stock_events(shelf, after)
    for start in range(0, len(news), EVENTS_PER_STATEMENT):
        events.append(news[start : start + EVENTS_PER_STATEMENT])


def stock_events(shelf: Shelf, after: Mapping[int, StockAfter]) -> list[events.NewEvent]:
    """The changed products' facts, in product order."""
    return [
        inventory_update(
            product_id=product_id,
            sku=shelf.products[product_id].sku,
            name=shelf.products[product_id].name,
            price=shelf.products[product_id].price,
            on_hand=stock.on_hand,
            reserved=stock.reserved,
            available=stock.available,
            version=stock.version,
            levels=[row[:3] for row in stock.levels.values()],
            aside=StockAside(
                shelf.products[product_id].reorder_threshold,
                is_watched=shelf.products[product_id].is_active,
                available_before=stock.available_before,
                places=_places(shelf.levels.get(product_id, ()), stock),
            ),
        )
        for product_id, stock in sorted(after.items())
    ]


def _places(levels: Iterable[ShelfLevel], stock: StockAfter) -> tuple[PlaceAside, ...]:
    """The levels with a threshold of their own, as they were on the shelf and as they are now."""
    return tuple(
        PlaceAside(
            level.warehouse_id,
            level.warehouse_name,
            level.reorder_threshold,
            stock.levels[level.id][1] - stock.levels[level.id][2],
            level.available,
        )
        for level in levels
        if level.reorder_threshold is not None and level.id in stock.levels
    )
