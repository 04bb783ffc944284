"""Groups on the loop's side: while one commits, the next gathers; a lone append does not wait."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from messaging.journal.append import Append
from messaging.journal.committer import Committer
from messaging.journal.mark import Mark
from realtime.bridge import Pool
from realtime.errors import UNAVAILABLE, RpcError

GROUP_CHARS: Final = 512 * 1024
GROUP_APPENDS: Final = 1_000
MARK_RETRY_S: Final = 0.1


class Journal:
    """`submit` appends; `committed(group)` is called on the loop when each of a group has its answer. `mark` how far
    users have read; `marked(mark)` is called when that is committed.

    Only the loop starts groups, one at a time. Appends to a stream that a service holds locked go by a lane:
    one stream, one group at a time, in order, so that a slow service delays its own room only.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        committer: Committer,
        pool: Pool,
        lanes: Pool,
        committed: Callable[[list[Append]], None],
        marked: Callable[[list[Mark]], None],
        gather_s: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._committer = committer
        self._pool = pool
        self._lane_pool = lanes
        self._committed = committed
        self._marked = marked
        self._gather_s = gather_s
        self._waiting: deque[Append] = deque()
        self._marks: dict[int, Mark] = {}
        self._busy = False
        self._scheduled = False
        self._lanes: dict[int, deque[Append]] = {}
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self.groups = 0
        self.appends = 0

    def submit(self, append: Append) -> None:
        """Takes an append whose stream has a row. Appends of one stream keep their order."""
        self._idle.clear()
        lane = self._lanes.get(append.stream_id) if self._lanes else None
        if lane is not None:
            lane.append(append)
            return
        self._waiting.append(append)
        self._wake()

    def mark(self, mark: Mark) -> None:
        """Goes with the next group. Of one inbox the latest mark counts, so that there are never more than inboxes."""
        waiting = self._marks.get(mark.stream_id)
        if waiting is not None and (waiting.generation, waiting.acked) >= (mark.generation, mark.acked):
            return
        self._idle.clear()
        self._marks[mark.stream_id] = mark
        self._wake()

    def _wake(self) -> None:
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if self._busy or not (self._waiting or self._marks):
            return
        group = self._take(self._waiting)
        marks = self._take_marks()
        self._busy = True
        self._pool.submit(partial(self._commit, group, marks))

    def _take_marks(self) -> list[Mark]:
        if len(self._marks) <= GROUP_APPENDS:
            marks, self._marks = list(self._marks.values()), {}
            return marks
        return [self._marks.pop(stream_id) for stream_id in list(self._marks)[:GROUP_APPENDS]]

    def _take(self, waiting: deque[Append]) -> list[Append]:
        """The oldest appends, as many as a group may hold."""
        if len(waiting) <= GROUP_APPENDS and sum(append.size for append in waiting) <= GROUP_CHARS:
            group = list(waiting)
            waiting.clear()
            return group
        group = []
        size = 0
        while waiting and len(group) < GROUP_APPENDS:
            size += waiting[0].size
            if group and size > GROUP_CHARS:
                break
            group.append(waiting.popleft())
        return group

    def _commit(self, group: list[Append], marks: list[Mark]) -> None:
        """In the journal's thread."""
        skipped: list[Append] = []
        try:
            skipped = self._committer.commit(group, marks=marks)
        except BaseException:
            _fail_unanswered(group)
            raise
        finally:
            self._loop.call_soon_threadsafe(self._finish, group, skipped, marks)

    def _finish(self, group: list[Append], skipped: list[Append], marks: list[Mark]) -> None:
        self._busy = False
        self.groups += 1
        self.appends += len(group)
        if marks:
            self._finish_marks(marks)
        if skipped:
            left = set(map(id, skipped))
            group = [append for append in group if id(append) not in left]
            self._open_lanes(skipped)
        try:
            if group:
                self._committed(group)
        finally:
            self._next()

    def _finish_marks(self, marks: list[Mark]) -> None:
        left = [mark for mark in marks if not mark.written]
        if left:  # the inbox is locked, or the database out of reach
            self._loop.call_later(MARK_RETRY_S, self._mark_again, left)
        counting = [mark for mark in marks if mark.written and mark.counts]
        if counting:
            self._marked(counting)

    def _mark_again(self, marks: list[Mark]) -> None:
        for mark in marks:
            self.mark(mark)

    def _next(self) -> None:
        if (self._waiting or self._marks) and not self._busy and not self._scheduled:
            self._scheduled = True
            gather_s = self._gather_s()
            if gather_s > 0:
                self._loop.call_later(gather_s, self._start)
            else:
                self._loop.call_soon(self._start)
        elif not self._waiting and not self._marks and not self._busy and not self._lanes:
            self._idle.set()

    def _open_lanes(self, skipped: list[Append]) -> None:
        """Appends whose stream is locked wait in its lane, and what was gathered for it meanwhile behind them."""
        opened = []
        for append in skipped:
            if append.stream_id not in self._lanes:
                self._lanes[append.stream_id] = deque()
                opened.append(append.stream_id)
            self._lanes[append.stream_id].append(append)
        still_waiting: deque[Append] = deque()
        for append in self._waiting:
            self._lanes.get(append.stream_id, still_waiting).append(append)
        self._waiting = still_waiting
        for stream_id in opened:
            self._start_lane(stream_id)

    def _start_lane(self, stream_id: int) -> None:
        group = self._take(self._lanes[stream_id])
        self._lane_pool.submit(partial(self._commit_lane, stream_id, group))

    def _commit_lane(self, stream_id: int, group: list[Append]) -> None:
        """In a thread of the lanes: waits for the stream's lock."""
        try:
            self._committer.commit(group, skip_locked=False)
        except BaseException:
            _fail_unanswered(group)
            raise
        finally:
            self._loop.call_soon_threadsafe(self._finish_lane, stream_id, group)

    def _finish_lane(self, stream_id: int, group: list[Append]) -> None:
        self.groups += 1
        self.appends += len(group)
        if self._lanes[stream_id]:
            self._start_lane(stream_id)
        else:
            del self._lanes[stream_id]
        try:
            self._committed(group)
        finally:
            self._next()

    async def idle(self) -> None:
        """Waits until every append that was submitted has its answer."""
        await self._idle.wait()


def _fail_unanswered(group: list[Append]) -> None:
    """A defect in the committer must not leave a client waiting. What was committed has its time; a seq alone may
    be of a transaction that was rolled back."""
    for append in group:
        if not append.ts and append.error is None:
            append.fail(RpcError(UNAVAILABLE))
