"""Followers: readers of the event log with a cursor of their own, outside the writers' transactions.

What may lag behind the facts by a second (daily figures, webhooks) is kept by a follower. It gets every fact at least
once and in order; the cursor moves in the same transaction as what the follower writes, so its rows never disagree
with its place. Any process may call `follow_all`: one at a time does the work of a follower, the others pass by.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.module_loading import import_string

from workbox.core import events
from workbox.core.db import execute, is_contention, is_lost_connection, utc_text
from workbox.core.models import EventCursor
from workbox.core.supervised import survive

log = structlog.get_logger(__name__)

BATCH_ROWS = 500
ROUNDS_MAX = 20  # one call moves a follower at most this many batches, so that it can be stopped and others get on
POLL_SECONDS = 1.0
REST_FACTOR = 30  # a round that took long is followed by a rest this many times as long: at most 3 % of a core
REST_SECONDS_MAX = 60.0
FAULT_PAUSE_SECONDS = 10.0
_paused: dict[str, float] = {}  # followers that broke in this process, and until when they are left alone


@dataclass(frozen=True, slots=True)
class Follower:
    """`take` gets facts in order inside the transaction that moves the cursor; it must bear to get a fact twice.

    `name` is its row among the cursors. A follower without a row begins at the head of the log.
    """

    name: str
    take: Callable[[Sequence[events.Fact]], None]


@cache
def _followers(paths: tuple[str, ...]) -> tuple[Follower, ...]:
    return tuple(import_string(path) for path in paths)


def registered() -> tuple[Follower, ...]:
    """The followers that `WORKBOX_FOLLOWERS` names."""
    return _followers(tuple(settings.WORKBOX_FOLLOWERS))


def follow(follower: Follower) -> int:
    """Hand the follower what it has not seen, a batch per transaction; returns how many facts it took."""
    taken = 0
    for _ in range(ROUNDS_MAX):
        facts = _round(follower)
        taken += facts
        if not facts:
            break
    return taken


def follow_all() -> int:
    """`follow` for every registered follower, after giving committed events their place; returns the facts taken.

    One that breaks is told of as an error and left alone for a while; those after it get their turn all the same.
    """
    while events.sequence_pending() == events.SEQUENCE_BATCH:
        pass
    return sum(_follow_or_pause(one) for one in registered())


def _follow_or_pause(follower: Follower) -> int:
    if _paused.get(follower.name, 0.0) > time.monotonic():
        return 0
    taken = survive(f"follower {follower.name}", lambda: follow(follower), fatal=_is_passing)
    if taken is None:
        _paused[follower.name] = time.monotonic() + FAULT_PAUSE_SECONDS
    return taken or 0


def _is_passing(error: BaseException) -> bool:
    """Trouble of the database's, and no fault of the follower's."""
    return is_lost_connection(error) or is_contention(error)


def slowest() -> int | None:
    """The `seq` up to which every registered follower has come; None when none has begun."""
    places = [place for one in registered() if (place := _place(one.name)) is not None]
    return min(places, default=None)


def lag(follower: Follower) -> int:
    """How many event rows of the log the follower has not taken yet."""
    return events.head() // events.PLACES - (_place(follower.name) or 0)


def _place(name: str) -> int | None:
    row = execute("SELECT seq FROM core_eventcursor WHERE name = %s", [name]).fetchone()
    return int(row[0]) if row else None


def _round(follower: Follower) -> int:
    place = _place(follower.name)
    if place is None:
        head = events.head() // events.PLACES
        EventCursor.objects.get_or_create(name=follower.name, defaults={"seq": head})
        return 0
    if not events.read_after(events.end_of(place), limit=1):
        return 0  # without a lock: most rounds find nothing
    alone = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    with transaction.atomic():
        row = execute(f"SELECT seq FROM core_eventcursor WHERE name = %s{alone}", [follower.name]).fetchone()  # noqa: S608  (only placeholders)
        if row is None:
            return 0  # another process does it
        facts = events.read_after(events.end_of(int(row[0])), limit=BATCH_ROWS)
        if facts:
            follower.take(facts)
            execute(
                "UPDATE core_eventcursor SET seq = %s, updated_at = %s WHERE name = %s",
                [facts[-1].cursor // events.PLACES, utc_text(), follower.name],
            )
    return len(facts)


class FollowerThread(threading.Thread):
    """Keeps this process's turn at the followers; a thread of its own with one database connection."""

    def __init__(self) -> None:
        super().__init__(name="workbox-followers", daemon=True)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            survive("followers", self._turn)
            rest = (time.monotonic() - began) * REST_FACTOR
            self._stopping.wait(min(max(rest, POLL_SECONDS), REST_SECONDS_MAX))
        connection.close()

    @staticmethod
    def _turn() -> None:
        try:
            follow_all()
        except (DatabaseError, InterfaceError) as error:
            log.warning("followers_wait_for_database", error=str(error))
            connection.close()

    def stop(self) -> None:
        """End after the current round."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=5)
