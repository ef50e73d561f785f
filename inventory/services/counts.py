"""Stock counts: open, record what was found, close. The warehouse goes on working meanwhile.

What was found is compared with the ledger's balance of the moment it was counted; the close posts the difference. A
conditional UPDATE of the count's status decides who acts, and holds the count while lines are recorded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from inventory.errors import CountUnknown, IllegalStep, ProductUnknown, WarehouseUnknown
from inventory.models import CountLine, MovementType, StockCount, StockOperation, Warehouse
from inventory.queries import balances_when_counted
from inventory.services import ledger
from inventory.services.ledger import Movement
from inventory.services.levels import Shelf, hold, read_shelf
from workbox.core import context, walls
from workbox.core.db import as_utc, execute, insert_rows, marks, transactional, utc_text
from workbox.core.errors import Conflict, Invalid, RuleViolation
from workbox.core.numbers import QUANTITY_MAX, as_quantity

ZERO = Decimal(0)
LINES_MAX = 500  # of one call: an offline scanner hands in its shelf at once
CLOCK_SKEW = timedelta(minutes=5)
BEFOREHAND_MAX = timedelta(days=1)  # a shelf may be counted on paper before somebody opens the count for it
REASON_LENGTH = 500
Status = StockCount.Status


@dataclass(frozen=True, slots=True)
class Found:
    """So many of a product were found at a moment (None: now); `adds` to what was found elsewhere, or replaces it."""

    product_id: int
    quantity: Decimal
    at: datetime | None = None
    adds: bool = False


@dataclass(frozen=True, slots=True)
class CountedLine:
    """A line as stored; `expected` and `variance` are None until the count is closed."""

    product_id: int
    sku: str
    name: str
    counted: Decimal
    counted_at: datetime | None
    recorded_by: int | None
    expected: Decimal | None
    variance: Decimal | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A stock count as stored, with its lines."""

    id: int
    warehouse_id: int
    warehouse: str
    status: str
    is_blind: bool
    notes: str
    operation_id: int | None
    opened_by: int | None
    closed_by: int | None
    opened_at: datetime | None
    closed_at: datetime | None
    updated_at: datetime | None
    lines: tuple[CountedLine, ...] = ()


@transactional
def open_count(warehouse_id: int, *, is_blind: bool = False, notes: str = "", actor_id: int | None = None) -> Counted:
    """A new count of a warehouse, ready to record; several may be open at once. Raises WarehouseUnknown."""
    if not walls.within(Warehouse.objects.filter(id=warehouse_id, is_active=True), "id").exists():
        raise WarehouseUnknown(
            f"There is no open warehouse {warehouse_id}.", fields={"warehouse_id": ["unknown warehouse"]}
        )
    now = utc_text()
    (count_id,) = insert_rows(
        StockCount._meta.db_table,
        ("warehouse_id", "status", "is_blind", "notes", "opened_by_id", "opened_at", "updated_at"),
        [(warehouse_id, Status.OPEN.value, is_blind, notes, actor_id or context.actor_id.get(), now, now)],
    )
    return read_count(count_id)


@transactional
def record(count_id: int, found: Sequence[Found], *, actor_id: int | None = None) -> Counted:
    """What was found is on the count: a product found again replaces its line, or adds to it.

    A line counts as of its newest moment. Raises CountUnknown, IllegalStep unless the count is open, Invalid (below
    zero, precision, too many lines, a moment in the future or long before the count), ProductUnknown, RuleViolation for
    a charge.
    """
    if not found:
        raise Invalid("Record at least one line.", fields={"lines": ["must not be empty"]})
    if len(found) > LINES_MAX:
        raise Invalid(f"At most {LINES_MAX} lines at once.", fields={"lines": [f"at most {LINES_MAX}"]})
    now = datetime.now(UTC)
    if not _moved_on(count_id, Status.OPEN, now):
        raise _refused(count_id, "recorded on")
    shelf = read_shelf((one.product_id for one in found), levels=False)
    _check(found, shelf, now)
    _refuse_long_ago(count_id, found)
    product_ids = sorted(shelf.products)
    kept = CountLine.objects.filter(count_id=count_id, product_id__in=product_ids)
    lines = {row.product_id: (row.counted_quantity, row.counted_at) for row in kept}
    for one in found:
        moment = min(one.at or now, now)  # a scanner's clock may run ahead a little: nothing is counted in the future
        before = lines.get(one.product_id)
        if one.adds and before is not None:
            lines[one.product_id] = (before[0] + one.quantity, max(before[1], moment))
        else:
            lines[one.product_id] = (one.quantity, moment)
    if any(quantity > QUANTITY_MAX for quantity, _ in lines.values()):
        raise Invalid(f"Nobody counts more than {QUANTITY_MAX}.", fields={"counted_quantity": ["too large"]})
    kept.delete()
    actor = actor_id or context.actor_id.get()
    insert_rows(
        CountLine._meta.db_table,
        ("count_id", "product_id", "counted_quantity", "counted_at", "recorded_by_id"),
        [(count_id, one, quantity, utc_text(moment), actor) for one, (quantity, moment) in sorted(lines.items())],
    )
    return read_count(count_id)


