"""A WebSocket connection of uvicorn's without a socket, whose application reads only when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from realtime.server.protocol import FramePassingProtocol
from realtime.server.uvicorn_server import uvicorn_config
from tests.support.asgi import Receive, Send
from tests.support.raw_websocket import HANDSHAKE


class FakeTransport(asyncio.Transport):
    """Remembers what the server did to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    abort = close


class HeldConnection:
    """What a test looks at, and does in the place of the application."""

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.protocol: Any = None
        self.send: Any = None
        self.receive: Any = None
        self.connected = asyncio.Event()
        self.released = asyncio.Event()

    async def application(self, scope: Any, receive: Receive, send: Send) -> None:
        self.send, self.receive = send, receive
        self.connected.set()
        await self.released.wait()

    def reads(self) -> bool:
        """Whether the server takes more from the client."""
        return self.transport.reading

    def feed(self, data: bytes) -> None:
        """Bytes from the client. A transport that was paused or closed would hand over none."""
        assert self.reads()
        assert not self.transport.closed
        self.protocol.data_received(data)

    @property
    def queued(self) -> int:
        """Messages that wait for the application."""
        queue = self.protocol.queue
        return len(queue) if isinstance(self.protocol, FramePassingProtocol) else int(queue.qsize())

    async def take(self) -> list[Any]:
        """Reads what is there, in the application's place."""
        messages = []
        while self.queued:
            messages.append(await self.receive())
        return messages

    async def release(self) -> None:
        """The application returns."""
        self.released.set()
        await asyncio.gather(*self.protocol.tasks)
        await asyncio.sleep(0)  # what is to be done after it


@asynccontextmanager
async def held_connection(*, stock: bool = False, accept: bool = True) -> AsyncIterator[HeldConnection]:
    """A connection, accepted unless said otherwise, on our protocol or on stock uvicorn's."""
    held = HeldConnection()
    config = uvicorn_config(held.application, stock=stock)
    config.load()
    kind = WebSocketsSansIOProtocol if stock else FramePassingProtocol
    held.protocol = kind(config, ServerState(), {})
    held.protocol.connection_made(held.transport)
    held.protocol.data_received(HANDSHAKE.format(path="/", host="localhost").encode())
    await held.connected.wait()
    await held.receive()
    if accept:
        await held.send({"type": "websocket.accept"})
    held.transport.written = b""
    try:
        yield held
    finally:
        held.protocol.connection_lost(None)
        await held.release()
