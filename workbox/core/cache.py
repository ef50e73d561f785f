"""Redis as a convenience: one client, a circuit breaker, and answers kept as bytes until a topic's version changes.

Nothing here decides anything: when Redis is away every caller falls back to the database.
"""

import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import hiredis
import redis
from django.conf import settings

RETRY_AFTER_SECONDS = 1.0
TIMEOUT_SECONDS = 0.25

_lock = threading.Lock()
_clients: dict[str, redis.Redis] = {}
_down_until = 0.0


def redis_client() -> redis.Redis | None:
    """The process's Redis client, or None when none is configured or it failed less than a second ago."""
    url = settings.REDIS_URL
    if not url or time.monotonic() < _down_until:
        return None
    found = _clients.get(url)
    if found is None:
        with _lock:
            found = _clients.setdefault(
                url,
                redis.Redis.from_url(
                    url,
                    socket_timeout=TIMEOUT_SECONDS,
                    socket_connect_timeout=TIMEOUT_SECONDS,
                    retry=None,
                    max_connections=64,
                ),
            )
    return found


def redis_failed() -> None:
    """Remember that Redis did not answer, so that the next second of requests does not wait for it."""
    global _down_until  # noqa: PLW0603  (one for the process)
    _down_until = time.monotonic() + RETRY_AFTER_SECONDS


def read_many(keys: Sequence[str]) -> list[bytes | None] | None:
    """The values of these keys in one round trip, or None when there is no Redis to ask."""
    found = _converse([("MGET", *keys)])
    return None if found is None else found[0]


def announce(values: Mapping[str, str], channel: str, *, ring: bool) -> None:
    """Set these keys and, with `ring`, publish on the channel, in one round trip; a Redis that is away is let be."""
    commands: list[tuple[str, ...]] = [("MSET", *[part for pair in values.items() for part in pair])]
    if ring:
        commands.append(("PUBLISH", channel, "1"))
    _converse(commands)


class _Own(threading.local):
    """This thread's own connection, and the process and server it belongs to."""

    wire: Any = None
    place: tuple[int, str] | None = None


_own = _Own()


def _converse(commands: Sequence[tuple[str, ...]]) -> list[Any] | None:
    """The answers to these commands (each safe to repeat) in one round trip; None when there is no Redis to ask.

    On the path of every request: it keeps one connection per thread, without the pool's and the client's ceremony. One
    that Redis closed meanwhile is opened once more.
    """
    client = redis_client()
    if client is None:
        return None
    place = (os.getpid(), settings.REDIS_URL)
    is_fresh = _own.place != place
    if is_fresh:
        _own.wire, _own.place = own_connection(client), place
    wire = _own.wire
    try:
        try:
            return _ask(wire, commands)
        except redis.ConnectionError:
            wire.disconnect()
            if is_fresh:
                raise
            return _ask(wire, commands)
    except redis.RedisError:
        wire.disconnect()  # answers still under way belong to nobody
        redis_failed()
        return None


def own_connection(client: redis.Redis) -> Any:
    """A connection like the client's, outside its pool: whoever asked for it keeps and closes it."""
    pool = client.connection_pool
    return pool.connection_class(**pool.connection_kwargs)


def _ask(wire: Any, commands: Sequence[tuple[str, ...]]) -> list[Any]:
    if wire._sock is None:  # noqa: SLF001  (connecting, logging in and TLS are the library's; then it is bytes)
        wire.connect()
    ear, reader = wire._sock, hiredis.Reader()  # noqa: SLF001  (the library has no public way to its socket)
    answers: list[Any] = []
    try:
        ear.sendall(b"".join([hiredis.pack_command(cast(Any, command)) for command in commands]))
        while len(answers) < len(commands):
            answer = reader.gets()
            if answer is not False:
                answers.append(answer)
            elif heard := ear.recv(65536):
                reader.feed(heard)
            else:
                raise redis.ConnectionError("Redis closed the connection")
    except OSError as error:
        raise redis.ConnectionError(str(error)) from error
    if wrong := next((one for one in answers if isinstance(one, hiredis.ReplyError)), None):
        raise redis.ResponseError(str(wrong))
    return answers


# ---- answers kept until a version changes ----------------------------------------------------------------------------
KEPT_SECONDS = 300
KEPT_ANSWERS_MAX = 4000
KEPT_BYTES_MAX = 256 * 1024
_answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
_answers_lock = threading.Lock()


def version_key(topic: str) -> str:
    """The Redis key whose value changes whenever an event of `topic` was committed."""
    return f"wb:version:{topic}"


def new_version() -> str:
    """A value no version ever had: a counter would repeat itself after Redis lost its memory."""
    return f"{time.time_ns():x}{secrets.token_hex(4)}"


def versions(*topics: str) -> tuple[bytes, ...] | None:
    """What the topics' versions are now; None when Redis does not know them all, and nothing may be kept.

    Ask *before* reading the database: an answer kept under an older version than its facts is merely short-lived.
    """
    found = read_many([version_key(topic) for topic in topics])
    if found is None:
        return None
    missing = [topic for topic, value in zip(topics, found, strict=True) if value is None]
    if missing:
        client = redis_client()
        try:
            if client is not None:
                for topic in missing:
                    client.set(version_key(topic), new_version(), nx=True)
        except redis.RedisError:
            redis_failed()
        return None
    return tuple(value for value in found if value is not None)


def kept(key: Hashable) -> Any:
    """What `keep` stored under this key less than KEPT_SECONDS ago, else None. Versions belong into the key."""
    found = _answers.get(key)
    if found is None or found[0] < time.monotonic():
        return None
    return found[1]


def keep(key: Hashable, value: Any) -> None:
    """Remember `value` in this process; the oldest answers make room."""
    with _answers_lock:
        _answers[key] = (time.monotonic() + KEPT_SECONDS, value)
        while len(_answers) > KEPT_ANSWERS_MAX:
            _answers.popitem(last=False)
