"""The event log and the cursors of those who read it, idempotency keys, changes; the kind of table that only grows."""

from collections.abc import Iterable
from typing import Any, NoReturn

from django.db import models

from workbox.core.errors import HistoryIsFixed
from workbox.core.fields import ExactCharField


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows that can be read and added, not changed or removed."""

    def update(self, **values: Any) -> NoReturn:
        """Refused with HistoryIsFixed."""
        raise _fixed(self.model)

    def bulk_update(self, *args: Any, **options: Any) -> NoReturn:
        """Refused with HistoryIsFixed."""
        raise _fixed(self.model)

    def update_or_create(self, *args: Any, **options: Any) -> NoReturn:
        """Refused with HistoryIsFixed."""
        raise _fixed(self.model)

    def delete(self) -> NoReturn:
        """Refused with HistoryIsFixed."""
        raise _fixed(self.model)

    delete.queryset_only = True  # type: ignore[attr-defined]  # Django looks for it there

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        """New rows only: an upsert is refused with HistoryIsFixed."""
        if options.get("update_conflicts") or (len(args) > 2 and args[2]):
            raise _fixed(self.model)
        return super().bulk_create(objs, *args, **options)


class AppendOnly(models.Model):
    """A row of history: written once. (`manage.py protect_ledger` puts the same guard into the database.)"""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """Insert; a row that exists is refused with HistoryIsFixed."""
        if not self._state.adding:
            raise _fixed(type(self))
        super().save(*args, **{**options, "force_insert": True})

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        """Refused with HistoryIsFixed."""
        raise _fixed(type(self))


def _fixed(model: type[models.Model]) -> HistoryIsFixed:
    name = model._meta.verbose_name_plural
    return HistoryIsFixed(f"The {name} are only added to; correct a mistake by a reversing entry.")


class Event(AppendOnly):
    """A committed fact, absolute and never changed. `seq` is its gapless place in the stream, given after commit.

    The stock facts of the same transaction ride in `companions`: a row per fact would triple what an order costs here.
    """

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField(null=True, unique=True, editable=False)
    type = models.CharField(max_length=40)
    topic = models.CharField(max_length=16)
    subject_id = models.BigIntegerField(help_text="The product, order or user this fact is about.")
    owner_id = models.BigIntegerField(
        null=True, help_text="The user who may see it besides staff; empty: not personal."
    )
    warehouse_id = models.BigIntegerField(null=True)
    actor_id = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    payload = models.TextField(help_text="The frame's own keys as JSON.")
    companions = models.TextField(
        blank=True,
        default="",
        help_text="Stock facts of the same transaction that are told first: a line each with type, product and frame.",
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["topic", "subject_id"], name="event_subject"),
            models.Index(fields=["actor_id", "topic"], name="event_actor"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_id} (seq {self.seq})"


class EventCursor(models.Model):
    """How far a reader of the log has come; the row `sequencer` holds the last `seq` that was given out."""

    name = ExactCharField(max_length=40, primary_key=True)
    seq = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class IdempotencyKey(models.Model):
    """A request that was sent with `Idempotency-Key`, and the answer it got, committed together with its effect."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    key = ExactCharField(max_length=128, db_column="client_key")
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "key"], name="idempotency_key_of_user")]

    def __str__(self) -> str:
        return self.key


class FieldChange(AppendOnly):
    """One value of a product, warehouse or account that somebody changed: what it was, what it is.

    `warehouse_id` is the warehouse it concerns (a bin, a membership); empty: none. Passwords and addresses are told
    without their values.
    """

    wall_columns = ("warehouse_id",)
    wall_or_none = True

    id = models.BigAutoField(primary_key=True)
    subject_type = models.CharField(max_length=16)
    subject_id = models.BigIntegerField()
    field = models.CharField(max_length=40)
    # BEFORE is a word of MariaDB's own.
    before = models.CharField(max_length=200, blank=True, db_column="value_before")
    after = models.CharField(max_length=200, blank=True, db_column="value_after")
    warehouse_id = models.BigIntegerField(null=True)
    actor_id = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "created_at"], name="change_of_subject"),
            models.Index(fields=["warehouse_id", "created_at"], name="change_in_warehouse"),
            models.Index(fields=["actor_id", "created_at"], name="change_by_actor"),
        ]
        ordering = ["-id"]
        verbose_name = "change"

    def __str__(self) -> str:
        return f"{self.field} of {self.subject_type} {self.subject_id}"
