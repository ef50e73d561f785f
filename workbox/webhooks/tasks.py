"""Webhooks in the background."""

from celery import shared_task

from workbox.webhooks import services


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> int:
    """Try what is due, batch after batch; returns how many deliveries were tried."""
    tried = 0
    while found := services.deliver_due():
        tried += found
        if found < services.DUE_MAX:
            break
    return tried


@shared_task(name="webhooks.housekeeping")
def housekeeping() -> int:
    """Forget old deliveries; returns how many."""
    return services.forget_old()
