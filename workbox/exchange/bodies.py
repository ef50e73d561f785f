"""Imports and their rows under their public names, for API and admin."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from workbox.exchange.kinds import KINDS
from workbox.exchange.models import Import, ImportRow
from workbox.exchange.tables import ON_HAND
from workbox.jobs.models import job_body

_NUMBERS = {
    "price", "unit_cost", "reorder_threshold", "reorder_quantity", "unit_price", "minimum_order_quantity",
    "pack_quantity", "shipping_cost", "quantity",
}  # fmt: skip


def counts_of(found: Import) -> dict[str, int]:
    """How many rows of each status the preview found."""
    return {
        "new": found.new_count,
        "changed": found.changed_count,
        "unchanged": found.unchanged_count,
        "error": found.error_count,
    }


def import_body(found: Import) -> dict[str, Any]:
    """An import with the job that works on it and the fields a column may be mapped to."""
    return import_row(found) | {"fields": KINDS[found.what]().names()}


def import_row(found: Import) -> dict[str, Any]:
    """An import as a list shows it."""
    return {
        "id": found.pk,
        "what": found.what,
        "state": found.state,
        "format": found.format,
        "original_name": found.original_name,
        "columns": found.columns,
        "mapping": found.mapping,
        "counts": counts_of(found),
        "result": found.result,
        "job": job_body(found.job) if found.job is not None else None,
        "created_by": found.created_by_id,
        "created_at": found.created_at,
        "applied_at": found.applied_at,
        "reversed_at": found.reversed_at,
    }


def preview_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These rows, each changed field with what it is now and what it would be."""
    found = ImportRow.objects.in_bulk(ids)
    return [preview_row(found[one]) for one in ids if one in found]


def preview_row(row: ImportRow) -> dict[str, Any]:
    """One row of a preview."""
    return {
        "line": row.number,
        "status": row.status,
        "key": row.key,
        "changes": {
            name: {"before": shown(name, row.before.get(name)), "after": shown(name, value)}
            for name, value in row.values.items()
        },
        "errors": row.errors,
        "outcome": row.outcome or None,
        "raw": row.raw,
    }


def shown(name: str, value: Any) -> Any:
    """A stored value; numbers, which are stored as exact text, are numbers again."""
    if isinstance(value, str) and (name in _NUMBERS or name.startswith(ON_HAND)):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    return value


def first_rows(found: Import, *, statuses: Mapping[str, int]) -> list[ImportRow]:
    """The first so many rows of each status, in that order."""
    return [row for status, count in statuses.items() for row in found.rows.filter(status=status)[:count]]
