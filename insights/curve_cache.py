"""Curves kept in Redis for an hour, a hash per product; a training makes all of them outdated at once.

Only the curve is kept, never what follows from stock. Without Redis nothing is kept, and nothing is missing.
"""

from typing import Any

import orjson
import redis

from workbox.core.cache import new_version, redis_client, redis_failed, version_key

KEPT_SECONDS = 3600
TOPIC = "forecasts"


def get(product_id: int, places: str) -> tuple[str, dict[str, Any] | None]:
    """Where the product's curves are kept (for `put`), and the one kept for these places, if any.

    The address carries the version of the moment: what is read from an older run later is not found under a newer one.
    """
    client = redis_client()
    if client is None:
        return "", None
    try:
        key = _key(client, product_id)
        raw: Any = client.hget(key, places)
    except redis.RedisError:
        redis_failed()
        return "", None
    return key, None if raw is None else orjson.loads(raw)


def put(key: str, places: str, body: dict[str, Any]) -> None:
    """Keep it there for an hour."""
    client = redis_client()
    if client is None or not key:
        return
    try:
        pipe = client.pipeline(transaction=False)
        pipe.hset(key, places, orjson.dumps(body).decode())
        pipe.expire(key, KEPT_SECONDS)
        pipe.execute()
    except redis.RedisError:
        redis_failed()


def forget(product_id: int) -> None:
    """What is kept of the product is gone."""
    client = redis_client()
    if client is not None:
        try:
            client.delete(_key(client, product_id))
        except redis.RedisError:
            redis_failed()


def forget_all() -> None:
    """What is kept of any product is outdated."""
    client = redis_client()
    if client is not None:
        try:
            client.set(version_key(TOPIC), new_version())
        except redis.RedisError:
            redis_failed()


def _key(client: redis.Redis, product_id: int) -> str:
    version: Any = client.get(version_key(TOPIC))
    return f"wb:forecast:{version.decode() if isinstance(version, bytes) else '0'}:{product_id}"
