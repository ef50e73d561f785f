"""GS1 element strings as scanners send them: one code that holds a trade number, a count, a batch.

Pure words, no Django.

Source: GS1 General Specifications, 3 (application identifiers) and 5.10 (symbology identifiers).
"""

import re
from dataclasses import dataclass

FNC1 = "\x1d"
# What a scanner puts before the text of a GS1-128, GS1 DataMatrix, GS1 QR or GS1 DataBar symbol.
GS1_PREFIXES = ("]C1", "]d2", "]Q3", "]e0")
SYMBOLOGY_PREFIX = re.compile(r"^\][A-Za-z][0-9]")
BRACKETED = re.compile(r"\((\d{2,4})\)([^(]+)")
# Identifiers whose length is fixed, by their first two digits: identifier and value together (7.8.5-2).
FIXED = {
    "00": 20, "01": 16, "02": 16, "03": 16, "11": 8, "12": 8, "13": 8, "15": 8, "16": 8, "17": 8, "20": 4,
    "31": 10, "32": 10, "33": 10, "34": 10, "35": 10, "36": 10, "41": 16,
}  # fmt: skip
GTIN, CONTENT_GTIN, VARIABLE_COUNT, COUNT = "01", "02", "30", "37"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one scan says: the code to look up, and how many of it (1 unless the symbol counts)."""

    code: str
    count: int = 1


def read(raw: str) -> Scanned:
    """The code behind what a scanner sent: GS1 symbols by their GTIN, others without the scanner's own prefix."""
    text = raw.strip()
    if text.startswith(GS1_PREFIXES):
        elements = _elements(text[3:])
    elif text.startswith("(0"):
        elements = dict(BRACKETED.findall(text))
    else:
        elements = {}
    gtin = elements.get(GTIN) or elements.get(CONTENT_GTIN)
    if gtin is None or len(gtin) != 14:
        return Scanned(SYMBOLOGY_PREFIX.sub("", text))
    count = elements.get(COUNT) or elements.get(VARIABLE_COUNT) or ""
    return Scanned(gtin, int(count) if count.isascii() and count.isdigit() and 0 < int(count) <= 10**8 else 1)


def _elements(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while text:
        text = text.lstrip(FNC1)
        size = FIXED.get(text[:2])
        if size is None:
            # Variable length, to the next separator. Those that matter here have two digits.
            element, _, text = text.partition(FNC1)
        else:
            element, text = text[:size], text[size:]
        if element:
            found.setdefault(element[:2], element[2:])
    return found
