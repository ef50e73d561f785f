"""Nightly work on the stock's books."""

from itertools import islice

import structlog
from celery import shared_task

from inventory.queries import stock_differences

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
