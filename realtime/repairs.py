"""Repairs: what a process was not told of a stream is read from the database, up to its head."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from realtime.errors import RpcError
from realtime.streams import PAGE_BYTES, LiveStream, StoredEntry, StreamStore, entry_text

if TYPE_CHECKING:
    from realtime.hub import Hub

logger = logging.getLogger(__name__)

GAP_S: Final = 0.05
"""So long a gap is waited for before it is read."""
RETRY_S: Final = 0.2


def _pushed_text(stream: LiveStream, entry: StoredEntry) -> str:
    return "" if entry.hidden else entry_text(stream.json_name, entry)


class Repairs:
    def __init__(
        self, hub: "Hub", *, loop: asyncio.AbstractEventLoop, store: StreamStore, clock_ms: Callable[[], int]
    ) -> None:
        self._hub = hub
        self._loop = loop
        self._store = store
        self._clock_ms = clock_ms

    def soon(self, stream: LiveStream, delay_s: float = GAP_S) -> None:
        """Unless what is missing comes by itself."""
        if stream.gap_timer is None:
            stream.gap_timer = self._loop.call_later(delay_s, self.start, stream)

    def start(self, stream: LiveStream) -> None:
        """Reads on from the cursor, or once more if that is being done."""
        stream.gap_timer = None
        if stream.repair is not None:
            stream.repair_again = True
        elif self._hub.live.get(stream.key) is stream:
            stream.repair = self._hub.spawn(self._repair(stream))

    async def _repair(self, stream: LiveStream) -> None:
        """The single-flight read of a gap. What retention has deleted is stepped over."""
        try:
            if stream.id is None:
                found = (await self._store.find([stream.key])).get(stream.key)
                if found is not None:
                    self._hub.identify(stream, found)
            while stream.id is not None and stream.cursor is not None:
                life = (stream.id, stream.epoch)
                held = tuple(stream.held)
                asked_ms = self._clock_ms()
                entries = await self._store.read(stream.id, stream.cursor, PAGE_BYTES)
                if life != (stream.id, stream.epoch):
                    continue  # reset meanwhile: what was read is of the lost time
                if stream.is_inbox:
                    if self._hub.hints.is_late(asked_ms):
                        continue
                    for seq in held:  # what was held before is read as well, without what is withdrawn by now
                        stream.held.pop(seq, None)
                for entry in entries:
                    if entry.seq > stream.cursor:
                        self._hub.advance(stream, entry.seq, _pushed_text(stream, entry))
                self._hub.drain_held(stream)
                self._hub.flush()
                if not entries and not stream.repair_again:
                    return
                stream.repair_again = False
        except RpcError:
            logger.warning("stream %s: a gap could not be read yet", stream.key)
        finally:
            stream.repair = None
            stream.repair_again = False
            if stream.held and self._hub.live.get(stream.key) is stream:
                self.soon(stream, RETRY_S)
