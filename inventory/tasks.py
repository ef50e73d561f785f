"""Nightly work on the stock's books."""

from functools import partial
from itertools import islice

import structlog
from celery import shared_task

from inventory.queries import stock_differences
from inventory.services.holds import expired_products, release_expired
from workbox.core.db import transact

SWEPT_MAX = 200
LOGGED_MAX = 50
log = structlog.get_logger(__name__)


@shared_task(name="inventory.verify_stock")
def verify_stock() -> int:
    """Log every kept stock number that its rows do not add up to (the first fifty); returns how many were logged."""
    found = list(islice(stock_differences(), LOGGED_MAX))
    for one in found:
        log.error("stock_differs", rule=one.rule, row=one.row, kept=str(one.kept), computed=str(one.computed))
    log.info("stock_verified", findings=len(found))
    return len(found)


@shared_task(name="inventory.release_expired_holds")
def release_expired_holds() -> int:
    """Show stock as available again whose hold is over; returns how many promises ended.

    Decisions do not wait for this: whoever finds stock short ends expired holds first.
    """
    return sum(transact(partial(release_expired, [one])) for one in expired_products(limit=SWEPT_MAX))
