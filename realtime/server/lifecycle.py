"""How a server process ends: drained on the first signal, at once on the second."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from realtime.server import LINGER_S

logger = logging.getLogger(__name__)

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

DRAIN_LIMIT_S: Final = 25.0
"""For `drain`, which bounds its own steps and is done in a second or two as a rule."""
CLOSE_LIMIT_S: Final = 5.0
"""After the drain: for requests under way and for what is left of the connections."""
SHUTDOWN_LIMIT_S: Final = 10.0
"""For `shutdown`."""
EXIT_LIMIT_S: Final = DRAIN_LIMIT_S + LINGER_S + CLOSE_LIMIT_S + SHUTDOWN_LIMIT_S + 5.0
"""All of it: a process that is still there after so long hangs."""
LOOK_S: Final = 0.02
"""How often `goodbyes` looks."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the application does before its process ends; both may be called more than once.

    `drain` runs while connections still work and no new ones are taken; `shutdown` is the last thing that
    runs. `patient`: a second signal does not kill, since a parent process decides that (and whoever signals
    the whole group, as systemd does, reaches a worker twice: directly and by its parent).
    """

    drain: Callable[[], Awaitable[None]]
    shutdown: Callable[[], Awaitable[None]]
    patient: bool = False

    def insist(self, signum: int) -> None:
        """For the second signal, and each that follows."""
        if not self.patient:
            die_of(signum)


async def within(limit_s: float, step: Callable[[], Awaitable[None]], name: str) -> None:
    """Awaits a step of the way out. Too slow or failing, it is logged and the next step follows."""
    try:
        async with asyncio.timeout(limit_s):
            await step()
    except TimeoutError:
        logger.error("%s did not finish within %.0f s", name, limit_s)
    except Exception:
        logger.exception("%s failed", name)


async def goodbyes(awaited: Callable[[], bool]) -> None:
    """Returns when no client has to answer a close frame any more, `awaited` says, or after LINGER_S.

    What a client says to a socket that is closed already is answered with a reset, and the client may be shown that
    instead of the close frame, which it had not read yet.
    """
    for _ in range(round(LINGER_S / LOOK_S)):
        if not awaited():
            return
        await asyncio.sleep(LOOK_S)


def die_of(signum: int) -> None:
    """Ends this process at once, as if it had never handled the signal."""
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


async def refuse(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """The ASGI application for who comes during the drain: 503, or a WebSocket that is closed with 1012."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1012, "reason": "server_restart"})
        return
    body = b"The server is restarting.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"retry-after", b"2"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
