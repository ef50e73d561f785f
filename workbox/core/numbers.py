"""Exact numbers: quantities and money are Decimals from the request to the column and back; no float in between."""

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson
from django.core.exceptions import ValidationError

ID_DIGITS_MAX = 18  # a longer number is nobody's id, and more than the databases compare
QUANTITY_PLACES = 3
MONEY_PLACES = 4
QUANTITY_MAX = Decimal(10**9)
MONEY_MAX = Decimal(10**9)
_QUANTITY_STEP = Decimal(1).scaleb(-QUANTITY_PLACES)
_MONEY_STEP = Decimal(1).scaleb(-MONEY_PLACES)


def as_quantity(value: Decimal | float | int | str | None) -> Decimal:
    """A number as a database driver hands it over (SQLite: int or float, MySQL: Decimal), as an exact quantity."""
    if type(value) is Decimal:
        return value
    return Decimal(str(value or 0)).quantize(_QUANTITY_STEP)


def as_money(value: Decimal | float | int | str | None) -> Decimal:
    """Like `as_quantity`, for amounts of money (four decimal places)."""
    if type(value) is Decimal:
        return value
    return Decimal(str(value or 0)).quantize(_MONEY_STEP)


def parse_decimal(raw: Any) -> Decimal | None:
    """What a client sent (JSON number or numeric string) as an exact finite Decimal, or None when it is no number."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        return None
    if isinstance(raw, str) and len(raw) > 40:
        return None
    if isinstance(raw, int) and abs(raw) > 10**30:
        return None
    try:
        number = Decimal(repr(raw) if isinstance(raw, float) else str(raw).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**30 else None


def has_places(number: Decimal, places: int) -> bool:
    """True when `number` needs at most `places` decimal places."""
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -places


def plain(number: Decimal) -> str:
    """The shortest exact spelling: 48, 2.85, 999.99; never an exponent."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


@lru_cache(maxsize=65536)
def _fragment(number: Decimal) -> orjson.Fragment:
    text = plain(number)
    return orjson.Fragment("0" if text == "-0" else text)


def _json_default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _fragment(value)
    if isinstance(value, ValidationError):
        return value.messages
    return str(value)


def to_json(body: Any) -> bytes:
    """JSON bytes; Decimals become exact JSON numbers, times become RFC 3339 in UTC with a Z."""
    return orjson.dumps(body, default=_json_default, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
