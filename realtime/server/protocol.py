"""uvicorn's WebSocket protocol with a way round it for frames that are ready, and small per connection.

`FramePassingProtocol` goes into `uvicorn.Config(ws=...)`.
The ASGI application finds `scope["extensions"]["rostrum.frame"]`, a mapping of two callables:

- `write(frame: bytes) -> bool` puts one whole server frame (header and payload, unmasked) on the wire and
  returns True; or does nothing and returns False when the handshake is not complete, the transport is full,
  an ordinary send is suspended, or the connection closes. The caller then awaits `send`, as on any server.
- `abort() -> None` drops the connection at once with what its client had not read. The application gets its
  `websocket.disconnect`, and a suspended `send` raises: neither waits any longer for a reader that is stuck.

Written frames and ordinary sends reach the client in the order of the calls. What is received, and every
close, is as on stock uvicorn, except: a client may send ahead up to 64 messages or 256 KiB (stock: one read's
worth) before it is no longer read; and after a frame that is refused (too big: 1009, not UTF-8: 1007,
malformed: 1002) the client gets the time to read why before the socket is closed.
"""

import asyncio
from struct import unpack_from
from typing import Any, Final

from uvicorn._types import ASGIReceiveEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import Protocol, State
from websockets.speedups import apply_mask

from realtime.server import LINGER_S
from realtime.server.buffers import MessageQueue, WriteGate
from realtime.server.headers import shared_headers

FRAME_EXTENSION: Final = "rostrum.frame"

UNREAD_S: Final = 15.0
"""After the application returned: how long a client may take to read the rest before it is dropped."""
MAX_FRAGMENTS: Final = 1024
"""Of one message. Empty ones count as nothing against its size."""

_WHOLE_TEXT: Final = 0x81
_MASKED: Final = 0x80


