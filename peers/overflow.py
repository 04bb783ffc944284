"""Inboxes that take more than is kept for their users: the oldest messages go while the newest come."""

from datetime import timedelta
from typing import Final

from messaging.inbox import sift_inbox
from messaging.journal import Append
from messaging.selectors import from_ms, stream_heads
from realtime.parts import attempt
from realtime.runtime import Runtime

SIFT_EVERY: Final = 100
"""Entries of an inbox between two looks: so many more than are kept may be in it for a while."""
ANSWERED: Final = timedelta(seconds=15)
"""A message's sender has been answered by then. Where clocks differ by more than 6 s, one may be pushed out sooner, and
its sender hears that it has not arrived."""


class Overflow:
    """An inbox's own seq, counted under the lock of its head, says when it is due, so that nothing is counted besides
    and each look is one process's. One that is missed is made up for by the next, or by the login."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._due: dict[int, bool] = {}
        """By stream: whether the user is there, and may acknowledge what was sent a moment ago."""
        self._is_at_work = False

    def appended(self, append: Append, *, reachable: bool) -> None:
        if append.seq % SIFT_EVERY or append.duplicate:
            return
        self._due[append.stream_id] = reachable
        if not self._is_at_work:
            self._is_at_work = True
            self._runtime.hub.spawn(self._look())

    async def _look(self) -> None:
        await attempt("sifting inboxes", self._sift_due)
        self._is_at_work = False

    async def _sift_due(self) -> None:
        """One inbox after the other, so that all of them together take no more than one thread. Those whose users keep
        up with them cost a read, of all at once."""
        while self._due:
            due, self._due = self._due, {}
            heads = await self._runtime.bridge.read(stream_heads, list(due))
            for stream_id, reachable in due.items():
                if stream_id in heads and heads[stream_id].head - heads[stream_id].acked >= SIFT_EVERY:
                    await self._sift(stream_id, reachable=reachable)

    async def _sift(self, stream_id: int, *, reachable: bool) -> None:
        is_sifted = False
        while not is_sifted:
            now = from_ms(self._runtime.clock_ms())
            is_sifted = await self._runtime.bridge.write(
                sift_inbox, stream_id=stream_id, sent_before=now - ANSWERED if reachable else None, now=now
            )
