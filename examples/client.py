#!/usr/bin/env python3
"""A live client of WorkBox: logs in, listens to /ws, survives broken lines, loses nothing.

    pip install websockets
    WORKBOX_PASSWORD=… python examples/client.py --user clerk@example.com
    python examples/client.py --url https://stock.example.com --user clerk --topics stock --json

It needs the standard library and `websockets` only, so it can be copied into a project of your own. What to take from
it: the cursor of the last frame is kept and sent as `since` after a reconnect; waits grow and are jittered, so that a
thousand clients do not come back in the same second; the access token is renewed before it runs out; a frame may come
twice, and because facts are absolute (`on_hand`, `stock_quantity`, `version`) that changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import getpass
import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
except ImportError:
    sys.exit("This client needs the package `websockets`: pip install websockets")

FIRST_WAIT_SECONDS = 0.5
WAIT_MAX_SECONDS = 30.0
RENEW_BEFORE_SECONDS = 60.0
HTTP_TIMEOUT_SECONDS = 15.0
CHANGE_OVER = 0
CLOSE_LOGGED_OUT, CLOSE_FOREIGN, CLOSE_SLOW, CLOSE_FLOOD, CLOSE_STALE = 4401, 4403, 4408, 4429, 1013
WHY_CLOSED = {
    CLOSE_LOGGED_OUT: "the server ended this login (token expired, password or role changed)",
    CLOSE_SLOW: "this client read too slowly; it goes on from the last frame it saw",
    CLOSE_FLOOD: "too many connections or messages of this account",
    CLOSE_STALE: "the server has lost its database for a while",
    1001: "the server is going down",
    1006: "the line broke",
    1012: "the server restarts",
}


class Refused(Exception):
    """Trying again would not help: the message says what to do instead."""


class Unreachable(Exception):
    """The server does not answer now; it may later."""


@dataclass
class Session:
    """An account's tokens: who we are, and until when the server believes it."""

    url: str
    user: str
    password: str
    access: str = ""
    refresh: str = ""
    renew_at: float = 0.0
    user_agent: str = "workbox-example-client"

    def post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        """POST JSON; raises Refused for a 4xx answer in the server's own words, Unreachable when there is none."""
        request = urllib.request.Request(  # noqa: S310  (the scheme is checked in main)
            f"{self.url}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "User-Agent": self.user_agent},
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_SECONDS) as answer:  # noqa: S310  (the address the user gave)
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            text = _detail(error)
            if error.code == 429 or error.code >= 500:
                raise Unreachable(f"{path} answered {error.code}: {text}") from error
            raise Refused(f"{path} answered {error.code}: {text}") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(f"nobody answers at {self.url} ({reason})") from error
        except ValueError as error:
            raise Refused(f"{self.url} answered something that is no JSON; is this a WorkBox server?") from error

    def log_in(self) -> None:
        """Tokens for user and password."""
        self._take(self.post("/auth/login", {"username": self.user, "password": self.password}))

    def renew(self) -> None:
        """New tokens for the refresh token, or, when that is no good any more, for user and password."""
        if not self.refresh:
            self.log_in()
            return
        try:
            self._take(self.post("/auth/refresh", {"refresh_token": self.refresh}))
        except Refused:
            self.refresh = ""
            self.log_in()

    def _take(self, tokens: dict[str, Any]) -> None:
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]
        lives = float(tokens.get("expires_in") or _seconds_left(self.access))
        self.renew_at = time.monotonic() + max(lives - RENEW_BEFORE_SECONDS, lives / 2)

    @property
    def is_due(self) -> bool:
        """True when the access token is about to run out (or there is none)."""
        return not self.access or time.monotonic() >= self.renew_at


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        body = json.load(error)
    except ValueError:
        return error.reason or "no explanation"
    return str(body.get("detail") or body) if isinstance(body, dict) else str(body)


def _seconds_left(token: str) -> float:
    claims = token.split(".")[1]
    expires = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    return max(float(expires) - time.time(), 0.0)


