"""Lists and reports may be read from a replica; whoever has just written reads from the primary.

Switched on by READ_DATABASE_URL. Only ORM reads of business tables in a GET request go there: what decides anything
(plain SQL of the hot path, everything inside a transaction, tasks, commands, logins) stays on the primary.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections, models

from workbox.core import context
from workbox.core.cache import redis_client, redis_failed
from workbox.core.db import execute

REPLICA = "replica"
READ_APPS = frozenset({"inventory", "orders", "purchasing", "insights"})
_wrote: dict[int, float] = {}  # this process's own memory of who wrote, and until when they are pinned; oldest first
_remembering = threading.Lock()


class ReplicaRouter:
    """Sends a read to the replica when its request may be served from there; every write goes to the primary."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        """The replica, or None to leave the choice to Django."""
        if model._meta.app_label in READ_APPS and may_read_replica():
            return REPLICA
        return None

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        """The primary."""
        return DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        """Both hold the same rows."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """A replica gets its tables by replication."""
        return db == DEFAULT_DB_ALIAS


def is_configured() -> bool:
    """True when READ_DATABASE_URL names a replica."""
    return REPLICA in settings.DATABASES


def may_read_replica() -> bool:
    """True inside a GET request of somebody who has not written lately, outside a transaction."""
    return context.reads_may_lag.get() and not connection.in_atomic_block and not _has_written(context.actor_id.get())


@contextmanager
def only_primary() -> Iterator[None]:
    """What is read inside is as new as can be: for answers that are kept, or decided by."""
    token = context.reads_may_lag.set(False)
    try:
        yield
    finally:
        context.reads_may_lag.reset(token)


def read(sql: str, values: Sequence[Any] = ()) -> Any:
    """`db.execute` for a statement that only reads and decides nothing: it may go to the replica."""
    if not context.reads_may_lag.get() or not may_read_replica():
        return execute(sql, values)
    cursor = connections[REPLICA].cursor()
    cursor.execute(sql, values)
    return cursor


def note_write(actor_id: int | None) -> None:
    """For REPLICA_PIN_SECONDS this user's reads go to the primary, in every process (with Redis) or in this one."""
    if actor_id is None:
        return
    _remember(actor_id)
    client = redis_client()
    try:
        if client is not None:
            client.set(_key(actor_id), b"1", ex=settings.REPLICA_PIN_SECONDS)
    except redis.RedisError:
        redis_failed()


def _remember(actor_id: int) -> None:
    """Note the write; who is not pinned any more is forgotten, so that the memory is as small as the last seconds."""
    now = time.monotonic()
    with _remembering:
        _wrote.pop(actor_id, None)
        _wrote[actor_id] = now + settings.REPLICA_PIN_SECONDS
        while (oldest := next(iter(_wrote))) != actor_id and _wrote[oldest] <= now:
            del _wrote[oldest]


def _has_written(actor_id: int | None) -> bool:
    if actor_id is None:
        return False
    if _wrote.get(actor_id, 0.0) > time.monotonic():
        return True
    client = redis_client()
    try:
        return client is not None and bool(client.exists(_key(actor_id)))
    except redis.RedisError:
        redis_failed()
        return True  # who knows: the primary is always right


def _key(actor_id: int) -> str:
    return f"wb:wrote:{actor_id}"
