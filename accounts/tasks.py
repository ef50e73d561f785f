"""Nightly work on the accounts."""

import structlog
from celery import shared_task

from accounts import tokens

log = structlog.get_logger(__name__)


@shared_task(name="accounts.housekeeping")
def housekeeping() -> int:
    """Remove refresh tokens that have expired; returns how many."""
    removed = tokens.purge_expired()
    log.info("accounts_housekeeping", expired_tokens=removed)
    return removed
