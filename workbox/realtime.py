"""The live protocol as documents: what docs/realtime.md and docs/asyncapi.json say of frames is made here.

Each frame is an example built by the function that the services themselves call, so a key that is added there is
missing in the documents until `manage.py realtime --write` has run; a test says so.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson

from insights.events import RAISED, RESOLVED, UPDATED, alert_event
from insights.snapshot import Best, picture
from inventory.events import inventory_update, product_updated, transfer_updated
from orders.events import order_placed, order_updated, return_booked
from purchasing.events import purchase_order_updated
from workbox.core import stream_frames
from workbox.core.events import PLACES, Fact, NewEvent
from workbox.core.numbers import to_json
from workbox.core.stream import TOPICS

BEGIN, END = "<!-- frames: made by manage.py realtime --write -->", "<!-- end of frames -->"
AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Frame:
    """One kind of frame: an example, and in words when it is told and to whom."""

    example: NewEvent
    told: str


_ALERT: dict[str, Any] = {
    "alert_id": 7,
    "alert_type": "low_stock",
    "product_id": 2,
    "sku": "CABLE-2M",
    "product": "Cable",
    "warehouse_id": None,
    "title": "Cable (CABLE-2M): 9 left, the threshold is 10",
    "message": "9 of Cable (CABLE-2M) can be ordered; at or below 10 it has to be reordered.",
    "current_quantity": Decimal(9),
    "threshold": Decimal(10),
}
FRAMES = (
    Frame(
        inventory_update(
            product_id=1,
            sku="LAPTOP-001",
            name="Laptop",
            price=Decimal("999.99"),
            on_hand=Decimal(50),
            reserved=Decimal(2),
            available=Decimal(48),
            version=7,
            levels=[(1, Decimal(50), Decimal(2))],
        ),
        "sent for every change of a product's stock and of its price or name. `stock_quantity` is what is available\n"
        "to order, `on_hand` what is physically there, `version` grows with each change of stock: an older one than\n"
        "you know is old news.",
    ),
    Frame(
        order_placed(
            order_id=1,
            user_id=1,
            total_amount=Decimal("2029.98"),
            status="confirmed",
            items=[
                {"inventory_id": 1, "name": "Laptop", "quantity": Decimal(2), "unit_price": Decimal("999.99")},
                {"inventory_id": 2, "name": "Bag", "quantity": Decimal(1), "unit_price": Decimal(30)},
            ],
        ),
        "customers hear of their own orders, staff of all.",
    ),
    Frame(
        order_updated(
            order_id=1,
            user_id=1,
            status="shipped",
            previous_status="confirmed",
            total_amount=Decimal("2029.98"),
        ),
        "confirmed, shipped (with `shipped`), delivered, returned (with `returned` and `reason`), cancelled (with\n"
        "`reason`).",
    ),
    Frame(
        return_booked(
            reference="C536379",
            customer_id=7,
            refund_amount=Decimal("27.5"),
            returned_at=AT,
            returned=[{"inventory_id": 1, "quantity": Decimal(1)}],
            reason="Credit note",
        ),
        "for staff; an imported credit note that belongs to no order we know.",
    ),
    Frame(
        product_updated(product_id=1, sku="LAPTOP-001", name="Laptop", price=Decimal("999.99"), is_active=True),
        "a product was made, edited, retired or restored.",
    ),
    Frame(
        transfer_updated(
            transfer_id=1,
            status="completed",
            previous_status="in_transit",
            reference="TRANS-001",
            from_warehouse_id=1,
            to_warehouse_id=2,
            items=[
                {
                    "inventory_id": 1,
                    "name": "Laptop",
                    "quantity": Decimal(10),
                    "received": Decimal(8),
                    "lost": Decimal(1),
                    "damaged": Decimal(1),
                }
            ],
        ),
        "a transfer was made (`previous_status` null), dispatched, completed or cancelled. What it did to the stock\n"
        "comes as `inventory_update` frames.",
    ),
    Frame(
        purchase_order_updated(
            order_id=12,
            vendor_id=1,
            warehouse_id=1,
            status="sent",
            previous_status="draft",
            total_amount=Decimal("129.9"),
            expected_on=date(2026, 1, 22),
        ),
        "for staff; drafted (`previous_status` null), edited, sent, received (with `received` and `receipt_id`, after\n"
        "the `inventory_update` of each product), closed short (with `closed_short` and `reason`), cancelled (with\n"
        "`reason`).",
    ),
    Frame(
        alert_event(RAISED, severity="warning", status="active", **_ALERT),
        "for those who may read alerts; something is wrong with a product (`low_stock`, `predicted_depletion`,\n"
        "`unusual_activity`). Low stock is told in the transaction of the order or movement that made it so. An alert\n"
        "that comes back within a day keeps its `alert_id`.",
    ),
    Frame(
        alert_event(UPDATED, severity="warning", status="acknowledged", **_ALERT),
        "somebody acknowledged or snoozed it, or it hurries more or less than before.",
    ),
    Frame(
        alert_event(RESOLVED, severity="warning", status="resolved", **_ALERT),
        "it is over: by hand, because the stock is well above its threshold again, or because the check every six\n"
        "hours found so.",
    ),
)


# What the connection says about itself, on `/ws` and where it says so on the dashboard.
OWN_FRAMES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        stream_frames.hello(cursor=41999, heartbeat_seconds=25, topics=TOPICS),
        "at once: the newest cursor, the seconds between heartbeats, and all topics there are.",
    ),
    (
        stream_frames.subscribed(topics=["stock", "orders"], cursor=41999),
        "the answer to a subscription: those of the topics that you may see; facts after this cursor follow.",
    ),
    (
        stream_frames.heartbeat(cursor=52000),
        "after each pause of `heartbeat_seconds`, with the newest cursor. Nothing for twice as long: connect again.",
    ),
    (stream_frames.pong(cursor=52000), "the answer to a ping."),
    (
        stream_frames.resync_required(cursor=52000),
        "your cursor is older than what is kept, or not from here.",
    ),
    (
        stream_frames.error("unknown_action"),
        f"what you sent was refused, or the connection was; the codes are `{'`, `'.join(stream_frames.ERRORS)}`.",
    ),
)
PICTURE = picture(
    AT,
    today=Decimal(1200),
    yesterday=Decimal(1000),
    low=[("Cable", Decimal(3), Decimal(10), 2)],
    low_count=1,
    best=[Best("Laptop", 1, units=Decimal(2), revenue=Decimal("1999.98"))],
)
PICTURE_TOLD = "The whole dashboard: at once, every 30 seconds, and within a second of an order or a change of stock."


def example(frame: Frame, place: int) -> str:
    """The frame as a client receives it, as the `place`-th of the documents' examples."""
    event = frame.example
    fact = Fact(
        (42 + place) * PLACES, 42 + place, event.type, event.topic, event.subject_id, event.owner_id,
        event.warehouse_id, to_json(event.payload).decode(), AT,
    )  # fmt: skip
    return fact.frame()


