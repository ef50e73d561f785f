"""What a story is made of: entries from many tables, joined into steps by the request that made them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STOCK, ORDERS, ALERTS, CHANGES, ACCESS, LOGINS = "stock", "orders", "alerts", "changes", "access", "logins"
# What tells a step, in this order; BACKGROUND is told only where nothing else is.
ORDER_STEP, OPERATION, CHANGE, ALERT, LINE, BACKGROUND = range(6)
# A request is over by then; a client that sends one request id for everything gets no endless step.
_TOGETHER = timedelta(seconds=60)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `about` is what it happened to (type, id), `own` joins it where there is no request."""

    at: datetime
    kind: str
    rank: int
    text: str
    own: str
    request_id: str = ""
    actor_id: int | None = None
    about: tuple[str, int] | None = None
    before: str = ""
    after: str = ""
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one request did: the entry that tells it first."""

    entries: tuple[Entry, ...]

    @property
    def lead(self) -> Entry:
        """The entry that names the step."""
        return self.entries[0]


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a story is read: at most `limit` entries of each kind, none younger than `until`."""

    subject_id: int
    until: datetime
    limit: int


def joined(entries: Iterable[Entry]) -> list[Step]:
    """The entries as steps, newest first."""
    groups: list[list[Entry]] = []
    latest: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: one.at, reverse=True):
        key = entry.request_id or entry.own
        group = latest.get(key)
        if group is None or group[0].at - entry.at > _TOGETHER:
            group = latest[key] = []
            groups.append(group)
        group.append(entry)
    return [Step(_told(group)) for group in groups]


def _told(group: list[Entry]) -> tuple[Entry, ...]:
    """By rank, the background left out where something else is told."""
    found = sorted(group, key=lambda one: one.rank)
    told = [one for one in found if one.rank != BACKGROUND]
    return tuple(told or found[:1])


def cut(sources: Iterable[list[Entry]], limit: int) -> tuple[list[Entry], datetime | None]:
    """The entries that are complete down to some moment, and the moment the next part begins with (None: no more).

    A source that gave `limit` entries may have more as old as its last one: those are left to the next part, unless
    nothing would be left of this one.
    """
    sources = list(sources)
    everything = [entry for source in sources for entry in source]
    full = [min(entry.at for entry in source) for source in sources if len(source) >= limit]
    if not full:
        return everything, None
    horizon = max(full)
    younger = [entry for entry in everything if entry.at > horizon]
    if younger:
        return younger, horizon
    return [entry for entry in everything if entry.at == horizon], horizon - timedelta(microseconds=1)


def cursor_of(moment: datetime) -> str:
    """The moment as a link carries it: microseconds."""
    return str((moment - _EPOCH) // timedelta(microseconds=1))


def moment_of(cursor: str) -> datetime:
    """The moment of a link; what is no cursor is the newest part."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(cursor_of(NOW))):
        return NOW
    return min(_EPOCH + timedelta(microseconds=int(cursor)), NOW)
