"""Fan-out: what is ready for a connection is collected and leaves in one frame, in slices of the loop's time."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from realtime.connection import Connection
from realtime.frames import Chunk, join_frames

SLICE_S: Final = 0.005
"""After so long the loop gets its turn; what comes meanwhile joins what is still waiting."""
CHECK_EVERY: Final = 32
HEAVY_S: Final = 0.0004
"""A fan-out that took longer is worth gathering more before the next."""
MAX_GATHER_S: Final = 0.004


class Fanout:
    """A queue of connections that have something to send. Order within a connection is kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: deque[Connection] = deque()
        self._scheduled = False
        self._cost_s = 0.0
        self._ended_s = 0.0
        self.frames = 0

    def enqueue(self, connection: Connection, text: str) -> None:
        """One message for one connection."""
        out = connection.out
        if out is not None:
            out.append(text)
        elif connection.shared is not None:
            connection.out = [connection.shared.text, text]
            connection.shared = None
        else:
            connection.out = [text]
            self._dirty.append(connection)
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self.pump)

    def broadcast(self, members: Iterable[Connection], chunk: Chunk) -> None:
        """One chunk for many; call `pump` (or let it come) afterwards."""
        dirty = self._dirty
        text = chunk.text
        for connection in members:
            out = connection.out
            if out is not None:
                out.append(text)
            elif connection.shared is None:
                connection.shared = chunk
                dirty.append(connection)
            else:
                connection.out = [connection.shared.text, text]
                connection.shared = None
        if not self._scheduled and dirty:
            self._scheduled = True
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Sends for at most one slice; the rest follows in the loop's next turn."""
        self._scheduled = False
        dirty = self._dirty
        if not dirty:
            return
        time = self._loop.time
        started = time()
        left = CHECK_EVERY
        frames = 0
        while dirty:
            connection = dirty.popleft()
            chunk = connection.shared
            if chunk is not None:
                connection.shared = None
                connection.push(chunk.frame)
                frames += 1
            else:
                out = connection.out
                if out is None:
                    continue  # closed meanwhile
                connection.out = None
                for frame in join_frames(out):
                    connection.push(frame)
                    frames += 1
            left -= 1
            if not left:
                left = CHECK_EVERY
                if dirty and time() - started > SLICE_S:
                    self._scheduled = True
                    self._loop.call_soon(self.pump)
                    break
        self._ended_s = time()
        self._cost_s = self._ended_s - started
        self.frames += frames

    def gather_s(self) -> float:
        """How long the next group of commits may gather, given what the last fan-out cost."""
        if self._cost_s <= HEAVY_S:
            return 0.0
        return max(0.0, self._ended_s + min(MAX_GATHER_S, self._cost_s) - self._loop.time())
