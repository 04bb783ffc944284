"""The application on uvicorn: uvloop, httptools, the fast WebSocket path, and a drain before the shutdown."""

import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.server import BACKLOG, MAX_MESSAGE_BYTES
from realtime.server.http import LimitedHttpProtocol
from realtime.server.lifecycle import CLOSE_LIMIT_S, DRAIN_LIMIT_S, Lifecycle, goodbyes, refuse, within
from realtime.server.protocol import FramePassingProtocol


class DrainingServer(uvicorn.Server):
    """Calls `on_ready` once the application has started, and drains it before uvicorn closes the connections.

    The first SIGTERM or SIGINT drains and ends with exit code 0; the second kills.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._on_ready = on_ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self._lifecycle.insist(sig)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self.config.loaded_app = refuse
        for connection in self.server_state.connections:
            # For kept-alive HTTP connections; a WebSocket that runs asks for no other application.
            connection.app = refuse  # type: ignore[union-attr]
        await within(DRAIN_LIMIT_S, self._lifecycle.drain, "the drain")
        await goodbyes(self._has_closing)
        await super().shutdown(sockets)

    def _has_closing(self) -> bool:
        """Whether a client has been sent a close frame, and has not answered it."""
        connections = self.server_state.connections
        return any(isinstance(each, WebSocketsSansIOProtocol) and each.close_timer is not None for each in connections)


def uvicorn_config(application: Any, *, stock: bool) -> uvicorn.Config:
    """`application` is an ASGI application or where to import it from, `module:attribute`.

    `stock` leaves uvicorn's own WebSocket protocol in place.
    """
    return uvicorn.Config(
        application,
        interface="asgi3",
        loop="uvloop",
        http=LimitedHttpProtocol,
        ws="websockets-sansio" if stock else FramePassingProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # the protocol has heartbeats, both ways
        ws_per_message_deflate=False,  # three times the time per message
        lifespan="on",  # an application that cannot start ends the process
        log_config=None,  # as the settings say
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # Daphne has none either, and each connection would keep one more frame
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(CLOSE_LIMIT_S),
    )


def run_uvicorn(
    application: str,
    listener: socket.socket,
    *,
    lifecycle: Lifecycle,
    on_ready: Callable[[], None],
    stock: bool = False,
) -> None:
    """Serves until a signal. The application's lifespan starts it and shuts it down.

    SystemExit with a code other than 0 when the application cannot be imported or does not start.
    """
    DrainingServer(uvicorn_config(application, stock=stock), lifecycle, on_ready).run([listener])
