"""What the live stream says about the connection itself: a function per kind of frame, so that documents can show them.

Facts have their own (`events.Fact.frame`); every frame of this module gets its moment, `at`, when it is sent.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

# Code → what to do about it, in words.
ERRORS = {
    "not_authenticated": (
        "Log in first: send `Authorization: Bearer <token>` or the sub-protocols `workbox.v1, bearer.<token>`."
    ),
    "too_many_sockets": "You have as many live connections as one user may have; close one first.",
    "forbidden": "Your role does not allow this.",
    "malformed": 'Send a JSON object such as {"action":"subscribe"}, as text of at most 64 KiB.',
    "unknown_action": "Known actions: subscribe, ping.",
    "unknown_topic": "This is no topic.",
    "bad_cursor": "`since` is the `cursor` of the last frame you saw.",
}


def hello(*, cursor: int, heartbeat_seconds: int, topics: Iterable[str]) -> dict[str, Any]:
    """The first frame: where the log is now, how often there is a heartbeat, which topics there are."""
    return {"type": "hello", "cursor": cursor, "heartbeat_seconds": heartbeat_seconds, "topics": sorted(topics)}


def subscribed(*, topics: Iterable[str], cursor: int) -> dict[str, Any]:
    """From this cursor on facts of these topics come."""
    return {"type": "subscribed", "topics": sorted(topics), "cursor": cursor}


def heartbeat(*, cursor: int) -> dict[str, Any]:
    """The connection lives, and there was nothing newer than this cursor."""
    return {"type": "heartbeat", "cursor": cursor}


def pong(*, cursor: int) -> dict[str, Any]:
    """The answer to a ping."""
    return {"type": "pong", "cursor": cursor}


def resync_required(*, cursor: int) -> dict[str, Any]:
    """What happened in between is not kept any more."""
    detail = "Fetch fresh state, then go on from this cursor."
    return {"type": "resync_required", "cursor": cursor, "detail": detail}


def error(code: str, detail: str = "") -> dict[str, Any]:
    """Something was refused; `detail` says more than the code's own sentence."""
    return {"type": "error", "code": code, "detail": detail or ERRORS[code]}


def as_text(frame: dict[str, Any], at: datetime | None = None) -> str:
    """The frame as it is sent, with its moment."""
    return json.dumps({**frame, "at": (at or datetime.now(UTC)).isoformat()})
