"""The dashboard's sockets: a snapshot at once, every thirty seconds, and within a second of a change."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from itertools import pairwise

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from accounts.services import deactivate
from insights import sales, websocket
from inventory.models import Product
from inventory.services import ledger
from orders import services
from orders.services import Item
from tests.live import Listener, listening
from workbox import live
from workbox.core import board, stream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
D = Decimal
MakeUser = Callable[..., User]
MakeProduct = Callable[..., Product]
PATH = "/ws/dashboard"


@pytest.fixture(autouse=True)
async def _stop_the_tailer() -> AsyncIterator[None]:
    yield
    await stream.stop_hub()


def in_thread(function, *args, **kwargs):
    return sync_to_async(function, thread_sensitive=True)(*args, **kwargs)


async def silence(listener: Listener, seconds: float) -> bool:
    return await listener.socket.receive_nothing(timeout=seconds)


@pytest.mark.parametrize(
    "path",
    ["/ws/dashboard", "/ws/dashboard/", "/api/v1/analytics/ws/dashboard", "/api/v1/analytics/ws/dashboard/",
     "/analytics/ws/dashboard", "/analytics/ws/dashboard/"],
)  # fmt: skip
async def test_a_snapshot_comes_at_once(path: str, make_user: MakeUser) -> None:
    analyst = await in_thread(make_user, "analyst")
    async with listening(analyst, path=path) as listener:
        frame = await listener.hear()
        assert set(frame) == {
            "updated_at", "daily_snapshot", "inventory_alerts", "inventory_alerts_total", "top_performers",
        }  # fmt: skip


async def test_an_order_shows_within_a_second_on_every_socket(make_user: MakeUser, make_product: MakeProduct) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50, price="9.50")
    await in_thread(sales.ensure_built)
    async with listening(clerk, path=PATH) as one, listening(clerk, path=PATH) as two:
        for listener in (one, two):
            assert (await listener.hear())["daily_snapshot"]["today_sales"] == 0
        await asyncio.sleep(1.2)  # quiet: the next picture waits for nothing
        began = time.monotonic()
        await in_thread(services.place_order, [Item(lamp.pk, D(2))], user_id=None)
        for listener in (one, two):
            frame = await listener.until(lambda frame: frame["daily_snapshot"]["today_sales"] == 19)
            assert frame["top_performers"] == [
                {"product": "Lamp", "product_id": lamp.pk, "units_sold": 2, "revenue": 19}
            ]
        assert time.monotonic() - began < 1.0


async def test_stock_that_runs_out_shows(make_user: MakeUser, make_product: MakeProduct) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50)
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
        await in_thread(ledger.adjust, lamp.pk, quantity=D(-45), reason="lost")
        frame = await listener.until(lambda frame: bool(frame["inventory_alerts"]))
        assert frame["inventory_alerts"] == [
            {"product": "Lamp", "current_stock": 5, "min_required": 10, "product_id": lamp.pk}
        ]


async def test_many_changes_are_drawn_at_most_once_a_second_for_all(
    make_user: MakeUser, make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50)
    drawn: list[float] = []
    real = websocket.DashboardBoard.draw

    def counted() -> str:
        drawn.append(time.monotonic())
        return real()

    monkeypatch.setattr(live.DashboardConsumer, "draw", staticmethod(counted))
    async with listening(clerk, path=PATH) as one, listening(clerk, path=PATH) as two:
        for _ in range(25):
            await in_thread(ledger.adjust, lamp.pk, quantity=D(-1), reason="lost")
            await asyncio.sleep(0.1)
        await in_thread(ledger.adjust, lamp.pk, quantity=D(-20), reason="lost")
        for listener in (one, two):
            await listener.until(lambda frame: [row["current_stock"] for row in frame["inventory_alerts"]] == [5])
    assert min(after - before for before, after in pairwise(drawn)) >= board.REDRAW_SECONDS - 0.02
    assert len(drawn) <= 7


async def test_without_changes_a_snapshot_comes_regularly(make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert board.REFRESH_SECONDS == 30
    monkeypatch.setattr(board, "REFRESH_SECONDS", 1.5)  # the clock, so that the test need not wait
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk, path=PATH) as listener:
        times = [(await listener.hear())["updated_at"] for _ in range(3)]
        assert times == sorted(set(times))


async def test_whoever_comes_back_sees_what_happened_meanwhile(make_user: MakeUser, make_product: MakeProduct) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50)
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
    await in_thread(services.place_order, [Item(lamp.pk, D(1))], user_id=None)
    async with listening(clerk, path=PATH) as listener:
        assert (await listener.hear())["daily_snapshot"]["today_sales"] == 10


@pytest.mark.parametrize("token", ["", "rubbish"])
async def test_nobody_gets_4401(token: str, db: None) -> None:
    async with listening(None, token=token, path=PATH) as listener:
        assert await listener.closed_with() == 4401


async def test_a_customer_is_refused_and_sees_no_figure(make_user: MakeUser) -> None:
    customer = await in_thread(make_user, "user")
    async with listening(customer, path=PATH) as listener:
        assert await listener.closed_with() == 4403
        assert [frame.get("code") for frame in listener.frames] == ["forbidden"]


async def test_a_foreign_page_is_refused(make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk, headers=[(b"origin", b"https://evil.example")], path=PATH) as listener:
        assert await listener.closed_with() == 4403


async def test_a_switched_off_account_sees_nothing_more(make_user: MakeUser, make_product: MakeProduct) -> None:
    admin, clerk = await in_thread(make_user, "admin"), await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50)
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
        await in_thread(deactivate, admin, user_id=clerk.pk)
        await in_thread(ledger.adjust, lamp.pk, quantity=D(-45), reason="lost")
        assert await listener.closed_with() == 4401
        assert not [frame for frame in listener.frames if frame["inventory_alerts"]]


async def test_a_ping_is_answered_and_anything_else_refused(make_user: MakeUser) -> None:
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
        await listener.say(action="ping")
        assert (await listener.until(lambda frame: "type" in frame))["type"] == "pong"
        await listener.say(action="subscribe")
        assert (await listener.until(lambda frame: "type" in frame))["code"] == "unknown_action"
        for _ in range(stream.MESSAGES_PER_SECOND_MAX + 1):
            await listener.say(action="ping")
        assert await listener.closed_with() == 4429


async def test_the_live_stream_says_nothing_of_heartbeats_here(make_user: MakeUser, settings: object) -> None:
    settings.WORKBOX_HEARTBEAT_SECONDS = 0.2  # type: ignore[attr-defined]  # of the library's or the test's own object
    clerk = await in_thread(make_user, "clerk")
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
        assert await silence(listener, 0.7)


async def test_a_picture_that_cannot_be_drawn_is_logged_and_the_next_one_comes(
    make_user: MakeUser, make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = await in_thread(make_user, "clerk")
    lamp = await in_thread(make_product, stock=50)
    loop = asyncio.get_running_loop()
    real, drawn, failed = websocket.DashboardBoard.draw, [], asyncio.Event()

    def faulty() -> str:
        drawn.append(1)
        if len(drawn) == 2:
            loop.call_soon_threadsafe(failed.set)
            raise KeyError("a day that was not there a moment ago")
        return real()

    monkeypatch.setattr(live.DashboardConsumer, "draw", staticmethod(faulty))
    async with listening(clerk, path=PATH) as listener:
        await listener.hear()
        await in_thread(ledger.adjust, lamp.pk, quantity=D(-1), reason="lost")
        await asyncio.wait_for(failed.wait(), 5)
        await in_thread(ledger.adjust, lamp.pk, quantity=D(-44), reason="lost")
        await listener.until(lambda frame: [row["current_stock"] for row in frame["inventory_alerts"]] == [5])
    assert len(drawn) >= 3  # the second of them broke
