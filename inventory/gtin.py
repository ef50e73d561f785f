"""Trade item numbers (GTIN-8, UPC-A, EAN-13, GTIN-14): one number under its several lengths. Pure words, no Django.

Source of the check digit: GS1 General Specifications, 7.9.1 (weights 3 and 1 from the right, modulo 10).
"""

GTIN_LENGTHS = frozenset({8, 12, 13, 14})
GTIN_DIGITS = 14


def looks_like_gtin(code: str) -> bool:
    """True for 8, 12, 13 or 14 digits: such a code carries a check digit."""
    return len(code) in GTIN_LENGTHS and code.isascii() and code.isdigit()


def check_digit(code: str) -> str:
    """The last digit that a code of this many digits has to end with; the one it ends with is not looked at."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(code[:-1])))
    return str(-total % 10)


def gtin_of(code: str) -> str | None:
    """The code as GTIN-14 (leading zeros added), by which its other lengths find it; None when it is no GTIN."""
    if not looks_like_gtin(code) or check_digit(code) != code[-1]:
        return None
    return code.zfill(GTIN_DIGITS)