@transactional
def take_back(count_id: int, product_id: int, *, left: Decimal, former: Found | None) -> Counted:
    """A line of an open count is again what it was before it became `left`: `former`, or gone (None).

    Raises CountUnknown, IllegalStep unless the count is open, Conflict when the line is not `left` any more: somebody
    has counted the product since, and what they found stands.
    """
    if not _moved_on(count_id, Status.OPEN, datetime.now(UTC)):
        raise _refused(count_id, "changed")
    line = CountLine.objects.filter(count_id=count_id, product_id=product_id).first()
    if line is None or line.counted_quantity != left:
        raise Conflict(
            f"The product was counted again since on count {count_id}; look at its line and record what is right.",
            code="counted_since",
            extra={"count_id": count_id, "product_id": product_id},
        )
    line.delete()
    if former is not None:
        insert_rows(
            CountLine._meta.db_table,
            ("count_id", "product_id", "counted_quantity", "counted_at", "recorded_by_id"),
            [(count_id, product_id, former.quantity, utc_text(former.at), context.actor_id.get())],
        )
    return read_count(count_id)


def _check(found: Sequence[Found], shelf: Shelf, now: datetime) -> None:
    missing = sorted({one.product_id for one in found} - shelf.products.keys())
    if missing:
        raise ProductUnknown(
            f"There is no product {', '.join(map(str, missing))}.", fields={"product_id": ["unknown product"]}
        )
    for one in found:
        product = shelf.products[one.product_id]
        if not product.is_stocked:
            raise RuleViolation(
                f"{product.name} ({product.sku}) is a charge; no stock is kept of it.", code="not_stocked"
            )
        if one.quantity < 0:
            raise Invalid("Nobody counts less than nothing.", fields={"counted_quantity": ["may not be negative"]})
        if one.quantity:  # an empty shelf is a count, too
            ledger.check_quantity(one.quantity, product, name="counted_quantity")
        if one.at is not None and one.at > now + CLOCK_SKEW:
            raise Invalid("counted_at lies in the future.", fields={"counted_at": ["lies in the future"]})


def _refuse_long_ago(count_id: int, found: Sequence[Found]) -> None:
    """A wrong clock would compare the shelf with the books of another year."""
    first = min((one.at for one in found if one.at is not None), default=None)
    if first is None:
        return
    opened = StockCount.objects.values_list("opened_at", flat=True).get(id=count_id)
    if first < opened - BEFOREHAND_MAX:
        raise Invalid(
            f"counted_at lies long before count {count_id} was opened; look at the scanner's clock.",
            fields={"counted_at": ["lies long before the count was opened"]},
        )


@transactional
def close_count(count_id: int, *, actor_id: int | None = None) -> Counted:
    """The books follow what was found: one operation with an adjustment for every line that differs.

    Each line is compared with the ledger's balance at its moment; what moved since is left alone. Raises CountUnknown,
    IllegalStep (somebody closed or cancelled it), InsufficientStock with every product of which less would be left than
    is promised: then nothing is posted and the count stays open.
    """
    now = datetime.now(UTC)
    if not _moved_on(count_id, Status.OPEN, now, to=Status.CLOSED, by=actor_id):
        raise _refused(count_id, "closed")
    count = read_count(count_id)
    # From here on the counted products stand still, so that balance and variance belong together.
    hold(line.product_id for line in count.lines)
    expected = balances_when_counted(count_id)
    variances = {line.product_id: line.counted - expected[line.product_id] for line in count.lines}
    lines = [
        Movement(product_id, count.warehouse_id, MovementType.ADJUSTMENT, variance)
        for product_id, variance in variances.items()
        if variance
    ]
    if lines:
        posted = ledger.post(
            lines,
            kind=StockOperation.Kind.COUNT,
            reason=(f"Count {count.id} of {count.warehouse}" + (f": {count.notes}" if count.notes else ""))[
                :REASON_LENGTH
            ],
            reference=f"COUNT-{count.id}",
            actor_id=actor_id,
        )
        execute("UPDATE inventory_stockcount SET operation_id = %s WHERE id = %s", [posted.operation_id, count.id])
    _note_variances(count_id, expected, variances)
    return read_count(count_id)


def _note_variances(count_id: int, expected: Mapping[int, Decimal], variances: Mapping[int, Decimal]) -> None:
    """What the books said and the difference stand on every line, in one statement."""
    if not variances:
        return
    ids = sorted(variances)
    case = f"(CASE product_id{' WHEN %s THEN %s' * len(ids)} END)"
    execute(
        f"UPDATE inventory_countline SET expected_quantity = {case}, variance = {case} WHERE count_id = %s",  # noqa: S608  (only placeholders)
        [
            *(value for one in ids for value in (one, expected[one])),
            *(value for one in ids for value in (one, variances[one])),
            count_id,
        ],
    )


