"""The event log: the one place that announces what became true.

`append` writes facts inside the caller's transaction; nothing is sent before it commits. A *sequencer* (whichever
reader comes first, under one row lock) then gives committed events their gapless `seq`. Ids cannot serve as the order:
MySQL hands them out before commit, so a reader that follows ids loses events; one that follows `seq` cannot.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from workbox.core import context, doorbell
from workbox.core.cache import announce, new_version, version_key
from workbox.core.db import as_utc, insert_rows, utc_text
from workbox.core.models import Event, EventCursor
from workbox.core.numbers import to_json

STOCK, ORDERS, CATALOG, ACCESS = "stock", "orders", "catalog", "access"
SEQUENCER = "sequencer"
FORGOTTEN = "forgotten"
SEQUENCE_BATCH = 1000
_COLUMNS = (
    "type", "topic", "subject_id", "owner_id", "warehouse_id", "actor_id", "request_id", "payload", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact about to be written: `payload` holds absolute values, never deltas, under the keys its frame shows."""

    type: str
    topic: str
    subject_id: int
    payload: dict[str, Any] = field(default_factory=dict)
    owner_id: int | None = None
    warehouse_id: int | None = None


@dataclass(frozen=True, slots=True)
class SequencedEvent:
    """One row of the stream as a reader gets it."""

    seq: int
    id: int
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
            f'{{"type":"{self.type}",{own}{"," if own else ""}"cursor":{self.seq},"event_id":{self.id},'
            f'"at":"{self.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"}}'
        )


@cache
def _listeners(paths: tuple[str, ...]) -> list[Callable[[Sequence[NewEvent]], None]]:
    return [import_string(path) for path in paths]


def append(events: Iterable[NewEvent]) -> None:
    """Write facts to the log as the transaction's last rows; after commit readers are told that there is news.

    Expects a running transaction and that every row the facts speak of is already locked by it. Listeners named in
    `WORKBOX_EVENT_LISTENERS` run here, inside the transaction.
    """
    events = list(events)
    if not events:
        return
    now, actor, request = utc_text(), context.actor_id.get(), context.request_id.get()
    insert_rows(
        Event._meta.db_table,
        _COLUMNS,
        [
            (
                event.type, event.topic, event.subject_id, event.owner_id, event.warehouse_id, actor, request,
                to_json(event.payload).decode(), now,
            )
            for event in events
        ],
    )  # fmt: skip
    for listener in _listeners(tuple(settings.WORKBOX_EVENT_LISTENERS)):
        listener(events)
    topics = {event.topic for event in events}
    transaction.on_commit(lambda: _announce(topics), robust=True)


def _announce(topics: set[str]) -> None:
    """After commit: cached pages of these topics are outdated, the tailers have mail. Losing this delays, no more."""
    doorbell.ring_local()
    _renew_versions(topics, ring=True)


def _renew_versions(topics: Iterable[str], *, ring: bool) -> None:
    announce({version_key(topic): new_version() for topic in topics}, doorbell.CHANNEL, ring=ring)


def sequence_pending() -> int:
    """Give the next `seq` numbers to committed events that have none, oldest id first; returns how many got one.

    Safe to call from any number of processes: one holds the cursor row, the others return 0 at once (MySQL) or wait
    (SQLite, where the write lock is the row lock).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM core_event WHERE seq IS NULL LIMIT 1")
        if cursor.fetchone() is None:
            return 0
    with transaction.atomic():
        row = EventCursor.objects.select_for_update(skip_locked=True).filter(name=SEQUENCER).first()
        if row is None:
            row, is_first = EventCursor.objects.get_or_create(name=SEQUENCER)
            if not is_first:
                return 0  # another sequencer holds it
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM core_event WHERE seq IS NULL ORDER BY id LIMIT %s", [SEQUENCE_BATCH])
            ids = [found for (found,) in cursor.fetchall()]
            seq = row.seq
            for first, last in _runs(ids):
                # A run has no gap, so the range holds committed rows only and the update waits for nobody.
                cursor.execute(
                    "UPDATE core_event SET seq = id + %s WHERE id BETWEEN %s AND %s", [seq + 1 - first, first, last]
                )
                seq += last - first + 1
            cursor.execute(
                "UPDATE core_eventcursor SET seq = %s, updated_at = %s WHERE name = %s", [seq, utc_text(), SEQUENCER]
            )
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


def head() -> int:
    """The newest `seq` there is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM core_eventcursor WHERE name = %s", [SEQUENCER])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def forgotten() -> int:
    """Some events up to this `seq` were deleted: a reader whose cursor is older has to fetch fresh state."""
    row = EventCursor.objects.filter(name=FORGOTTEN).values_list("seq", flat=True).first()
    return row or 0


def read_after(seq: int, *, limit: int = 500) -> list[SequencedEvent]:
    """The events that follow `seq` in the stream, in order, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq, id, type, topic, subject_id, owner_id, warehouse_id, payload, created_at FROM core_event"
            " WHERE seq > %s ORDER BY seq LIMIT %s",
            [seq, limit],
        )
        return [
            SequencedEvent(
                row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], as_utc(row[8]) or timezone.now()
            )
            for row in cursor.fetchall()
        ]


def forget_before(moment: datetime, *, batch: int = 2000) -> int:
    """Delete stock and catalogue events older than `moment` in small steps.

    An order's events are its time-line and stay.
    """
    deleted = 0
    while True:
        with transaction.atomic():
            rows = list(
                Event.objects.filter(created_at__lt=moment, seq__gt=forgotten())
                .exclude(topic=ORDERS)
                .order_by("seq")
                .values_list("id", "seq")[:batch]
            )
            if not rows:
                return deleted
            EventCursor.objects.update_or_create(name=FORGOTTEN, defaults={"seq": rows[-1][1]})
            Event.objects.filter(id__in=[row[0] for row in rows])._raw_delete(DEFAULT_DB_ALIAS)
        deleted += len(rows)


def retention_limit() -> datetime:
    """Events before this moment may be forgotten."""
    return timezone.now() - timedelta(days=settings.WORKBOX_EVENT_RETENTION_DAYS)
