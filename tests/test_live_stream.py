"""The live stream's manners: who may listen, what they see, how a cursor resumes, how a socket ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import deactivate
from inventory.models import Product
from inventory.services import ledger
from orders import services
from orders.services import Item
from tests.live import application, listening
from workbox.core import events, stream
from workbox.core.broadcast import Broadcast
from workbox.core.db import execute
from workbox.core.models import Event
from workbox.core.supervised import FAULTS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
D = Decimal
MakeUser = Callable[..., User]
MakeProduct = Callable[..., Product]


@pytest.fixture(autouse=True)
async def _stop_the_tailer() -> AsyncIterator[None]:
    yield
    await stream.stop_hub()


def in_thread(function, *args, **kwargs):
    return sync_to_async(function, thread_sensitive=True)(*args, **kwargs)


async def test_every_listener_hears_an_order_with_the_seeds_keys(
    make_product: MakeProduct, make_user: MakeUser
) -> None:
    buyer, clerk = await in_thread(make_user, "user"), await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, "Laptop", stock=50, price="999.99")
    async with listening(clerk) as one, listening(clerk) as two, listening(buyer) as three:
        for listener in (one, two, three):
            assert (await listener.hear())["type"] == "hello"
            await listener.say(action="subscribe", topics=["stock", "orders"])
            await listener.until(lambda frame: frame["type"] == "subscribed")
        order = await in_thread(services.place_order, [Item(lamp.pk, D(2))], user_id=buyer.pk)
        for listener in (one, two, three):
            update = await listener.until(lambda frame: frame["type"] == "inventory_update")
            assert {key: update[key] for key in ("inventory_id", "name", "stock_quantity", "price")} == {
                "inventory_id": lamp.pk, "name": "Laptop", "stock_quantity": 48, "price": 999.99,
            }  # fmt: skip
            placed = await listener.until(lambda frame: frame["type"] == "order_placed")
            assert (placed["order_id"], placed["user_id"], placed["total_amount"]) == (order.id, buyer.pk, 1999.98)
            assert placed["items"] == [{"inventory_id": lamp.pk, "name": "Laptop", "quantity": 2, "unit_price": 999.99}]
            assert placed["cursor"] > update["cursor"]
            assert placed["event_id"] == update["event_id"], "they became true together"


async def test_a_customer_hears_of_own_orders_only(make_product: MakeProduct, make_user: MakeUser) -> None:
    me, other = await in_thread(make_user, "user", "me"), await in_thread(make_user, "user", "other")
    lamp = await in_thread(make_product, stock=50)
    async with listening(me) as listener:
        await listener.say(action="subscribe", topics=["orders"])
        await listener.until(lambda frame: frame["type"] == "subscribed")
        await in_thread(services.place_order, [Item(lamp.pk, D(1))], user_id=other.pk)
        mine = await in_thread(services.place_order, [Item(lamp.pk, D(1))], user_id=me.pk)
        assert (await listener.until(lambda frame: frame["type"] == "order_placed"))["order_id"] == mine.id
        assert [frame["order_id"] for frame in listener.frames if "order_id" in frame] == [mine.id]


async def test_a_cursor_resumes_without_loss_or_doubles(make_product: MakeProduct, make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=0, reorder_threshold=D(0))
    async with listening(clerk) as listener:
        since = (await listener.hear())["cursor"]
    for _ in range(7):
        await in_thread(ledger.adjust, lamp.pk, quantity=D(1), reason="found")
    async with listening(clerk) as listener:
        await listener.say(action="subscribe", topics=["stock"], since=since)
        await in_thread(ledger.adjust, lamp.pk, quantity=D(1), reason="found")
        await listener.until(lambda frame: frame.get("on_hand") == 8)
        seen = [frame for frame in listener.frames if frame["type"] == "inventory_update"]
        assert [frame["on_hand"] for frame in seen] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert [frame["cursor"] for frame in seen] == [since + events.PLACES * number for number in range(1, 9)]
        assert all(frame["cursor"] > since for frame in seen)


async def test_without_a_subscribe_message_everything_comes_after_a_second(
    make_product: MakeProduct, make_user: MakeUser
) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=0)
    async with listening(clerk) as listener:
        await listener.hear()
        await in_thread(ledger.adjust, lamp.pk, quantity=D(3), reason="found")  # before the default subscription
        update = await listener.until(lambda frame: frame["type"] == "inventory_update", 3)
        assert update["on_hand"] == 3


async def test_a_cursor_that_is_too_old_or_from_elsewhere_is_told_so(
    make_product: MakeProduct, make_user: MakeUser
) -> None:
    clerk = await in_thread(make_user, "clerk")
    await in_thread(make_product, stock=5)
    await in_thread(events.sequence_pending)
    await in_thread(events.forget_before, timezone.now())
    assert not await in_thread(Event.objects.filter(topic="stock").exists)
    async with listening(clerk) as listener:
        await listener.say(action="subscribe", since=0)
        await listener.until(lambda frame: frame["type"] == "resync_required")
    async with listening(clerk) as listener:
        await listener.say(action="subscribe", since=10**12)
        await listener.until(lambda frame: frame["type"] == "resync_required")


@pytest.mark.parametrize("token", ["", "rubbish", "a.b.c"])
async def test_nobody_gets_4401(token: str, db: None) -> None:
    async with listening(None, token=token) as listener:
        assert await listener.closed_with() == 4401


async def test_a_token_in_the_url_is_not_looked_at(db: None) -> None:
    async with listening(None) as listener:
        assert await listener.closed_with() == 4401


async def test_a_role_taken_away_ends_the_socket_before_the_next_frame(
    make_product: MakeProduct, make_user: MakeUser
) -> None:
    admin, clerk = await in_thread(make_user, "admin"), await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=5)
    async with listening(clerk) as listener:
        await listener.say(action="subscribe", topics=["stock"])
        await listener.until(lambda frame: frame["type"] == "subscribed")
        await in_thread(deactivate, admin, user_id=clerk.pk)
        await in_thread(ledger.adjust, lamp.pk, quantity=D(1), reason="found")
        assert await listener.closed_with() == 4401
        assert not [frame for frame in listener.frames if frame["type"] == "inventory_update"]


async def test_an_expired_token_ends_the_socket(make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = await in_thread(make_user, "clerk")
    real = stream.time.time
    async with listening(clerk) as listener:
        await listener.hear()
    monkeypatch.setattr(stream.time, "time", lambda: real() + 15 * 60 - 0.3)  # the wall clock, not our code
    async with listening(clerk) as listener:
        assert await listener.closed_with() == 4401


async def test_a_foreign_page_is_refused(make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk, headers=[(b"origin", b"https://evil.example")]) as listener:
        assert await listener.closed_with() == 4403
    async with listening(clerk, headers=[(b"origin", b"http://localhost")]) as listener:
        assert (await listener.hear())["type"] == "hello"


async def test_a_flood_of_messages_ends_the_socket(make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk) as listener:
        for _ in range(stream.MESSAGES_PER_SECOND_MAX + 1):
            await listener.say(action="ping")
        assert await listener.closed_with() == 4429


async def test_bad_messages_are_answered_not_punished(make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk) as listener:
        await listener.hear()
        for message, code in (
            ({"action": "dance"}, "unknown_action"),
            ({"action": "subscribe", "topics": ["gossip"]}, "unknown_topic"),
            ({"action": "subscribe", "topics": "stock"}, "unknown_topic"),
            ({"action": "subscribe", "since": -1}, "bad_cursor"),
            ({"action": "subscribe", "since": "yesterday"}, "bad_cursor"),
            ({"action": "subscribe", "since": 2**70}, "bad_cursor"),
        ):
            await listener.say(**message)
            assert (await listener.hear())["code"] == code
        await listener.say_text("[1, 2")
        assert (await listener.hear())["code"] == "malformed"


async def test_a_slow_reader_is_closed_and_the_queue_stays_bounded(make_user: MakeUser) -> None:
    closed: list[int] = []
    stuck = asyncio.Event()

    async def send(message: dict[str, object]) -> None:
        await stuck.wait()

    class Anybody:
        id = 1
        warehouses = None

        def can(self, capability: str) -> bool:
            return True

    socket = stream.Socket(Anybody(), send, closed.append)
    for _ in range(stream.QUEUE_FRAMES_MAX + 1):
        socket.push(Broadcast("x"))
    assert closed == []
    socket.push(Broadcast("x"))
    assert closed == [stream.CLOSE_SLOW]
    assert len(socket._queue) == 0
    socket.stop()
    stuck.set()
    await asyncio.sleep(0)


async def test_frames_pushed_while_the_network_is_slow_keep_their_order() -> None:
    sent: list[str] = []

    async def send(message: dict[str, str]) -> None:
        await asyncio.sleep(0.001 if len(sent) % 3 else 0)
        sent.append(message["text"])
        if len(sent) == 50:
            all_sent.set()

    class Anybody:
        id = 1
        warehouses = None

        def can(self, capability: str) -> bool:
            return True

    all_sent = asyncio.Event()
    socket = stream.Socket(Anybody(), send, lambda code: None)
    for number in range(50):
        socket.push(Broadcast(str(number)))
        if number % 7 == 0:
            await asyncio.sleep(0.002)
    await asyncio.wait_for(all_sent.wait(), timeout=3)
    assert sent == [str(number) for number in range(50)]


async def test_an_unknown_socket_path_is_closed() -> None:
    closed: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        closed.append(message)

    await application({"type": "websocket", "path": "/wrong", "headers": [], "subprotocols": []}, receive, send)
    assert closed == [{"type": "websocket.close", "code": 4404}]


async def test_a_fact_that_cannot_be_read_stops_the_stream_only_until_it_can(
    make_product: MakeProduct, make_user: MakeUser
) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=0)
    await in_thread(events.sequence_pending)
    faults = FAULTS.labels("tailer")._value

    def wait_for(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5
        while not true() and time.monotonic() < deadline:
            time.sleep(0.05)

    def poison() -> tuple[str, int]:
        with transaction.atomic():
            ledger.adjust(lamp.pk, quantity=D(3), reason="found")
            newest = Event._base_manager.latest("id")
            execute("UPDATE core_event SET companions = 'rubbish' WHERE id = %s", [newest.pk])
        return newest.companions, newest.pk

    async with listening(clerk) as listener:
        await listener.say(action="subscribe", topics=["stock"])
        await listener.until(lambda frame: frame["type"] == "subscribed")
        before = faults.get()
        good, broken = await in_thread(poison)
        await in_thread(wait_for, lambda: faults.get() > before)
        await in_thread(execute, "UPDATE core_event SET companions = %s WHERE id = %s", [good, broken])
        update = await listener.until(lambda frame: frame["type"] == "inventory_update", 5)
        assert update["on_hand"] == 3
