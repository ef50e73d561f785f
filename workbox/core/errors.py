"""The errors a business rule can raise, named in domain words.

The core never speaks HTTP: `workbox.core.api` decides once which status each family gets.
"""

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """A rule of the business refused the act; nothing was written.

    `code` is the stable machine word of the error, `fields` tells which input was at fault (field name → messages) and
    `extra` carries facts a program may act on (they become top-level keys of the error body).
    """

    code = "error"
    title = "Error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        fields: Mapping[str, list[str]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.fields = dict(fields or {})
        self.extra = dict(extra or {})


class RuleViolation(DomainError):
    """The request is well-formed, but the business does not allow it."""

    code = "rule_violation"
    title = "Business rule violated"


class Invalid(DomainError):
    """The input has the wrong shape, type or range."""

    code = "validation_error"
    title = "Validation error"


class Malformed(DomainError):
    """The input could not be read at all (broken JSON, wrong encoding)."""

    code = "malformed"
    title = "Malformed request"


class NotAuthenticated(DomainError):
    """Nobody, or nobody we know, is asking."""

    code = "not_authenticated"
    title = "Authentication required"


class Forbidden(DomainError):
    """We know who is asking; this role may not."""

    code = "forbidden"
    title = "Forbidden"


class NotFound(DomainError):
    """There is no such thing, or the asker may not know of it."""

    code = "not_found"
    title = "Not found"


class Conflict(DomainError):
    """The thing is in a state that does not allow the act (second confirm, key in use, name taken meanwhile)."""

    code = "conflict"
    title = "Conflict"


class HistoryIsFixed(Conflict):
    """History is only added to: a mistake is corrected by a reversing entry that points at it."""

    code = "history_is_fixed"


class PreconditionFailed(DomainError):
    """The number or version the asker decided on has moved meanwhile; nothing was written."""

    code = "precondition_failed"
    title = "Precondition failed"


class TooManyRequests(DomainError):
    """A limit was passed; `retry_after_seconds` says when to come back."""

    code = "throttled"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Busy(DomainError):
    """The database could not do the work now (contention or restart); the same request may simply be sent again."""

    code = "busy"
    title = "Temporarily unavailable"
    retry_after_seconds = 1
