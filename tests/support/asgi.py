"""A uvicorn server in the test's own loop, around a WebSocket application that the test wrote."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from realtime.server.lifecycle import Lifecycle
from realtime.server.listener import open_listener, url_of
from realtime.server.uvicorn_server import DrainingServer, uvicorn_config

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


def with_lifespan(websocket: Application) -> Application:
    """The application, and the start and stop that uvicorn asks for."""

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
        else:
            await websocket(scope, receive, send)

    return application


async def nothing() -> None:
    """A drain or shutdown of an application that has nothing to do."""


@asynccontextmanager
async def serving(websocket: Application, *, stock: bool = False) -> AsyncIterator[tuple[DrainingServer, str]]:
    """The server and its address, `http://host:port`."""
    listener = open_listener("127.0.0.1", 0)
    url = url_of(listener)
    ready = asyncio.Event()
    config = uvicorn_config(with_lifespan(websocket), stock=stock)
    server = DrainingServer(config, Lifecycle(drain=nothing, shutdown=nothing), ready.set)
    task = asyncio.create_task(server.serve([listener]))
    await ready.wait()
    try:
        yield server, url
    finally:
        server.should_exit = True
        await task
