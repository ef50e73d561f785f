"""The documents' examples once more, against a server process: over HTTP and over its sockets."""

import inspect
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from websockets.sync.client import connect

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.models import Product, Warehouse
from tests import test_seed_examples
from tests.client import Api
from tests.servers import ServerProcess, serving

pytestmark = pytest.mark.django_db(transaction=True)
SCENARIOS = {name: one for name, one in vars(test_seed_examples).items() if name.startswith("test_00")}
SPELLINGS = (("/api/v1", ""), ("", "/"))


class Answer:
    """An HTTP answer with the few names the scenarios use."""

    def __init__(self, status: int, content: bytes, headers: Any) -> None:
        self.status_code, self.content, self.headers = status, content, headers

    def json(self) -> Any:
        return json.loads(self.content)


class HttpApi(Api):
    """`tests.client.Api` over the network; `sent` counts what all of them sent."""

    sent = 0

    def __init__(self, base: str, token: str | None = None, user: Any = None) -> None:
        super().__init__(token, user)
        self._base = base

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self._send(method, path, raw, "application/json", headers)

    def form(self, path: str, body: str) -> Any:
        return self._send("POST", path, body.encode(), "application/x-www-form-urlencoded", {})

    def _send(self, method: str, path: str, body: bytes | None, kind: str, headers: dict[str, str]) -> Answer:
        HttpApi.sent += 1
        where = path if path.startswith("/") else f"/api/v1/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            self._base + where, body, self.headers | {"Content-Type": kind} | named, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.headers)


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[ServerProcess]:
    """One server for the HTTP examples; each test empties its database."""
    with django_db_blocker.unblock(), serving(1) as (found,):
        yield found


@pytest.fixture
def own_server(db: None) -> Iterator[ServerProcess]:
    """A server of its own: a log that is emptied under a tailer would be a log that lost facts."""
    with serving(1) as (found,):
        yield found


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_documents_examples_work_on_a_running_server(
    name: str,
    spelling: tuple[str, str],
    server: ServerProcess,
    make_user: Callable[..., User],
    main: Warehouse,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario = getattr(SCENARIOS[name], "__wrapped__", SCENARIOS[name])
    user = User.objects.filter(username="manager").first() or make_user("manager")
    manager = HttpApi(server.http, issue_pair(user).access, user)
    prefix, slash = spelling

    def spelled(path: str) -> str:
        where, mark, query = path.partition("?")
        return f"{prefix}{where.rstrip('/')}{slash}{mark}{query}"

    def send(method: str, path: str, body: str | None = None) -> Any:
        return manager(method, spelled(path), body.encode() if body is not None else None)

    monkeypatch.setattr(test_seed_examples, "Api", partial(HttpApi, server.http))
    given: dict[str, Any] = {"send": send, "spelled": spelled, "manager": manager, "main": main}
    given |= {"path": "/api/v1/metrics", "method": "PATCH"}  # what a scenario varies itself: the document's own way
    wanted = inspect.signature(scenario).parameters
    before = HttpApi.sent
    scenario(**{one: given[one] if one in given else request.getfixturevalue(one) for one in wanted})
    assert HttpApi.sent > before, "the scenario went past the server"


def test_every_connected_client_sees_an_order_as_the_document_prints_it(
    own_server: ServerProcess, make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    laptop, bag = make_product("Laptop", stock=50, price="999.99"), make_product("Bag", stock=5, price="30")
    user = make_user("manager")
    token = issue_pair(user).access
    header = {"Authorization": f"Bearer {token}"}
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(own_server.ws, additional_headers=header)) for _ in range(3)]
        for socket in sockets:
            assert json.loads(socket.recv(timeout=10))["type"] == "hello"
            socket.send(json.dumps({"action": "subscribe", "topics": ["stock", "orders"]}))
            assert json.loads(socket.recv(timeout=10))["type"] == "subscribed"
        body = {
            "user_id": user.pk,
            "items": [{"inventory_id": laptop.pk, "quantity": 2}, {"inventory_id": bag.pk, "quantity": 1}],
        }
        assert HttpApi(own_server.http, token)("POST", "/orders/", body).status_code == 201
        for socket in sockets:
            frames: list[dict[str, Any]] = []
            while not frames or frames[-1]["type"] != "order_placed":
                frames.append(json.loads(socket.recv(timeout=10)))
            updates = {one["inventory_id"]: one for one in frames if one["type"] == "inventory_update"}
            assert (updates[laptop.pk]["stock_quantity"], updates[laptop.pk]["price"]) == (48, 999.99)
            assert {"type", "inventory_id", "name", "stock_quantity", "price"} <= updates[bag.pk].keys()
            (order,) = [one for one in frames if one["type"] == "order_placed"]
            assert (order["user_id"], order["total_amount"]) == (user.pk, 2029.98)
            assert order["items"][0] == {
                "inventory_id": laptop.pk, "name": "Laptop", "quantity": 2, "unit_price": 999.99,
            }  # fmt: skip


@pytest.mark.parametrize("path", ["/ws/dashboard", "/api/v1/analytics/ws/dashboard", "/analytics/ws/dashboard/"])
def test_the_dashboard_socket_shows_the_documents_keys(
    path: str, own_server: ServerProcess, make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    make_product("Lamp", stock=3)
    header = {"Authorization": f"Bearer {issue_pair(make_user('manager')).access}"}
    with connect(own_server.ws.removesuffix("/ws") + path, additional_headers=header) as socket:
        frame = json.loads(socket.recv(timeout=10))
        while "daily_snapshot" not in frame:
            frame = json.loads(socket.recv(timeout=10))
    assert {"updated_at", "daily_snapshot", "inventory_alerts", "top_performers"} <= frame.keys()
    assert frame["daily_snapshot"].keys() == {"today_sales", "yesterday_sales", "growth"}
    assert {"product", "current_stock", "min_required"} <= frame["inventory_alerts"][0].keys()
