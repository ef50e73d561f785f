"""Transactions that survive contention, and the few lines of SQL dialect the hot path needs.

Every write enters through `transact`. It retries at the outermost level only: a deadlock swallowed inside a block would
commit half of it (docs/architecture.md).
"""

import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connection, connections, transaction

from workbox.core.errors import Busy

T = TypeVar("T")
log = structlog.get_logger(__name__)

TRIES_MAX = 5
RETRY_SECONDS_MAX = 2.0
BACKOFF_SECONDS = 0.005
ROWS_PER_INSERT = 1000
# Deadlock, lock wait timeout, record changed since last read, Galera node not ready: nothing was committed.
CONTENTION_CODES = frozenset({1213, 1205, 1020, 1047})
# Server gone, connection lost, server shutting down, connection refused: safe to repeat only before COMMIT was sent.
CONNECTION_CODES = frozenset({2006, 2013, 1053, 1927, 2002, 2003, 1152, 4031})


_inside: ContextVar[bool] = ContextVar("workbox_inside_transaction", default=False)
_attempt: ContextVar[int] = ContextVar("workbox_transaction_attempt", default=1)


class TryAgain(Exception):
    """Raised inside a transaction: what it read has moved; run the whole block again on fresh numbers."""


class CommitUnknown(Busy):
    """The connection broke while COMMIT was under way: the work may or may not be done; the idempotency key tells."""

    code = "commit_unknown"


def error_code(error: BaseException) -> int:
    """The server's error number of a database error, 0 when it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def is_contention(error: BaseException) -> bool:
    """True when the database gave way to somebody else and the same work may be tried again."""
    return (
        error_code(error) in CONTENTION_CODES or "database is locked" in str(error) or "table is locked" in str(error)
    )


def is_lost_connection(error: BaseException) -> bool:
    """True when the database went away under us."""
    return error_code(error) in CONNECTION_CODES or isinstance(error, InterfaceError)


def transact(work: Callable[[], T]) -> T:
    """Run `work` in one transaction and return its result; inside another `transact` just run it.

    Deadlocks, lock timeouts, lost connections (before COMMIT) and `TryAgain` are retried with jitter, at most
    TRIES_MAX times or RETRY_SECONDS_MAX, then `Busy` is raised. `work` must be repeatable: no effect outside the
    database. Inside a transaction that somebody else opened (an admin page) it is a savepoint: a refusal leaves nothing
    behind, but a deadlock took the whole outer transaction and is raised as it is.
    """
    if _inside.get():
        return work()
    inside = _inside.set(True)
    try:
        return _with_retries(work, in_foreign_block=connection.in_atomic_block)
    finally:
        _inside.reset(inside)
        _attempt.set(1)


def _with_retries(work: Callable[[], T], *, in_foreign_block: bool) -> T:
    deadline = time.monotonic() + RETRY_SECONDS_MAX
    for attempt in range(1, TRIES_MAX + 1):
        _attempt.set(attempt)
        committing = False
        try:
            with transaction.atomic():
                result = work()
                committing = True
            return result
        except TryAgain as error:
            reason: Exception = error
            if attempt == 1:
                continue  # the second look decides; no need to wait for anybody
        except (OperationalError, InterfaceError) as error:
            lost = is_lost_connection(error)
            if in_foreign_block or not (lost or is_contention(error)):
                raise
            if lost:
                with contextlib.suppress(Error):  # it may be gone so far that it cannot even be closed
                    connection.close()
                if committing:
                    raise CommitUnknown(
                        "The database went away while the change was being committed. "
                        "Send the same request with the same Idempotency-Key again to learn what became of it."
                    ) from error
            reason = error
        if attempt == TRIES_MAX or (attempt > 1 and time.monotonic() > deadline):
            break  # one lock wait alone may outlast the deadline; everybody gets a second try
        time.sleep(random.uniform(0.2, 1.0) * BACKOFF_SECONDS * 2**attempt)  # noqa: S311  (jitter, not a secret)
    log.warning("transaction_gave_up", tries=attempt, reason=str(reason))
    raise Busy("The database is busy right now; please send the same request again.") from reason


def retrying() -> bool:
    """True inside a `transact` block that runs for the second time or later: decide with more care."""
    return _attempt.get() > 1


def transactional(function: Callable[..., T]) -> Callable[..., T]:
    """Decorator: the whole function is one `transact` block."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        return transact(lambda: function(*args, **kwargs))

    return wrapper


def after_commit(work: Callable[[], object]) -> None:
    """Run `work` once the transaction has committed (at once when there is none); what it raises is only logged.

    For telling a worker that there is something to do: never for what must happen.
    """
    transaction.on_commit(work, robust=True)


