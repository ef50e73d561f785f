"""Service: the daily demand, kept from orders and the ledger by whoever calls `catch_up` (hourly, and after bulk work).

A fact of the event log does not change the history by its difference: it names products and the day from which on they
are computed again. So a fact that comes twice changes nothing, and there is nothing to drift.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Sum

from insights.demand_facts import LONG_AGO, Demand, Key, demand_of
from insights.models import DailyDemand, TradingDay
from inventory.models import Product, StockMovement
from orders.models import OrderLine, Return, ReturnLine
from workbox.core import events
from workbox.core.db import execute, in_parts, insert_rows, transact, utc_text
from workbox.core.models import EventCursor

NAME = "daily-demand"
BUILT = "daily-demand-built"
PRODUCTS_PER_TRANSACTION = 100
IDS_PER_STATEMENT = 500
FACT_ROWS = 500
# A movement may have been recorded this long before its fact was: the transaction that wrote both took its time.
RECORDED_BEFORE = timedelta(hours=1)
_COLUMNS = (
    "product_id",
    "warehouse_id",
    "day",
    "units",
    "orders",
    "returned_units",
    "in_stock_share",
    "is_empty_after",
)
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Drift:
    """A row of the history that differs from what orders and the ledger say; None: there is no such row."""

    product_id: int
    warehouse_id: int
    day: date
    kept: Demand | None
    computed: Demand | None

    def __str__(self) -> str:
        what = f"product {self.product_id}, warehouse {self.warehouse_id}, {self.day}"
        return f"{what}: kept {self.kept or 'nothing'}, computed {self.computed or 'nothing'}"


def waiting() -> int:
    """How many event rows the history has not taken yet."""
    _sequence()
    return events.head() // events.PLACES - _place()


def ensure_built() -> None:
    """The history holds all days: an installation that never built it builds it now. Every reader calls this first."""
    if not EventCursor.objects.filter(name=BUILT).exists():
        rebuild()


def catch_up(tick: Tick = lambda _done: None) -> int:
    """The history knows every fact committed before the call; returns how many products were computed again.

    Some products per transaction; the place in the log moves last, so that a run that was interrupted is repeated.
    """
    if not EventCursor.objects.filter(name=BUILT).exists():
        return rebuild(tick)
    _sequence()
    touched, place = _touched(_place())
    done = 0
    for part in in_parts(sorted(touched, key=lambda one: (touched[one], one)), PRODUCTS_PER_TRANSACTION):
        recompute(part, since=min(touched[one] for one in part))
        done += len(part)
        tick(done)
    execute(
        "UPDATE core_eventcursor SET seq = %s, updated_at = %s WHERE name = %s AND seq < %s",
        [place, utc_text(), NAME, place],
    )
    return done


def recompute(product_ids: Sequence[int], *, since: date = LONG_AGO) -> int:
    """These products' rows from that day on are what orders and the ledger say; returns how many had to change."""

    def work() -> int:
        _hold()
        stocked = list(Product.objects.filter(id__in=product_ids, is_stocked=True).values_list("id", flat=True))
        changed = _replace(product_ids, since, demand_of(stocked, since=since))
        _count_lines(changed)
        return len(changed)

    return transact(work)


def rebuild(tick: Tick = lambda _done: None) -> int:
    """Compute every product again, some per transaction; returns how many products there are.

    Readers see each product as it was or as it is.
    """
    _find_place()
    head = events.head() // events.PLACES  # before the first look: what comes later is still waiting afterwards
    ids = list(Product.objects.order_by("id").values_list("id", flat=True))
    for number, part in enumerate(in_parts(ids, PRODUCTS_PER_TRANSACTION), start=1):
        recompute(part)
        tick(min(number * PRODUCTS_PER_TRANSACTION, len(ids)))
    execute(
        "UPDATE core_eventcursor SET seq = %s, updated_at = %s WHERE name = %s AND seq < %s",
        [head, utc_text(), NAME, head],
    )
    EventCursor.objects.get_or_create(name=BUILT, defaults={"seq": head})
    return len(ids)


def drifts(tick: Tick = lambda _done: None) -> Iterator[Drift]:
    """Every row that orders and the ledger do not bear out, product by product; nothing is changed."""
    ids = list(Product.objects.order_by("id").values_list("id", flat=True))
    done = 0
    for part in in_parts(ids, PRODUCTS_PER_TRANSACTION):
        stocked = list(Product.objects.filter(id__in=part, is_stocked=True).values_list("id", flat=True))
        computed = demand_of(stocked)
        kept = {key: row for key, (_, row) in _kept(part, LONG_AGO).items()}
        for key in sorted(kept.keys() | computed.keys()):
            if kept.get(key) != computed.get(key):
                yield Drift(*key, kept.get(key), computed.get(key))
        done += len(part)
        tick(done)


