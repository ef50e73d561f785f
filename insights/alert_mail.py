"""Service: one mail per recipient that lists every alert they have not been told of."""

from datetime import UTC, datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q

from insights.models import OPEN, Alert, AlertSettings
from workbox.core.db import transact

LISTED_MAX = 100
log = structlog.get_logger(__name__)


def send_digest() -> int:
    """Every recipient has been told of the open alerts that nobody was told of before; returns how many mails went out.

    Alerts are marked as mailed before the mails are sent, so that no second process mails them; when not one mail could
    be sent they are unmarked and the next run tries again.
    """
    found = AlertSettings.current()
    if not found.email_notifications_enabled or not found.alert_recipient_emails:
        return 0
    now = datetime.now(UTC)
    ids = transact(lambda: _claim(now))
    if not ids:
        return 0
    alerts = list(Alert.objects.filter(id__in=ids).order_by("severity", "-id"))
    sent = sum(_sent(address, alerts) for address in found.alert_recipient_emails)
    if not sent:
        Alert.objects.filter(id__in=ids, mailed_at=now).update(mailed_at=None)
    return sent


def _claim(now: datetime) -> list[int]:
    awake = Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=now)
    waiting = Alert.objects.select_for_update().filter(OPEN, awake, mailed_at__isnull=True).order_by("id")
    ids = list(waiting.values_list("id", flat=True))
    Alert.objects.filter(id__in=ids).update(mailed_at=now)
    return ids


def _sent(address: str, alerts: list[Alert]) -> bool:
    subject = alerts[0].title if len(alerts) == 1 else f"{len(alerts)} stock alerts"
    lines = [f"[{alert.severity}] {alert.title}\n{alert.message}" for alert in alerts[:LISTED_MAX]]
    if len(alerts) > LISTED_MAX:
        lines.append(f"… and {len(alerts) - LISTED_MAX} more.")
    # A subject is one line, whatever a product is called.
    message = EmailMessage(
        f"WorkBox: {' '.join(subject.split())}", "\n\n".join(lines), settings.DEFAULT_FROM_EMAIL, [address]
    )
    try:
        message.send()
    except (SMTPException, OSError) as error:
        log.error("alert_mail_failed", recipient=address, error=str(error))
        return False
    return True
