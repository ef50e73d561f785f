"""The event log: the one place that announces what became true.

`append` writes facts inside the caller's transaction; nothing is sent before it commits. A *sequencer* (whichever
reader comes first, under one row lock) then gives committed events their gapless `seq`. Ids cannot serve as the order:
MySQL hands them out before commit, so a reader that follows ids loses events; one that follows `seq` cannot.

A row holds one fact and, in `companions`, the stock facts that its transaction made true with it. A *cursor* is a
fact's place in the stream: `seq * PLACES` + its place in the row, the row's own fact last (at `PLACES - 1`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile
from typing import Any

import orjson
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from workbox.core import context, doorbell
from workbox.core.cache import announce, new_version, version_key
from workbox.core.db import as_utc, execute, insert_later, later, marks, utc_text
from workbox.core.models import Event, EventCursor
from workbox.core.numbers import to_json

STOCK, ORDERS, CATALOG, ACCESS = "stock", "orders", "catalog", "access"
ALERTS, TRANSFERS, PURCHASING, JOBS = "alerts", "transfers", "purchasing", "jobs"
SEQUENCER = "sequencer"
FORGOTTEN = "forgotten"
SEQUENCE_BATCH = 1000
PLACES = 1000
_COLUMNS = (
    "type", "topic", "subject_id", "owner_id", "warehouse_id", "actor_id", "request_id", "payload", "companions",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class By:
    """Who made something true, and in which request."""

    actor_id: int | None
    request_id: str

    @classmethod
    def now(cls) -> "By":
        """Who acts here and now."""
        return cls(context.actor_id.get(), context.request_id.get())


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact about to be written: `payload` holds absolute values, never deltas, under the keys its frame shows.

    `aside` is what listeners may decide by without a look at the database; it is not written. `by` is for a fact that
    somebody else than who acts now made true.
    """

    type: str
    topic: str
    subject_id: int
    payload: dict[str, Any] = field(default_factory=dict)
    owner_id: int | None = None
    warehouse_id: int | None = None
    aside: Any = None
    by: By | None = None


Listener = Callable[[Sequence[NewEvent]], Iterable[NewEvent]]


# Where a payload names the warehouses its subject belongs to.
_PLACES_NAMED = ("warehouse_id", "from_warehouse_id", "to_warehouse_id")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of the stream as a reader gets it; facts with one `event_id` became true together."""

    cursor: int
    event_id: int
    type: str
    topic: str
    subject_id: int
    owner_id: int | None
    warehouse_id: int | None
    payload: str
    created_at: datetime

    def frame(self) -> str:
        """The JSON text clients receive: `type`, the fact's own keys, then `cursor`, `event_id`, `at`."""
        own = self.payload[1:-1]
        return (
            f'{{"type":"{self.type}",{own}{"," if own else ""}"cursor":{self.cursor},"event_id":{self.event_id},'
            f'"at":"{self.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"}}'
        )

    def seen_from(self, warehouses: frozenset[int] | None) -> "Fact | None":
        """The fact as somebody bound to these warehouses may hear of it, or None; None: not bound, all of it.

        Of a product's stock they hear the totals and their own warehouses' part; what belongs to other warehouses
        alone, they do not hear of.
        """
        if warehouses is None:
            return self
        if self.warehouse_id is not None and self.warehouse_id not in warehouses:
            return None
        payload = orjson.loads(self.payload)
        named = {payload.get(name) for name in _PLACES_NAMED} - {None}
        if named and not named & warehouses:
            return None
        if "by_warehouse" not in payload:
            return self
        payload["by_warehouse"] = [row for row in payload["by_warehouse"] if row["warehouse_id"] in warehouses]
        return replace(self, payload=orjson.dumps(payload).decode())


@cache
def _listeners(paths: tuple[str, ...]) -> list[Listener]:
    return [import_string(path) for path in paths]


def append(events: Iterable[NewEvent]) -> None:
    """Write facts to the log as the transaction's last rows; after commit readers are told that there is news.

    Expects a running transaction and that every row the facts speak of is already locked by it. Listeners named in
    `WORKBOX_EVENT_LISTENERS` run here, inside the transaction and before the log is written; the facts they answer with
    are written too.
    """
    events = list(events)
    if not events:
        return
    for listener in _listeners(tuple(settings.WORKBOX_EVENT_LISTENERS)):
        events += listener(events)
    rows: list[tuple[NewEvent, list[NewEvent]]] = []
    riding: list[NewEvent] = []
    for event in events:
        if (event.topic, event.owner_id, event.warehouse_id) == (STOCK, None, None) and len(riding) < PLACES - 1:
            riding.append(event)
        else:
            rows.append((event, riding))
            riding = []
    if riding:
        rows.append((riding.pop(), riding))
    now, acting = utc_text(), By.now()
    insert_later(
        Event._meta.db_table,
        _COLUMNS,
        [
            (
                event.type, event.topic, event.subject_id, event.owner_id, event.warehouse_id,
                by.actor_id, by.request_id, to_json(event.payload).decode(), "\n".join(map(_line, companions)), now,
            )
            for event, companions in rows
            for by in (event.by or acting,)
        ],
    )  # fmt: skip
    topics = {event.topic for event in events}
    transaction.on_commit(lambda: _announce(topics), robust=True)


def _line(event: NewEvent) -> str:
    return f"{event.type} {event.subject_id} {to_json(event.payload).decode()}"  # JSON has no bare line break


def _announce(topics: set[str]) -> None:
    """After commit: cached pages of these topics are outdated, the tailers have mail. Losing this delays, no more."""
    doorbell.ring_local()
    _renew_versions(topics, ring=True)


