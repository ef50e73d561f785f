"""Redis as a convenience: one client, a circuit breaker, and the catalogue's version counters.

Nothing here decides anything: when Redis is away every caller falls back to the database.
"""

import threading
import time

import redis
from django.conf import settings

RETRY_AFTER_SECONDS = 1.0
TIMEOUT_SECONDS = 0.25

_lock = threading.Lock()
_client: redis.Redis | None = None
_down_until = 0.0


def redis_client() -> redis.Redis | None:
    """The process's Redis client, or None when none is configured or it failed less than a second ago."""
    global _client  # noqa: PLW0603  (one client per process)
    if not settings.REDIS_URL or time.monotonic() < _down_until:
        return None
    if _client is None:
        with _lock:
            if _client is None:
                _client = redis.Redis.from_url(
                    settings.REDIS_URL,
                    socket_timeout=TIMEOUT_SECONDS,
                    socket_connect_timeout=TIMEOUT_SECONDS,
                    retry=None,
                    max_connections=64,
                )
    return _client


def redis_failed() -> None:
    """Remember that Redis did not answer, so that the next second of requests does not wait for it."""
    global _down_until  # noqa: PLW0603
    _down_until = time.monotonic() + RETRY_AFTER_SECONDS


def version_key(topic: str) -> str:
    """The Redis counter that goes up whenever an event of `topic` was committed."""
    return f"wb:version:{topic}"
