"""Hand-written readers of request bodies and query strings: typed values out, every fault named in one error.

They stand where a serializer would, because on the hot paths the serializer is the cost (design: performance). Numbers
become exact Decimals; unknown keys are ignored and never stored.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from workbox.core.errors import Invalid
from workbox.core.numbers import (
    ID_DIGITS_MAX,
    MONEY_MAX,
    MONEY_PLACES,
    QUANTITY_MAX,
    QUANTITY_PLACES,
    has_places,
    parse_decimal,
)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DATE_ONLY = re.compile(r"^\d{4}-?\d{2}-?\d{2}$")
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_YEAR_MIN, _YEAR_MAX = 1900, 9998  # MySQL's datetime, with room for every time zone


class Fields:
    """Takes typed values out of a JSON object and gathers what is wrong with them.

    A key that is missing or null gives the default. `check()` raises Invalid (422) with every fault found so far;
    values read before it are only to be used after it.
    """

    __slots__ = ("_prefix", "_values", "faults")

    def __init__(
        self, values: Mapping[str, Any], *, prefix: str = "", faults: dict[str, list[str]] | None = None
    ) -> None:
        self._values = values
        self._prefix = prefix
        self.faults: dict[str, list[str]] = {} if faults is None else faults

    def has(self, name: str) -> bool:
        """True when the key was sent with a value."""
        return self._values.get(name) is not None

    def sent(self, name: str) -> bool:
        """True when the key was sent, be it null."""
        return name in self._values

    def fault(self, name: str, message: str) -> None:
        """Remember that this key is wrong."""
        self.faults.setdefault(self._prefix + name, []).append(message)

    def require(self, *names: str) -> None:
        """Each of these keys has to be there."""
        for name in names:
            if not self.has(name):
                self.fault(name, "this field is required")

    def check(self) -> None:
        """Raise Invalid with every fault found, none: go on."""
        if self.faults:
            name, messages = next(iter(self.faults.items()))
            raise Invalid(f"{name}: {messages[0]}", fields=self.faults)

    def text(self, name: str, *, max_length: int, default: str = "") -> str:
        """Trimmed text without control characters."""
        raw = self._values.get(name)
        if raw is None:
            return default
        if not isinstance(raw, str):
            self.fault(name, "must be text")
        elif len(raw) > max_length:
            self.fault(name, f"may have at most {max_length} characters")
        elif _CONTROL.search(raw):
            self.fault(name, "may not contain control characters")
        else:
            return raw.strip()
        return default

    def boolean(self, name: str, *, default: bool | None = None) -> bool | None:
        """true or false."""
        raw = self._values.get(name)
        if raw is None or isinstance(raw, bool):
            return default if raw is None else raw
        if isinstance(raw, str) and raw.lower() in _TRUE | _FALSE:
            return raw.lower() in _TRUE
        self.fault(name, "must be true or false")
        return default

    def identifier(self, name: str) -> int | None:
        """The id of something: a whole number above zero, or its digits as text."""
        raw = self._values.get(name)
        if raw is None:
            return None
        if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= ID_DIGITS_MAX:
            raw = int(raw)
        if isinstance(raw, int) and not isinstance(raw, bool) and 0 < raw < 10**ID_DIGITS_MAX:
            return raw
        self.fault(name, "must be an id (a whole number above zero)")
        return None

    def whole(self, name: str, *, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high`."""
        raw = self._values.get(name)
        if raw is None:
            return default
        number = parse_decimal(raw)
        if number is None or number != number.to_integral_value() or not low <= number <= high:
            self.fault(name, f"must be a whole number from {low} to {high}")
            return default
        return int(number)

    def decimal(self, name: str, *, places: int, high: Decimal) -> Decimal | None:
        """An exact number of at most `places` decimal places between −high and high."""
        raw = self._values.get(name)
        if raw is None:
            return None
        number = parse_decimal(raw)
        if number is None:
            self.fault(name, "must be a number")
        elif abs(number) > high:
            self.fault(name, f"may be at most {high}")
        elif not has_places(number, places):
            self.fault(name, f"may have at most {places} decimal places")
        else:
            return number
        return None

    def quantity(self, name: str) -> Decimal | None:
        """How many; the sign and the unit's precision are the rule's business."""
        return self.decimal(name, places=QUANTITY_PLACES, high=QUANTITY_MAX)

    def money(self, name: str) -> Decimal | None:
        """An amount of money."""
        return self.decimal(name, places=MONEY_PLACES, high=MONEY_MAX)

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of a set of words, in any case."""
        raw = self._values.get(name)
        if raw is None:
            return None
        if isinstance(raw, str) and raw.strip().lower() in choices:
            return raw.strip().lower()
        self.fault(name, f"must be one of {', '.join(sorted(choices))}")
        return None

    def moment(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        """A date or time in ISO 8601, in UTC unless it says; with `end_of_day` a bare date means its last moment."""
        raw = self._values.get(name)
        if raw is None:
            return None
        try:
            # A "+" that a client forgot to escape in a URL arrives as a space.
            text = raw.strip().replace(" ", "+") if "T" in raw else raw.strip()
            moment = datetime.fromisoformat(text)
            if end_of_day and _DATE_ONLY.match(text):
                moment = datetime.combine(moment.date(), time.max)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (AttributeError, TypeError, ValueError, OverflowError):
            moment = None
        if moment is None or not _YEAR_MIN <= moment.year <= _YEAR_MAX:
            self.fault(name, "must be a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z")
            return None
        return moment

    def texts(self, name: str, *, most: int, max_length: int) -> list[str]:
        """A list of at most `most` texts; missing: an empty one."""
        raw = self._values.get(name)
        if raw is None:
            return []
        if not isinstance(raw, list) or not all(isinstance(one, str) and len(one) <= max_length for one in raw):
            self.fault(name, f"must be a list of texts of at most {max_length} characters")
            return []
        if len(raw) > most:
            self.fault(name, f"at most {most}")
            return []
        return [one.strip() for one in raw]

    def objects(self, name: str, *, most: int) -> list[dict[str, Any]]:
        """A list of at most `most` JSON objects; missing: an empty one."""
        raw = self._values.get(name)
        if raw is None:
            return []
        if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
            self.fault(name, "must be a list of objects")
            return []
        if len(raw) > most:
            self.fault(name, f"at most {most}")
            return []
        return raw


class Query(Fields):
    """A query string: an empty value counts as not given, the last of several counts."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__({name: value for name, value in values.items() if value != ""})

    def order(self, columns: Mapping[str, str], *, default: str) -> tuple[str, ...]:
        """The ORM ordering that `sort_by=name_desc` or `ordering=-name,sku` asks for; `columns`: public name → column.

        The id decides between equals, so that pages never overlap.
        """
        sorts = {
            f"{name}_{way}": ("-" if way == "desc" else "") + column
            for name, column in columns.items()
            for way in ("asc", "desc")
        }
        chosen = self.choice("sort_by", sorts)
        if chosen is not None:
            return _with_id([sorts[chosen]])
        found = []
        for part in self.text("ordering", max_length=200).split(","):
            name = part.strip().removeprefix("-")
            if not name:
                continue
            if name not in columns:
                self.fault("ordering", f"must be of {', '.join(sorted(columns))}, with - in front to reverse")
                break
            found.append(("-" if part.strip().startswith("-") else "") + columns[name])
        return _with_id(found or [default])


