"""Nobody hears over a wall: real sockets of somebody bound to a warehouse, beside those of somebody who is not.

What the bound one hears is exactly what the other hears, cut at the wall, live and when a cursor resumes; dashboards
show the whole shop's totals (docs/api.md, "Walls") and never name another warehouse.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts import services as accounts
from accounts.models import User
from insights import sales
from inventory.models import Product, Warehouse
from inventory.services import counts, ledger, transfers
from orders import services as orders
from orders.models import Order
from orders.services import Item
from purchasing.services import orders as purchases
from purchasing.services import receipts
from purchasing.services.orders import PurchaseItem
from tests.client import Api
from tests.live import Listener, listening
from tests.walled import HIDDEN, HIDDEN_ID, Shop, build
from workbox.core import context, events, stream

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
D = Decimal
DASHBOARDS = ("/ws/dashboard", "/api/v1/analytics/ws/dashboard")


@pytest.fixture(autouse=True)
async def _stop_the_tailer() -> AsyncIterator[None]:
    yield
    await stream.stop_hub()


def in_thread(function: Any, *args: Any, **kwargs: Any) -> Any:
    return sync_to_async(function, thread_sensitive=True)(*args, **kwargs)


@contextmanager
def acting_as(user: User) -> Iterator[None]:
    token = context.actor_id.set(user.pk)
    try:
        yield
    finally:
        context.actor_id.reset(token)


@pytest.fixture
def shop(make_product: Callable[..., Product], main: Warehouse, make_user: Callable[..., User]) -> Shop:
    found = build(make_product("Lamp", stock=20, reorder_threshold=D(0)), main, make_user("admin", "boss"))
    sales.ensure_built()
    return found


@pytest.fixture
def bound(shop: Shop, make_user: Callable[..., User]) -> User:
    """A manager bound to the open warehouse."""
    user = make_user("manager", "bound")
    accounts.bind(User.objects.get(username="boss"), user_id=user.pk, warehouse_ids=[shop.open.pk])
    return user


def story(shop: Shop) -> None:
    """Something of every topic on both sides of the wall, and across it."""
    lamp, one = shop.lamp.pk, Decimal(1)
    with acting_as(User.objects.get(username="boss")):
        for place in (shop.open, shop.beta):
            ledger.adjust(lamp, quantity=one, reason="found", warehouse_id=place.pk)
            order = orders.place_order([Item(lamp, one)], user_id=None, warehouse_id=place.pk)
            orders.ship_order(order.id)
            orders.return_order(order.id, warehouse_id=place.pk, reason="test")
            bought = purchases.create_purchase_order(
                shop.vendor_id, [PurchaseItem(lamp, Decimal(3), Decimal(2))], warehouse_id=place.pk
            )
            purchases.send_purchase_order(bought.pk)
            receipts.receive_purchase_order(bought.pk, [receipts.Received(lamp, one)])
            if place == shop.open:
                counts.cancel_count(counts.open_count(place.pk).id)
        everywhere = orders.place_order([Item(lamp, Decimal(30))], user_id=None)  # more than the open warehouse has
        orders.ship_order(everywhere.id)
        for start, end in ((shop.beta, shop.gamma), (shop.open, shop.beta), (shop.beta, shop.open)):
            moved = transfers.create_transfer({lamp: one}, from_warehouse_id=start.pk, to_warehouse_id=end.pk)
            transfers.dispatch_transfer(moved.id)
            transfers.complete_transfer(moved.id)
        ledger.adjust(lamp, quantity=Decimal(7), reason="last", warehouse_id=shop.open.pk)


def cut(frame: dict[str, Any], shop: Shop, orders_elsewhere: set[int]) -> dict[str, Any] | None:
    """The frame as it is behind the walls of the open warehouse, said once more and simply."""
    if frame.get("order_id") in orders_elsewhere:
        return None
    places = {frame.get(name) for name in ("warehouse_id", "from_warehouse_id", "to_warehouse_id")} - {None}
    if places and shop.open.pk not in places:
        return None
    if "by_warehouse" in frame:
        own = [row for row in frame["by_warehouse"] if row["warehouse_id"] == shop.open.pk]
        return frame | {"by_warehouse": own}
    return frame


def facts(listener: Listener) -> list[dict[str, Any]]:
    return [frame for frame in listener.frames if "event_id" in frame]


def head() -> int:
    while events.sequence_pending():
        pass
    return events.head()


async def heard_all(listener: Listener, last: int) -> None:
    """Listen until the fact at `last`, which is one everybody hears."""
    await listener.until(lambda frame: "event_id" in frame and frame["cursor"] >= last, 15)


async def test_the_bound_hear_exactly_their_part_live_and_again_from_their_cursor(
    shop: Shop, bound: User, make_user: Callable[..., User]
) -> None:
    free = await in_thread(make_user, "manager", "free")
    first = await in_thread(head)
    async with listening(bound) as mine, listening(free) as all_of_it:
        for listener in (mine, all_of_it):
            await listener.say(action="subscribe", since=first)
            await listener.until(lambda frame: frame["type"] == "subscribed")
        await in_thread(story, shop)
        last = await in_thread(head)
        await heard_all(mine, last)
        await heard_all(all_of_it, last)
    placed = await in_thread(lambda: list(Order.objects.exclude(warehouse=None).values_list("id", "warehouse")))
    behind = {order_id for order_id, place in placed if place != shop.open.pk}
    wanted = [seen for frame in facts(all_of_it) if (seen := cut(frame, shop, behind)) is not None]
    assert facts(mine) == wanted
    hidden = {frame["type"] for frame in facts(all_of_it) if cut(frame, shop, behind) is None}
    assert {"transfer_updated", "order_placed", "order_updated", "purchase_order_updated"} <= hidden
    text = str(mine.frames)
    assert str(HIDDEN_ID + 1) not in text
    assert HIDDEN not in text
    stock = [frame for frame in facts(mine) if frame["type"] == "inventory_update"]
    total = 20 + 50 - 2 - 1 + 2  # the shop as it was built; the story: two found, received and last, thirty shipped
    assert stock[0]["stock_quantity"] == total + 1
    assert stock[-1]["stock_quantity"] == total + 2 + 2 - 30 + 7
    assert {row["warehouse_id"] for frame in stock for row in frame["by_warehouse"]} == {shop.open.pk}
    middle = facts(mine)[len(facts(mine)) // 2]["cursor"]
    async with listening(bound) as again:
        await again.say(action="subscribe", since=middle)
        await heard_all(again, last)
    assert facts(again) == [frame for frame in wanted if frame["cursor"] > middle]


@pytest.mark.parametrize("path", DASHBOARDS)
async def test_a_dashboard_shows_the_bound_the_shops_totals_and_no_other_warehouse(
    path: str, shop: Shop, bound: User, make_user: Callable[..., User], client_of: Callable[[User], Api]
) -> None:
    free = await in_thread(make_user, "manager", "free")
    async with listening(bound, path=path) as mine, listening(free, path=path) as all_of_it:
        await mine.hear()
        await all_of_it.hear()
        await in_thread(story, shop)

        def settled(frame: dict[str, Any]) -> bool:
            return bool(frame["daily_snapshot"]["today_sales"] == 330)  # 33 were ordered, at 10

        seen, other = await mine.until(settled, 10), await all_of_it.until(settled, 10)
    answer = await in_thread(lambda: client_of(bound)("GET", "analytics/snapshot"))
    same = ("daily_snapshot", "inventory_alerts", "inventory_alerts_total", "top_performers")
    assert [seen[name] for name in same] == [other[name] for name in same]
    assert [seen[name] for name in same] == [answer.json()[name] for name in same]
    text = str(mine.frames)
    assert HIDDEN not in text
    assert str(HIDDEN_ID) not in text
    assert "warehouse" not in text, "figures by warehouse need a cut per walls: a board is drawn once for all"


async def test_walls_put_up_while_somebody_listens_end_the_socket_before_the_next_frame(
    shop: Shop, make_user: Callable[..., User]
) -> None:
    boss = await in_thread(User.objects.get, username="boss")
    clerk = await in_thread(make_user, "clerk")
    for path in ("/ws", DASHBOARDS[0]):
        async with listening(clerk, path=path) as listener:
            await listener.hear()
            if path == "/ws":
                await listener.say(action="subscribe")
                await listener.until(lambda frame: frame["type"] == "subscribed")
            place = shop.open if path == "/ws" else shop.gamma
            await in_thread(accounts.bind, boss, user_id=clerk.pk, warehouse_ids=[place.pk])
            await in_thread(ledger.adjust, shop.lamp.pk, quantity=D(1), reason="found", warehouse_id=shop.beta.pk)
            assert await listener.closed_with() == 4401
            assert facts(listener) == []
