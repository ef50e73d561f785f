"""Row-level walls: somebody bound to warehouses sees and moves what lies in those, and nothing else exists for them.

The edge says who is bound (`context.warehouses`); reads and checks of every room ask here. Unbound people, commands and
workers see everything, and their statements stay as they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from workbox.core import context
from workbox.core.db import marks

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def own() -> frozenset[int] | None:
    """The warehouses whoever acts is bound to; None: all of them."""
    return context.warehouses.get()


def inside(*columns: str, or_none: bool = False) -> Q:
    """The condition that one of these columns (they hold warehouse ids) is inside; `or_none`: or names no warehouse."""
    mine = own()
    wanted = Q()
    if mine is None:
        return wanted
    for column in columns:
        wanted |= Q(**{f"{column}__in": sorted(mine)})
        if or_none:
            wanted |= Q(**{f"{column}__isnull": True})
    return wanted


def within(found: "QuerySet[M]", *columns: str, or_none: bool = False) -> "QuerySet[M]":
    """The rows of which one of these columns is inside; all rows for those who are not bound."""
    return found if own() is None else found.filter(inside(*columns, or_none=or_none))


def of(found: "QuerySet[M]") -> "QuerySet[M]":
    """The rows of a model that says itself where its warehouse stands: `wall_columns`, and `wall_or_none`."""
    columns = getattr(found.model, "wall_columns", ())
    if own() is None or not columns:
        return found
    mine = inside(*columns, or_none=getattr(found.model, "wall_or_none", False))
    return found.filter(pk__in=found.model._base_manager.filter(mine).values("pk"))


def clause(column: str, *, before: str = " AND ") -> tuple[str, list[int]]:
    """The same condition for plain SQL, with its values; empty for those who are not bound."""
    mine = own()
    return ("", []) if mine is None else (f"{before}{column} IN ({marks(len(mine))})", sorted(mine))


def hides(*warehouse_ids: int | None) -> bool:
    """True when warehouses are named, and none of them is inside."""
    mine = own()
    named = {one for one in warehouse_ids if one is not None}
    return mine is not None and bool(named) and not named & mine


def foreign(warehouse_ids: Iterable[int | None]) -> list[int]:
    """Those of the named warehouses that are outside."""
    mine = own()
    return [] if mine is None else sorted({one for one in warehouse_ids if one is not None} - mine)


def rows_inside(rows: Sequence[dict[str, Any]], name: str = "warehouse_id") -> list[dict[str, Any]]:
    """The rows whose `name` is inside (or None)."""
    return [row for row in rows if not hides(row[name])]


def carried(rows: Iterable[T]) -> Iterator[T]:
    """`rows` read step by step behind the walls of now: a streamed body is read after its request is over."""
    return _behind(iter(rows), own())


def _behind(rows: Iterator[T], mine: frozenset[int] | None) -> Iterator[T]:
    while True:
        with seen_by(mine):
            try:
                row = next(rows)
            except StopIteration:
                return
        yield row


@contextmanager
def seen_by(warehouses: frozenset[int] | None) -> Iterator[None]:
    """What is read in here is what somebody bound to these warehouses sees."""
    token = context.warehouses.set(warehouses)
    try:
        yield
    finally:
        context.warehouses.reset(token)
