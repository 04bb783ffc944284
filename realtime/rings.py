"""The rings: of each live stream the recent entries, with one budget for all.

So that many who come back at once do not read the same gap from the database.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from realtime.redaction import redact
from realtime.streams import LiveStream, StreamKey

RING_CHARS: Final = 256 * 1024
RING_S: Final = 30.0
RINGS_CHARS: Final = 64 * 1024 * 1024
"""Budget of all rings together."""


class Rings:
    """`chars`: of all rings together."""

    def __init__(self, loop: asyncio.AbstractEventLoop, live: Mapping[StreamKey, LiveStream]) -> None:
        self._loop = loop
        self._live = live
        self.chars = 0

    def remember(self, stream: LiveStream, entries: list[tuple[int, str]], chars: int, now_s: float) -> None:
        ring = stream.ring
        ring.extend(entries)
        stream.ring_chars += chars
        self.chars += chars
        if not stream.marks or now_s - stream.marks[-1][0] > 1.0:
            stream.marks.append((now_s, entries[-1][0]))
            self._age(stream, now_s)
        else:
            stream.marks[-1] = (stream.marks[-1][0], entries[-1][0])
        if stream.ring_chars > RING_CHARS or self.chars > RINGS_CHARS:
            target = RING_CHARS if self.chars <= RINGS_CHARS else 0
            freed = 0
            while ring and stream.ring_chars > target:
                freed += stream.forget_ring(1)
            self.chars -= freed

    def _age(self, stream: LiveStream, now_s: float) -> None:
        """Forgets what is older than RING_S: a mark says that entries up to its seq came in the second from its
        time on."""
        limit = None
        while stream.marks and stream.marks[0][0] < now_s - RING_S:
            limit = stream.marks.popleft()[1]
        if limit is not None:
            count = sum(1 for seq, _ in stream.ring if seq <= limit)
            self.chars -= stream.forget_ring(count)

    def redact(self, stream: LiveStream, seqs: frozenset[int]) -> None:
        """These messages are deleted: who comes back finds their tombstones."""
        grown = redact(stream.ring, seqs)
        stream.ring_chars += grown
        self.chars += grown

    def forget(self, stream: LiveStream) -> None:
        """The stream is live no more, or what it has is of a lost time."""
        self.chars -= stream.forget_ring(len(stream.ring))

    def tick(self) -> None:
        """Every few seconds: forgets what is old in the rings of quiet streams."""
        now_s = self._loop.time()
        for stream in self._live.values():
            if stream.marks and stream.marks[0][0] < now_s - RING_S:
                self._age(stream, now_s)