@dataclass
class Client:
    """Listens until it is stopped; everything it has seen ends at `cursor`."""

    session: Session
    topics: list[str]
    as_json: bool
    cursor: int | None = None
    cursor_file: Path | None = None
    failures: int = 0
    seen: int = field(default=0)

    def note(self, text: str) -> None:
        """What happens to the connection goes to stderr; stdout carries frames only."""
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)

    async def run(self) -> None:
        """Connect, listen, and come back after every break; raises Refused when that cannot help."""
        while True:
            try:
                if self.session.is_due:
                    await asyncio.to_thread(self.session.renew)
                code = await self.listen()
            except Unreachable as error:
                code, text = None, str(error)
            else:
                text = WHY_CLOSED.get(code, f"closed with {code}")
            if code == CHANGE_OVER:
                continue
            if code == CLOSE_FOREIGN:
                raise Refused("the server refuses this origin; add it to CORS_ORIGINS")
            if code == CLOSE_LOGGED_OUT:
                self.session.renew_at = 0.0  # a new token, and if the account may not come back, the login says so
            self.failures += 1
            wait = self.wait_seconds(code)
            where = "from now" if self.cursor is None else f"from cursor {self.cursor}"
            self.note(f"{text}; again in {wait:.1f} s, {where}")
            await asyncio.sleep(wait)

    def wait_seconds(self, code: int | None) -> float:
        """Exponential, jittered; at once for the first break that only asks us to resume."""
        if code in {CLOSE_SLOW, CLOSE_LOGGED_OUT} and self.failures == 1:
            return 0.0
        if code == CLOSE_FLOOD:
            return WAIT_MAX_SECONDS
        longest = min(FIRST_WAIT_SECONDS * 2 ** min(self.failures, 10), WAIT_MAX_SECONDS)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  (jitter, not a secret)

    async def listen(self) -> int:
        """One connection from hello to close; returns the close code."""
        address = "ws" + self.session.url.removeprefix("http") + "/ws"
        headers = {"Authorization": f"Bearer {self.session.access}"}
        try:
            async with connect(address, additional_headers=headers, open_timeout=HTTP_TIMEOUT_SECONDS) as socket:
                silence = 60.0
                while not self.session.is_due:
                    left = max(self.session.renew_at - time.monotonic(), 0.1)
                    try:
                        text = await asyncio.wait_for(socket.recv(), min(silence, left))
                    except TimeoutError:
                        if self.session.is_due:
                            break
                        return 1006
                    frame = json.loads(text)
                    if frame["type"] == "hello":
                        silence = 2.5 * frame["heartbeat_seconds"]
                        await self._subscribe(socket, frame)
                    self.take(frame)
                # The token that opened this socket runs out: the next one is opened with a fresh token.
                return CHANGE_OVER
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006
        except InvalidURI as error:
            raise Refused(f"{address} is no WebSocket address") from error
        except InvalidHandshake as error:
            raise Unreachable(f"{address} does not speak WebSocket now ({error})") from error
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"nobody answers at {address} ({error or 'no answer in time'})") from error

    async def _subscribe(self, socket: Any, hello: dict[str, Any]) -> None:
        if self.cursor is None:
            self.cursor = hello["cursor"]
        topics = self.topics or hello["topics"]
        await socket.send(json.dumps({"action": "subscribe", "topics": topics, "since": self.cursor}))

    def take(self, frame: dict[str, Any]) -> None:
        """Show the frame, then remember its cursor: in this order nothing is lost when we die in between."""
        kind = frame["type"]
        if kind == "subscribed":
            self.failures = 0
            self.note(f"live as {self.session.user}: {', '.join(frame['topics']) or 'nothing this account may see'}")
        elif kind == "resync_required":
            self.note(
                "the log no longer reaches back to our cursor: fetch fresh state (GET /api/v1/products/), then go on"
            )
        elif kind == "error":
            self.note(f"the server says: {frame.get('detail')}")
        if self.as_json:
            print(json.dumps(frame), flush=True)
        elif "event_id" in frame:
            print(describe(frame), flush=True)
        if kind != "hello" and isinstance(frame.get("cursor"), int):
            self.cursor = frame["cursor"]
            self.seen += "event_id" in frame
            if self.cursor_file is not None:
                self.cursor_file.write_text(str(self.cursor))


def describe(frame: dict[str, Any]) -> str:
    """A frame as a line for people."""
    at = frame["at"][11:19]
    if frame["type"] == "inventory_update":
        text = f"{frame['name']} ({frame['sku']}): {frame['stock_quantity']} available, {frame['on_hand']} on hand"
    elif frame["type"] == "order_placed":
        items = ", ".join(f"{item['quantity']} × {item['name']}" for item in frame["items"])
        text = f"order {frame['order_id']} placed ({frame['status']}), {frame['total_amount']}: {items}"
    elif frame["type"] == "order_updated":
        text = f"order {frame['order_id']}: {frame['previous_status']} → {frame['status']}"
    else:
        keys = {key: value for key, value in frame.items() if key not in {"type", "cursor", "event_id", "at"}}
        text = f"{frame['type']} {json.dumps(keys)}"
    return f"{at}  #{frame['cursor']:<8} {text}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Follow WorkBox's live stream; several may run side by side.")
    parser.add_argument(
        "--url", default=os.environ.get("WORKBOX_URL", "http://127.0.0.1:8000"), help="the server (WORKBOX_URL)"
    )
    parser.add_argument("--user", default=os.environ.get("WORKBOX_USER", ""), help="user name or e-mail (WORKBOX_USER)")
    parser.add_argument("--topics", default="", help="comma-separated: stock,orders,catalog; default: all you may see")
    parser.add_argument("--since", type=int, help="go on after this cursor")
    parser.add_argument("--cursor-file", type=Path, help="keep the cursor here between runs")
    parser.add_argument("--json", action="store_true", help="one frame per line as JSON")
    parser.epilog = "The password is read from WORKBOX_PASSWORD or asked for; it is never an argument."
    return parser.parse_args()


def client_of(options: argparse.Namespace) -> Client:
    """A client as the command line wants it; raises Refused when something is missing."""
    url = options.url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise Refused(f"--url must begin with http:// or https://, not {options.url!r}")
    user = options.user or (input("User name or e-mail: ") if sys.stdin.isatty() else "")
    password = os.environ.get("WORKBOX_PASSWORD") or (getpass.getpass() if sys.stdin.isatty() else "")
    if not user or not password:
        raise Refused("say who you are: --user NAME and the password in WORKBOX_PASSWORD")
    cursor = options.since
    if cursor is None and options.cursor_file is not None and options.cursor_file.exists():
        with contextlib.suppress(ValueError):
            cursor = int(options.cursor_file.read_text())
    topics = [topic.strip() for topic in options.topics.split(",") if topic.strip()]
    return Client(Session(url, user, password), topics, options.json, cursor, options.cursor_file)


async def listen_until_stopped(client: Client) -> None:
    """Run the client; Ctrl-C and SIGTERM end it quietly."""
    task = asyncio.ensure_future(client.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers; Ctrl-C works all the same
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    """0 when stopped by the user, 2 when going on is pointless."""
    try:
        client = client_of(arguments())
        asyncio.run(listen_until_stopped(client))
    except Refused as error:
        print(f"client: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    client.note(f"stopped after {client.seen} events at cursor {client.cursor}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