def markdown() -> str:
    """The frames' part of docs/realtime.md."""
    parts = [
        f"```json\n{example(frame, place)}\n```\n\ntopic `{frame.example.topic}`; {frame.told}"
        for place, frame in enumerate(FRAMES)
    ]
    own = [f"```json\n{stream_frames.as_text(frame, AT)}\n```\n\n{told}" for frame, told in OWN_FRAMES]
    return "\n\n".join([BEGIN, *parts, "About the connection itself:", *own, END])


def asyncapi(version: str) -> dict[str, Any]:
    """The protocol as an AsyncAPI 3.0 document."""
    facts = {
        frame.example.type: _message(
            frame.example.type, frame.told, orjson.loads(example(frame, place)), topic=frame.example.topic
        )
        for place, frame in enumerate(FRAMES)
    }
    own = {
        frame["type"]: _message(frame["type"], told, orjson.loads(stream_frames.as_text(frame, AT)))
        for frame, told in OWN_FRAMES
    }
    own["error"]["payload"]["properties"]["code"] = {"enum": list(stream_frames.ERRORS)}
    shown = {"picture": _message("picture", PICTURE_TOLD, orjson.loads(to_json(PICTURE)), has_type=False)}
    shown["picture"]["payload"]["properties"]["daily_snapshot"]["properties"]["growth"] = {"type": ["number", "null"]}
    said = {"subscribe": _SUBSCRIBE, "ping": _PING}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "WorkBox live stream",
            "version": version,
            "description": "Facts about stock and orders as they become true; nothing is lost between two cursors.",
        },
        "servers": {
            "shop": {
                "host": "localhost:8000",
                "protocol": "ws",
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            }
        },
        "channels": {
            "live": _channel("/ws", "Every fact, from a cursor on.", [*facts, *own, *said]),
            "dashboard": _channel(
                "/ws/dashboard",
                "The dashboard; also at /analytics/ws/dashboard and /api/v1/analytics/ws/dashboard.",
                [*shown, "pong", "error", "ping"],
            ),
        },
        "operations": {
            "hear": _operation("send", "live", [*facts, *own]),
            "subscribe": _operation("receive", "live", ["subscribe"]),
            "ping": _operation("receive", "live", ["ping"]),
            "look": _operation("send", "dashboard", [*shown, "pong", "error"]),
            "pingDashboard": _operation("receive", "dashboard", ["ping"]),
        },
        "components": {
            "messages": facts | own | shown | said,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


_SUBSCRIBE: dict[str, Any] = {
    "name": "subscribe",
    "summary": "Listen to topics, from a cursor on; say nothing for a second to hear everything from now.",
    "payload": {
        "type": "object",
        "required": ["action"],
        "properties": {
            "action": {"const": "subscribe"},
            "topics": {"type": "array", "items": {"enum": sorted(TOPICS)}},
            "since": {"type": "integer", "minimum": 0},
        },
    },
}
_PING: dict[str, Any] = {
    "name": "ping",
    "summary": "Answered by a pong.",
    "payload": {"type": "object", "required": ["action"], "properties": {"action": {"const": "ping"}}},
}


def _message(name: str, told: str, shown: dict[str, Any], *, topic: str = "", has_type: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "summary": told.replace("\n", " "),
        **({"tags": [{"name": topic}]} if topic else {}),
        "contentType": "application/json",
        "payload": _schema(shown, kind=name if has_type else ""),
        "examples": [{"payload": shown}],
    }


def _channel(address: str, told: str, messages: list[str]) -> dict[str, Any]:
    found = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": address, "description": told, "messages": found}


def _operation(action: str, channel: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _schema(value: Any, *, kind: str = "") -> dict[str, Any]:
    """What an example tells about its type; more keys than it shows may come."""
    if isinstance(value, dict):
        own = {name: _schema(one) for name, one in value.items()}
        if kind:
            own["type"] = {"const": kind}
        return {"type": "object", "required": list(value), "properties": own}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0]) if value else {}}
    if value is None:
        return {}
    names = {bool: "boolean", int: "number", float: "number", str: "string"}
    return {"type": names[type(value)]}
