"""One frame for a thousand sockets is put together once: uvicorn's WebSocket protocol with that one short cut.

Any ASGI server sends our messages. This one lets us write a ready frame to the network as it is, where nothing was
negotiated that would change it: a socket then costs little more than the system call.
"""

from collections.abc import Callable, Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

EXTENSION = "workbox.broadcast"


class Broadcast:
    """One text for many sockets: the ASGI message, and its frame (RFC 6455: text, final, unmasked) for the wire."""

    __slots__ = ("frame", "message")

    def __init__(self, text: str) -> None:
        self.message = {"type": "websocket.send", "text": text}
        self.frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def writer(scope: Mapping[str, Any]) -> Callable[[bytes], bool]:
    """How to write a ready frame to this connection; under another server it is never possible."""
    found: Callable[[bytes], bool] = (scope.get("extensions") or {}).get(EXTENSION, _never)
    return found


def _never(_frame: bytes) -> bool:
    return False


class BroadcastProtocol(WebSocketsSansIOProtocol):
    """Offers `write_frame` to the application through the scope's extensions."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            self.scope["extensions"][EXTENSION] = self.write_frame  # type: ignore[assignment]  # our own extension of ASGI

    def write_frame(self, frame: bytes) -> bool:
        """Write the frame if the network takes it now; False: send the message the usual way, which waits."""
        if (
            self.close_sent
            or self.disconnected
            or not self.handshake_complete
            or self.conn.extensions
            or not self.writable.is_set()
        ):
            return False
        self.transport.write(frame)
        return True
