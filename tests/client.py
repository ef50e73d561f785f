"""A client as programs are: a token in the header, JSON out, JSON back."""

from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client, TestCase


class Api:
    """`api("POST", "orders", {...})`: paths without a leading slash are below /api/v1/."""

    def __init__(self, token: str | None = None, user: Any = None) -> None:
        self.user = user
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = Client()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send `body` as JSON; bytes go as they are. Header names are written with underscores."""
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        where = path if path.startswith("/") else f"/api/v1/{path}"
        # A test's own transaction is never committed; what a request tells the world after COMMIT is told all the same.
        with TestCase.captureOnCommitCallbacks(execute=True):
            return self._client.generic(
                method, where, raw, content_type="application/json", headers=self.headers | named
            )

    def form(self, path: str, body: str) -> HttpResponse:
        """Send a URL-encoded form."""
        return self._client.generic("POST", path, body, content_type="application/x-www-form-urlencoded")
