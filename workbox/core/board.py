"""Boards: one picture that a server process draws once and copies to all its sockets.

A board is drawn when somebody comes, every REFRESH_SECONDS, and within a second of a fact of its topics; never more
often than once a second, however much happens. Who may look, and what is drawn, others say.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from workbox.core import events, stream_frames
from workbox.core.broadcast import Broadcast, writer
from workbox.core.stream import Hub, LiveConsumer, Socket, Viewer

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 30.0
REDRAW_SECONDS = 1.0


class BoardSocket(Socket):
    """A socket that hears of facts only to have the board drawn again; the hub's heartbeats are not for it."""

    board: "Board"

    def wants(self, event: events.Fact) -> bool:
        """Never a frame of its own."""
        if event.topic in self.board.topics:
            self.board.stir()
        return False

    def push(self, news: Broadcast) -> None:
        """Nothing: a picture comes more often than a heartbeat would be missed."""

    def show(self, picture: Broadcast) -> None:
        """Send the picture."""
        super().push(picture)


class Board:
    """One board of one process; its methods run on the event loop, `draw` does not."""

    def __init__(self, draw: Callable[[], str], topics: frozenset[str]) -> None:
        self.topics = topics
        self._draw = draw
        self._sockets: set[BoardSocket] = set()
        self._stirred = asyncio.Event()
        self._picture: Broadcast | None = None
        self._drawn_at = 0.0
        self._drawing: asyncio.Task[None] | None = None

    def stir(self) -> None:
        """What the picture shows has changed."""
        self._stirred.set()

    def enter(self, socket: BoardSocket) -> None:
        """The socket gets the picture now, unless it is older than a second: then a new one as soon as it is drawn."""
        socket.board = self
        self._sockets.add(socket)
        if self._picture is not None and time.monotonic() - self._drawn_at < REDRAW_SECONDS:
            socket.show(self._picture)
        else:
            self.stir()
        if self._drawing is None:
            self._begin()

    def exit(self, socket: BoardSocket) -> None:
        """The socket gets no more pictures; with the last one the drawing ends."""
        self._sockets.discard(socket)
        if not self._sockets and self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
            self._picture = None  # nobody hears of changes from here on

    def _begin(self) -> None:
        self._drawing = asyncio.get_running_loop().create_task(self._keep_drawing())
        self._drawing.add_done_callback(self._drawing_ended)

    def _drawing_ended(self, task: asyncio.Task[None]) -> None:
        """A picture that could not be drawn is logged as the fault it is; those who look get the next one still."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("board_not_drawn", exc_info=error)
        self._drawing = None
        if self._sockets:
            self._begin()

    async def _keep_drawing(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # nothing happened: time for the regular picture
                await asyncio.wait_for(self._stirred.wait(), max(self._next_at() - time.monotonic(), 0.0))
            await asyncio.sleep(max(0.0, self._drawn_at + REDRAW_SECONDS - time.monotonic()))
            # From here on a change counts for the next picture: this one may be drawn without it.
            self._stirred.clear()
            self._drawn_at = time.monotonic()
            try:
                text = await database_sync_to_async(self._draw)()
            except (DatabaseError, InterfaceError) as error:
                log.warning("board_waits_for_database", error=str(error))
                self.stir()
                continue
            self._picture = Broadcast(text)
            for socket in tuple(self._sockets):
                socket.show(self._picture)

    def _next_at(self) -> float:
        return self._drawn_at + REFRESH_SECONDS


class BoardConsumer(LiveConsumer):
    """A socket that shows one board; what the client says is not answered, but floods are."""

    capability: str
    topics: frozenset[str]
    _boards: dict[Hub, Board]

    @staticmethod
    def draw() -> str:
        """The picture as JSON text; runs in a thread."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._boards = {}

    def admits(self, viewer: Viewer) -> bool:
        """The one capability."""
        return viewer.can(self.capability)

    def make_socket(self, viewer: Viewer) -> Socket:
        """One that has the board drawn again when facts come."""
        return BoardSocket(viewer, self.base_send, self._close_soon, writer(self.scope))

    async def begin(self, socket: Socket) -> None:
        """The picture, and live from then on."""
        if not isinstance(socket, BoardSocket):
            raise TypeError("make_socket gave another kind of socket")
        board = self._boards.get(self.hub)
        if board is None:
            self._boards.clear()  # of loops that have ended: one process has one loop
            board = self._boards[self.hub] = Board(type(self).draw, self.topics)
        board.enter(socket)
        socket.position = self.hub.position  # the picture is drawn after this: it knows what came before
        self.hub.join(socket, self._recheck)

    async def disconnect(self, code: int) -> None:
        if isinstance(self.socket, BoardSocket):
            self.socket.board.exit(self.socket)
        await super().disconnect(code)

    async def obey(self, message: dict[str, Any]) -> None:
        """There is nothing to ask for."""
        await self._tell(stream_frames.error("unknown_action", "A board only shows; known actions: ping."))
