"""One frame for a thousand sockets is put together once: uvicorn's WebSocket protocol with that one short cut.

Any ASGI server sends our messages; under this protocol a message that carries its frame as bytes goes out as it is.
"""

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

WIRE = "wire"


def message(text: str) -> dict[str, Any]:
    """An ASGI message that sends `text`, with its frame (RFC 6455: text, final, unmasked) ready for the wire."""
    frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    return {"type": "websocket.send", "text": text, WIRE: frame}


class BroadcastProtocol(WebSocketsSansIOProtocol):
    """Sends ready frames without looking into them, where nothing was negotiated that would change them."""

    async def send(self, message: Any) -> None:
        frame = message.get(WIRE)
        if frame is None or self.close_sent or not self.handshake_complete or self.conn.extensions:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected:
            raise ClientDisconnected
        self.transport.write(frame)
