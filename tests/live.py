"""A listener for tests: one WebSocket to the ASGI application, with the small vocabulary the tests speak."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator

from accounts.models import User
from accounts.tokens import issue_pair
from workbox.live import websocket

PATIENCE_SECONDS = 5.0


async def _no_http(*_: Any) -> None:
    raise AssertionError("these tests open sockets only")


application = websocket(_no_http)


class Listener:
    """An open socket that remembers the frames it got."""

    def __init__(self, communicator: ApplicationCommunicator) -> None:
        self.socket = communicator
        self.frames: list[dict[str, Any]] = []

    async def say(self, **message: Any) -> None:
        """Send one message."""
        await self.say_text(json.dumps(message))

    async def say_text(self, text: str) -> None:
        """Send one text as it is."""
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next frame."""
        output = await self.socket.receive_output(timeout=seconds)
        assert output["type"] == "websocket.send", output
        frame: dict[str, Any] = json.loads(output["text"])
        self.frames.append(frame)
        return frame

    async def until(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
    ) -> dict[str, Any]:
        """The first coming frame that is wanted."""
        deadline = time.monotonic() + seconds
        while True:
            frame = await self.hear(max(deadline - time.monotonic(), 0.01))
            if wanted(frame):
                return frame

    async def closed_with(self, seconds: float = PATIENCE_SECONDS) -> int:
        """The close code, after whatever else still comes."""
        deadline = time.monotonic() + seconds
        while True:
            output = await self.socket.receive_output(timeout=max(deadline - time.monotonic(), 0.01))
            if output["type"] == "websocket.close":
                return int(output.get("code") or 1000)
            if "text" in output:
                self.frames.append(json.loads(output["text"]))


@asynccontextmanager
async def listening(
    user: User | None, *, token: str | None = None, headers: list[tuple[bytes, bytes]] | None = None, path: str = "/ws"
) -> AsyncIterator[Listener]:
    """A socket opened as `user` (with a fresh token) that is always closed again."""
    sent = [(b"host", b"localhost"), *(headers or [])]
    if user is not None or token is not None:
        raw = token if token is not None else await asyncio.to_thread(lambda: issue_pair(user).access)
        sent.append((b"authorization", f"Bearer {raw}".encode()))
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": b"",
        "headers": sent,
        "subprotocols": [],
        "scheme": "ws",
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(timeout=PATIENCE_SECONDS))["type"] == "websocket.accept"
    try:
        yield Listener(communicator)
    finally:
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(timeout=PATIENCE_SECONDS)
