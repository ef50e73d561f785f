"""What every kind of import has in common: named columns, rows compared with what is known, one way in and one back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from workbox.core.numbers import plain
from workbox.core.reading import Fields
from workbox.exchange.models import ImportRow

NEW, CHANGED, UNCHANGED, ERROR = ImportRow.Status.values
MOVED = "changed after the preview; upload the file again to see the difference"
Values = dict[str, Any]
KEY_LENGTH_MAX = 200  # what a row is called by to people; a longer one is cut


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file: its line number, and our field → text."""

    number: int
    raw: Mapping[str, str]


@dataclass(slots=True)
class Planned:
    """What a row would do: the fields that differ with what they are now, or what is wrong with it."""

    line: Line
    key: str = ""
    status: str = UNCHANGED
    values: Values = field(default_factory=dict)
    before: Values = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def fault(self, name: str, message: str) -> None:
        """This field is wrong."""
        self.errors.setdefault(name, []).append(message)

    def settle(self, *, is_new: bool) -> "Planned":
        """Decide the status from what was found."""
        self.status = ERROR if self.errors else NEW if is_new else CHANGED if self.values else UNCHANGED
        return self

    def compare(self, wanted: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Keep the wanted values that differ from the known ones."""
        for name, value in wanted.items():
            if not same(value, known.get(name)):
                self.values[name], self.before[name] = value, known.get(name)

    def stored(self) -> dict[str, Any]:
        """The row as JSON keeps it: numbers as exact text."""
        return {
            "number": self.line.number,
            "status": self.status,
            "key": self.key[:KEY_LENGTH_MAX],
            "raw": dict(self.line.raw),
            "values": as_json(self.values),
            "before": as_json(self.before),
            "errors": self.errors,
        }


def as_json(values: Mapping[str, Any]) -> Values:
    """Exact numbers as text, all else as it is."""
    return {name: plain(one) if isinstance(one, Decimal) else one for name, one in values.items()}


def same(one: Any, other: Any) -> bool:
    """Equal to people: a line break is a line break, space at its ends is none, 1 is 1.000, nothing is empty text."""
    if one == other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return _plain_text(one) == _plain_text(other)
    if isinstance(one, Decimal) or isinstance(other, Decimal):
        left, right = (None if value is None else Decimal(str(value)) for value in (one, other))
        return left == right
    return bool((one or None) == (other or None)) if one is None or other is None else bool(one == other)


def _plain_text(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def normal(name: str) -> str:
    """A column's name as it is compared: `Unit Price (€)` → `unit_price`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@dataclass(frozen=True, slots=True)
class Applied:
    """What an import wrote: stock operations and orders it made; rows that could not be written after all."""

    operation_ids: Sequence[int] = ()
    order_ids: Sequence[int] = ()
    refused: Mapping[int, dict[str, list[str]]] = field(default_factory=dict)


class Kind:
    """How one kind of file is understood, applied and taken back. One instance serves one run over one file."""

    # Our field → other names it is known by.
    aliases: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    chunk_rows: ClassVar[int] = 1000

    def names(self) -> list[str]:
        """Every field a column may be mapped to."""
        return list(self.aliases)

    def propose(self, columns: Iterable[str]) -> dict[str, str]:
        """Our field → the column that is called like it, or like one of its other names."""
        by_name: dict[str, str] = {}
        for column in columns:
            by_name.setdefault(normal(column), column)
        found = {}
        for name in self.names():
            spelled = [name, *self.aliases.get(name, ())]
            called = next((by_name[normal(one)] for one in spelled if normal(one) in by_name), None)
            if called is not None:
                found[name] = called
        return found

    def hold(self, lines: Sequence[Line]) -> None:
        """What these rows are compared with stands still until the transaction ends."""

    def plan(self, lines: Sequence[Line]) -> list[Planned]:
        """What each row would do now, in order; called chunk by chunk over one file."""
        raise NotImplementedError

    def apply(self, rows: Sequence[Planned], *, reason: str, actor_id: int | None) -> Applied:
        """Write the new and changed rows, through the rooms' services, in the caller's transaction."""
        raise NotImplementedError

    def take_back(self, rows: Sequence[ImportRow], result: Mapping[str, Any], *, reason: str) -> set[int]:
        """Undo these applied rows; returns the numbers of those left alone because they changed since."""
        raise NotImplementedError


def reading(line: Line, planned: Planned) -> Fields:
    """Typed values of a row; its faults are the row's errors."""
    return Fields(line.raw, faults=planned.errors)


def require(planned: Planned, names: Iterable[str], given: Mapping[str, Any]) -> None:
    """Each of these fields has to be there."""
    for name in names:
        if not given.get(name):
            planned.fault(name, "this field is required")
