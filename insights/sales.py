"""Service: the daily rollup of sales, kept by a follower of the event log.

A fact about an order does not change the rollup by its difference: it names days, and those whole days are computed
again from orders and returns. So a fact that comes twice changes nothing, and there is nothing to drift.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from django.db import models

from insights import facts
from insights.facts import DayFigures, Figures
from insights.models import DailyCategorySales, DailySales, DailyTotal
from inventory.models import Product
from workbox.core import events
from workbox.core.db import in_parts, insert_rows, transact
from workbox.core.followers import Follower, follow
from workbox.core.models import EventCursor

NAME = "daily-sales"
BUILT = "daily-sales-built"  # its row says that all days are in; it is also the lock that writers of the rollup hold
REBUILD_DAYS = 7  # per transaction: a week of a busy shop takes well under a second
INSERT_ROWS = 500
DAYS_PER_STATEMENT = 100
_MEASURES = tuple(one.name for one in fields(Figures))
Tick = Callable[[int], None]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """A row of the rollup that differs from what orders and returns say; None: there is no such row."""

    day: date
    what: str
    kept: dict[str, Any] | None
    computed: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.day}, {self.what}: kept {_words(self.kept)}, computed {_words(self.computed)}"


def _words(row: dict[str, Any] | None) -> str:
    return "nothing" if row is None else ", ".join(f"{name} {value}" for name, value in row.items())


# ---- keeping it ------------------------------------------------------------------------------------------------------
def take(news: Sequence[events.Fact]) -> None:
    """The days these facts touch are in the rollup as orders and returns say them now.

    Days before the follower's first are not: `ensure_built` adds them, outside of the transaction this runs in.
    """
    order_ids = {one.subject_id for one in news if one.topic == events.ORDERS and one.subject_id}
    days = facts.days_of_orders(order_ids) if order_ids else set()
    days |= {_day_of_return(one) for one in news if one.type == "return_booked"}
    if days:
        recompute(days)
    _move({one.subject_id for one in news if one.type == "product_updated"})


follower = Follower(NAME, take)


def _day_of_return(fact: events.Fact) -> date:
    returned_at: str = orjson.loads(fact.payload)["returned_at"]
    return datetime.fromisoformat(returned_at).astimezone(UTC).date()


def _move(product_ids: set[int]) -> None:
    """What these products sold stands in the category they are in now, on every day and in one transaction.

    The days are not computed again, they may be two years: the products' rows say where they go, and of the categories
    they left and joined the rows are summed up anew.
    """
    now = dict(Product.objects.filter(id__in=product_ids).values_list("id", "category_id"))
    rows = DailySales.objects.filter(product_id__in=list(now)).order_by().values_list("product_id", "category_id")
    moved = {product_id for product_id, was in rows.distinct() if now[product_id] != was}
    if not moved:
        return
    _hold()
    days: set[date] = set()
    keys: set[int] = set()
    for product_id in sorted(moved):
        elsewhere = DailySales.objects.filter(product_id=product_id).exclude(category_id=now[product_id])
        for day, was in elsewhere.values_list("day", "category_id"):
            days.add(day)
            keys |= {was or facts.NO_CATEGORY, now[product_id] or facts.NO_CATEGORY}
        elsewhere.update(category_id=now[product_id])
    _sum_up_categories(sorted(days), keys)


def _sum_up_categories(days: Sequence[date], keys: set[int]) -> None:
    """The rows of these categories on these days are what their products' rows add up to."""
    orders = facts.orders_in_categories(keys, first=days[0], last=days[-1])
    sums = {name: models.Sum(name) for name in _MEASURES if name != "orders"}
    found: dict[Key, Any] = {}
    for part in in_parts(days, DAYS_PER_STATEMENT):
        kept = DailySales.objects.filter(day__in=part).order_by().values("day", "category_id").annotate(**sums)
        found |= {(row["day"], row["category_id"] or facts.NO_CATEGORY): row for row in kept}
        DailyCategorySales.objects.filter(day__in=part, category_key__in=keys).delete()
    new = [
        (day.isoformat(), key, *(orders.get((day, key), 0) if name == "orders" else row[name] for name in _MEASURES))
        for (day, key), row in sorted(found.items(), key=lambda one: one[0])
        if key in keys
    ]
    for some in in_parts(new, INSERT_ROWS):
        insert_rows(DailyCategorySales._meta.db_table, (*_KEYS[DailyCategorySales], *_MEASURES), some)


def recompute(days: Iterable[date]) -> int:
    """These days are in the rollup as orders and returns say them; returns how many rows had to change."""
    wanted = sorted(set(days))

    def work() -> int:
        _hold()
        return sum(_replace(table, wanted, rows) for table, rows in _rows(facts.figures_of(wanted)).items())

    return transact(work)


def ensure_built() -> None:
    """The rollup holds all days: an installation that has orders and never built it builds it now.

    Every reader calls this first. A million order lines take a minute or two, a week per transaction.
    """
    if not _is_built():
        rebuild()


