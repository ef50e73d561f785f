"""One cell of a table on its way out and back: exact numbers, and text that no spreadsheet takes for a formula."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from workbox.core.numbers import plain
from workbox.core.spreadsheets import escaped, unescaped

Cell = Any  # str, Decimal, int, bool, datetime or None
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


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
