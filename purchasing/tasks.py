"""Nightly work on the purchase orders' books."""

from itertools import islice

import structlog
from celery import shared_task

from purchasing.queries import purchase_differences

LOGGED_MAX = 50
log = structlog.get_logger(__name__)


@shared_task(name="purchasing.verify_purchases")
def verify_purchases() -> int:
    """Log every kept number of a purchase order that its rows do not add up to (the first fifty); returns how many."""
    found = list(islice(purchase_differences(), LOGGED_MAX))
    for one in found:
        log.error("purchase_order_differs", rule=one.rule, row=one.row, kept=str(one.kept), computed=str(one.computed))
    log.info("purchases_verified", findings=len(found))
    return len(found)
