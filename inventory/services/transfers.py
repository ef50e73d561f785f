"""The life of a transfer: create, dispatch, complete, cancel.

Each step is one transaction: a conditional UPDATE of the transfer's status decides who acts (whoever comes second waits
and is told the status), then stock is promised or posted through the ledger, then the news is appended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from inventory.errors import IllegalStep, ProductUnknown, TransferUnknown, WarehouseUnknown
from inventory.events import transfer_updated
from inventory.models import MovementType, StockOperation, Transfer, TransferLine, Warehouse
from inventory.services import ledger, reservations
from inventory.services.holds import release_expired
from inventory.services.ledger import Movement
from inventory.services.levels import Shelf, ensure_levels, read_shelf, stock_events
from inventory.services.reservations import TRANSFER_LINE, Demand
from workbox.core import context, events, walls
from workbox.core.db import as_utc, execute, insert_rows, marks, retrying, transactional, utc_text
from workbox.core.errors import Invalid, RuleViolation
from workbox.core.numbers import as_quantity, plain

ZERO = Decimal(0)
LINES_MAX = 200
REASON_LENGTH = 500
Status = Transfer.Status


@dataclass(frozen=True, slots=True)
class MovedLine:
    """A line as stored."""

    id: int
    product_id: int
    sku: str
    name: str
    quantity: Decimal
    received: Decimal = ZERO
    lost: Decimal = ZERO
    damaged: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class MovedGoods:
    """A transfer as stored, with its lines."""

    id: int
    status: str
    from_warehouse_id: int
    from_warehouse: str
    to_warehouse_id: int
    to_warehouse: str
    reference: str
    notes: str
    created_by: int | None
    created_at: datetime | None
    dispatched_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    updated_at: datetime | None
    lines: tuple[MovedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one product of a transfer; the three add up to what was sent."""

    received: Decimal
    lost: Decimal = ZERO
    damaged: Decimal = ZERO


@transactional
def create_transfer(
    items: Mapping[int, Decimal],
    *,
    from_warehouse_id: int,
    to_warehouse_id: int,
    reference: str = "",
    notes: str = "",
    actor_id: int | None = None,
) -> MovedGoods:
    """A pending transfer of `items` (product id → quantity): they are reserved at the source, all or none.

    Raises RuleViolation (same warehouse, nothing to move, a charge), Invalid (too many lines, precision),
    WarehouseUnknown, ProductUnknown (retired ones too), InsufficientStock with every short product.
    """
    _check_places(from_warehouse_id, to_warehouse_id)
    if not items:
        raise RuleViolation(
            "A transfer needs at least one line.", code="empty_transfer", fields={"items": ["must not be empty"]}
        )
    if len(items) > LINES_MAX:
        raise Invalid(f"A transfer may have at most {LINES_MAX} lines.", fields={"items": [f"at most {LINES_MAX}"]})
    _check_items(items, read_shelf(items, levels=False))
    ensure_levels((product_id, to_warehouse_id) for product_id in items)
    now = utc_text()
    (transfer_id,) = insert_rows(
        Transfer._meta.db_table,
        ("from_warehouse_id", "to_warehouse_id", "status", "reference", "notes", "created_by_id", "created_at",
         "updated_at"),
        [
            (from_warehouse_id, to_warehouse_id, Status.PENDING.value, reference, notes,
             actor_id or context.actor_id.get(), now, now)
        ],
    )  # fmt: skip
    product_ids = sorted(items)
    line_ids = insert_rows(
        TransferLine._meta.db_table,
        ("transfer_id", "product_id", "quantity", "received_quantity", "lost_quantity", "damaged_quantity"),
        [(transfer_id, product_id, items[product_id], 0, 0, 0) for product_id in product_ids],
    )
    if retrying():
        release_expired(items)
    shelf = read_shelf(items, hold_first=retrying())
    demands = [Demand(line, product, items[product]) for line, product in zip(line_ids, product_ids, strict=True)]
    after = reservations.reserve_at(demands, shelf, warehouse_id=from_warehouse_id)
    made = read_transfer(transfer_id)
    events.append([*stock_events(shelf, after), _news(made, None)])
    return made