class FramePassingProtocol(WebSocketsSansIOProtocol):
    """See the module. One instance is one connection; all of it runs on the event loop's thread."""

    # The base class's attributes too: as slots they take a third of what its instance dictionary would.
    __slots__ = (
        "_partial",
        "_refusing",
        "_unread_timer",
        "app",
        "app_state",
        "asgi_version",
        "client",
        "close_sent",
        "close_timeout",
        "close_timer",
        "config",
        "conn",
        "connections",
        "curr_msg_data_type",
        "default_headers",
        "disconnected",
        "frames",
        "handshake_complete",
        "handshake_initiated",
        "initial_response",
        "last_ping_rtt",
        "logger",
        "loop",
        "pending_ping_payload",
        "ping_interval",
        "ping_sent_at",
        "ping_timeout",
        "ping_timer",
        "pong_timer",
        "queue",
        "read_paused",
        "request",
        "response",
        "root_path",
        "scheme",
        "scope",
        "server",
        "tasks",
        "transport",
        "writable",
    )

    queue: MessageQueue  # type: ignore[assignment]
    writable: WriteGate  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.queue = MessageQueue(self.loop)
        self.writable = WriteGate()
        self._partial: bytearray | None = None  # received bytes that are not yet a frame, or not yet wanted
        self._refusing = False  # the client broke the protocol: whatever it still sends is thrown away
        self._unread_timer: asyncio.TimerHandle | None = None

    # The application's shortcut

    def write_frame(self, frame: bytes) -> bool:
        """See `write` in the module's description."""
        transport = self.transport
        if not self.writable.free or not self.handshake_complete or self.close_sent or transport.is_closing():
            return False
        transport.write(frame)
        return True

    def abort(self) -> None:
        """See `abort` in the module's description."""
        self.transport.abort()

    # Opening and closing

    def take_request(self, request: Request) -> None:
        """A request that was parsed already. What follows it are frames."""
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        self.handle_connect(request)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[Any, Any] = self.scope["extensions"] or {}
            extensions[FRAME_EXTENSION] = {"write": self.write_frame, "abort": self.abort}
            self.scope["extensions"] = extensions
            self.scope["headers"] = shared_headers(self.scope["headers"])

    def start_keepalive(self) -> None:
        """The handshake is complete: lets go of what it needed. (The scope would be a reference cycle too.)"""
        super().start_keepalive()
        self.request.headers.clear()  # the parser's frame keeps the request itself
        del self.request, self.response, self.scope

    def connection_lost(self, exc: Exception | None) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
        self._partial = None
        super().connection_lost(exc)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application has returned; uvicorn would now wait for the client to read the rest for ever."""
        super().on_task_complete(task)
        if self.disconnected:
            return
        self._unread_timer = self.loop.call_later(UNREAD_S, self.transport.abort)
        if self._partial:
            self._take_frames(self._partial)  # its close frame may be among them

    def shutdown(self) -> None:
        """Closes with 1012; stock uvicorn raises when the client's own close is just being answered."""
        if self.handshake_complete and not self.close_sent and self.conn.state is not State.OPEN:
            self.transport.close()
        else:
            super().shutdown()

    def handle_parser_exception(self) -> None:
        """Closes for what the client did wrong.

        The socket is not closed at once: with unread bytes in it, the kernel would answer with a reset, and
        some systems would show the client that instead of the close frame.
        """
        close = self.conn.close_sent
        if close is None:  # nothing was accepted yet
            self.transport.abort()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.close_sent = self._refusing = True
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    # Receiving

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            super().data_received(data)
        elif self._refusing:
            return
        elif self._partial:
            self._partial += data
            self._take_frames(self._partial)
        else:
            self._take_frames(data)

    def _take_frames(self, data: bytes | bytearray) -> None:
        """Hands on the whole frames in `data` until the queue is full; keeps the rest for later.

        Whole text messages are read here. All else goes, frame by frame, to the protocol library: it knows
        control frames, fragments and every way to be malformed. So its parser is always between two frames.
        """
        position, end = 0, len(data)
        queue, conn = self.queue, self.conn
        limit = self.config.ws_max_size
        while end - position >= 2 and (self.close_sent or not queue.full):
            opcode, length = data[position], data[position + 1]
            payload = position + 6
            if length < _MASKED:
                stop = end  # not masked: malformed
            else:
                length -= _MASKED
                if length == 126:
                    if end - position < 4:
                        break
                    (length,) = unpack_from("!H", data, position + 2)
                    payload = position + 8
                elif length == 127:
                    if end - position < 10:
                        break
                    (length,) = unpack_from("!Q", data, position + 2)
                    payload = position + 14
                stop = payload + length if length <= limit else end
                if stop > end:
                    break
            if opcode == _WHOLE_TEXT and payload + length == stop and conn.current_size is None:
                if not self.close_sent:
                    self._take_text(apply_mask(data[payload:stop], data[payload - 4 : payload]))
            else:
                super().data_received(bytes(data[position:stop]))
            position = stop
            if self._refusing or self.transport.is_closing():
                self._partial = None
                return
        self._keep(data, position)
        if queue.full and not self.read_paused and not self.close_sent:
            self.read_paused = True
            self.transport.pause_reading()

    def _keep(self, data: bytes | bytearray, position: int) -> None:
        if position == len(data):
            self._partial = None
        elif data is self._partial:
            del self._partial[:position]
        else:
            self._partial = bytearray(data[position:])

    def _take_text(self, payload: bytes) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text}, len(payload))

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        """A binary message, or one that came in fragments: as the base does, but without a pause for each."""
        payload = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            self._take_text(payload)
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": payload}, len(payload))

    def handle_ping(self) -> None:
        """Answers, unless the client does not read: then answers would pile up without bound."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.free:
            self.transport.write(pong)

    async def receive(self) -> ASGIReceiveEvent:
        queue = self.queue
        while not queue:
            await queue.arrival()
        event: ASGIReceiveEvent = queue.pop()
        if self.read_paused and not queue:
            if self._partial:
                self._take_frames(self._partial)
            if not queue.full:
                self.read_paused = False
                self.transport.resume_reading()
        return event
