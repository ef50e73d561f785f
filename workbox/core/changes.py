"""The history of values: the one place that writes what a field was and what it is, in the transaction that changes it.

Stock has its ledger and orders have their events; this is for what only has a present: prices, names, roles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from workbox.core.db import in_parts, insert_later, utc_text
from workbox.core.events import By
from workbox.core.models import FieldChange
from workbox.core.numbers import plain

PRODUCT, WAREHOUSE, USER = "product", "warehouse", "user"
TEXT_MAX = 200
ROWS_PER_STATEMENT = 500
_COLUMNS = (
    "subject_type", "subject_id", "field", "value_before", "value_after", "warehouse_id", "actor_id", "request_id",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is another one now; `before` and `after` both empty: changed, and nobody is told from what."""

    subject_type: str
    subject_id: int
    field: str
    before: str = ""
    after: str = ""
    warehouse_id: int | None = None


def text_of(value: object) -> str:
    """A value as history keeps it: shortened, numbers without idle zeros, yes and no, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = plain(value) if isinstance(value, Decimal) else str(value)
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def differences(
    subject_type: str,
    subject_id: int,
    *,
    before: Mapping[str, object],
    after: Mapping[str, object],
    warehouse_id: int | None = None,
) -> list[Change]:
    """The fields of `after` that were something else before."""
    return [
        Change(subject_type, subject_id, name, text_of(before.get(name)), text_of(value), warehouse_id)
        for name, value in after.items()
        if before.get(name) != value
    ]


def record(changes: Iterable[Change]) -> None:
    """These changes are history, by whoever acts now. Expects the transaction that makes them."""
    by, now = By.now(), utc_text()
    rows = [
        (
            one.subject_type, one.subject_id, one.field, one.before, one.after, one.warehouse_id,
            by.actor_id, by.request_id, now,
        )
        for one in changes
    ]  # fmt: skip
    for part in in_parts(rows, ROWS_PER_STATEMENT):
        insert_later(FieldChange._meta.db_table, _COLUMNS, part)
