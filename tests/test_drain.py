"""SIGTERM on real server processes: what is in flight is finished, nothing new is taken, sockets go on elsewhere.

A request is kept in flight by a lock that the test holds on what the request has to change.
"""

import asyncio
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from accounts.tokens import issue_pair
from inventory.models import Product, ProductStock
from orders.models import Order
from tests.servers import ServerProcess, serving
from workbox.core.stream import CLOSE_RESTART

pytestmark = [pytest.mark.django_db(transaction=True)]
# granian belongs to the production set, which is installed for the run on MariaDB.
# One worker of it: a second one that is still starting when the signal comes would open the door again.
SERVERS = [pytest.param(False, id="serve"), pytest.param(True, id="granian", marks=pytest.mark.mariadb)]
END_SECONDS = 10.0  # docs/operations.md; how long the process may take after its last request was answered


class Request(threading.Thread):
    """A POST of an order that is under way; `status` is None until it was answered."""

    def __init__(self, server: ServerProcess, token: str, product_id: int) -> None:
        super().__init__()
        body = json.dumps({"items": [{"product_id": product_id, "quantity": 1}]}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._request = urllib.request.Request(f"{server.http}/api/v1/orders", body, headers)
        self.status: int | None = None
        self.order_id = 0
        self.start()

    def run(self) -> None:
        try:
            with urllib.request.urlopen(self._request, timeout=30) as answer:
                self.order_id = json.load(answer)["id"]
                self.status = answer.status
        except (urllib.error.URLError, OSError, ValueError):
            self.status = 0


@contextmanager
def held(product_id: int) -> Iterator[None]:
    """Nobody else changes this product's stock in here."""
    with transaction.atomic():
        ProductStock.objects.select_for_update().get(product_id=product_id)
        ProductStock.objects.filter(product_id=product_id).update(product_id=product_id)  # SQLite locks by writing
        yield


def is_refused(server: ServerProcess) -> bool:
    """True when a new connection gets no answer."""
    try:
        with urllib.request.urlopen(f"{server.http}/health/live", timeout=2):
            return False
    except (urllib.error.URLError, OSError):
        return True


def until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("production", SERVERS)
def test_a_request_in_flight_is_answered_and_kept_and_new_ones_are_refused(
    production: bool, make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    lamp, clerk = make_product("Lamp", stock=10), make_user("clerk")
    token = issue_pair(clerk).access
    with serving(1, production=production, workers=1) as (server,):
        Request(server, token, lamp.pk).join()  # what is loaded on first use is loaded
        with held(lamp.pk):
            waiting = Request(server, token, lamp.pk)
            time.sleep(0.7)
            assert waiting.status is None, "the request is in flight"
            server.process.send_signal(signal.SIGTERM)
            assert until(lambda: is_refused(server), 8), "the door is closed"
            assert waiting.status is None
            assert server.process.poll() is None, "it waits for the request"
        waiting.join()
        assert waiting.status == 201
        server.process.wait(END_SECONDS)
    assert Order.objects.get(pk=waiting.order_id).status == "confirmed"
    assert Order.objects.count() == 2
    assert ProductStock.objects.get(product=lamp).available == 8


@pytest.mark.parametrize("production", SERVERS)
def test_a_request_that_never_ends_does_not_keep_the_process_and_leaves_nothing_half(
    production: bool, make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    lamp, clerk = make_product("Lamp", stock=10), make_user("clerk")
    token = issue_pair(clerk).access
    short = {"GRANIAN_WORKERS_KILL_TIMEOUT": "2"}  # the Dockerfile's is 20
    with serving(1, production=production, workers=1, variables=short) as (server,), held(lamp.pk):
        stuck = Request(server, token, lamp.pk)
        time.sleep(0.7)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(END_SECONDS)
        assert time.monotonic() - began < END_SECONDS
        stuck.join()
        assert stuck.status == 0
    assert not Order.objects.exists()
    assert ProductStock.objects.get(product=lamp).available == 10


async def hears(connected: ClientConnection) -> list[dict[str, Any]]:
    """The facts this socket hears until it is closed."""
    found = []
    try:
        async for text in connected:
            frame = json.loads(text)
            if "event_id" in frame:
                found.append(frame)
    except ConnectionClosed:
        pass
    return found


def test_sockets_close_with_1012_and_resume_elsewhere_without_loss(
    make_product: Callable[..., Product], make_user: Callable[..., User]
) -> None:
    lamp, clerk = make_product("Lamp", stock=50), make_user("clerk")
    token = issue_pair(clerk).access
    headers = {"Authorization": f"Bearer {token}"}
    placed: list[int] = []

    def order(server: ServerProcess) -> None:
        request = Request(server, token, lamp.pk)
        request.join()
        assert request.status == 201
        placed.append(request.order_id)

    async def story(first: ServerProcess, second: ServerProcess) -> tuple[list[int], float]:
        async with connect(first.ws, additional_headers=headers) as socket_one:
            since = json.loads(await socket_one.recv())["cursor"]
            await socket_one.send(json.dumps({"action": "subscribe", "topics": ["orders"], "since": since}))
            assert json.loads(await socket_one.recv())["type"] == "subscribed"
            hearing = asyncio.create_task(hears(socket_one))
            for _ in range(3):
                await asyncio.to_thread(order, second)
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            for _ in range(3):
                await asyncio.to_thread(order, second)
            heard = await asyncio.wait_for(hearing, END_SECONDS)
            assert socket_one.close_code == CLOSE_RESTART
            await asyncio.to_thread(first.process.wait, END_SECONDS)
            took = time.monotonic() - began
        cursor = heard[-1]["cursor"] if heard else since
        async with connect(second.ws, additional_headers=headers) as socket_two:
            await socket_two.send(json.dumps({"action": "subscribe", "topics": ["orders"], "since": cursor}))
            while len(heard) < len(placed):
                frame = json.loads(await asyncio.wait_for(socket_two.recv(), 5))
                if "event_id" in frame:
                    heard.append(frame)
        return [frame["order_id"] for frame in heard if frame["type"] == "order_placed"], took

    with serving(2) as (first, second):
        heard, took = asyncio.run(story(first, second))
    assert heard == placed
    assert took < END_SECONDS


def test_a_client_that_does_not_answer_the_close_does_not_keep_the_process(make_user: Callable[..., User]) -> None:
    token = issue_pair(make_user("clerk")).access
    with serving(1) as (server,), socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
        )
        assert silent.recv(100).startswith(b"HTTP/1.1 101")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(END_SECONDS)
    connection.close()
