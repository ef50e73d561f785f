"""Webhooks: which facts become deliveries, how one is signed, when it is tried again.

Signatures follow the Standard Webhooks specification (version 1): HMAC-SHA256 over `id.timestamp.body` with the secret
that begins with `whsec_`. A delivery keeps its `webhook-id` over all attempts and replays, so that receivers can tell
what they have seen.
"""

import base64
import hashlib
import hmac
import random
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import orjson
import structlog
from django.db import transaction
from django.db.models import F, QuerySet

from workbox.core import events
from workbox.core.db import execute, transactional, utc_text
from workbox.core.errors import Conflict, Invalid, NotFound
from workbox.core.followers import Follower
from workbox.core.stream import TOPICS
from workbox.webhooks import outside
from workbox.webhooks.models import Attempt, Delivery, Endpoint

log = structlog.get_logger(__name__)

# Seconds between the attempts; with the last one a delivery has been tried for a day (Standard Webhooks' schedule).
WAITS_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 21600)
JITTER = 0.2
LEASE_SECONDS = 60  # whoever took a delivery has so long to finish it
DUE_OF_ENDPOINT = 20  # so many deliveries of one endpoint in a batch
REPLAY_MAX = 10_000
REPLAY_ROWS = 500  # rows of the log at once
KEPT_DAYS = 30
DELETED_AT_ONCE = 1000
SECRET_BYTES = 24


def new_secret() -> str:
    """A signing secret as the specification spells it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """The `webhook-signature` header: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def check_topics(topics: Iterable[str]) -> list[str]:
    """The topics in order, once each; raises Invalid for one that does not exist or for none at all."""
    wanted = sorted(set(topics))
    unknown = [one for one in wanted if one not in TOPICS]
    if unknown or not wanted:
        text = f"must be of {', '.join(sorted(TOPICS))}"
        raise Invalid(f"topics {text}.", fields={"topics": [text]})
    return wanted


# ---- from the log to deliveries --------------------------------------------------------------------------------------
def take(facts: Sequence[events.Fact]) -> None:
    """Make a pending delivery of each fact for each active endpoint of its topic; one that exists stays as it is."""
    queue(facts, Endpoint.objects.filter(is_active=True))


def queue(facts: Sequence[events.Fact], endpoints: Iterable[Endpoint]) -> int:
    """As `take`, for these endpoints; returns how many deliveries there are to make at most."""
    now = datetime.now(UTC)
    rows = [
        Delivery(
            endpoint=endpoint,
            cursor=fact.cursor,
            message_id=f"msg_{endpoint.pk}_{fact.cursor}",
            event_type=fact.type,
            body=_body(fact.type, fact.created_at, fact.payload, fact.cursor),
            next_attempt_at=now,
        )
        for endpoint in endpoints
        for fact in facts
        if fact.topic in endpoint.topics
    ]
    Delivery.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    return len(rows)


FOLLOWER = Follower("webhooks", take)


def _body(kind: str, at: datetime, payload: str, cursor: int) -> str:
    told = {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "cursor": cursor}
    return orjson.dumps(told | {"data": orjson.loads(payload or "{}")}).decode()


@transactional
def send_test(endpoint_id: int) -> Delivery:
    """A `webhook_test` delivery for this endpoint, to be sent at once. Raises NotFound."""
    endpoint = require(endpoint_id)
    now = datetime.now(UTC)
    return Delivery.objects.create(
        endpoint=endpoint,
        cursor=0,
        message_id=f"msg_{endpoint.pk}_test_{secrets.token_hex(6)}",
        event_type="webhook_test",
        body=_body("webhook_test", now, "{}", 0),
        next_attempt_at=now,
    )


@transactional
def replay(endpoint_id: int, *, since: int) -> tuple[int, int | None]:
    """Deliver again (or for the first time) the facts of the endpoint's topics after this cursor.

    Returns how many, and the cursor to go on from when the log holds more than one transaction takes: REPLAY_MAX
    facts, wanted or not. Raises NotFound, and Conflict for a cursor older than what the log still holds.
    """
    endpoint = require(endpoint_id)
    if since < events.forgotten():
        raise Conflict(
            "The log no longer reaches back that far; fetch the present state over the API instead.",
            code="cursor_too_old",
            extra={"oldest": events.forgotten()},
        )
    count, read, place = 0, 0, since
    while facts := events.read_after(place, limit=REPLAY_ROWS):
        if read >= REPLAY_MAX:
            return count, place
        read, place = read + len(facts), facts[-1].cursor
        mine = [fact for fact in facts if fact.topic in endpoint.topics]
        Delivery.objects.filter(endpoint=endpoint, cursor__in=[one.cursor for one in mine]).update(
            state=Delivery.State.PENDING, attempts=0, next_attempt_at=datetime.now(UTC)
        )
        count += queue(mine, [endpoint])
    return count, None


@transactional
def deliver_again(endpoint_id: int, delivery_id: int) -> Delivery:
    """This delivery is due again, whatever became of it. Raises NotFound."""
    delivery = Delivery.objects.filter(endpoint_id=endpoint_id, pk=delivery_id).first()
    if delivery is None:
        raise NotFound(f"There is no delivery {delivery_id} to this endpoint.")
    delivery.state, delivery.attempts, delivery.next_attempt_at = Delivery.State.PENDING, 0, datetime.now(UTC)
    delivery.save(update_fields=["state", "attempts", "next_attempt_at"])
    return delivery


