"""Every API route, read from the URLconf: what tests that must not forget one walk over."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver

from workbox.urls import api

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
UNKNOWN_ID = 987654321


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the API; `regex` is below /api/v1/."""

    name: str
    regex: str
    view: Any

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods its view answers."""
        allowed = self.view.http_method_names
        return tuple(one for one in METHODS if hasattr(self.view, one.lower()) and one.lower() in allowed)

    def path(self, number: int = UNKNOWN_ID) -> str:
        """Its path with `number` for every id."""
        return "/api/v1/" + re.sub(r"\(\?P<\w+>[^)]*\)", str(number), self.regex).removeprefix("^").removesuffix("/?$")

    @property
    def has_id(self) -> bool:
        """True when the path names one thing."""
        return "(?P<" in self.regex


def _walk(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Route]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns)
        else:
            yield Route(str(one.name), str(one.pattern), one.callback.view_class)


ROUTES = tuple(_walk(api))
BY_NAME = {route.name: route for route in ROUTES}