def outdate(*topics: str) -> None:
    """After commit no kept answer of these topics is given any more: what it shows has changed, and no fact tells it.

    For names that others show (a category's, a warehouse's). Expects the transaction that changes them.
    """
    transaction.on_commit(lambda: _renew_versions(topics, ring=False), robust=True)


def _renew_versions(topics: Iterable[str], *, ring: bool) -> None:
    announce({version_key(topic): new_version() for topic in topics}, doorbell.channel(), ring=ring)


def sequence_pending() -> int:
    """Give the next `seq` numbers to committed events that have none, oldest id first; returns how many got one.

    Safe to call from any number of processes: one holds the cursor row, the others return 0 at once (MySQL) or wait
    (SQLite, where the write lock is the row lock).
    """
    if execute("SELECT 1 FROM core_event WHERE seq IS NULL LIMIT 1").fetchone() is None:
        return 0
    alone = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    with transaction.atomic():
        held = later(f"SELECT seq FROM core_eventcursor WHERE name = %s{alone}", [SEQUENCER])  # noqa: S608  (only placeholders)
        pending = execute("SELECT id FROM core_event WHERE seq IS NULL ORDER BY id LIMIT %s", [SEQUENCE_BATCH])
        row = held.fetchone()
        if row is None and not EventCursor.objects.get_or_create(name=SEQUENCER)[1]:
            return 0  # another sequencer holds it
        ids = [found for (found,) in pending.fetchall()]
        seq = int(row[0]) if row else 0
        for first, last in _runs(ids):
            # A run has no gap, so the range holds committed rows only and the update waits for nobody.
            later("UPDATE core_event SET seq = id + %s WHERE id BETWEEN %s AND %s", [seq + 1 - first, first, last])
            seq += last - first + 1
        later("UPDATE core_eventcursor SET seq = %s, updated_at = %s WHERE name = %s", [seq, utc_text(), SEQUENCER])
    if ids:
        # Once more, in case the writer died between its commit and its own announcement.
        _renew_versions((STOCK, ORDERS, CATALOG), ring=False)
    return len(ids)


def _runs(ids: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Consecutive ids as (first, last) pairs: [4,5,6,9] → (4,6), (9,9)."""
    start = previous = None
    for number in ids:
        if previous is not None and number == previous + 1:
            previous = number
            continue
        if start is not None and previous is not None:
            yield start, previous
        start = previous = number
    if start is not None and previous is not None:
        yield start, previous


def end_of(seq: int) -> int:
    """The cursor of whoever has heard everything up to `seq`."""
    return seq * PLACES + PLACES - 1 if seq else 0


def head() -> int:
    """The cursor of the newest fact there is."""
    return end_of(_cursor_row(SEQUENCER))


def forgotten() -> int:
    """Some facts up to this cursor were deleted: a reader whose cursor is older has to fetch fresh state."""
    return end_of(_cursor_row(FORGOTTEN))


def _cursor_row(name: str) -> int:
    row = execute("SELECT seq FROM core_eventcursor WHERE name = %s", [name]).fetchone()
    return int(row[0]) if row else 0


def read_after(cursor: int, *, limit: int = 500) -> list[Fact]:
    """The facts that follow `cursor` in the stream, in order, from at most `limit` rows."""
    rows = execute(
        "SELECT seq, id, type, topic, subject_id, owner_id, warehouse_id, payload, created_at, companions"
        " FROM core_event WHERE seq >= %s ORDER BY seq LIMIT %s",
        [(cursor + 1) // PLACES, limit],
    ).fetchall()
    return [fact for row in rows for fact in _facts(row) if fact.cursor > cursor]


def _facts(row: Sequence[Any]) -> Iterable[Fact]:
    first, event_id, at = row[0] * PLACES, row[1], as_utc(row[8]) or timezone.now()
    for place, line in enumerate(row[9].split("\n") if row[9] else ()):
        kind, subject, payload = line.split(" ", 2)
        yield Fact(first + place, event_id, kind, STOCK, int(subject), None, None, payload, at)
    yield Fact(end_of(row[0]), event_id, row[2], row[3], row[4], row[5], row[6], row[7], at)


def forget_before(moment: datetime, *, up_to: int | None = None, batch: int = 2000) -> int:
    """Delete facts older than `moment` in small steps; returns how many rows were touched.

    An order's own facts are its time-line and stay, without the stock facts beside them. `up_to` is the last `seq` that
    may go: what a follower has not taken yet is kept for it, however old it is.
    """
    last = _cursor_row(SEQUENCER) if up_to is None else up_to
    touched = 0
    while True:
        with transaction.atomic():
            rows = execute(
                "SELECT id, seq, topic, companions <> '', created_at FROM core_event WHERE seq > %s AND seq <= %s"
                " ORDER BY seq LIMIT %s",
                [_cursor_row(FORGOTTEN), last, batch],
            ).fetchall()
            old = list(takewhile(lambda row: (as_utc(row[4]) or moment) < moment, rows))
            if not old:
                return touched
            EventCursor.objects.update_or_create(name=FORGOTTEN, defaults={"seq": old[-1][1]})
            gone = [row[0] for row in old if row[2] != ORDERS]
            lighter = [row[0] for row in old if row[2] == ORDERS and row[3]]
            if gone:
                Event.objects.filter(id__in=gone)._raw_delete(DEFAULT_DB_ALIAS)
            if lighter:
                execute(f"UPDATE core_event SET companions = '' WHERE id IN ({marks(len(lighter))})", lighter)  # noqa: S608  (only placeholders)
        touched += len(gone) + len(lighter)


def retention_limit() -> datetime:
    """Events before this moment may be forgotten."""
    return timezone.now() - timedelta(days=settings.WORKBOX_EVENT_RETENTION_DAYS)