def catch_up() -> int:
    """The rollup knows every fact committed before the call (unless another process is at it); returns how many."""
    ensure_built()
    while events.sequence_pending() == events.SEQUENCE_BATCH:
        pass
    taken = 0
    while news := follow(follower):
        taken += news
    return taken


def rebuild(tick: Tick = lambda _done: None) -> int:
    """Compute every day again, a week per transaction; returns how many rows had to change.

    `tick(done)` hears how many days are done. Readers see each day as it was or as it is.
    """
    _find_place()  # before the first look at the facts: what comes later, the follower is told
    changed = 0
    weeks = list(_weeks())
    for number, week in enumerate(weeks, start=1):
        changed += recompute(week)
        tick(min(number * REBUILD_DAYS, len(weeks) * REBUILD_DAYS))
    EventCursor.objects.get_or_create(name=BUILT, defaults={"seq": events.head() // events.PLACES})
    return changed


def days_kept() -> int:
    """How many days there are from the first to the last order, return or row of the rollup."""
    return sum(map(len, _weeks()))


def drifts(tick: Tick = lambda _done: None) -> Iterator[Drift]:
    """Every row of the rollup that orders and returns do not bear out, earliest day first; nothing is changed."""
    done = 0
    for week in _weeks():
        for table, computed in _rows(facts.figures_of(week)).items():
            kept = {key: values for key, (_, values) in _kept(table, week).items()}
            for key in sorted(kept.keys() | computed.keys()):
                if kept.get(key) != computed.get(key):
                    yield Drift(key[0], _what(table, key), kept.get(key), computed.get(key))
        done += len(week)
        tick(done)


def _what(table: type[models.Model], key: Key) -> str:
    if table is DailySales:
        return f"product {key[1]}"
    return f"category {key[1] or 'none'}" if table is DailyCategorySales else "total"


def _weeks() -> Iterator[list[date]]:
    """All days there is something to say of, in runs of a week."""
    kept = DailyTotal.objects.aggregate(first=models.Min("day"), last=models.Max("day"))
    firsts = [one for one in (facts.first_day(), kept["first"]) if one]
    lasts = [one for one in (facts.last_day(), kept["last"]) if one]
    if not firsts:
        return
    day, last = min(firsts), max(lasts)
    while day <= last:
        yield [one for number in range(REBUILD_DAYS) if (one := day + timedelta(days=number)) <= last]
        day += timedelta(days=REBUILD_DAYS)


def _is_built() -> bool:
    return EventCursor.objects.filter(name=BUILT).exists()


def _find_place() -> None:
    """The follower has a place in the log: the head, if it had none."""
    EventCursor.objects.get_or_create(name=NAME, defaults={"seq": events.head() // events.PLACES})


def _hold() -> None:
    """One writer of the rollup at a time, from before it reads the facts: the last to write has read the latest.

    The follower's own row is the lock, since the row that says "built" may not be there yet.
    """
    _find_place()
    EventCursor.objects.select_for_update().get(name=NAME)


def _rows(found: DayFigures) -> dict[type[models.Model], dict[Key, dict[str, Any]]]:
    """What the three tables should hold: key → values."""
    return {
        DailySales: {
            key: {"category_id": found.category_of[key[1]], **_values(one)} for key, one in found.products.items()
        },
        DailyCategorySales: {key: _values(one) for key, one in found.categories.items()},
        DailyTotal: {(day,): _values(one) for day, one in found.totals.items()},
    }


def _values(figures: Figures) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in _MEASURES}


_KEYS: dict[type[models.Model], tuple[str, ...]] = {
    DailySales: ("day", "product_id"),
    DailyCategorySales: ("day", "category_key"),
    DailyTotal: ("day",),
}


def _kept(table: type[models.Model], days: Sequence[date]) -> dict[Key, tuple[int, dict[str, Any]]]:
    """What the table holds of these days: key → (row id, values)."""
    keys = _KEYS[table]
    names = (*(("category_id",) if table is DailySales else ()), *_MEASURES)
    rows = table._base_manager.filter(day__in=days).values_list("id", *keys, *names)
    return {row[1 : 1 + len(keys)]: (row[0], dict(zip(names, row[1 + len(keys) :], strict=True))) for row in rows}


def _replace(table: type[models.Model], days: Sequence[date], rows: dict[Key, dict[str, Any]]) -> int:
    kept = _kept(table, days)
    gone = [row_id for key, (row_id, values) in kept.items() if rows.get(key) != values]
    new = [(key, values) for key, values in rows.items() if key not in kept or kept[key][1] != values]
    for start in range(0, len(gone), INSERT_ROWS):
        table._base_manager.filter(id__in=gone[start : start + INSERT_ROWS]).delete()
    for start in range(0, len(new), INSERT_ROWS):
        part = new[start : start + INSERT_ROWS]
        insert_rows(
            table._meta.db_table,
            (*_KEYS[table], *part[0][1]),
            [(key[0].isoformat(), *key[1:], *values.values()) for key, values in part],
        )
    return max(len(gone), len(new))
