"""Demand as orders and the ledger say it: units per product, warehouse and day, and how long each stood on the shelf.

Demand is what was ordered, on the day the customer ordered (UTC), in the warehouse it was filled from. Cancelled orders
count nothing, and so does a whole line that an imported credit note takes back: that is how other systems cancel.
Other returns are a figure of their own, on their day. Transfers, adjustments and damages are no demand.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import F, Min, Sum

from insights.facts import ZERO, midnight
from inventory.models import MovementType, Reservation, StockMovement, StockOperation, Warehouse
from orders.importing.book import OPENING_REFERENCE
from orders.models import OrderLine, ReturnLine, Shipment
from orders.states import SOLD
from workbox.core.numbers import as_quantity

DAY_SECONDS = Decimal(86400)
_SHARE_STEP = Decimal("0.0001")
_ONE = Decimal(1)
Level = tuple[int, int]  # product id, warehouse id
Key = tuple[int, int, date]
LONG_AGO = date(1900, 1, 1)


@dataclass(slots=True)
class Demand:
    """One row of the history."""

    units: Decimal = ZERO
    orders: int = 0
    returned_units: Decimal = ZERO
    in_stock_share: Decimal = _ONE
    is_empty_after: bool = False


@dataclass(slots=True)
class _Wanted:
    """What one order asked for of one product, and what of it was never wanted in the end."""

    day: date
    place: int | None
    units: Decimal = ZERO
    cancelled: Decimal = ZERO
    filled: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def demand_of(product_ids: Sequence[int], *, since: date = LONG_AGO) -> dict[Key, Demand]:
    """The rows of these products from `since` on, in nine statements at most."""
    found: dict[Key, Demand] = {}
    _add_orders(found, product_ids, since)
    _add_returns(found, product_ids, since)
    days_of: dict[Level, set[date]] = defaultdict(set)
    for product_id, place, day in found:
        days_of[product_id, place].add(day)
    for key, (share, is_empty, is_turn) in _shelf_days(product_ids, since, days_of):
        if key in found or share < 1 or is_turn:
            row = found.setdefault(key, Demand())
            row.in_stock_share, row.is_empty_after = share, is_empty
    return found


def first_place() -> int | None:
    """Where demand stands that nothing was filled of: the warehouse orders are filled from first."""
    rows = Warehouse.objects.order_by("-is_active", "-is_sellable", "priority", "id")
    return rows.values_list("id", flat=True).first()


# ---- what was ordered ------------------------------------------------------------------------------------------------
def _add_orders(found: dict[Key, Demand], product_ids: Sequence[int], since: date) -> None:
    wanted = _wanted(product_ids, since)
    default = first_place()
    for (_, product_id), one in wanted.items():
        rest = one.units - one.cancelled
        counted = {place: min(units, rest) for place, units in one.filled.items() if units > 0}
        left = rest
        for place in sorted(counted):
            counted[place] = min(counted[place], left)
            left -= counted[place]
        home = one.place or (max(counted, key=lambda place: (counted[place], -place)) if counted else default)
        if left > 0 and home is not None:
            counted[home] = counted.get(home, ZERO) + left
        for place, units in counted.items():
            if units > 0:
                row = found.setdefault((product_id, place, one.day), Demand())
                row.units += units
                row.orders += 1


def _wanted(product_ids: Sequence[int], since: date) -> dict[tuple[int, int], _Wanted]:
    """(order id, product id) → what was wanted, and from where it was filled or is promised."""
    lines = OrderLine.objects.filter(
        product_id__in=product_ids, order__status__in=sorted(SOLD), order__placed_at__gte=midnight(since)
    ).order_by()
    wanted: dict[tuple[int, int], _Wanted] = {}
    open_lines: dict[int, tuple[int, int]] = {}
    for line_id, order_id, product_id, placed_at, place, quantity, shipped in lines.values_list(
        "id", "order_id", "product_id", "order__placed_at", "order__warehouse_id", "quantity", "shipped_quantity"
    ):
        one = wanted.setdefault((order_id, product_id), _Wanted(_day(placed_at), place))
        one.units += quantity
        if shipped < quantity:
            open_lines[line_id] = (order_id, product_id)
    whole = ReturnLine.objects.filter(
        product_id__in=product_ids,
        order_line__order__placed_at__gte=midnight(since),
        goods_return__external_reference__isnull=False,
        quantity=F("order_line__quantity"),
    ).order_by()
    for order_id, product_id, quantity in whole.values_list("order_line__order_id", "product_id", "quantity"):
        if (order_id, product_id) in wanted:
            wanted[order_id, product_id].cancelled += quantity
    for order_id, product_id, place, units in _shipped(product_ids, since):
        if (order_id, product_id) in wanted:
            wanted[order_id, product_id].filled[place] += units
    for line_id, place, units in _promised(list(open_lines)):
        wanted[open_lines[line_id]].filled[place] += units
    return wanted


def _shipped(product_ids: Sequence[int], since: date) -> Iterator[tuple[int, int, int, Decimal]]:
    rows = (
        Shipment.objects.filter(
            order__placed_at__gte=midnight(since),
            operation__movements__product_id__in=product_ids,
            operation__movements__movement_type=MovementType.SALE,
        )
        .order_by()
        .values_list("order_id", "operation__movements__product_id", "operation__movements__warehouse_id")
        .annotate(units=Sum("operation__movements__quantity"))
    )
    return ((order_id, product_id, place, -as_quantity(units)) for order_id, product_id, place, units in rows)


def _promised(line_ids: Sequence[int]) -> Iterator[tuple[int, int, Decimal]]:
    for start in range(0, len(line_ids), 500):
        rows = Reservation.objects.filter(
            holder_type=Reservation.Holder.ORDER_LINE, holder_id__in=line_ids[start : start + 500], quantity__gt=0
        )
        yield from rows.order_by().values_list("holder_id", "level__warehouse_id", "quantity")


def _add_returns(found: dict[Key, Demand], product_ids: Sequence[int], since: date) -> None:
    """Brought back on its day, where it came in; without the whole lines that count as cancelled."""
    rows = ReturnLine.objects.filter(product_id__in=product_ids, goods_return__returned_at__gte=midnight(since))
    places: dict[Level, int] = {}
    lines = []
    for return_id, product_id, at, quantity, line_quantity, is_paper, operation_id, order_place in (
        rows.order_by()
        .annotate(sold=F("order_line__quantity"), paper=F("goods_return__external_reference"))
        .values_list(
            "goods_return_id", "product_id", "goods_return__returned_at", "quantity", "sold", "paper",
            "goods_return__operation_id", "goods_return__order__warehouse_id",
        )
    ):  # fmt: skip
        if is_paper is not None and line_quantity == quantity:
            continue
        lines.append((return_id, product_id, _day(at), quantity, operation_id, order_place))
    operations = sorted({one[4] for one in lines if one[4] is not None})
    for start in range(0, len(operations), 500):
        moved = StockMovement.objects.filter(
            operation_id__in=operations[start : start + 500], movement_type=MovementType.RETURN
        )
        for operation_id, product_id, place in moved.order_by("-id").values_list(
            "operation_id", "product_id", "warehouse_id"
        ):
            places[operation_id, product_id] = place
    default = first_place()
    for _, product_id, day, quantity, operation_id, order_place in lines:
        place = places.get((operation_id or 0, product_id)) or order_place or default
        if place is not None:
            found.setdefault((product_id, place, day), Demand()).returned_units += quantity


# ---- how long it stood there -----------------------------------------------------------------------------------------
def _shelf_days(
    product_ids: Sequence[int], since: date, days_of: Mapping[Level, set[date]]
) -> Iterator[tuple[Key, tuple[Decimal, bool, bool]]]:
    """(share of the day in stock, empty at its end, turned that day) for every day with a movement or a figure.

    The balance runs along the times at which things happened, so a late entry is where it belongs. What an import
    computed as opening stock is just enough for its sales: until goods came in, an empty shelf there proves nothing.
    """
    moves: dict[Level, list[tuple[datetime, Decimal]]] = defaultdict(list)
    rows = StockMovement.objects.filter(product_id__in=product_ids)
    for product_id, place, at, quantity in (
        rows.filter(created_at__gte=midnight(since))
        .order_by("created_at", "id")
        .values_list("product_id", "warehouse_id", "created_at", "quantity")
    ):
        moves[product_id, place].append((at, quantity))
    before = rows.filter(created_at__lt=midnight(since)).order_by().values_list("product_id", "warehouse_id")
    opening = {(row[0], row[1]): as_quantity(row[2]) for row in before.annotate(units=Sum("quantity"))}
    known_from = _known_from(product_ids)
    for level in sorted(moves.keys() | days_of.keys()):
        known = known_from.get(level)
        balance = opening.get(level, ZERO)
        was_empty = level in opening and balance <= 0 and (known is None or since > known)
        yield from _days_of_level(level, (balance, was_empty), moves.get(level, []), days_of.get(level, set()), known)


def _days_of_level(
    level: Level,
    start: tuple[Decimal, bool],
    moves: Sequence[tuple[datetime, Decimal]],
    days: set[date],
    known_from: date | None,
) -> Iterator[tuple[Key, tuple[Decimal, bool, bool]]]:
    by_day: dict[date, list[tuple[datetime, Decimal]]] = defaultdict(list)
    for at, quantity in moves:
        by_day[_day(at)].append((at, quantity))
    balance, was_empty = start
    for day in sorted(by_day.keys() | days):
        share, balance = _share(day, balance, by_day.get(day, ()))
        is_empty = balance <= 0
        if known_from is not None and day < known_from:
            share, is_empty = _ONE, False
        yield (*level, day), (share, is_empty, was_empty != is_empty)
        was_empty = is_empty


def _share(day: date, balance: Decimal, moves: Sequence[tuple[datetime, Decimal]]) -> tuple[Decimal, Decimal]:
    """The share of the day on which something stood there, and what stands there at its end."""
    at, filled = midnight(day), timedelta()
    for moment, quantity in moves:
        if balance > 0:
            filled += moment - at
        at, balance = moment, balance + quantity
    if balance > 0:
        filled += midnight(day) + timedelta(days=1) - at
    share = (Decimal(filled.total_seconds()) / DAY_SECONDS).quantize(_SHARE_STEP, ROUND_HALF_UP)
    return min(max(share, ZERO), _ONE), balance


def _known_from(product_ids: Sequence[int]) -> dict[Level, date]:
    """Levels whose opening stock an import computed → the day from which on the ledger knows what stood there."""
    rows = StockMovement.objects.filter(product_id__in=product_ids).order_by()
    computed = rows.filter(operation__kind=StockOperation.Kind.OPENING, operation__reference=OPENING_REFERENCE)
    levels = dict.fromkeys(computed.values_list("product_id", "warehouse_id").distinct(), date.max)
    if levels:
        came = rows.filter(movement_type__in=[MovementType.PURCHASE, MovementType.TRANSFER_IN]).exclude(
            operation__kind=StockOperation.Kind.OPENING, operation__reference=OPENING_REFERENCE
        )
        for product_id, place, at in came.values_list("product_id", "warehouse_id").annotate(first=Min("created_at")):
            if (product_id, place) in levels:
                levels[product_id, place] = _day(at)
    return levels


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
