from collections.abc import Mapping, Sequence

from messaging import selectors
from realtime.bridge import Bridge
from realtime.streams import StoredEntry, StreamHead, StreamKey


class DatabaseStreamStore:
    """The log as the hub reads it (`realtime.streams.StreamStore`), through the bridge."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def find(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, StreamHead]:
        return await self._bridge.read(selectors.find_streams, keys)

    async def heads(self, ids: Sequence[int]) -> Mapping[int, StreamHead]:
        return await self._bridge.read(selectors.stream_heads, ids)

    async def read(self, stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
        return await self._bridge.read(selectors.read_entries, stream_id, after, max_bytes)

    async def first_since(self, stream_id: int, after: int, since_ms: int) -> int | None:
        return await self._bridge.read(selectors.first_seq_since, stream_id, after, since_ms)
