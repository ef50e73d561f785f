"""Routes of the API: an optional trailing slash, and a look-up by the path's first word."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver, re_path
from django.urls.resolvers import RoutePattern

_FIRST_WORD = re.compile(r"\^([a-z][a-z-]*)(?=/)")


def route(pattern: str, view: Any, name: str) -> URLPattern:
    """A URL with an optional trailing slash; `pattern` is the regex of the path without it."""
    found: URLPattern = re_path(rf"^{pattern}/?$", view, name=name)
    return found


class ByFirstWord(URLResolver):
    """These routes under a prefix. A path is compared with the routes that share its first word, not with all.

    Django's resolver tries one route after the other, which costs a request to the last of fifty as much as its work.
    Every route must begin with a plain word (ValueError).
    """

    def __init__(self, prefix: str, routes: Sequence[URLPattern]) -> None:
        super().__init__(RoutePattern(prefix, is_endpoint=False), list(routes))
        self._prefix = prefix

    @cached_property
    def _of_word(self) -> dict[str, URLResolver]:
        words: dict[str, list[URLPattern | URLResolver]] = {}
        for one in self.url_patterns:
            found = _FIRST_WORD.match(str(one.pattern))
            if found is None:
                raise ValueError(f"The route {one.pattern} does not begin with a plain word.")
            words.setdefault(found[1], []).append(one)
        return {word: URLResolver(self.pattern, routes) for word, routes in words.items()}

    def resolve(self, path: str) -> ResolverMatch:
        found = self._of_word.get(path[len(self._prefix) :].partition("/")[0])
        if found is None:
            raise Resolver404({"path": path, "tried": []})
        return found.resolve(path)
