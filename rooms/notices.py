"""Who joined and left, and how many there are: what members are told, computed as differences.

Every process compares its copy of a room's members with the presence store, when hinted and every 10 s, so a
lost hint delays a notice and loses none. Above 512 members there are only counts (docs/contract.md 3).
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from realtime.connection import Connection
from realtime.errors import RpcError
from realtime.frames import Chunk
from realtime.parts import RecurringPart, Round
from realtime.presence import PresenceUnavailable
from realtime.protocol import notification_text
from realtime.registry import event
from realtime.runtime import Runtime
from realtime.streams import LiveStream, StreamKey
from rooms.models import room_name

logger = logging.getLogger(__name__)

COALESCE_S: Final = 0.02
COUNT_EVERY_S: Final = 1.0
COUNT_EVERY_LARGE_S: Final = 3.0
RECHECK_S: Final = 10.0
RECHECK_EVERY_S: Final = 1.0
LISTED: Final = 512
READS: Final = 10
"""Of a list that goes out of date while it is read."""


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
    """What this process's members of a room were last told. `known` is None above 512 members; `departed`:
    who has left by their own doing since the last look; `unlisted`: who of them a list was given without; `named`: who
    was in a list before the look that finds them; `told`: how many looks ended with news."""

    __slots__ = (
        "checked_s",
        "count",
        "counted_s",
        "departed",
        "flight",
        "known",
        "named",
        "stream",
        "timer",
        "told",
        "touched",
        "unlisted",
    )

    def __init__(self, stream: LiveStream, known: set[str] | None, now_s: float) -> None:
        self.stream = stream
        self.known = known
        self.departed: set[str] = set()
        self.unlisted: set[str] = set()
        self.named: set[str] = set()
        self.count: int | None = None
        self.counted_s = 0.0
        self.checked_s = now_s
        self.timer: asyncio.TimerHandle | None = None
        self.flight: asyncio.Task[None] | None = None
        self.told = 0
        self.touched = False


class Notices(RecurringPart):
    """A part of the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._copies: dict[StreamKey, _Copy] = {}

    def rounds(self) -> Sequence[Round]:
        return (Round("the recheck of members", RECHECK_EVERY_S, self._recheck),)

    async def start(self) -> None:
        self._runtime.sessions.on_membership.append(self._changed)
        self._runtime.sessions.on_restored.append(self.prime)
        self._runtime.hints["members"] = self._receive_hint
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        for copy in self._copies.values():
            if copy.timer is not None:
                copy.timer.cancel()

    async def prime(self, key: StreamKey) -> None:
        """Before a process's first member joins, or when one resumes here: who is there already is no news."""
        if self._copy(key) is not None:
            return
        members = await self._runtime.sessions.members(key[0], key[1], LISTED + 1)
        stream = self._runtime.hub.live.get(key)
        if stream is not None and self._copy(key) is None:
            known = set(members) if len(members) <= LISTED else None
            self._copies[key] = _Copy(stream, known, self._runtime.loop.time())

    async def list_members(self, key: StreamKey, limit: int, uid: str) -> list[str]:
        """The uids in a room, at most `limit`, for its member `uid`. The list fits what members are told: it is not
        older than the latest notice, and has whom the next ones may say to have left. The caller answers in the
        same step."""
        members: list[str] = []
        for _ in range(READS):
            copy = self._copy(key)
            told = copy.told if copy is not None else 0
            members = await self._runtime.sessions.members(key[0], key[1], limit)
            if copy is None or copy.told == told:
                break
        copy = self._copy(key)
        if copy is not None and copy.known is not None:
            missing = copy.known.difference(members)
            copy.unlisted |= missing & copy.departed
            copy.named |= set(members) - copy.known
            members += sorted(missing - copy.departed)
        if len(members) < limit and uid not in members:
            members.append(uid)  # the store was emptied, and named again it is at once
        return members[:limit]

    def _copy(self, key: StreamKey) -> _Copy | None:
        """The copy of a live stream. One of an earlier life of it, which missed what came between, is dropped."""
        copy = self._copies.get(key)
        if copy is None or copy.stream is self._runtime.hub.live.get(key):
            return copy
        del self._copies[key]
        if copy.timer is not None:
            copy.timer.cancel()
        return None

    def _receive_hint(self, message: Mapping[str, Any]) -> None:
        if message["node"] != self._runtime.node:
            self._changed(message["project"], (message["stream"],), message.get("left", ""))

    def _changed(self, project: int, streams: Sequence[str], left: str) -> None:
        for name in streams:
            self.touch((project, name), left)

    def touch(self, key: StreamKey, left: str = "") -> None:
        """The members of a stream may have changed: a look follows, several touches later. `left`: who has
        surely left it."""
        copy = self._copy(key)
        if copy is None:
            return  # nobody is in it here, or a join is under way, and primes it
        if left:
            copy.departed.add(left)
        if copy.flight is not None:
            copy.touched = True
        else:
            self._arm(key, copy, self._pause_s(copy))

    def _pause_s(self, copy: _Copy) -> float:
        """How long touches gather before a look. A large room only has a count to tell."""
        if copy.known is not None:
            return COALESCE_S
        return max(COALESCE_S, copy.counted_s + COUNT_EVERY_LARGE_S - self._runtime.loop.time())

    def _arm(self, key: StreamKey, copy: _Copy, delay_s: float) -> None:
        """The next look, in `delay_s` or sooner."""
        loop = self._runtime.loop
        if copy.timer is not None:
            if copy.timer.when() <= loop.time() + delay_s:
                return
            copy.timer.cancel()
        copy.timer = loop.call_later(delay_s, self._look, key, copy)

    def _look(self, key: StreamKey, copy: _Copy) -> None:
        copy.timer = None
        if copy.flight is None:
            copy.flight = self._runtime.hub.spawn(self._compare(key, copy))

    async def _compare(self, key: StreamKey, copy: _Copy) -> None:
        """Reads the store and sends the difference to this process's members."""
        copy.touched = False
        again_s: float | None = None
        try:
            again_s = await self._read_and_tell(key, copy)
        except (RpcError, PresenceUnavailable):
            again_s = COUNT_EVERY_S
        finally:
            copy.flight = None
            if self._copy(key) is copy:
                if copy.touched and again_s is None:
                    again_s = self._pause_s(copy)
                if again_s is not None:
                    self._arm(key, copy, again_s)

    async def _read_and_tell(self, key: StreamKey, copy: _Copy) -> float | None:
        """Returns when to look again whatever happens; None: when the room is touched."""
        departed, unlisted, named = set(copy.departed), set(copy.unlisted), set(copy.named)
        members = await self._runtime.sessions.members(key[0], key[1], LISTED + 1)
        total = len(members)
        if total > LISTED:
            (total,) = await self._runtime.sessions.counts(key[0], [key[1]])
        now_known = set(members) if len(members) <= LISTED else None
        again_s: float | None = None
        settled = True
        if copy.known is not None and now_known is not None:
            missing = (copy.known | named) - now_known - departed
            if missing or len(now_known - copy.known) > 1:
                settled = await self._runtime.presence.settled()
            if missing and not settled:
                # The store was emptied: who is missing may only not have been registered again yet.
                now_known |= missing
                total = len(now_known)
                again_s = COUNT_EVERY_S
        if self._copy(key) is not copy:
            return None
        copy.departed -= departed
        copy.unlisted -= unlisted
        copy.named -= named
        copy.checked_s = self._runtime.loop.time()
        known, copy.known = copy.known, now_known
        if known is not None and now_known is not None:
            joined = [uid for uid in members if uid not in known or uid in unlisted]
            self._tell_difference(copy, joined, (known | named) - now_known, in_order=settled)
        self._tell_count(copy, total)
        return again_s

    def _tell_difference(self, copy: _Copy, joined: Sequence[str], left: Collection[str], *, in_order: bool) -> None:
        """`joined` is in the order of joining: who is among them is told of those who came later, the list has the
        others. Not `in_order`, for a store that was emptied and is being filled: of all of them."""
        stream = copy.stream
        room = room_name(stream.key[1])
        joins = [notification_text(JOINED, MemberNotice(room, uid)) for uid in joined]
        leaves = {uid: notification_text(LEFT, MemberNotice(room, uid)) for uid in sorted(left)}
        texts = [*joins, *leaves.values()]
        if not texts:
            return
        copy.told += 1
        place = {uid: number for number, uid in enumerate(joined)}
        everything = Chunk(",".join(texts), len(texts))
        others: list[Connection] = []
        fanout = self._runtime.hub.fanout
        for connection in stream.members:
            uid = connection.session.uid if connection.session is not None else ""
            if uid in place:
                before = [] if in_order else joins[: place[uid]]
                texts = [*before, *joins[place[uid] + 1 :], *leaves.values()]
            elif uid in leaves:
                texts = [*joins, *(text for gone, text in leaves.items() if gone != uid)]
            else:
                others.append(connection)
                continue
            if texts:
                fanout.broadcast((connection,), Chunk(",".join(texts), len(texts)))
        fanout.broadcast(others, everything)

    def _tell_count(self, copy: _Copy, total: int) -> None:
        if copy.count == total:
            return
        now_s = self._runtime.loop.time()
        period_s = COUNT_EVERY_S if total <= LISTED else COUNT_EVERY_LARGE_S
        wait_s = copy.counted_s + period_s - now_s
        if wait_s > 0:
            self._arm(copy.stream.key, copy, wait_s)
            return
        copy.count = total
        copy.counted_s = now_s
        text = notification_text(COUNTED, CountNotice(room_name(copy.stream.key[1]), total))
        self._runtime.hub.fanout.broadcast(copy.stream.members, Chunk(text, 1))

    async def _recheck(self) -> None:
        """Every room now and then, in case a hint was lost. One process alone loses none."""
        now_s = self._runtime.loop.time()
        for key in list(self._copies):
            copy = self._copy(key)
            if copy is not None and self._runtime.hub.shared and now_s - copy.checked_s > RECHECK_S:
                self.touch(key)
