"""How often one asker may ask: a fixed one-minute window, counted atomically in Redis, or in this process."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from workbox.core.cache import redis_client, redis_failed
from workbox.core.errors import TooManyRequests

WINDOW_SECONDS = 60
_lock = threading.Lock()
_local: dict[str, tuple[int, int]] = {}
_LOCAL_KEYS_MAX = 20_000


def client_ip(meta: Mapping[str, str]) -> str:
    """The asker's address; `TRUSTED_PROXIES` says how many entries of X-Forwarded-For our own proxies appended."""
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "")
    if proxies and forwarded:
        hops = [hop.strip() for hop in forwarded.split(",")]
        return hops[-min(proxies, len(hops))]
    return meta.get("REMOTE_ADDR", "")


def hit(scope: str, *, limit: int) -> tuple[int, int]:
    """Count one request of `scope`; returns (how many are left, seconds until the window ends).

    Raises TooManyRequests once `limit` requests were made in the running minute.
    """
    now = int(time.time())
    window, reset = now // WINDOW_SECONDS, WINDOW_SECONDS - now % WINDOW_SECONDS
    count = _count(scope, window)
    if count > limit:
        raise TooManyRequests(
            f"More than {limit} requests in a minute; try again in {reset} seconds.", retry_after_seconds=reset
        )
    return limit - count, reset


def _count(scope: str, window: int) -> int:
    client = redis_client()
    if client is not None:
        key = f"wb:throttle:{scope}:{window}"
        try:
            pipe = client.pipeline(transaction=False)
            pipe.incr(key)
            pipe.expire(key, WINDOW_SECONDS + 5)
            return int(pipe.execute()[0])
        except redis.RedisError:
            redis_failed()  # fail open to this process's own count
    with _lock:
        if len(_local) > _LOCAL_KEYS_MAX:
            _local.clear()
        seen, count = _local.get(scope, (window, 0))
        count = count + 1 if seen == window else 1
        _local[scope] = (window, count)
    return count


class RequestThrottle(BaseThrottle):
    """The general limit: per user when logged in, per address otherwise; `RateLimit` headers tell what is left."""

    def allow_request(self, request: HttpRequest, view: object) -> bool:
        if not settings.WORKBOX_THROTTLE:
            return True
        user = request.user
        if user is not None and user.is_authenticated:
            scope, limit = f"user:{user.pk}", settings.WORKBOX_THROTTLE_USER_PER_MINUTE
        else:
            scope, limit = f"ip:{client_ip(request.META)}", settings.WORKBOX_THROTTLE_ANONYMOUS_PER_MINUTE
        left, reset = hit(scope, limit=limit)
        asked: Any = getattr(request, "_request", request)  # DRF wraps Django's
        asked.rate_limit = (limit, left, reset)
        return True


class LoginThrottle(BaseThrottle):
    """Ten tries a minute per address and per account name."""

    def allow_request(self, request: HttpRequest, view: object) -> bool:
        if not settings.WORKBOX_THROTTLE:
            return True
        limit = settings.WORKBOX_THROTTLE_LOGIN_PER_MINUTE
        hit(f"login-ip:{client_ip(request.META)}", limit=limit)
        body: Any = getattr(request, "data", None)
        account = str((body.get("username") or body.get("email") or "") if hasattr(body, "get") else "").strip().lower()
        if account:
            hit(f"login-account:{account[:254]}", limit=limit)
        return True
