"""How tailers learn that there is news: a bell in this process, and one Redis channel between processes.

The bell carries nothing. A lost ring delays a frame until the next poll (one second); it never loses one.
Measured against Channels' `group_send`: see docs/decisions/0002.
"""

import selectors
import threading
import time
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.connection import parse_url

from workbox.core.cache import own_connection, redis_client, redis_failed

SLICE_SECONDS = 0.2

_local = threading.Condition()
_rings = 0


def channel() -> str:
    """The Redis channel of this installation, named after its database: the databases of a server share channels."""
    return _channel_of(settings.REDIS_URL)


@lru_cache(maxsize=8)
def _channel_of(url: str) -> str:
    return f"wb:bell:{parse_url(url).get('db', 0) if url else 0}"


def ring_local() -> None:
    """Wake every tailer of this process."""
    global _rings  # noqa: PLW0603  (one for the process)
    with _local:
        _rings += 1
        _local.notify_all()


class Bell:
    """One listener's ear. `wait` returns early when the bell rang; it must be used from one thread."""

    def __init__(self) -> None:
        self._heard = _rings
        self._wire: Any = None
        self._silenced = False

    def wait(self, seconds: float) -> bool:
        """Block up to `seconds`; True when there was a ring."""
        if settings.REDIS_URL and self._connect():
            return self._wait_redis(seconds)
        with _local:
            rang = _local.wait_for(lambda: _rings != self._heard, seconds)
            self._heard = _rings
        return rang

    def silence(self) -> None:
        """End a running `wait` soon; called from another thread when the listener stops."""
        self._silenced = True
        ring_local()

    def close(self) -> None:
        """Give the subscription back."""
        if self._wire is not None:
            self._wire.disconnect()
            self._wire = None

    def _connect(self) -> bool:
        if self._wire is not None:
            return True
        client = redis_client()
        if client is None:
            return False
        wire = own_connection(client)
        try:
            wire.connect()
            wire.send_command("SUBSCRIBE", channel())
        except redis.RedisError:
            redis_failed()
            return False
        self._wire = wire
        return True

    def _wait_redis(self, seconds: float) -> bool:
        # Any byte is a ring and many rings are one: they are drained unread, for a busy shop rings hundreds of times a
        # second and the client library takes each message apart.
        ear = self._wire._sock  # noqa: SLF001  (the library has no public way to its socket)
        deadline = time.monotonic() + seconds
        try:
            # Not select(): it knows no file descriptor above 1023, and a server has thousands of sockets.
            with selectors.DefaultSelector() as ears:
                ears.register(ear, selectors.EVENT_READ)
                while (left := deadline - time.monotonic()) > 0 and not self._silenced:
                    if ears.select(min(left, SLICE_SECONDS)):
                        if ear.recv(65536):
                            return True
                        raise redis.ConnectionError("Redis closed the connection")
        except (redis.RedisError, OSError):
            self.close()
            redis_failed()
        return False
