"""Service: alerts are raised, refreshed, acknowledged, snoozed and resolved here and nowhere else.

One alert per subject is open at a time: `Alert.open_key` is unique, so that two who raise it at once make one. An alert
that comes back within a day after its end is the same alert, opened again, and nobody is mailed twice. Lock order:
product totals → alert rows → events.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Max

from insights.events import RAISED, RESOLVED, UPDATED, alert_event
from insights.models import OPEN, Alert, AlertSettings, AlertStatus
from insights.models.alerts import RECIPIENTS_MAX
from insights.reasons import OK, Named, Reason, low_stock, low_subject, zone
from inventory.events import PlaceAside, StockAside
from inventory.models import Product
from workbox.core import context, events
from workbox.core.db import transactional
from workbox.core.errors import Conflict, Invalid, NotFound
from workbox.core.events import NewEvent
from workbox.core.numbers import plain

COOL_DOWN = timedelta(hours=24)
HYSTERESIS_FACTOR_MAX = 2  # 100 per cent: from further above the threshold nothing can have to be resolved
SNOOZE_HOURS_MAX = 24 * 90
_SHOWN = (
    "severity", "title", "message", "current_quantity", "threshold", "daily_units", "days_left", "predicted_on",
    "happened_on", "movement_id",
)  # fmt: skip
_REOPENED = (
    "status", "open_key", "times_raised", "acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by",
    "resolution", "note",
)  # fmt: skip


# ---- in the transaction of a stock change ----------------------------------------------------------------------------
def listen(news: Sequence[NewEvent]) -> list[NewEvent]:
    """Low-stock alerts follow a change of stock in its own transaction; returns the alerts' facts.

    Decided from the facts alone: the database is asked only when a product falls to or below its threshold (or half of
    it), or comes up to above it from where an alert may be open. The caller holds the products.
    """
    worse: dict[str, Reason] = {}
    better: dict[str, _Recovered] = {}
    for one in news:
        if not isinstance(one.aside, StockAside):
            continue
        for subject, found in _judged(one, one.aside):
            if isinstance(found, _Recovered):
                better[subject] = found
                worse.pop(subject, None)
            else:
                worse[subject] = found
                better.pop(subject, None)
    if not worse and not better:
        return []
    told: list[NewEvent] = []
    if worse and AlertSettings.current().low_stock_enabled:
        told += raise_alerts(list(worse.values()), is_new=True)
    if better:
        told += _end_recovered(better)
    return told


@dataclass(frozen=True, slots=True)
class _Recovered:
    """An alert about this may have to end: so much is available now against this threshold."""

    available: Decimal
    threshold: Decimal
    is_watched: bool


def _judged(fact: NewEvent, aside: StockAside) -> Iterator[tuple[str, Reason | _Recovered]]:
    """What the fact says of the product as a whole and of each warehouse with a threshold of its own, by subject."""
    available: Decimal = fact.payload["stock_quantity"]
    if _has_recovered(available, aside.reorder_threshold, aside.available_before, is_watched=aside.is_watched):
        yield low_subject(fact.subject_id), _Recovered(available, aside.reorder_threshold, aside.is_watched)
    elif reason := _became_low(fact, available, aside):
        yield reason.subject, reason
    for place in aside.places:
        before, limit = place.available_before, place.reorder_threshold
        if _has_recovered(place.available, limit, before, is_watched=aside.is_watched):
            subject = low_subject(fact.subject_id, place.warehouse_id)
            yield subject, _Recovered(place.available, limit, aside.is_watched)
        elif reason := _became_low_in(fact, aside, place):
            yield reason.subject, reason


def _has_recovered(available: Decimal, limit: Decimal, before: Decimal | None, *, is_watched: bool) -> bool:
    if before is None:
        return available > limit or not is_watched
    return available > limit and available > before and before <= limit * HYSTERESIS_FACTOR_MAX


def _became_low_in(fact: NewEvent, aside: StockAside, place: PlaceAside) -> Reason | None:
    """The reason, when what one warehouse has of it fell to its own threshold, or to half of it."""
    before, limit = place.available_before, place.reorder_threshold
    now = zone(place.available, limit)
    if now == OK or not aside.is_watched or (before is not None and now <= zone(before, limit)):
        return None
    where = (place.warehouse_id, place.warehouse_name)
    return low_stock(_named_in(fact), available=place.available, threshold=limit, place=where)


def _named_in(fact: NewEvent) -> Named:
    return Named(fact.subject_id, fact.payload["sku"], fact.payload["name"])


def _became_low(fact: NewEvent, available: Decimal, aside: StockAside) -> Reason | None:
    """The reason, when the stock is lower than before in a way that matters.

    The first stock a product gets is compared with nothing, and a product that never had any is the hourly check's.
    """
    version, before, limit = fact.payload["version"], aside.available_before, aside.reorder_threshold
    now = zone(available, limit)
    if now == OK or not aside.is_watched or version == 0:
        return None
    if before is not None and version > 1 and now <= zone(before, limit):
        return None
    return low_stock(_named_in(fact), available=available, threshold=limit)


def _end_recovered(better: Mapping[str, _Recovered]) -> list[NewEvent]:
    found = list(Alert.objects.filter(open_key__in=list(better)).select_related("product"))
    if not found:
        return []
    settings = AlertSettings.current()
    ended: dict[str, list[Alert]] = {}
    for alert in found:
        now = better[alert.subject]
        if not now.is_watched:
            ended.setdefault(NOT_SOLD, []).append(alert)
        elif now.available > settings.beyond(now.threshold):
            ended.setdefault(available_again(now.available), []).append(alert)
    return [event for note, alerts in ended.items() for event in end_alerts(alerts, note=note)]


NOT_SOLD = "The product is no longer sold."


def available_again(available: Decimal) -> str:
    """The note of a low-stock alert that is over."""
    return f"{plain(available)} are available again."


# ---- raising and ending ----------------------------------------------------------------------------------------------
def raise_alerts(reasons: Sequence[Reason], *, is_new: bool = False) -> list[NewEvent]:
    """An alert is open for each of these reasons; returns the facts to tell.

    `is_new`: the reason came about just now; otherwise it was found to hold, and what somebody resolved by hand stays
    resolved for a day. What happened once and was resolved stays resolved for good. Expects a transaction and, for
    reasons that are about stock, the products to be held. A few statements, whatever the number of reasons.
    """
    by_subject = {one.subject: one for one in reasons}
    newest = _newest(by_subject)
    now = datetime.now(UTC)
    fresh: list[Alert] = []
    again: list[Alert] = []
    seen: list[Alert] = []
    told: list[tuple[str, Alert]] = []
    for subject, reason in by_subject.items():
        alert = newest.get(subject)
        if alert is None or _is_past(alert, reason, now):
            fresh.append(_show(_fresh(reason, now), reason, now))
        elif alert.open_key is not None:
            before = alert.severity
            seen.append(_show(alert, reason, now))
            if alert.severity != before:
                told.append((UPDATED, alert))
        elif not _stays_resolved(alert, reason, is_new=is_new):
            again.append(_reopen(_show(alert, reason, now)))
            told.append((RAISED, alert))
    if seen:
        Alert.objects.bulk_update(seen, ["last_seen_at", *_fields(_SHOWN)])
    if again:
        Alert.objects.bulk_update(again, ["last_seen_at", *_fields(_SHOWN), *_REOPENED])
    told += [(RAISED, alert) for alert in _insert(fresh, now)]
    return [_fact(kind, alert, by_subject[alert.subject].product) for kind, alert in told]


def end_alerts(
    alerts: Sequence[Alert], *, note: str, resolution: str = Alert.Resolution.AUTO, actor_id: int | None = None
) -> list[NewEvent]:
    """These open alerts are resolved; returns the facts to tell. Expects a transaction and `product` on the alerts."""
    now = datetime.now(UTC)
    values = {
        "status": AlertStatus.RESOLVED.value,
        "open_key": None,
        "resolved_at": now,
        "resolved_by_id": actor_id,
        "resolution": resolution,
        "note": note,
    }
    Alert.objects.filter(OPEN, id__in=[alert.pk for alert in alerts]).update(**values)
    for alert in alerts:
        for name, value in values.items():
            setattr(alert, name, value)
    return [_fact(RESOLVED, alert, named(alert.product)) for alert in alerts]


def named(product: Product) -> Named:
    """The product as sentences call it."""
    return Named(product.pk, product.sku, product.name)


def _newest(subjects: Iterable[str]) -> dict[str, Alert]:
    """The newest alert about each subject, open or not."""
    rows = Alert.objects.filter(subject__in=list(subjects)).order_by().values("subject").annotate(newest=Max("id"))
    return {one.subject: one for one in Alert.objects.filter(id__in=rows.values("newest"))}


def _is_past(alert: Alert, reason: Reason, now: datetime) -> bool:
    """Resolved so long ago that the same reason is a new alert."""
    if alert.resolved_at is None or alert.resolved_at > now - COOL_DOWN:
        return False
    return not _is_same_event(alert, reason)


def _is_same_event(alert: Alert, reason: Reason) -> bool:
    return reason.happened_on is not None and (alert.happened_on, alert.movement_id) == (
        reason.happened_on,
        reason.movement_id,
    )


def _stays_resolved(alert: Alert, reason: Reason, *, is_new: bool) -> bool:
    if reason.happened_on is not None:
        return _is_same_event(alert, reason)
    return alert.resolution == Alert.Resolution.BY_HAND and not is_new


def _fresh(reason: Reason, now: datetime) -> Alert:
    return Alert(
        alert_type=reason.alert_type,
        product_id=reason.product.id,
        warehouse_id=reason.warehouse_id,
        subject=reason.subject,
        open_key=reason.subject,
        raised_at=now,
    )


def _show(alert: Alert, reason: Reason, now: datetime) -> Alert:
    for name in _SHOWN:
        setattr(alert, name, getattr(reason, name))
    alert.last_seen_at = now
    return alert


def _reopen(alert: Alert) -> Alert:
    alert.status, alert.open_key, alert.times_raised = AlertStatus.ACTIVE.value, alert.subject, alert.times_raised + 1
    alert.acknowledged_at = alert.acknowledged_by_id = alert.resolved_at = alert.resolved_by_id = None
    alert.resolution = alert.note = ""
    return alert


def _fields(names: Iterable[str]) -> list[str]:
    return [name.removesuffix("_id") for name in names]


def _insert(alerts: list[Alert], now: datetime) -> list[Alert]:
    """Write those that nobody else has just raised; an order never fails because somebody did."""
    if not alerts:
        return []
    Alert.objects.bulk_create(alerts, ignore_conflicts=True)
    keys = [alert.subject for alert in alerts]
    ids = dict(Alert.objects.filter(open_key__in=keys, raised_at=now).values_list("open_key", "id"))
    for alert in alerts:
        alert.pk = ids.get(alert.subject)
    return [alert for alert in alerts if alert.pk]


def _fact(kind: str, alert: Alert, product: Named) -> NewEvent:
    return alert_event(
        kind,
        alert_id=alert.pk,
        alert_type=str(alert.alert_type),
        severity=str(alert.severity),
        status=str(alert.status),
        product_id=product.id,
        sku=product.sku,
        product=product.name,
        warehouse_id=alert.warehouse_id,
        title=alert.title,
        message=alert.message,
        current_quantity=alert.current_quantity,
        threshold=alert.threshold,
    )


# ---- by hand ---------------------------------------------------------------------------------------------------------
@transactional
def acknowledge(alert_id: int, *, actor_id: int | None = None) -> None:
    """Somebody has seen it and takes care. Raises NotFound, Conflict unless it is active."""
    alert = _hold_open(alert_id)
    if alert.status == AlertStatus.ACKNOWLEDGED:
        raise Conflict(
            f"Alert {alert_id} has been acknowledged already.",
            code="already_acknowledged",
            extra={"status": alert.status},
        )
    alert.status = AlertStatus.ACKNOWLEDGED.value
    alert.acknowledged_at, alert.acknowledged_by_id = datetime.now(UTC), _actor(actor_id)
    alert.save(update_fields=["status", "acknowledged_at", "acknowledged_by"])
    events.append([_fact(UPDATED, alert, named(alert.product))])


@transactional
def snooze(alert_id: int, *, until: datetime) -> None:
    """Nobody is bothered with it until then; it stays open. Raises NotFound, Conflict when resolved, Invalid."""
    alert = _hold_open(alert_id)
    now = datetime.now(UTC)
    if not now < until <= now + timedelta(hours=SNOOZE_HOURS_MAX):
        message = f"must lie in the next {SNOOZE_HOURS_MAX // 24} days"
        raise Invalid(f"until {message}.", fields={"until": [message]})
    alert.snoozed_until = until
    alert.save(update_fields=["snoozed_until"])
    events.append([_fact(UPDATED, alert, named(alert.product))])


@transactional
def resolve(alert_id: int, *, note: str = "", actor_id: int | None = None) -> None:
    """It is over, because somebody says so. Raises NotFound, Conflict when it is resolved already."""
    alert = _hold_open(alert_id)
    events.append(end_alerts([alert], note=note, resolution=Alert.Resolution.BY_HAND.value, actor_id=_actor(actor_id)))


def _hold_open(alert_id: int) -> Alert:
    alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
    if alert is None:
        raise NotFound(f"There is no alert {alert_id}.")
    if alert.open_key is None:
        raise Conflict(
            f"Alert {alert_id} has been resolved already.", code="already_resolved", extra={"status": alert.status}
        )
    return alert


def _actor(actor_id: int | None) -> int | None:
    return actor_id or context.actor_id.get()


# ---- settings --------------------------------------------------------------------------------------------------------
def hold_settings() -> AlertSettings:
    """The settings, made if nobody has saved any, and held until the transaction ends."""
    AlertSettings.objects.get_or_create(pk=AlertSettings.ROW)
    return AlertSettings.objects.select_for_update().get(pk=AlertSettings.ROW)


@transactional
def change_settings(changes: Mapping[str, Any]) -> AlertSettings:
    """The settings with these values; what is over by them ends with the next check. Raises Invalid."""
    found = hold_settings()
    for name, value in changes.items():
        setattr(found, name, value)
    found.alert_recipient_emails = check_recipients(found.alert_recipient_emails)
    try:
        found.clean_fields()
    except ValidationError as error:
        fields = error.message_dict
        name, messages = next(iter(fields.items()))
        raise Invalid(f"{name}: {messages[0]}", fields=fields) from error
    found.save()
    return found


def check_recipients(addresses: Any) -> list[str]:
    """The e-mail addresses, each once; raises Invalid."""
    name = "alert_recipient_emails"
    if not isinstance(addresses, list) or not all(isinstance(one, str) for one in addresses):
        raise Invalid(f"{name} must be a list of e-mail addresses.", fields={name: ["must be a list of addresses"]})
    found = list(dict.fromkeys(one.strip() for one in addresses if one.strip()))
    if len(found) > RECIPIENTS_MAX:
        raise Invalid(f"{name}: at most {RECIPIENTS_MAX}.", fields={name: [f"at most {RECIPIENTS_MAX}"]})
    for one in found:
        try:
            validate_email(one)
        except ValidationError as error:
            raise Invalid(f"“{one}” is no e-mail address.", fields={name: [f"no e-mail address: {one}"]}) from error
    return found
