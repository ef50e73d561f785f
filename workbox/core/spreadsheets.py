"""Text on its way into and out of a file that a spreadsheet may open: none of it may be run as a formula."""

import re

# A spreadsheet runs what begins like this. Quotes in front count too, so that taking one away again is always right.
_LOOKS_LIKE_A_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
_WAS_ESCAPED = re.compile(r"^'+[=+\-@\t\r]")


def escaped(text: str) -> str:
    """Text that begins like a formula gets a ' in front."""
    return f"'{text}" if _LOOKS_LIKE_A_FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """What `escaped` was given."""
    return text[1:] if _WAS_ESCAPED.match(text) else text
