"""JSON in and out of DRF. Apart from `api.py`, because DRF imports these while its own view module is being loaded."""

from collections.abc import Iterable
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from workbox.core import errors
from workbox.core.numbers import to_json

JSON = "application/json"


class OrjsonParser(BaseParser):
    """JSON bodies; anything unreadable is a 400 that says where."""

    media_type = JSON

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return load_json(stream.read())


class OrjsonRenderer(BaseRenderer):
    """JSON answers with exact decimals."""

    media_type, format, charset = JSON, "json", None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else to_json(data)


class JsonOnly(BaseContentNegotiation):
    """This API speaks JSON whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        kind = (request.content_type or JSON).partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        first = next(iter(renderers))
        return first, first.media_type


def load_json(raw: bytes) -> Any:
    """The value in a JSON body; raises Malformed (400)."""
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise errors.Malformed(f"The body is not valid JSON: {error}.", code="malformed_json") from None
