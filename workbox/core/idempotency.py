"""`Idempotency-Key`: a request sent twice happens once and gets the same answer twice.

The key row is inserted first in the transaction of the effect and completed with the answer before COMMIT, so that both
are committed or neither; a twin waits at the unique index until the first is through.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from workbox.core.combining import Apart
from workbox.core.db import as_utc, error_code, flush, ids_of, insert_later, later, marks, retrying, transact, utc_text
from workbox.core.errors import Conflict, Invalid
from workbox.core.models import IdempotencyKey

KEY_LENGTH_MAX = 128
KEPT_HOURS = 24
TRIES_MAX = 5
DUPLICATE_ENTRY, LOCK_WAIT_TIMEOUT = 1062, 1205


class Answer(NamedTuple):
    """What goes back to the client: status, JSON bytes, and whether they come from an earlier twin."""

    status: int
    body: bytes
    replayed: bool = False


class Sent(NamedTuple):
    """Whose request it is, under which key ("": none), and what makes another one its twin."""

    user_id: int
    key: str
    fingerprint: str


class _Seen(Exception):
    """The key row exists already."""


def _still_running() -> Conflict:
    return Conflict(
        "The first request with this Idempotency-Key is still running; ask again in a moment.",
        code="idempotency_in_progress",
    )


def request_hash(method: str, path: str, body: bytes) -> str:
    """What must be equal for two requests to be twins."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def is_key(key: str) -> bool:
    """True for what may be an Idempotency-Key."""
    return 0 < len(key) <= KEY_LENGTH_MAX and key.isprintable()


def once(work: Callable[[], tuple[int, bytes]], *, user_id: int, key: str, fingerprint: str) -> Answer:
    """Run `work` in one transaction, at most once per (user, key) within 24 hours.

    Raises Invalid (422) when the key was used for a different request, Conflict (409) while the first is still running.
    A `work` that raises leaves no key behind: the request may be corrected and sent again under the same key.
    """
    if not key:
        return Answer(*transact(work))
    if not is_key(key):
        raise Invalid(
            f"Idempotency-Key must be 1 to {KEY_LENGTH_MAX} printable characters.", code="idempotency_key_invalid"
        )

    def with_key() -> Answer:
        claim = None
        try:
            claim = insert_later(
                "core_idempotencykey",
                ("user_id", "client_key", "request_hash", "body", "created_at"),
                [(user_id, key, fingerprint, "", utc_text())],
            )
            status, body = work()
            if not claim.rowcount:
                flush()
        except (IntegrityError, OperationalError) as error:
            if claim is not None and not getattr(claim, "failed", False):
                raise  # not ours: the work's own
            if isinstance(error, IntegrityError):
                raise _Seen from error
            if error_code(error) != LOCK_WAIT_TIMEOUT:
                raise
            raise _still_running() from error
        later(
            "UPDATE core_idempotencykey SET status = %s, body = %s WHERE id = %s",
            [status, body.decode(), claim.lastrowid],
        )
        return Answer(status, body)

    return _first_or_replay(with_key, Sent(user_id, key, fingerprint))


def _first_or_replay(with_key: Callable[[], Answer], sent: Sent) -> Answer:
    for _ in range(TRIES_MAX):
        try:
            return transact(with_key)
        except _Seen:
            found = _replay(sent.user_id, sent.key, sent.fingerprint)
            if found is not None:
                return found  # else the key is free again; a twin that is faster is seen in the next round
    raise _still_running()


def once_together(sent: Sequence[Sent], work: Callable[[], Sequence[tuple[int, bytes]]]) -> list[Answer]:
    """Run `work`, which answers all these requests in their order, in one transaction with their keys.

    A single try: whatever stands in the way of one of them (a twin, a refusal, a deadlock) undoes all of it and is
    raised; then each goes by itself through `once`. Raises Apart instead of a second try.
    """

    def with_keys() -> list[Answer]:
        if retrying():
            raise Apart
        now = utc_text()
        # In the order of the index, so that two groups with the same keys wait and do not deadlock.
        keyed = sorted((one.user_id, one.key, place) for place, one in enumerate(sent) if one.key)
        claim = insert_later(
            "core_idempotencykey",
            ("user_id", "client_key", "request_hash", "body", "created_at"),
            [(user_id, key, sent[place].fingerprint, "", now) for user_id, key, place in keyed],
        ) if keyed else None  # fmt: skip
        answers = [Answer(*answer) for answer in work()]
        if claim is not None:
            flush()
            ids = ids_of(claim, len(keyed))
            told = [answers[place] for _, _, place in keyed]
            later(
                f"UPDATE core_idempotencykey SET status = (CASE id{' WHEN %s THEN %s' * len(ids)} END),"  # noqa: S608  (only placeholders)
                f" body = (CASE id{' WHEN %s THEN %s' * len(ids)} END) WHERE id IN ({marks(len(ids))})",
                [
                    *(value for one, answer in zip(ids, told, strict=True) for value in (one, answer.status)),
                    *(value for one, answer in zip(ids, told, strict=True) for value in (one, answer.body.decode())),
                    *ids,
                ],
            )
        return answers

    return transact(with_keys)


def _replay(user_id: int, key: str, fingerprint: str) -> Answer | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, request_hash, status, body, created_at FROM core_idempotencykey"
            " WHERE user_id = %s AND client_key = %s",
            [user_id, key],
        )
        row = cursor.fetchone()
        if row is None:
            return None  # the first one failed after all: this one may try
        row_id, known, status, body, created_at = row
        if (as_utc(created_at) or timezone.now()) < timezone.now() - timedelta(hours=KEPT_HOURS):
            cursor.execute("DELETE FROM core_idempotencykey WHERE id = %s", [row_id])
            return None
    if known != fingerprint:
        raise Invalid(
            "This Idempotency-Key was used for a different request; make a new key for a new request.",
            code="idempotency_key_reused",
        )
    if status is None:
        raise _still_running()
    return Answer(status, body.encode(), replayed=True)


def forget_old_keys(*, batch: int = 1000) -> int:
    """Delete keys that are older than `KEPT_HOURS`, in small steps; returns how many. Repeating is harmless."""
    limit = timezone.now() - timedelta(hours=KEPT_HOURS)
    deleted = 0
    while True:
        # Numbers follow time, so the oldest come first.
        oldest = IdempotencyKey.objects.order_by("id").values_list("id", "created_at")[:batch]
        old = [row_id for row_id, created_at in oldest if created_at < limit]
        if not old:
            return deleted
        deleted += IdempotencyKey.objects.filter(id__in=old).delete()[0]
