"""OpenAPI 3.1: what every operation shares (errors, tags) and which routes are listed."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view

ERROR = {
    "type": "object",
    "required": ["error", "detail", "type", "code", "request_id"],
    "properties": {
        "error": {"type": "string", "description": "The family of the error, for people."},
        "detail": {"type": "string", "description": "What is wrong and what to do next."},
        "type": {"type": "string", "description": "The error's class name."},
        "code": {"type": "string", "description": "Stable machine word."},
        "fields": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "request_id": {"type": "string"},
    },
    "additionalProperties": True,
}
ERRORS = {
    "400": "Malformed, or against a business rule",
    "401": "No valid token",
    "403": "The role does not allow it",
    "404": "No such thing",
    "405": "Not with this method",
    "409": "State or idempotency conflict",
    "412": "Changed meanwhile (`If-Match`, `compare_quantity`)",
    "415": "Not JSON",
    "422": "Validation error",
    "429": "Too many requests",
    "503": "Busy; send it again",
}


class WorkBoxSchema(AutoSchema):
    """Tags by room, operation ids by route."""

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").split("/")
        return [parts[0].replace("-", " ")]


def asked(value: Any, name: str = "Request") -> OpenApiExample:
    """An example of a request body."""
    return OpenApiExample(name, value=value, request_only=True)


def answered(value: Any, status: int = 200, name: str = "Response") -> OpenApiExample:
    """An example of an answer."""
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)])


def answered_file(value: str, media_type: str) -> OpenApiExample:
    """An example of what is downloaded."""
    return OpenApiExample("Response", value=value, media_type=media_type, response_only=True, status_codes=["200"])


def in_path(name: str) -> OpenApiParameter:
    """The id in a route."""
    return OpenApiParameter(name, int, OpenApiParameter.PATH)


def in_query(name: str, kind: Any = str, *, enum: list[str] | None = None, text: str = "") -> OpenApiParameter:
    """A filter of a list."""
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, enum=enum, description=text)


def action_schema(**schema: Any) -> Callable[[type], type]:
    """Documents an ActionView: its three methods are one operation under three names."""
    return extend_schema_view(**{method: extend_schema(**schema) for method in ("post", "put", "patch")})


DATES = [
    in_query("created_from_date", text="From this date or time on (ISO 8601)."),
    in_query("created_to_date", text="Up to this date (to its end) or time."),
]
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Send any unique text: the same request sent again gets the same answer and happens once.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag you decided on; 412 when the state is another now."
)


def only_versioned(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """List `/api/v1/…`, `/health…` once; the unprefixed twins stay out."""
    return [row for row in endpoints if row[0].startswith("/health") or _is_pinned(row[0])]


def _is_pinned(path: str) -> bool:
    return path.startswith("/api/v1/") and not path.startswith("/api/v1/health")


def add_error_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation may answer with the one error body."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status, text in ERRORS.items():
                    operation["responses"].setdefault(status, {"description": text, "content": body})
    return result
