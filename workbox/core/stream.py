"""The live stream: one tailer per server process reads the event log once and copies each frame to its sockets.

A socket is either *live* (fed by the tailer) or *catching up* (reading the log from its own position); it goes live in
the same event-loop step in which its position meets the tailer's, so no frame is lost or doubled in between.
"""

import asyncio
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any, Protocol

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from workbox.core import events, stream_frames
from workbox.core.broadcast import Broadcast, writer
from workbox.core.doorbell import Bell
from workbox.core.followers import FollowerThread, registered
from workbox.core.observability import LIVE_SOCKETS
from workbox.core.supervised import survive

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
BUSY_PAUSE_SECONDS = 0.1  # under load news is taken in gulps: at most ten rounds a second
TAIL_PAGE = 500
SILENT_TAILER_SECONDS = 15.0
SUBSCRIBE_WAIT_SECONDS = 1.0
QUEUE_FRAMES_MAX = 1000
MESSAGES_PER_SECOND_MAX = 20
FRAME_BYTES_MAX = 64 * 1024
CLOSE_UNAUTHENTICATED, CLOSE_SLOW, CLOSE_FLOOD, CLOSE_STALE, CLOSE_FOREIGN_ORIGIN = 4401, 4408, 4429, 1013, 4403
CLOSE_RESTART = 1012  # said by the server itself when it is told to stop
CLOSE_FORBIDDEN = CLOSE_FOREIGN_ORIGIN  # in both cases logging in again would not help

# Topic → the capabilities of which one is enough to listen; of orders those who may only place see their own.
TOPICS = {
    "stock": ("stock.read",),
    "orders": ("orders.place", "orders.read"),
    "catalog": ("catalog.read",),
    "alerts": ("alerts.read",),
    "transfers": ("stock.post", "reports.read"),
    "purchasing": ("purchasing.read",),
}
SEES_ALL_ORDERS = "orders.read"


class Viewer(Protocol):
    """Whoever listens: an `accounts.principal.Principal`."""

    @property
    def id(self) -> int: ...
    @property
    def warehouses(self) -> frozenset[int] | None: ...
    def can(self, capability: str) -> bool: ...


def may_listen(viewer: Viewer, topic: str) -> bool:
    """True when one of the topic's capabilities is the viewer's."""
    return any(map(viewer.can, TOPICS[topic]))


Send = Callable[[dict[str, Any]], Awaitable[None]]


# What servers raise when the peer went away between two frames.
_GONE = (RuntimeError, OSError)


class _Resume:
    """Awaits the rest of a coroutine that was already stepped once and stands at `first`."""

    def __init__(self, coroutine: Any, first: Any) -> None:
        self._coroutine, self._first = coroutine, first

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._first
        yield from self._coroutine.__await__()


