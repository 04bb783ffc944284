"""Start and stop, as an ASGI server tells them (on Daphne, which does not, the first socket starts)."""

import logging

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from realtime import runtime

logger = logging.getLogger(__name__)


async def lifespan(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The `lifespan` part of the ASGI application: starts and stops the process's real-time runtime.

    A runtime that cannot start ends the server, with the reason in the log: it would answer nobody.
    """
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await runtime.startup()
            except Exception as error:
                logger.exception("the runtime could not start")
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            try:
                await runtime.shutdown()
            except Exception as error:
                logger.exception("the runtime could not stop cleanly")
                await send({"type": "lifespan.shutdown.failed", "message": str(error)})
                return
            await send({"type": "lifespan.shutdown.complete"})
            return