def in_parts(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The rows in runs of at most `size`: one statement has room for so many."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def utc_text(moment: datetime | None = None) -> str:
    """A moment as both SQLite and MySQL store it: naive UTC with microseconds."""
    found = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return found.replace(tzinfo=None).isoformat(" ", "microseconds")


def as_utc(value: datetime | str | None) -> datetime | None:
    """A stored moment as a driver hands it over (SQLite: text, MySQL: naive datetime), as an aware UTC datetime."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def marks(count: int) -> str:
    """`%s,%s,…` for an IN list of `count` values."""
    return ",".join(["%s"] * count)


_here = threading.local()


def _connection() -> Any:
    """This thread's connection itself: Django's proxy and its look-up cost as much as a small statement's Python."""
    try:
        return _here.found
    except AttributeError:
        _here.found = connections[DEFAULT_DB_ALIAS]
        return _here.found


def execute(sql: str, values: Sequence[Any] = ()) -> Any:
    """Run one statement of the hot path; the result has `fetchall`, `fetchone`, `rowcount` and `lastrowid`.

    On MySQL it goes straight to the wire (`workbox.core.mysql`), which halves what a statement costs in Python.
    """
    return _execute(_connection(), sql, values)


def later(sql: str, values: Sequence[Any] = ()) -> Any:
    """Like `execute`, for a statement whose answer nobody needs yet; it may travel with the next one, or with COMMIT.

    Its result is filled in, and its errors are raised, by then; `flush` sends it now.
    """
    found = _connection()
    if found.vendor == "mysql" and not found.queries_logged and not found.execute_wrappers:
        return found.later(sql, values)
    return _execute(found, sql, values)


def flush() -> None:
    """What `later` kept back has happened."""
    found = _connection()
    if found.vendor == "mysql":
        found.flush()


def _execute(found: Any, sql: str, values: Sequence[Any]) -> Any:
    """One statement; a value that is itself a result of `later` stands for the id that its INSERT gave out."""
    if found.vendor == "mysql" and not found.queries_logged and not found.execute_wrappers:
        return found.direct(sql, values)
    cursor = found.cursor()
    cursor.execute(sql, [getattr(value, "lastrowid", value) for value in values])
    return cursor


def insert_later(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """One multi-row INSERT whose ids nobody needs, by `later`."""
    return later(_insert(table, columns, len(rows)), [value for row in rows for value in row])


def _insert(table: str, columns: Sequence[str], count: int) -> str:
    one = f"({marks(len(columns))})"
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([one] * count)}"  # noqa: S608  (our names)


def insert_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[int]:
    """One multi-row INSERT (beyond ROWS_PER_INSERT rows several); returns the new ids in row order.

    InnoDB gives the rows of one plain INSERT consecutive auto-increment values and reports the first; SQLite has one
    writer and reports the last.
    """
    found = _connection()
    rows = list(rows)
    if len(rows) > ROWS_PER_INSERT:
        parts = (rows[start : start + ROWS_PER_INSERT] for start in range(0, len(rows), ROWS_PER_INSERT))
        return [one for part in parts for one in insert_rows(table, columns, part)]
    values = [value for row in rows for value in row]
    return ids_of(_execute(found, _insert(table, columns, len(rows)), values), len(rows))


def ids_of(inserted: Any, count: int) -> list[int]:
    """The ids that one plain INSERT of so many rows gave out, in row order, from its result (of `later`: once sent)."""
    found, reported = _connection(), int(inserted.lastrowid or 0)
    if found.vendor == "sqlite":
        return list(range(reported - count + 1, reported + 1))
    step = _auto_increment_step(found)
    return [reported + index * step for index in range(count)]


def insert_parents(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """One multi-row INSERT whose ids the next INSERT refers to: the ids, or for one row what stands for its id.

    A single row waits for its children, which then take its id from the server in the same packet (`later`).
    """
    return [insert_later(table, columns, rows)] if len(rows) == 1 else [*insert_rows(table, columns, rows)]


def _auto_increment_step(found: Any) -> int:
    """`@@auto_increment_increment` of this connection (1, or the number of nodes of a Galera cluster), read once."""
    wire = found.connection
    step: int | None = getattr(wire, "workbox_id_step", None)
    if step is None:
        step = wire.workbox_id_step = int(_execute(found, "SELECT @@auto_increment_increment", ()).fetchone()[0])
    return step


def is_mysql(using: str = DEFAULT_DB_ALIAS) -> bool:
    """True on MySQL and MariaDB."""
    found = _connection() if using == DEFAULT_DB_ALIAS else connections[using]
    return bool(found.vendor == "mysql")