def _check_places(from_warehouse_id: int, to_warehouse_id: int) -> None:
    if from_warehouse_id == to_warehouse_id:
        raise RuleViolation(
            "Source and destination are the same warehouse; nothing would move.",
            code="same_warehouse",
            fields={"to_warehouse_id": ["must be another warehouse than from_warehouse_id"]},
        )
    places = {"from_warehouse_id": from_warehouse_id, "to_warehouse_id": to_warehouse_id}
    known = set(Warehouse.objects.filter(id__in=places.values(), is_active=True).values_list("id", flat=True))
    known -= set(walls.foreign(known))
    wrong = {name: one for name, one in places.items() if one not in known}
    if wrong:
        raise WarehouseUnknown(
            f"There is no open warehouse {', '.join(map(str, wrong.values()))}.",
            fields={name: ["unknown warehouse"] for name in wrong},
        )


def _check_items(items: Mapping[int, Decimal], shelf: Shelf) -> None:
    wrong = [one for one in sorted(items) if one not in shelf.products or not shelf.products[one].is_active]
    if wrong:
        raise ProductUnknown(
            f"There is no active product {', '.join(map(str, wrong))}.",
            fields={"product_id": [f"unknown product {one}" for one in wrong]},
        )
    for product_id, quantity in items.items():
        product = shelf.products[product_id]
        if quantity <= 0:
            raise RuleViolation(
                "quantity must be above zero.",
                code="quantity_not_positive",
                fields={"quantity": ["must be above zero"]},
            )
        ledger.check_quantity(quantity, product)
        if not product.is_stocked:
            raise RuleViolation(
                f"{product.name} ({product.sku}) is a charge; no stock is kept of it.", code="not_stocked"
            )


@transactional
def dispatch_transfer(transfer_id: int) -> MovedGoods:
    """The goods leave the source: `transfer_out` is posted and the promises end; they are in transit.

    Raises TransferUnknown, IllegalStep unless it is pending.
    """
    _require_end(transfer_id, "from_warehouse_id")
    if not _moved_on(transfer_id, Status.PENDING, Status.IN_TRANSIT, "dispatched_at"):
        raise _refused(transfer_id, "dispatched")
    sent = _send(read_transfer(transfer_id))
    events.append([_news(sent, Status.PENDING)])
    return sent


@transactional
def complete_transfer(
    transfer_id: int, *, arrivals: Mapping[int, Arrival] | None = None, reason: str = ""
) -> MovedGoods:
    """The goods are at the destination; a pending transfer is dispatched first, by who may send it, all in one.

    All that was sent is posted as `transfer_in`; what did not arrive well is named right after it by a `damaged`
    movement and a negative `adjustment` (lost), in one operation: units out = units in, and every loss stands in the
    ledger. `arrivals` (product id → what became of it) may name some products; the others arrived well. Raises
    TransferUnknown, IllegalStep, Invalid when a product is not on the transfer or its parts do not add up.
    """
    _require_end(transfer_id, "to_warehouse_id")
    was_pending = _moved_on(transfer_id, Status.PENDING, Status.IN_TRANSIT, "dispatched_at")
    if was_pending:
        _require_end(transfer_id, "from_warehouse_id")  # who sends it too stands at both ends
    if not _moved_on(transfer_id, Status.IN_TRANSIT, Status.COMPLETED, "completed_at"):
        raise _refused(transfer_id, "completed")
    goods = read_transfer(transfer_id)
    ended = _checked(goods.lines, arrivals or {})
    if was_pending:
        _send(goods)
    lines: list[Movement] = []
    for line in goods.lines:
        end = ended[line.product_id]
        lines.append(Movement(line.product_id, goods.to_warehouse_id, MovementType.TRANSFER_IN, line.quantity))
        for kind, missing in ((MovementType.DAMAGED, end.damaged), (MovementType.ADJUSTMENT, end.lost)):
            if missing:
                lines.append(Movement(line.product_id, goods.to_warehouse_id, kind, -missing))
    _bring(goods, lines, reason=_told(goods, ended, reason))
    _note_arrivals(goods.lines, ended)
    done = read_transfer(transfer_id)
    events.append([_news(done, Status.PENDING if was_pending else Status.IN_TRANSIT)])
    return done


