"""A world of a few accounts, and a client that speaks JSON."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Role, User
from accounts.tokens import TokenPair, forget_verified, issue_pair
from workbox.core.cache import redis_client

PASSWORD = "correct-horse-battery"


class Api:
    """Requests as programs send them; `token` goes into the Authorization header."""

    def __init__(self, token: str | None = None) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send `body` as JSON (bytes go as they are)."""
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        return self.client.generic(
            method,
            path if path.startswith("/") else f"/api/v1/{path}",
            raw,
            content_type="application/json",
            headers=self.headers | headers,
        )

    def form(self, path: str, **fields: str) -> HttpResponse:
        """Send a form, url-encoded."""
        body = "&".join(f"{name}={value}" for name, value in fields.items())
        return self.client.generic(
            "POST", f"/api/v1/{path}", body, content_type="application/x-www-form-urlencoded", headers=self.headers
        )


@pytest.fixture(autouse=True)
def _fresh_memory() -> Iterator[None]:
    """Tokens and cached accounts of one test are unknown to the next."""
    forget_verified()
    client = redis_client()
    if client is not None:
        client.flushdb()
    yield
    forget_verified()


@pytest.fixture
def api() -> Api:
    """An anonymous client."""
    return Api()


@pytest.fixture
def make(db: None) -> Callable[..., User]:
    """Makes an account: make("rosa", role="clerk")."""

    def _make(name: str = "rosa", *, role: str = Role.USER, password: str | None = PASSWORD) -> User:
        return User.objects.create_user(name, f"{name.lower()}@example.org", password, role=role)

    return _make


@pytest.fixture
def as_role(make: Callable[..., User]) -> Callable[[str], Api]:
    """A client logged in with a role: as_role("manager")("GET", "users")."""

    def _as_role(role: str) -> Api:
        user = User.objects.filter(username=f"the-{role}").first() or make(f"the-{role}", role=role)
        return Api(issue_pair(user).access)

    return _as_role


@pytest.fixture
def rosa(make: Callable[..., User]) -> User:
    """An ordinary customer."""
    return make("Rosa")


@pytest.fixture
def pair(rosa: User) -> TokenPair:
    """Rosa's tokens."""
    return issue_pair(rosa)
