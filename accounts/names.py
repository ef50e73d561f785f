"""How user names and e-mail addresses are compared: the same on every database, whatever its collation."""

import re
import unicodedata

from django.core.validators import RegexValidator

USERNAME_LENGTH_MAX = 150
EMAIL_LENGTH_MAX = 254
# No "@": an identifier with one is an e-mail address, so nobody can take somebody's address as a user name.
username_validator = RegexValidator(
    r"\A[\w.+-]+\Z", "A user name may contain letters, digits and . + - _ only.", code="invalid_username"
)
_NOT_IN_USERNAMES = re.compile(r"[^\w.+-]+")


def username_key(username: str) -> str:
    """What two spellings of one user name have in common (compatibility-normalised, case folded)."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


def normal_email(email: str) -> str:
    """The one spelling of an address that is stored and compared: trimmed, lower case."""
    return unicodedata.normalize("NFKC", email).strip().lower()


def username_from_email(email: str) -> str:
    """A valid user name made from the part before the @; uniqueness is the caller's business."""
    local = unicodedata.normalize("NFKC", email).partition("@")[0]
    return _NOT_IN_USERNAMES.sub("_", local)[: USERNAME_LENGTH_MAX - 10] or "user"
