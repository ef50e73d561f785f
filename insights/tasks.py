"""Nightly work on the figures, and the checks for alerts."""

from itertools import islice

import structlog
from celery import shared_task

from insights import alert_mail, sales, watch

LOGGED_MAX = 50
log = structlog.get_logger(__name__)


@shared_task(name="insights.verify_rollup")
def verify_rollup() -> int:
    """Build the daily figures if they never were, log rows that orders do not bear out (the first fifty): how many."""
    sales.catch_up()
    found = list(islice(sales.drifts(), LOGGED_MAX))
    for one in found:
        log.error("rollup_differs", day=str(one.day), what=one.what, kept=one.kept, computed=one.computed)
    log.info("rollup_verified", findings=len(found))
    return len(found)


@shared_task(name="insights.check_alerts")
def check_alerts() -> dict[str, int]:
    """Raise what is wrong now and has no alert yet: low stock, predicted depletion, unusual activity."""
    told = watch.check()
    log.info("alerts_checked", **told)
    return told


@shared_task(name="insights.auto_resolve_alerts")
def auto_resolve_alerts() -> int:
    """Resolve open alerts whose reason no longer holds; returns how many."""
    ended = watch.auto_resolve()
    log.info("alerts_auto_resolved", ended=ended)
    return ended


@shared_task(name="insights.mail_alerts")
def mail_alerts() -> int:
    """Mail the recipients what they have not been told of; returns how many mails went out."""
    return alert_mail.send_digest()