@transactional
def cancel_transfer(transfer_id: int, *, reason: str = "") -> MovedGoods:
    """The transfer is off: pending goods are available again, goods in transit come back to the source.

    Raises TransferUnknown, IllegalStep for a completed transfer or a second cancel.
    """
    _require_end(transfer_id, "from_warehouse_id")
    if _moved_on(transfer_id, Status.PENDING, Status.CANCELLED, "cancelled_at"):
        before = Status.PENDING
        off = read_transfer(transfer_id)
        after = reservations.release((line.id for line in off.lines), holder_type=TRANSFER_LINE)
        news = stock_events(read_shelf(after), after)
    elif _moved_on(transfer_id, Status.IN_TRANSIT, Status.CANCELLED, "cancelled_at"):
        before = Status.IN_TRANSIT
        off = read_transfer(transfer_id)
        lines = [
            Movement(line.product_id, off.from_warehouse_id, MovementType.TRANSFER_IN, line.quantity)
            for line in off.lines
        ]
        text = f"Transfer {off.id} to {off.to_warehouse} came back to {off.from_warehouse}"
        _bring(off, lines, reason=_with(text, reason))
        news = []
    else:
        raise _refused(transfer_id, "cancelled")
    events.append([*news, _news(off, before)])
    return off


def _require_end(transfer_id: int, column: str) -> None:
    """Raise TransferUnknown unless the end of the transfer that acts lies inside the asker's walls."""
    if walls.own() is None:
        return
    if not walls.within(Transfer.objects.filter(pk=transfer_id), column).exists():
        raise TransferUnknown(f"There is no transfer {transfer_id}.")


def _moved_on(transfer_id: int, old: Status, new: Status, at: str) -> bool:
    """One conditional UPDATE locks the transfer and decides: True when it was `old` and is `new` now."""
    now = utc_text()
    changed = execute(
        f"UPDATE inventory_transfer SET status = %s, {at} = %s, updated_at = %s WHERE id = %s AND status = %s",  # noqa: S608  (our names)
        [new.value, now, now, transfer_id, old.value],
    )
    return bool(changed.rowcount == 1)


def _refused(transfer_id: int, step: str) -> IllegalStep:
    """Why nobody could take the step; raises TransferUnknown when there is no such transfer."""
    return IllegalStep("transfer", transfer_id, read_transfer(transfer_id).status, step)


def _reference(transfer_id: int) -> str:
    return f"TRANSFER-{transfer_id}"


def _send(goods: MovedGoods) -> MovedGoods:
    posted = reservations.consume_transfer(
        (line.id for line in goods.lines),
        reference=_reference(goods.id),
        reason=_with(f"Transfer {goods.id} from {goods.from_warehouse} to {goods.to_warehouse}", goods.notes),
    )
    execute("UPDATE inventory_transfer SET sent_operation_id = %s WHERE id = %s", [posted.operation_id, goods.id])
    return goods


def _bring(goods: MovedGoods, lines: Sequence[Movement], *, reason: str) -> None:
    posted = ledger.post(
        lines, kind=StockOperation.Kind.TRANSFER, reason=reason[:REASON_LENGTH], reference=_reference(goods.id)
    )
    execute("UPDATE inventory_transfer SET arrived_operation_id = %s WHERE id = %s", [posted.operation_id, goods.id])


def _with(text: str, more: str) -> str:
    return f"{text}: {more}"[:REASON_LENGTH] if more else text


def _told(goods: MovedGoods, ended: Mapping[int, Arrival], reason: str) -> str:
    """`Transfer 3 from Main store arrived; 2 × LAMP damaged, 1 × LAMP lost: the reason`."""
    losses = [
        f"{plain(quantity)} × {line.sku} {word}"
        for line in goods.lines
        for word, quantity in (("damaged", ended[line.product_id].damaged), ("lost", ended[line.product_id].lost))
        if quantity
    ]
    text = f"Transfer {goods.id} from {goods.from_warehouse} arrived" + (f"; {', '.join(losses)}" if losses else "")
    return _with(text, reason)


def _checked(lines: Sequence[MovedLine], arrivals: Mapping[int, Arrival]) -> dict[int, Arrival]:
    """What became of every line; a line nobody speaks of arrived well."""
    sent = {line.product_id: line for line in lines}
    faults: list[str] = [f"product {one} is not on this transfer" for one in arrivals if one not in sent]
    for product_id, end in arrivals.items():
        line = sent.get(product_id)
        parts = (end.received, end.lost, end.damaged)
        if line is None:
            continue
        if min(parts) < 0:
            faults.append(f"product {product_id} ({line.sku}): no part may be below zero")
        elif sum(parts, ZERO) != line.quantity:
            faults.append(
                f"product {product_id} ({line.sku}): received + lost + damaged is {plain(sum(parts, ZERO))},"
                f" but {plain(line.quantity)} were sent"
            )
    if faults:
        raise Invalid(f"{'; '.join(faults)}.", fields={"items": faults})
    return {line.product_id: arrivals.get(line.product_id, Arrival(line.quantity)) for line in lines}