# ---- what the facts touch --------------------------------------------------------------------------------------------
def _touched(place: int) -> tuple[dict[int, date], int]:
    """Product → the first day to compute again, and the place in the log up to which that is so."""
    order_ids: set[int] = set()
    product_ids: set[int] = set()
    first_at: datetime | None = None
    return_seen = False
    while news := events.read_after(events.end_of(place), limit=FACT_ROWS):
        for one in news:
            first_at = one.created_at if first_at is None else min(first_at, one.created_at)
            if one.topic == events.ORDERS and one.subject_id:
                order_ids.add(one.subject_id)
            elif one.topic in {events.STOCK, events.CATALOG}:
                product_ids.add(one.subject_id)
            return_seen |= one.type == "return_booked"
        place = news[-1].cursor // events.PLACES
    touched: dict[int, date] = {}
    if first_at is not None:
        since = first_at - RECORDED_BEFORE
        for product_id, day in _days_of_news(order_ids, product_ids, since if return_seen else None, since):
            touched[product_id] = min(day, touched.get(product_id, day))
    return touched, place


def _days_of_news(
    order_ids: set[int], product_ids: set[int], returns_since: datetime | None, since: datetime
) -> Iterator[tuple[int, date]]:
    for part in in_parts(sorted(order_ids), IDS_PER_STATEMENT):
        sold = OrderLine.objects.filter(order_id__in=part).order_by().values_list("product_id")
        yield from _days(sold.annotate(first=Min("order__placed_at")))
        back = ReturnLine.objects.filter(goods_return__order_id__in=part).order_by().values_list("product_id")
        yield from _days(back.annotate(first=Min("goods_return__returned_at")))
    for part in in_parts(sorted(product_ids), IDS_PER_STATEMENT):
        moved = StockMovement.objects.filter(product_id__in=part, operation__created_at__gte=since).order_by()
        yield from _days(moved.values_list("product_id").annotate(first=Min("created_at")))
    if returns_since is not None:
        # A credit note of no order names no products in its fact: those without an order are few, and all looked at.
        alone = Return.objects.filter(order__isnull=True).values("id")
        back = ReturnLine.objects.filter(goods_return__in=alone).order_by().values_list("product_id")
        yield from _days(back.annotate(first=Min("goods_return__returned_at")))


def _days(rows: Any) -> Iterator[tuple[int, date]]:
    return ((product_id, first.astimezone(UTC).date()) for product_id, first in rows)


# ---- rows ------------------------------------------------------------------------------------------------------------
def _sequence() -> None:
    """What was committed has its place in the log."""
    while events.sequence_pending() == events.SEQUENCE_BATCH:
        pass


def _place() -> int:
    row = execute("SELECT seq FROM core_eventcursor WHERE name = %s", [NAME]).fetchone()
    return int(row[0]) if row else 0


def _find_place() -> None:
    EventCursor.objects.get_or_create(name=NAME, defaults={"seq": events.head() // events.PLACES})


def _hold() -> None:
    """One writer of the history at a time, from before it reads the facts: the last to write has read the latest."""
    _find_place()
    EventCursor.objects.select_for_update().get(name=NAME)


def _kept(product_ids: Sequence[int], since: date) -> dict[Key, tuple[int, Demand]]:
    rows = DailyDemand.objects.filter(product_id__in=product_ids, day__gte=since).order_by()
    return {
        (row[1], row[2], row[3]): (row[0], Demand(*row[4:])) for row in rows.values_list("id", *_COLUMNS).iterator()
    }


def _replace(product_ids: Sequence[int], since: date, rows: dict[Key, Demand]) -> set[tuple[int, date]]:
    """Write what differs; returns the warehouses and days of the rows that changed."""
    kept = _kept(product_ids, since)
    gone = {key: row_id for key, (row_id, row) in kept.items() if rows.get(key) != row}
    new = [(key, row) for key, row in rows.items() if key not in kept or key in gone]
    for part in in_parts(sorted(gone.values()), IDS_PER_STATEMENT):
        DailyDemand.objects.filter(id__in=part).delete()
    for some in in_parts(new, IDS_PER_STATEMENT):
        insert_rows(
            DailyDemand._meta.db_table,
            _COLUMNS,
            [
                (
                    key[0], key[1], key[2].isoformat(), row.units, row.orders, row.returned_units, row.in_stock_share,
                    row.is_empty_after,
                )
                for key, row in some
            ],
        )  # fmt: skip
    return {(key[1], key[2]) for key in [*gone, *(key for key, _ in new)]}


def _count_lines(changed: set[tuple[int, date]]) -> None:
    """The trading days of these warehouses and days count the lines the history has now."""
    by_place: dict[int, set[date]] = defaultdict(set)
    for place, day in changed:
        by_place[place].add(day)
    for place, days in by_place.items():
        for part in in_parts(sorted(days), IDS_PER_STATEMENT):
            found = DailyDemand.objects.filter(warehouse_id=place, day__in=part, units__gt=0).order_by()
            lines = dict(found.values_list("day").annotate(lines=Sum("orders")))
            kept = dict(TradingDay.objects.filter(warehouse_id=place, day__in=part).values_list("day", "lines"))
            gone = [day for day in kept if kept[day] != lines.get(day)]
            TradingDay.objects.filter(warehouse_id=place, day__in=gone).delete()
            TradingDay.objects.bulk_create(
                TradingDay(warehouse_id=place, day=day, lines=count)
                for day, count in lines.items()
                if kept.get(day) != count
            )


def summary() -> dict[str, Any]:
    """How much history there is: rows, products, first and last day."""
    found = DailyDemand.objects.aggregate(
        rows=Count("id"), products=Count("product_id", distinct=True), first=Min("day"), last=Max("day")
    )
    return dict(found)
