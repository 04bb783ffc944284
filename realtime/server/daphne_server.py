"""The application on Daphne, with the same limits and the same drain as on uvicorn.

Importing this installs Twisted's asyncio reactor. Daphne knows no lifespan: the application starts at its
first connection; it is shut down from here.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from autobahn.util import encode_truncate
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from uvicorn.importer import import_from_string

from realtime.server import MAX_MESSAGE_BYTES
from realtime.server.buffers import WriteGate
from realtime.server.daphne_http import LimitedFactory, RequestEvents
from realtime.server.lifecycle import (
    CLOSE_LIMIT_S,
    DRAIN_LIMIT_S,
    SHUTDOWN_LIMIT_S,
    STOP_SIGNALS,
    Lifecycle,
    goodbyes,
    refuse,
    within,
)

reactor: Any = installed_reactor


class ClosingProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Closes with any code and reason the application says: Daphne knows no reasons, and no 1009 or 1012.

    It is the transport's push producer: so Twisted says when its buffer is full (64 KiB) and when it is empty again,
    and a send waits meanwhile, as on any other server. Daphne's own would fill the memory.
    """

    def connectionMade(self) -> None:
        super().connectionMade()
        self.writable = WriteGate()
        self.transport.unregisterProducer()  # the HTTP channel that it was before the upgrade
        self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.writable.clear()

    def resumeProducing(self) -> None:
        if self.transport.disconnecting:
            self.transport.unregisterProducer()  # or it would wait for more instead of closing
        self.writable.set()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.writable.set()

    def onPing(self, payload: bytes) -> None:
        """Answers, unless the client does not read: then answers would pile up without bound."""
        if self.writable.free:
            super().onPing(payload)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state != self.STATE_CONNECTING:
            self.close(message.get("code", 1000), message.get("reason") or "")
        else:
            super().handle_reply(message)

    def close(self, code: int, reason: str = "") -> None:
        """Does nothing on a connection that is closing or closed."""
        self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123), isReply=False)


class DrainingDaphne(Server):  # type: ignore[misc]
    """Daphne on a socket that listens already. The first SIGTERM or SIGINT drains, the second kills."""

    def __init__(
        self, application: Any, listener: socket.socket, lifecycle: Lifecycle, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(
            application,
            endpoints=["adopted"],  # it insists on one
            signal_handlers=False,
            ready_callable=self._adopt,
            request_buffer_size=64 * 1024,
            websocket_timeout=-1,  # else a connection would end after a day
            websocket_connect_timeout=10,
            websocket_handshake_timeout=5,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            websocket_max_frame_size=MAX_MESSAGE_BYTES,
            ping_interval=float("inf"),  # the protocol has heartbeats, both ways
            server_name=None,
        )
        self.endpoints: list[str] = []
        self._listener = listener
        self._lifecycle = lifecycle
        self._on_ready = on_ready
        self._port: Any = None
        self._stopping = False

    def run(self) -> None:
        for signum in STOP_SIGNALS:
            signal.signal(signum, self._handle_signal)
        super().run()

    def _handle_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._stopping:
            self._lifecycle.insist(signum)
        self._stopping = True
        reactor.callFromThread(self.stop)

    def _adopt(self) -> None:
        """Daphne calls it when its factories are made, just before the reactor runs."""
        self.http_factory = LimitedFactory(self)
        self.ws_factory.protocol = ClosingProtocol
        # A frame that is refused is answered with a close code, as on uvicorn, not by a dropped connection.
        self.ws_factory.setProtocolOptions(failByDrop=False)
        listener = self._listener
        self._port = reactor.adoptStreamPort(listener.fileno(), listener.family, self.http_factory)
        listener.close()  # the reactor has its own copy
        reactor.callWhenRunning(self._on_ready)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] != "http":
            return super().create_application(protocol, scope)
        events = RequestEvents(protocol.take_body())
        running = self.application(
            scope={**scope, "asgi": {"version": "3.0"}},
            receive=events.get,
            send=partial(self.handle_reply, protocol),
        )
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
        return events

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] in ("websocket.send", "http.response.body") and not protocol.writable.free:
            await protocol.writable.wait()
        await super().handle_reply(protocol, message)

    def kill_all_applications(self) -> "Deferred[None]":
        """Daphne calls it before the reactor stops, and waits; its own would cancel all at once."""
        return Deferred.fromFuture(asyncio.ensure_future(self._leave()))

    async def _leave(self) -> None:
        self.application = refuse
        await maybeDeferred(self._port.stopListening).asFuture(asyncio.get_running_loop())
        await within(DRAIN_LIMIT_S, self._lifecycle.drain, "the drain")
        for protocol in list(self.connections):
            if isinstance(protocol, ClosingProtocol) and protocol.state == protocol.STATE_OPEN:
                protocol.close(1012)
        await goodbyes(self._has_closing)
        await self._end_applications()
        await within(SHUTDOWN_LIMIT_S, self._lifecycle.shutdown, "the shutdown")

    def _has_closing(self) -> bool:
        """Whether a client has been sent a close frame, and has not answered it."""
        connections = self.connections
        return any(isinstance(each, ClosingProtocol) and each.state == each.STATE_CLOSING for each in connections)

    async def _end_applications(self) -> None:
        """Requests under way get their time, then they are cancelled."""
        running = {
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        }
        if running:
            _, running = await asyncio.wait(running, timeout=CLOSE_LIMIT_S)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CLOSE_LIMIT_S)


def run_daphne(
    application: str, listener: socket.socket, *, lifecycle: Lifecycle, on_ready: Callable[[], None]
) -> None:
    """Serves until a signal. `application` is an import string, `module:attribute`."""
    logging.getLogger("daphne").setLevel(logging.WARNING)
    DrainingDaphne(import_from_string(application), listener, lifecycle, on_ready).run()
