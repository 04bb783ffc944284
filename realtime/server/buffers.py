"""What one connection waits on, kept small: thousands of connections each own one of both.

`asyncio.Queue` and `asyncio.Event` would do the same with five deques, about 4 KiB for each connection.
"""

import asyncio
from typing import Any, Final

MAX_QUEUED: Final = 64
"""Received messages that wait for the application; then the connection is not read any more."""
MAX_QUEUED_BYTES: Final = 256 * 1024
"""The same in bytes: those that came since the queue was last empty."""


class WriteGate:
    """Whether the transport takes more bytes: the part of `asyncio.Event` that uvicorn uses, and `free`.

    `free` is true while the transport is writable and no send is suspended, so that what is written directly
    cannot overtake a send that was woken but has not run yet.
    """

    __slots__ = ("_open", "_waiting", "free")

    def __init__(self) -> None:
        self._open = True
        self._waiting: list[asyncio.Future[None]] | None = None
        self.free = True

    def clear(self) -> None:
        self._open = self.free = False

    def set(self) -> None:
        self._open = True
        self._pass_on()

    async def wait(self) -> None:
        """Returns at once while open and nobody waits; else suspends. Those who wait go on one by one, in order."""
        if self._open and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(turn)  # if the gate is open, somebody before us was woken and passes it on
        try:
            await turn
        finally:
            self._waiting.remove(turn)
            self._pass_on()

    def _pass_on(self) -> None:
        if not self._waiting:
            self._waiting = None
            self.free = self._open
        elif self._open and not self._waiting[0].done():
            self._waiting[0].set_result(None)


class MessageQueue:
    """Received ASGI events of one connection, for its one reader. Bounded: whoever puts looks at `full`."""

    __slots__ = ("_arrival", "_bytes", "_events", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events: list[Any] = []  # at most MAX_QUEUED and a disconnect: pop(0) is cheap
        self._bytes = 0
        self._arrival: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._events)

    @property
    def full(self) -> bool:
        return len(self._events) >= MAX_QUEUED or self._bytes >= MAX_QUEUED_BYTES

    def put_nowait(self, event: Any, size: int = 0) -> None:
        """Adds an event whose payload has `size` bytes; never refuses."""
        self._events.append(event)
        self._bytes += size
        arrival = self._arrival
        if arrival is not None:
            self._arrival = None
            if not arrival.done():
                arrival.set_result(None)

    def pop(self) -> Any:
        """Takes the oldest event; IndexError when there is none."""
        event = self._events.pop(0)
        if not self._events:
            self._bytes = 0
        return event

    def arrival(self) -> asyncio.Future[None]:
        """Await it when the queue is empty. RuntimeError when another reader waits already."""
        if self._arrival is not None and not self._arrival.done():
            raise RuntimeError("another receive() is waiting on this connection")
        self._arrival = arrival = self._loop.create_future()
        return arrival
