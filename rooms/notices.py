"""Who joined and left, and how many there are: what members are told, computed as differences.

Every process compares its copy of a room's members with the presence store, when hinted and every 10 s, so a
lost hint delays a notice and loses none. Above 512 members there are only counts (docs/contract.md 3).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from realtime.connection import Connection
from realtime.errors import RpcError
from realtime.frames import Chunk
from realtime.presence import PresenceUnavailable
from realtime.protocol import notification_text
from realtime.registry import event
from realtime.runtime import Runtime
from realtime.streams import LiveStream, StreamKey

logger = logging.getLogger(__name__)

COALESCE_S: Final = 0.02
COUNT_EVERY_S: Final = 1.0
COUNT_EVERY_LARGE_S: Final = 3.0
RECHECK_S: Final = 10.0
LISTED: Final = 512


class MemberNotice(msgspec.Struct):
    """A member joined or left; only in rooms of up to 512. Nobody is told of themselves."""

    room: str
    uid: str


class CountNotice(msgspec.Struct):
    """The number of members changed: at most once a second, above 512 members once in 3 s."""

    room: str
    count: int


JOINED: Final = event("room.joined", MemberNotice)
LEFT: Final = event("room.left", MemberNotice)
COUNTED: Final = event("room.counted", CountNotice)


class _Copy:
    """What this process's members of a room were last told."""

    __slots__ = ("checked_s", "count", "counted_s", "flight", "known", "timer", "touched")

    def __init__(self, known: set[str] | None, now_s: float) -> None:
        self.known = known
        self.count: int | None = None
        self.counted_s = 0.0
        self.checked_s = now_s
        self.timer: asyncio.TimerHandle | None = None
        self.flight: asyncio.Task[None] | None = None
        self.touched = False


class Notices:
    """A part of the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._copies: dict[StreamKey, _Copy] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._runtime.sessions.on_membership.append(self._changed)
        self._runtime.hints["members"] = self._receive_hint
        self._task = self._runtime.loop.create_task(self._recheck(), name="member-recheck")

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for copy in self._copies.values():
            if copy.timer is not None:
                copy.timer.cancel()

    async def prime(self, key: StreamKey) -> None:
        """Before a process's first member joins: who is there already is no news."""
        if key in self._copies:
            return
        members = await self._runtime.sessions.members(key[0], key[1], LISTED + 1)
        if key not in self._copies:
            known = set(members) if len(members) <= LISTED else None
            self._copies[key] = _Copy(known, self._runtime.loop.time())

    def _receive_hint(self, message: Mapping[str, Any]) -> None:
        if message["node"] != self._runtime.node:
            self._changed(message["project"], (message["stream"],))

    def _changed(self, project: int, streams: Sequence[str]) -> None:
        for name in streams:
            self.touch((project, name))

    def touch(self, key: StreamKey) -> None:
        """The members of a stream may have changed: a look follows, several touches later."""
        if key not in self._runtime.hub.live or not key[1].startswith("room:"):
            self._forget(key)
            return
        copy = self._copies.get(key)
        if copy is None:
            return  # a join is under way, and primes it
        if copy.flight is not None:
            copy.touched = True
        elif copy.timer is None:
            copy.timer = self._runtime.loop.call_later(COALESCE_S, self._look, key, copy)

    def _forget(self, key: StreamKey) -> None:
        copy = self._copies.pop(key, None)
        if copy is not None and copy.timer is not None:
            copy.timer.cancel()

    def _look(self, key: StreamKey, copy: _Copy) -> None:
        copy.timer = None
        if copy.flight is None:
            copy.flight = self._runtime.hub.spawn(self._compare(key, copy))

    async def _compare(self, key: StreamKey, copy: _Copy) -> None:
        """Reads the store and sends the difference to this process's members."""
        copy.touched = False
        again_s = COALESCE_S
        try:
            again_s = await self._read_and_tell(key, copy)
        except (RpcError, PresenceUnavailable):
            copy.touched = True
            again_s = COUNT_EVERY_S
        finally:
            copy.flight = None
            if key not in self._runtime.hub.live:
                self._forget(key)
            elif copy.touched and copy.timer is None:
                copy.timer = self._runtime.loop.call_later(again_s, self._look, key, copy)

    async def _read_and_tell(self, key: StreamKey, copy: _Copy) -> float:
        """Returns when to look again, should the copy have been touched meanwhile."""
        members = await self._runtime.sessions.members(key[0], key[1], LISTED + 1)
        total = len(members)
        if total > LISTED:
            (total,) = await self._runtime.sessions.counts(key[0], [key[1]])
        now_known = set(members) if len(members) <= LISTED else None
        again_s = COALESCE_S
        missing = copy.known - now_known if copy.known is not None and now_known is not None else set()
        if missing and not await self._runtime.presence.settled():
            # The store was emptied: who is missing may only not have been registered again yet.
            assert now_known is not None
            now_known |= missing
            total = max(total, copy.count or 0)
            copy.touched = True
            again_s = COUNT_EVERY_S
        stream = self._runtime.hub.live.get(key)
        if stream is None:
            return again_s
        copy.checked_s = self._runtime.loop.time()
        known, copy.known = copy.known, now_known
        if known is not None and now_known is not None:
            self._tell_difference(stream, now_known - known, known - now_known)
        self._tell_count(stream, copy, total)
        return again_s

    def _tell_difference(self, stream: LiveStream, joined: set[str], left: set[str]) -> None:
        notices = [(uid, JOINED) for uid in sorted(joined)] + [(uid, LEFT) for uid in sorted(left)]
        if not notices:
            return
        room = _room_name(stream)
        texts = {uid: notification_text(name, MemberNotice(room, uid)) for uid, name in notices}
        chunk = Chunk(",".join(texts.values()), len(texts))
        own: list[Connection] = []
        others: list[Connection] = []
        for connection in stream.members:
            session = connection.session
            (own if session is not None and session.uid in texts else others).append(connection)
        fanout = self._runtime.hub.fanout
        fanout.broadcast(others, chunk)
        for connection in own:
            assert connection.session is not None
            rest = [text for uid, text in texts.items() if uid != connection.session.uid]
            if rest:
                fanout.broadcast((connection,), Chunk(",".join(rest), len(rest)))

    def _tell_count(self, stream: LiveStream, copy: _Copy, total: int) -> None:
        if copy.count == total:
            return
        now_s = self._runtime.loop.time()
        period_s = COUNT_EVERY_S if total <= LISTED else COUNT_EVERY_LARGE_S
        wait_s = copy.counted_s + period_s - now_s
        if wait_s > 0:
            if copy.timer is None:
                copy.timer = self._runtime.loop.call_later(wait_s, self._look, stream.key, copy)
            return
        copy.count = total
        copy.counted_s = now_s
        text = notification_text(COUNTED, CountNotice(_room_name(stream), total))
        self._runtime.hub.fanout.broadcast(stream.members, Chunk(text, 1))

    async def _recheck(self) -> None:
        """Every room now and then, in case a hint was lost. One process alone loses none."""
        while True:
            await asyncio.sleep(1.0)
            now_s = self._runtime.loop.time()
            for key, copy in list(self._copies.items()):
                if key not in self._runtime.hub.live:
                    self._forget(key)
                elif self._runtime.hub.shared and now_s - copy.checked_s > RECHECK_S:
                    self.touch(key)


def _room_name(stream: LiveStream) -> str:
    return stream.key[1].removeprefix("room:")
