"""uvicorn's HTTP protocol with limits on what no application has been asked about yet.

- A head (request line and headers) above `MAX_HEAD_BYTES` is answered with 431.
- A connection is closed that has not sent the whole head of a request `REQUEST_S` after it was made or, between two
  requests, after the first byte. (uvicorn itself closes one that says nothing after an answer.)
- An answer that comes before the end of its request, as a refusal does, is the connection's last. What is still sent
  is thrown away for `LINGER_S`: were the socket closed at once with unread bytes in it, the kernel would answer with a
  reset, and the client might see that instead of the answer.

How large a body may be, and how slow, is the application's to say (`config/body.py`).

The application finds `scope["extensions"]["rostrum.file"]`, a mapping of one callable:

- `send(file: int, place: int, count: int)` sends so many bytes of the file with that descriptor as a part of the body
  whose length has been announced, and returns when the kernel has them all; `http.response.body` ends the body. Raises
  OSError when the connection or the file ends before.
"""

import asyncio
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeaderValue
from websockets.http11 import Request

from realtime.server import LINGER_S, MAX_HEAD_BYTES, REQUEST_S
from realtime.server.protocol import FramePassingProtocol
from realtime.server.reads import PiecewiseReads
from realtime.server.sendfile import FileSending

FILE_EXTENSION: Final = "rostrum.file"
HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class LimitedHttpProtocol(HttpToolsProtocol):
    """See the module. One instance is one connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0  # received of a head that is not complete
        self._is_whole = True  # the last request that began has been received to its end
        self._is_over = False  # whatever still comes is thrown away
        self._body_bytes = 0  # of a body whose length is known, what is still to come
        self._timer: asyncio.TimerHandle | None = None
        self._sending: FileSending | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_protocol(PiecewiseReads(self))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._sending is not None:
            self._sending.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes | memoryview) -> None:
        if self._is_answered and self._is_whole:
            self._expect_head()
        while data and not self._is_over and self.parser is not None and not self.transport.is_closing():
            left = MAX_HEAD_BYTES - self._head_bytes
            if left <= 0:
                self._refuse_head()
                return
            if self._timer is not None:
                part, data = data[:left], data[left:]
                self._head_bytes += len(part)
            else:  # a body; the next head is counted from its first byte on
                size = max(left, self._body_bytes)
                part, data = data[:size], data[size:]
            super().data_received(part)  # type: ignore[arg-type]  # the parser takes either

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_whole = False
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._head_bytes = 0
        self._body_bytes = next((int(value) for name, value in self.headers if name == b"content-length"), 0)
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope and self.scheme == "http":
            self.scope["extensions"] = {FILE_EXTENSION: {"send": partial(self._send_file, cycle)}}

    def on_body(self, body: bytes) -> None:
        self._body_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answered and not self._is_whole and not self.transport.is_closing():
            self._linger()

    def handle_websocket_upgrade(self) -> None:
        """The request goes over as it was parsed here: written out and parsed once more it would take a third of a
        login. Then this object is freed at once, not whenever the garbage collector finds the cycle."""
        protocol_class = self.ws_protocol_class
        request = self._websocket_request()
        if (
            request is not None
            and isinstance(protocol_class, type)
            and issubclass(protocol_class, FramePassingProtocol)
        ):
            self._hand_over(request, protocol_class)
        else:
            super().handle_websocket_upgrade()  # the protocol library says what is wrong
        self.parser = None  # type: ignore[assignment]  # as its connection_lost would

    def _websocket_request(self) -> Request | None:
        """As the protocol library would have parsed it; None for what it would refuse."""
        if self.scope["method"] != "GET" or self.scope["http_version"] != "1.1":
            return None
        headers = Headers()
        try:
            for name, value in self.scope["headers"]:
                headers[name.decode("ascii")] = value.decode("latin-1")
            return Request(self.url.decode("ascii"), headers)
        except (UnicodeDecodeError, InvalidHeaderValue):
            return None

    def _hand_over(self, request: Request, protocol_class: type[FramePassingProtocol]) -> None:
        self.connections.discard(self)
        protocol = protocol_class(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.take_request(request)

    async def _send_file(self, cycle: RequestResponseCycle, file: int, place: int, count: int) -> None:
        """See `send` in the module's description."""
        assert count <= cycle.expected_content_length
        if not cycle.disconnected:
            self.transport.set_write_buffer_limits(high=0)
            await self.flow.drain()  # nothing is left in the transport: what follows goes past it
        if cycle.disconnected:
            raise ConnectionResetError("the client has left")
        self.transport.set_write_buffer_limits()
        self._sending = FileSending(file, self.transport.get_extra_info("socket").fileno())
        try:
            await self._sending.run(place, count)
        finally:
            self._sending = None
        cycle.expected_content_length -= count

    @property
    def _is_answered(self) -> bool:
        """No request is in work."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(REQUEST_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._is_answered:
            self.transport.abort()
        else:  # it was early with its next request: it gets the answer to the last one
            self.cycle.keep_alive = False

    def _refuse_head(self) -> None:
        if self._is_answered:
            self.transport.write(HEAD_TOO_LARGE)
            self._linger()
        else:
            self.transport.abort()

    def _linger(self) -> None:
        self._is_over = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)