def require(endpoint_id: int) -> Endpoint:
    """The endpoint; raises NotFound."""
    found = Endpoint.objects.filter(pk=endpoint_id).first()
    if found is None:
        raise NotFound(f"There is no webhook {endpoint_id}.")
    return found


# ---- delivering ------------------------------------------------------------------------------------------------------
def due(now: datetime) -> QuerySet[Delivery]:
    """Deliveries whose time has come, to endpoints that are switched on, oldest fact first."""
    return (
        Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__lte=now, endpoint__is_active=True)
        .select_related("endpoint")
        .order_by("next_attempt_at", "id")
    )


def deliver_due() -> int:
    """Try every delivery that is due once; returns how many were tried. Any number of workers may do this at a time.

    Endpoints take turns, and one that failed is left alone until the next round: a dead receiver costs the others one
    wait, however much is due to it.
    """
    tried = 0
    failing: set[int] = set()
    while batch := _turns(failing):
        claimed = 0
        for delivery in batch:
            if delivery.endpoint_id not in failing and _claim(delivery):
                claimed += 1
                if not attempt(delivery):
                    failing.add(delivery.endpoint_id)
        tried += claimed
        if not claimed:
            break  # other workers are at it
    return tried


def _turns(failing: Iterable[int]) -> list[Delivery]:
    """What is due to endpoints that are not failing: the oldest of each, then the second oldest of each, and so on."""
    waiting = due(datetime.now(UTC)).exclude(endpoint_id__in=list(failing))
    endpoints = list(waiting.order_by("endpoint_id").values_list("endpoint_id", flat=True).distinct())
    queues = [list(waiting.filter(endpoint_id=one)[:DUE_OF_ENDPOINT]) for one in endpoints]
    return [one for row in zip_longest(*queues) for one in row if one is not None]


def _claim(delivery: Delivery) -> bool:
    """True for the one worker that may try it now; a worker that dies gives it back when its lease is over."""
    until = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
    return bool(
        execute(
            "UPDATE webhooks_delivery SET next_attempt_at = %s WHERE id = %s AND state = 'pending' AND attempts = %s"
            " AND next_attempt_at <= %s",
            [utc_text(until), delivery.pk, delivery.attempts, utc_text()],
        ).rowcount
    )


def attempt(delivery: Delivery) -> bool:
    """Hand it over once and write down how that went; True when it was taken.

    Expects no open transaction, because it talks to the outside.
    """
    timestamp, began = int(time.time()), time.monotonic()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "WorkBox-Webhooks/1",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(delivery.endpoint.secret, delivery.message_id, timestamp, delivery.body),
    }
    status, text, error = None, "", ""
    try:
        answer = outside.post(delivery.endpoint.url, delivery.body.encode(), headers)
        status, text = answer.status, answer.text
    except (outside.Unreachable, Invalid) as failure:
        error = failure.detail
    spent = int((time.monotonic() - began) * 1000)
    with transaction.atomic():
        Attempt.objects.create(
            delivery=delivery, status=status, error=error[:300], answer=text[:500], milliseconds=spent
        )
        _settle(delivery, status)
    log.info("webhook_attempt", delivery=delivery.message_id, status=status, error=error, milliseconds=spent)
    return _is_taken(status)


def _is_taken(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _settle(delivery: Delivery, status: int | None) -> None:
    now = datetime.now(UTC)
    found: dict[str, Any] = {"attempts": F("attempts") + 1}
    if _is_taken(status):
        found |= {"state": Delivery.State.DELIVERED, "delivered_at": now, "next_attempt_at": None}
    elif status == 410:  # the receiver says: never again
        found |= {"state": Delivery.State.FAILED, "next_attempt_at": None}
        _switch_off(delivery.endpoint, "The endpoint answered 410 Gone.")
    elif delivery.attempts >= len(WAITS_SECONDS):
        found |= {"state": Delivery.State.FAILED, "next_attempt_at": None}
        if not _took_anything_lately(delivery.endpoint, now):
            _switch_off(delivery.endpoint, "A day of attempts failed and nothing else was taken meanwhile.")
    else:
        found["next_attempt_at"] = now + timedelta(seconds=wait_seconds(delivery.attempts))
    Delivery.objects.filter(pk=delivery.pk).update(**found)


def wait_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts before this one (0: the first failed), with jitter."""
    return WAITS_SECONDS[attempts] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (jitter, not a secret)


def _took_anything_lately(endpoint: Endpoint, now: datetime) -> bool:
    return endpoint.deliveries.filter(delivered_at__gte=now - timedelta(days=1)).exists()


def _switch_off(endpoint: Endpoint, reason: str) -> None:
    Endpoint.objects.filter(pk=endpoint.pk, is_active=True).update(is_active=False, disabled_reason=reason)
    log.warning("webhook_switched_off", endpoint=endpoint.pk, reason=reason)


def forget_old() -> int:
    """Delete deliveries that ended more than KEPT_DAYS ago, some per transaction; returns how many."""
    old = Delivery.objects.exclude(state=Delivery.State.PENDING).filter(
        created_at__lt=datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    )
    gone = 0
    while ids := list(old.order_by("id").values_list("id", flat=True)[:DELETED_AT_ONCE]):
        gone += Delivery.objects.filter(id__in=ids).delete()[1].get("webhooks.Delivery", 0)
    return gone
