"""uvicorn's HTTP protocol with limits on what no application has been asked about yet.

- A head (request line and headers) above `MAX_HEAD_BYTES` is answered with 431.
- A connection is closed that has not sent the whole head of a request `REQUEST_S` after it was made or, between two
  requests, after the first byte. (uvicorn itself closes one that says nothing after an answer.)
- An answer that comes before the end of its request, as a refusal does, is the connection's last. What is still sent
  is thrown away for `LINGER_S`: were the socket closed at once with unread bytes in it, the kernel would answer with a
  reset, and the client might see that instead of the answer.

How large a body may be, and how slow, is the application's to say (`config/body.py`).
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeaderValue
from websockets.http11 import Request

from realtime.server import LINGER_S, MAX_HEAD_BYTES, REQUEST_S
from realtime.server.protocol import FramePassingProtocol

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
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_answered and self._is_whole:
            self._expect_head()
        while data and not self._is_over and self.parser is not None and not self.transport.is_closing():
            left = MAX_HEAD_BYTES - self._head_bytes
            if left <= 0:
                self._refuse_head()
                return
            part, data = data[:left], data[left:]
            if self._timer is not None:
                self._head_bytes += len(part)
            super().data_received(part)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_whole = False
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._head_bytes = 0
        super().on_headers_complete()

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
