"""Nightly work on the ground floor: events and idempotency keys are forgotten when their time is over."""

import structlog
from celery import shared_task

from workbox.core import events, followers, idempotency

log = structlog.get_logger(__name__)


@shared_task(name="workbox.core.follow")  # type: ignore[untyped-decorator]  # Celery has no stubs
def follow() -> int:
    """Bring every follower of the event log up to date; returns how many facts they took."""
    return followers.follow_all()


@shared_task(name="workbox.core.housekeeping")  # type: ignore[untyped-decorator]  # Celery has no stubs
def housekeeping() -> dict[str, int]:
    """Forget events past their retention and keys past their 24 hours; returns how many of each."""
    removed = {
        "events": events.forget_before(events.retention_limit(), up_to=followers.slowest()),
        "idempotency_keys": idempotency.forget_old_keys(),
    }
    log.info("core_housekeeping", **removed)
    return removed