@transactional
def cancel_count(count_id: int, *, actor_id: int | None = None) -> Counted:
    """The count is off: its lines stay to be read, nothing is posted. Raises CountUnknown, IllegalStep unless open."""
    if not _moved_on(count_id, Status.OPEN, datetime.now(UTC), to=Status.CANCELLED, by=actor_id):
        raise _refused(count_id, "cancelled")
    return read_count(count_id)


def _moved_on(count_id: int, old: Status, moment: datetime, *, to: Status | None = None, by: int | None = None) -> bool:
    """One conditional UPDATE holds the count and decides: True when it was `old` (and, if given, is `to` now)."""
    now = utc_text(moment)
    ending = ", status = %s, closed_at = %s, closed_by_id = %s" if to else ""
    values = [to.value, now, by or context.actor_id.get()] if to else []
    place, mine = walls.clause("warehouse_id")
    changed = execute(
        f"UPDATE inventory_stockcount SET updated_at = %s{ending} WHERE id = %s AND status = %s{place}",  # noqa: S608  (our names)
        [now, *values, count_id, old.value, *mine],
    )
    return bool(changed.rowcount == 1)


def _refused(count_id: int, step: str) -> IllegalStep:
    """Why nobody could take the step; raises CountUnknown when there is no such count."""
    return IllegalStep("count", count_id, read_count(count_id).status, step)


# ---- reading ---------------------------------------------------------------------------------------------------------
def read_count(count_id: int, *, lock: bool = False) -> Counted:
    """The count with its lines; with `lock` its row is held until the transaction ends. Raises CountUnknown."""
    if lock and connection.features.has_select_for_update:
        execute("SELECT id FROM inventory_stockcount WHERE id = %s FOR UPDATE", [count_id]).fetchall()
    found = read_counts([count_id])
    if not found:
        raise CountUnknown(f"There is no stock count {count_id}.")
    return found[0]


def read_counts(count_ids: Iterable[int]) -> list[Counted]:
    """These counts with their lines, in the order of the ids, in one statement; unknown ids are left out."""
    ids = list(count_ids)
    if not ids:
        return []
    place, mine = walls.clause("c.warehouse_id")
    rows = execute(
        "SELECT c.id, c.warehouse_id, w.name, c.status, c.is_blind, c.notes, c.operation_id, c.opened_by_id,"  # noqa: S608  (only placeholders)
        " c.closed_by_id, c.opened_at, c.closed_at, c.updated_at,"
        " l.product_id, p.sku, p.name, l.counted_quantity, l.counted_at, l.recorded_by_id, l.expected_quantity,"
        " l.variance FROM inventory_stockcount c JOIN inventory_warehouse w ON w.id = c.warehouse_id"
        " LEFT JOIN inventory_countline l ON l.count_id = c.id LEFT JOIN inventory_product p ON p.id = l.product_id"
        f" WHERE c.id IN ({marks(len(ids))}){place} ORDER BY c.id, l.id",
        [*ids, *mine],
    ).fetchall()
    heads: dict[int, Sequence[Any]] = {}
    lines: dict[int, list[CountedLine]] = {}
    for row in rows:
        heads[row[0]] = row
        if row[12] is not None:
            lines.setdefault(row[0], []).append(_as_line(row[12:]))
    return [_as_count(heads[one], lines.get(one, [])) for one in ids if one in heads]


def _as_line(row: Sequence[Any]) -> CountedLine:
    return CountedLine(
        row[0], row[1], row[2], as_quantity(row[3]), as_utc(row[4]), row[5],
        None if row[6] is None else as_quantity(row[6]), None if row[7] is None else as_quantity(row[7]),
    )  # fmt: skip


def _as_count(row: Sequence[Any], lines: Sequence[CountedLine]) -> Counted:
    return Counted(
        row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6], row[7], row[8],
        as_utc(row[9]), as_utc(row[10]), as_utc(row[11]), tuple(lines),
    )  # fmt: skip


def variances_of(count: Counted) -> list[CountedLine]:
    """The count's lines with what the books said and the difference: as posted, or as a close would find them now.

    Raises Conflict while a blind count is open: who counts shall not know.
    """
    if count.status != Status.OPEN:
        return list(count.lines)
    if count.is_blind:
        raise Conflict(
            f"Count {count.id} is blind: what the books say is shown when it is closed.",
            code="count_is_blind",
            extra={"status": count.status, "count_id": count.id},
        )
    expected = balances_when_counted(count.id)
    return [
        CountedLine(
            line.product_id, line.sku, line.name, line.counted, line.counted_at, line.recorded_by,
            expected[line.product_id], line.counted - expected[line.product_id],
        )
        for line in count.lines
        if line.product_id in expected
    ]  # fmt: skip
