"""Webhooks in the background."""

from celery import shared_task

from workbox.webhooks import services


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> int:
    """Try what is due; returns how many deliveries were tried."""
    return services.deliver_due()


@shared_task(name="webhooks.housekeeping")
def housekeeping() -> int:
    """Forget old deliveries; returns how many."""
    return services.forget_old()