class Socket:
    """One listener.

    `push` never waits: what the network does not take goes to a bounded queue, then the socket closes.
    """

    def __init__(
        self,
        viewer: Viewer,
        send: Send,
        close: Callable[[int], None],
        write_frame: Callable[[bytes], bool] = lambda _frame: False,
    ) -> None:
        self.viewer = viewer
        self._write_frame = write_frame
        self.topics: frozenset[str] = frozenset()
        self.position = 0
        self._send, self.close = send, close
        self._queue: deque[dict[str, Any]] = deque()
        self._pumping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.sees_all_orders = viewer.can(SEES_ALL_ORDERS)
        self.walls = viewer.warehouses

    def subscribe(self, topics: Iterable[str]) -> None:
        """Listen to those of the topics that the viewer may see."""
        self.topics = frozenset(topic for topic in topics if may_listen(self.viewer, topic))

    def wants(self, event: events.Fact) -> bool:
        """True when the event's topic is subscribed and this viewer may see it."""
        if event.topic not in self.topics:
            return False
        return event.topic != events.ORDERS or self.sees_all_orders or event.owner_id == self.viewer.id

    def push(self, news: Broadcast) -> None:
        """Send now if the network takes it, else queue; a full queue closes the socket with 4408."""
        if not self._pumping and self._write_frame(news.frame):
            return
        message = news.message
        if self._pumping:
            if len(self._queue) >= QUEUE_FRAMES_MAX:
                self._queue.clear()
                self.close(CLOSE_SLOW)
            else:
                self._queue.append(message)
            return
        # Step the send by hand: on a healthy connection it finishes without waiting, and a task per socket and frame
        # would cost more than the frame.
        coroutine: Any = self._send(message)
        try:
            first = coroutine.send(None)
        except StopIteration:
            return
        except _GONE:
            return  # the server's disconnect message tells the consumer
        self._pumping = True
        task = asyncio.get_running_loop().create_task(self._pump(_Resume(coroutine, first)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump(self, unfinished: _Resume) -> None:
        try:
            await unfinished
            while self._queue:
                await self._send(self._queue.popleft())
        except _GONE:
            self._queue.clear()
        finally:
            self._pumping = False

    def stop(self) -> None:
        """Drop what is still queued."""
        self._queue.clear()
        for task in self._tasks:
            task.cancel()


class Hub:
    """The sockets of one server process and the tailer that feeds them. All methods run on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.live: set[Socket] = set()
        self.per_user: Counter[int] = Counter()
        self.audience = threading.Event()  # set while anybody is connected
        self.position = 0
        self.ready = asyncio.Event()
        self._rejoin: dict[Socket, Callable[[Socket], None]] = {}
        self._tailer = Tailer(self)
        self._tailer.start()
        self._followers = FollowerThread()
        if registered():
            self._followers.start()
        self._heartbeat = loop.create_task(self._beat())

    def deliver(self, batch: Sequence[events.Fact]) -> None:
        """Copy each event's frame, encoded once, to every live socket that wants it."""
        for event in batch:
            self.position = event.cursor
            news: Broadcast | None = None
            parts: dict[frozenset[int], Broadcast | None] = {}
            if event.topic == events.ACCESS:
                self._recheck(event)
                continue
            for socket in tuple(self.live):
                # One that caught up may be ahead of the tailer.
                if event.cursor > socket.position and socket.wants(event):
                    if socket.walls is not None:
                        self._push_part(event, socket, parts)
                        continue
                    if news is None:
                        news = Broadcast(event.frame())
                    socket.push(news)

    @staticmethod
    def _push_part(event: events.Fact, socket: Socket, parts: dict[frozenset[int], Broadcast | None]) -> None:
        """The frame as the socket's walls show it, put together once per distinct walls; nothing when they hide it."""
        assert socket.walls is not None  # noqa: S101  (narrowing: the caller looked)
        if socket.walls not in parts:
            seen = event.seen_from(socket.walls)
            parts[socket.walls] = None if seen is None else Broadcast(seen.frame())
        news = parts[socket.walls]
        if news is not None:
            socket.push(news)

    def skip_to(self, position: int) -> None:
        """Nobody listens, so nothing is read for them; whoever came meanwhile keeps the place."""
        if not self.live:
            self.position = max(self.position, position)

    def enter(self, user_id: int) -> None:
        """One more connection of this user."""
        self.per_user[user_id] += 1
        self.audience.set()

    def exit(self, user_id: int) -> None:
        """One connection of this user less."""
        self.per_user[user_id] -= 1
        if not self.per_user[user_id]:
            del self.per_user[user_id]
        if not self.per_user:
            self.audience.clear()

    def join(self, socket: Socket, recheck: Callable[[Socket], None]) -> bool:
        """Make the socket live if it has seen everything up to here; False: there is more to catch up."""
        if socket.position < self.position:
            return False
        self.live.add(socket)
        self._rejoin[socket] = recheck
        return True

    def leave(self, socket: Socket) -> None:
        """Stop feeding the socket."""
        self.live.discard(socket)
        self._rejoin.pop(socket, None)

    def _recheck(self, event: events.Fact) -> None:
        # What this user may see has changed: no frame after this one may reach them before the rights are read again.
        for socket in [one for one in self.live if one.viewer.id == event.subject_id]:
            recheck = self._rejoin[socket]
            self.leave(socket)
            socket.position = event.cursor
            recheck(socket)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(settings.WORKBOX_HEARTBEAT_SECONDS)
            silent = time.monotonic() - self._tailer.last_round > SILENT_TAILER_SECONDS
            news = Broadcast(stream_frames.as_text(stream_frames.heartbeat(cursor=self.position)))
            for socket in tuple(self.live):
                if silent:
                    socket.close(CLOSE_STALE)  # better gone than silently stale
                else:
                    socket.push(news)

    async def stop(self) -> None:
        """End the tailer; sockets are the server's to close."""
        self._heartbeat.cancel()
        await asyncio.to_thread(self._tailer.stop)
        await asyncio.to_thread(self._followers.stop)


class Tailer(threading.Thread):
    """Sequences committed events and hands them to the hub; a thread of its own with one database connection."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(name="workbox-tailer", daemon=True)
        self._hub = hub
        self._stopping = threading.Event()
        self._bell = Bell()
        self._position: int | None = None
        self.last_round = time.monotonic()

    def run(self) -> None:
        # A fault of ours must not end the stream for the life of the process: it goes on from where it was. While it
        # keeps breaking `last_round` stands still, and the heartbeat sends the sockets away.
        while not self._stopping.is_set() and not self._hub.loop.is_closed():
            survive("tailer", self._tail)
            self._stopping.wait(POLL_SECONDS)
        self._bell.close()
        connection.close()

    def _tail(self) -> None:
        while not self._stopping.is_set():
            try:
                self._position = self._round(self._position)
                if not self._hub.audience.is_set():
                    self._hub.audience.wait(POLL_SECONDS)  # nobody listens: keep the place, without hurry
                elif self._bell.wait(POLL_SECONDS):
                    time.sleep(max(0.0, self.last_round + BUSY_PAUSE_SECONDS - time.monotonic()))
            except (DatabaseError, InterfaceError) as error:
                log.warning("tailer_waits_for_database", error=str(error))
                connection.close()
                self._stopping.wait(POLL_SECONDS / 2)

    def _round(self, position: int | None) -> int:
        while events.sequence_pending() == events.SEQUENCE_BATCH:
            pass
        if position is None:
            position = events.head()
            self._call(self._begin, position)
        if not self._hub.audience.is_set():
            self._call(self._hub.skip_to, events.head())
            position = self._hub.position
        while rows := events.read_after(position, limit=TAIL_PAGE):
            self._call(self._hub.deliver, rows)
            position = rows[-1].cursor
        self.last_round = time.monotonic()
        return position

    def _begin(self, position: int) -> None:
        self._hub.position = position
        self._hub.ready.set()

    def _call(self, function: Callable[[Any], None], argument: Any) -> None:
        """Run `function` on the event loop and wait, so that a busy loop slows the tailer instead of piling up."""
        done = threading.Event()

        def run() -> None:
            try:
                function(argument)
            finally:
                done.set()

        self._hub.loop.call_soon_threadsafe(run)
        while not done.wait(1.0) and not self._stopping.is_set():
            pass

    def stop(self) -> None:
        """End after the current round."""
        self._stopping.set()
        self._hub.audience.set()
        self._bell.silence()
        self.join(timeout=5)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of the running event loop, started on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(loop)
    return _hubs[loop]


async def stop_hub() -> None:
    """Stop the running loop's hub, if there is one."""
    found = _hubs.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.stop()


Authenticate = Callable[[Any], Awaitable[tuple[Viewer | None, int | None, str | None]]]
StillAllowed = Callable[[Any], Awaitable[bool]]


class LiveConsumer(AsyncWebsocketConsumer):
    """`/ws`: hello, then every frame the viewer may see from the cursor it asks for.

    `authenticate(scope)` answers (viewer, expiry in epoch seconds, sub-protocol); `still_allowed(viewer)` whether the
    rights it was given then still stand.
    """

    authenticate: Authenticate
    still_allowed: StillAllowed

    async def connect(self) -> None:
        self.socket: Socket | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._catching: asyncio.Task[None] | None = None
        self._closed = False
        self._received: deque[float] = deque(maxlen=MESSAGES_PER_SECOND_MAX)
        self.hub = hub()
        viewer, expires_at, subprotocol = await type(self).authenticate(self.scope)
        if viewer is None:
            await self._refuse(CLOSE_UNAUTHENTICATED, "not_authenticated")
            return
        if not self.admits(viewer):
            await self._refuse(CLOSE_FORBIDDEN, "forbidden")
            return
        if self.hub.per_user[viewer.id] >= settings.WORKBOX_SOCKETS_PER_USER:
            await self._refuse(CLOSE_FLOOD, "too_many_sockets")
            return
        await self.hub.ready.wait()
        await self.accept(subprotocol=subprotocol)
        self.socket = self.make_socket(viewer)
        self.socket.position = self.hub.position
        self.hub.enter(viewer.id)
        LIVE_SOCKETS.inc()
        await self.begin(self.socket)
        if expires_at is not None:
            loop = asyncio.get_running_loop()
            self._timers.append(
                loop.call_later(max(expires_at - time.time(), 0), self._close_soon, CLOSE_UNAUTHENTICATED)
            )

    def admits(self, viewer: Viewer) -> bool:
        """True when this viewer may listen here at all."""
        return True

    def make_socket(self, viewer: Viewer) -> Socket:
        """The listener of this connection."""
        return Socket(viewer, self.base_send, self._close_soon, writer(self.scope))

    async def begin(self, socket: Socket) -> None:
        """Greet; frames follow the first subscribe message, or come by themselves after a second."""
        seconds = settings.WORKBOX_HEARTBEAT_SECONDS
        await self._tell(stream_frames.hello(cursor=self.hub.position, heartbeat_seconds=seconds, topics=TOPICS))
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(SUBSCRIBE_WAIT_SECONDS, self._subscribe_default))

    async def _refuse(self, code: int, reason: str) -> None:
        # Accept first: a refused handshake reaches browsers as a bare 1006, without the code that says what to do.
        await self.accept()
        await self._tell(stream_frames.error(reason))
        await self.close(code=code)

    async def disconnect(self, code: int) -> None:
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        if self._catching is not None:
            self._catching.cancel()
        if self.socket is not None:
            self.hub.leave(self.socket)
            self.hub.exit(self.socket.viewer.id)
            self.socket.stop()
            LIVE_SOCKETS.dec()
            self.socket = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.socket is None:
            return
        now = time.monotonic()
        if len(self._received) == MESSAGES_PER_SECOND_MAX and now - self._received[0] < 1.0:
            self._close_soon(CLOSE_FLOOD)
            return
        self._received.append(now)
        if text_data is None or len(text_data) > FRAME_BYTES_MAX:
            await self._tell(stream_frames.error("malformed"))
            return
        try:
            message = json.loads(text_data)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            await self._tell(stream_frames.error("malformed"))
        elif message.get("action") == "ping":
            await self._tell(stream_frames.pong(cursor=self.hub.position))
        else:
            await self.obey(message)

    async def obey(self, message: dict[str, Any]) -> None:
        """Do what the client asks."""
        if message.get("action") == "subscribe":
            await self._subscribe(message)
        else:
            await self._tell(stream_frames.error("unknown_action"))

    async def _subscribe(self, message: dict[str, Any]) -> None:
        topics = message.get("topics", sorted(TOPICS))
        since = message.get("since")
        if (
            not isinstance(topics, list)
            or any(topic not in TOPICS for topic in topics if isinstance(topic, str))
            or not all(isinstance(topic, str) for topic in topics)
        ):
            await self._tell(stream_frames.error("unknown_topic", f"Known topics: {', '.join(sorted(TOPICS))}."))
            return
        if since is not None and (not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < 2**63):
            await self._tell(stream_frames.error("bad_cursor"))
            return
        self._begin(topics, since)

    def _subscribe_default(self) -> None:
        if self.socket is not None and not self.socket.topics and self._catching is None:
            self._begin(sorted(TOPICS), None)

    def _begin(self, topics: Iterable[str], since: int | None) -> None:
        socket = self.socket
        if socket is None:
            return
        if self._catching is not None:
            self._catching.cancel()
        if socket in self.hub.live:
            socket.position = self.hub.position
            self.hub.leave(socket)
        socket.subscribe(topics)
        self._catching = asyncio.get_running_loop().create_task(self._catch_up(socket, since))

    async def _catch_up(self, socket: Socket, since: int | None) -> None:
        if since is not None:
            forgotten, newest = await database_sync_to_async(_range)()
            if since > newest or since < forgotten:
                socket.position = max(newest, self.hub.position)
                await self._tell(stream_frames.resync_required(cursor=socket.position))
            else:
                socket.position = since
        await self._tell(stream_frames.subscribed(topics=socket.topics, cursor=socket.position))
        await self._feed(socket)

    async def _feed(self, socket: Socket) -> None:
        """Send what the log holds after the socket's position until it meets the tailer, then go live."""
        while not self.hub.join(socket, self._recheck):
            rows = await database_sync_to_async(events.read_after)(socket.position, limit=TAIL_PAGE)
            for row in rows:
                if (
                    row.topic == events.ACCESS
                    and row.subject_id == socket.viewer.id
                    and not await self._still_allowed(socket)
                ):
                    return
                seen = row.seen_from(socket.walls) if socket.wants(row) else None
                if seen is not None:
                    await self.send(text_data=seen.frame())
                socket.position = row.cursor
            if not rows:  # pruned between two reads
                socket.position = self.hub.position
                await self._tell(stream_frames.resync_required(cursor=socket.position))

    def _recheck(self, socket: Socket) -> None:
        async def go_on() -> None:
            if await self._still_allowed(socket):
                await self._feed(socket)

        self._catching = asyncio.get_running_loop().create_task(go_on())

    async def _still_allowed(self, socket: Socket) -> bool:
        if await type(self).still_allowed(socket.viewer):
            return True
        self._close_soon(CLOSE_UNAUTHENTICATED)
        return False

    async def _tell(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=stream_frames.as_text(frame))

    def _close_soon(self, code: int) -> None:
        if self._closed:
            return
        self._closed = True
        if self.socket is not None:
            self.hub.leave(self.socket)
        task = asyncio.get_running_loop().create_task(self.close(code=code))
        self._closing = task  # the loop keeps only weak references to tasks


def _range() -> tuple[int, int]:
    events.sequence_pending()
    return events.forgotten(), events.head()
