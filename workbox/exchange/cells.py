"""One cell of a table on its way out and back: exact numbers, and text that no spreadsheet takes for a formula."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from workbox.core.numbers import plain

Cell = Any  # str, Decimal, int, bool, datetime or None
# A spreadsheet runs what begins like this. Quotes in front count too, so that taking one away again is always right.
_LOOKS_LIKE_A_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
_WAS_ESCAPED = re.compile(r"^'+[=+\-@\t\r]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def escaped(text: str) -> str:
    """Text that begins like a formula gets a ' in front."""
    return f"'{text}" if _LOOKS_LIKE_A_FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """What `escaped` was given."""
    return text[1:] if _WAS_ESCAPED.match(text) else text


def as_text(value: Cell) -> str:
    """A cell of a CSV file: numbers stay numbers, text is escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return moment_text(value)
    return escaped(str(value))


def as_sheet_cell(value: Cell) -> Cell:
    """A cell of an XLSX file: numbers and truth values as such, times as text, text escaped."""
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, datetime):
        return moment_text(value)
    return escaped(_NOT_IN_XML.sub("", str(value)))


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_file(value: Cell) -> str:
    """A cell of a file that came in, as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 10**15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return unescaped(str(value))