def _with_id(columns: list[str]) -> tuple[str, ...]:
    names = [column.removeprefix("-") for column in columns]
    if "id" in names:
        return tuple(columns[: names.index("id") + 1])
    return (*columns, "-id" if columns[0].startswith("-") else "id")


def canonical(body: Mapping[str, Any], aliases: Mapping[str, tuple[str, ...]], *, prefix: str = "") -> dict[str, Any]:
    """`body` under canonical names (`aliases`: canonical → other names); raises Invalid when two names disagree."""
    result = dict(body)
    faults: dict[str, list[str]] = {}
    for name, others in aliases.items():
        given = [one for one in (name, *others) if one in body]
        if not given or given == [name]:
            continue
        first = body[given[0]]
        for one in given[1:]:
            if not _same(first, body[one]):
                faults[prefix + one] = [f"means the same as {given[0]}, but says something else"]
        for one in others:
            result.pop(one, None)
        result[name] = first
    if faults:
        name, messages = next(iter(faults.items()))
        raise Invalid(f"{name} {messages[0]}.", code="aliases_disagree", fields=faults)
    return result


def _same(one: Any, other: Any) -> bool:
    if one == other and isinstance(one, bool) == isinstance(other, bool):
        return True
    left, right = parse_decimal(one), parse_decimal(other)
    return left is not None and left == right