def _note_arrivals(lines: Sequence[MovedLine], ended: Mapping[int, Arrival]) -> None:
    """Every line's three parts, in one statement."""
    case = f"(CASE product_id{' WHEN %s THEN %s' * len(lines)} END)"
    ids = [line.product_id for line in lines]
    execute(
        f"UPDATE inventory_transferline SET received_quantity = {case}, lost_quantity = {case},"  # noqa: S608  (only placeholders)
        f" damaged_quantity = {case} WHERE id IN ({marks(len(lines))})",
        [
            *(value for one in ids for value in (one, ended[one].received)),
            *(value for one in ids for value in (one, ended[one].lost)),
            *(value for one in ids for value in (one, ended[one].damaged)),
            *(line.id for line in lines),
        ],
    )


def _news(goods: MovedGoods, before: Status | None) -> events.NewEvent:
    return transfer_updated(
        transfer_id=goods.id,
        status=goods.status,
        previous_status=before.value if before else None,
        reference=goods.reference,
        from_warehouse_id=goods.from_warehouse_id,
        to_warehouse_id=goods.to_warehouse_id,
        items=[
            {
                "inventory_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "received": line.received,
                "lost": line.lost,
                "damaged": line.damaged,
            }
            for line in goods.lines
        ],
    )


# ---- reading ---------------------------------------------------------------------------------------------------------
def read_transfer(transfer_id: int, *, lock: bool = False) -> MovedGoods:
    """The transfer with its lines; with `lock` its row is held until the transaction ends. Raises TransferUnknown."""
    if lock and connection.features.has_select_for_update:
        execute("SELECT id FROM inventory_transfer WHERE id = %s FOR UPDATE", [transfer_id]).fetchall()
    found = read_transfers([transfer_id])
    if not found:
        raise TransferUnknown(f"There is no transfer {transfer_id}.")
    return found[0]


def read_transfers(transfer_ids: Iterable[int]) -> list[MovedGoods]:
    """These transfers with their lines, in the order of the ids, in one statement; unknown ids are left out."""
    ids = list(transfer_ids)
    if not ids:
        return []
    start, mine = walls.clause("t.from_warehouse_id", before=" AND (")
    end, _ = walls.clause("t.to_warehouse_id", before=" OR ")
    rows = execute(
        "SELECT t.id, t.status, t.from_warehouse_id, f.name, t.to_warehouse_id, d.name, t.reference, t.notes,"  # noqa: S608  (only placeholders)
        " t.created_by_id, t.created_at, t.dispatched_at, t.completed_at, t.cancelled_at, t.updated_at,"
        " l.id, l.product_id, p.sku, p.name, l.quantity, l.received_quantity, l.lost_quantity, l.damaged_quantity"
        " FROM inventory_transfer t JOIN inventory_warehouse f ON f.id = t.from_warehouse_id"
        " JOIN inventory_warehouse d ON d.id = t.to_warehouse_id"
        " JOIN inventory_transferline l ON l.transfer_id = t.id JOIN inventory_product p ON p.id = l.product_id"
        f" WHERE t.id IN ({marks(len(ids))}){start}{end}{')' if mine else ''} ORDER BY t.id, l.id",
        [*ids, *mine, *mine],
    ).fetchall()
    heads: dict[int, Sequence[Any]] = {}
    lines: dict[int, list[MovedLine]] = {}
    for row in rows:
        heads[row[0]] = row
        lines.setdefault(row[0], []).append(MovedLine(*row[14:18], *map(as_quantity, row[18:22])))
    return [_as_goods(heads[one], lines[one]) for one in ids if one in heads]


def _as_goods(row: Sequence[Any], lines: Sequence[MovedLine]) -> MovedGoods:
    at = [as_utc(value) for value in row[9:14]]
    return MovedGoods(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8],
        at[0], at[1], at[2], at[3], at[4], tuple(lines),
    )  # fmt: skip
