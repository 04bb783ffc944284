from collections.abc import Callable, Mapping, Sequence

from messaging import selectors
from messaging.inbox import open_inbox
from realtime.bridge import Bridge
from realtime.streams import StoredEntry, StreamHead, StreamKey


class DatabaseStreamStore:
    """The log as the hub reads it (`realtime.streams.StreamStore`), through the bridge."""

    def __init__(self, bridge: Bridge, clock_ms: Callable[[], int]) -> None:
        self._bridge = bridge
        self._clock_ms = clock_ms

    async def find(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, StreamHead]:
        return await self._bridge.read(selectors.find_streams, keys)

    async def heads(self, ids: Sequence[int]) -> Mapping[int, StreamHead]:
        return await self._bridge.read(selectors.stream_heads, ids)

    async def read(self, stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
        return await self._bridge.read(selectors.read_entries, stream_id, after, max_bytes)

    async def read_unread(self, stream_id: int, after: int, max_bytes: int) -> tuple[list[StoredEntry], bool]:
        return await self._bridge.read(selectors.read_unread, stream_id, after, max_bytes)

    async def first_since(self, stream_id: int, after: int, since_ms: int) -> int | None:
        return await self._bridge.read(selectors.first_seq_since, stream_id, after, since_ms)

    async def open_inbox(self, stream_id: int, generation: int, limit: int) -> int | None:
        while True:
            opened = await self._bridge.write(
                open_inbox,
                stream_id=stream_id,
                generation=generation,
                limit=limit,
                now=selectors.from_ms(self._clock_ms()),
            )
            if opened is None or opened.is_sifted:
                return opened.after if opened is not None else None
