"""Who watches whose online state: what subscribers are told, computed as differences (docs/contract.md 2).

Every process keeps a copy of the last state it told of each uid that is watched here, and compares it with the
presence store: when hinted, and in turn every few seconds, so a lost hint delays a change and loses none. A change
costs as many sends as there are subscribers, and one layer message, however many users there are.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from peers.groups import Groups, WatchKey, watch_group
from peers.states import CHANGED, OnlineState, StatesNotice, online_state
from realtime.connection import Connection
from realtime.errors import LIMIT_EXCEEDED, NOT_LOGGED_IN, UNAVAILABLE, RpcError
from realtime.frames import Chunk
from realtime.parts import RecurringPart, Round
from realtime.presence import PresenceUnavailable
from realtime.protocol import notification_text
from realtime.runtime import Runtime
from realtime.session import Session

logger = logging.getLogger(__name__)

COALESCE_S: Final = 0.01
RETRY_S: Final = 1.0
RECHECK_S: Final = 3.0
RECHECK_EVERY_S: Final = 1.0
RECHECKS_PER_S: Final = 2_000
"""So many uids a process rechecks in a second at most: up to 6,000 watched ones each have their turn in time."""
PAGE: Final = 500
"""Uids in one question to the store."""


class _Watch:
    """A uid that is watched here. `told`: the state its subscribers know, None before the first look; `coming`: how
    many are about to subscribe; `ended`: its session has surely ended since the last look; `looked_s`: when that was,
    on the loop's clock."""

    __slots__ = ("coming", "ended", "key", "looked_s", "subscribers", "told")

    def __init__(self, key: WatchKey) -> None:
        self.key = key
        self.told: OnlineState | None = None
        self.subscribers: dict[Connection, None] = {}
        self.coming = 0
        self.ended = False
        self.looked_s = 0.0


class Watches(RecurringPart):
    """A part of the runtime. One look at the store is under way at a time: so what is read is never older than what
    was told."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._watches: OrderedDict[WatchKey, _Watch] = OrderedDict()
        """Those looked at longest ago first."""
        self._of: dict[Connection, dict[str, _Watch]] = {}
        self._groups = Groups(runtime)
        self._touched: dict[WatchKey, None] = {}
        self._next_look: asyncio.Future[bool] | None = None
        """Whether the look that begins next has been able to read the store."""
        self._looking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._watches)

    def rounds(self) -> Sequence[Round]:
        return (Round("the recheck of online states", RECHECK_EVERY_S, self.recheck),)

    async def start(self) -> None:
        self._runtime.sessions.on_presence.append(self._changed_here)
        self._runtime.sessions.on_lost.append(self.forget)
        self._runtime.hints["presence"] = self._receive_hint
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        self._stopped = True
        self._disarm()

    # -- subscriptions -----------------------------------------------------------------------------------

    async def subscribe(self, session: Session, connection: Connection, uids: Iterable[str]) -> dict[str, OnlineState]:
        """Subscribes a connection to the states of uids. The answer is what it is told to begin with: the caller
        replies in the same step, and every later change follows as an event.

        Raises RpcError `limit_exceeded` when there would be too many, `unavailable`.
        """
        wanted = list(dict.fromkeys(uids))
        limit = session.project.limits.sizes.peers_subscribed
        has = self._of.get(connection, {})
        if len(has) + sum(uid not in has for uid in wanted) > limit:
            raise RpcError(LIMIT_EXCEEDED, f"At most {limit} subscriptions.")
        watches = [self._open((session.project.id, uid)) for uid in wanted]
        for watch in watches:
            watch.coming += 1
        try:
            await self._groups.joined(watch.key for watch in watches)
            await self._look_at(watch.key for watch in watches)
            if connection.session is not session:
                raise RpcError(NOT_LOGGED_IN)
            own = self._of.setdefault(connection, {})
            states: dict[str, OnlineState] = {}
            for uid, watch in zip(wanted, watches, strict=True):
                assert watch.told is not None
                own[uid] = watch
                watch.subscribers[connection] = None
                states[uid] = watch.told
            return states
        finally:
            for watch in watches:
                watch.coming -= 1
                self._close_if_unused(watch)

    def unsubscribe(self, connection: Connection, uids: Iterable[str]) -> None:
        """What is not subscribed to is no error."""
        own = self._of.get(connection, {})
        for uid in uids:
            watch = own.pop(uid, None)
            if watch is not None:
                del watch.subscribers[connection]
                self._close_if_unused(watch)
        if not own:
            self._of.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """The connection is closed: its subscriptions end."""
        self.unsubscribe(connection, list(self._of.get(connection, ())))

    def subscriptions(self, connection: Connection) -> list[str]:
        return list(self._of.get(connection, ()))

    def _open(self, key: WatchKey) -> _Watch:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch(key)
            self._groups.add(key)
        return watch

    def _close_if_unused(self, watch: _Watch) -> None:
        if watch.coming or watch.subscribers or self._watches.get(watch.key) is not watch:
            return
        del self._watches[watch.key]
        self._groups.remove(watch.key)

    # -- hints -------------------------------------------------------------------------------------------

    def _changed_here(self, project: int, uids: Mapping[str, int]) -> None:
        """This process has changed the state of uids in the store: it looks itself, the others by a hint."""
        for uid, ended in uids.items():
            self.touch((project, uid), ended=bool(ended))
            if self._runtime.hub.shared:
                message = {
                    "kind": "presence",
                    "node": self._runtime.node,
                    "project": project,
                    "uid": uid,
                    "ended": bool(ended),
                }
                self._runtime.layer.send(watch_group((project, uid)), message)

    def _receive_hint(self, message: Mapping[str, Any]) -> None:
        if message["node"] != self._runtime.node:
            self.touch((message["project"], message["uid"]), ended=message["ended"])

    def touch(self, key: WatchKey, *, ended: bool = False) -> None:
        """A state may have changed: a look follows, several touches later."""
        watch = self._watches.get(key)
        if watch is None:
            return
        watch.ended |= ended
        self._touched[key] = None
        self._arm(COALESCE_S)

    # -- looks -------------------------------------------------------------------------------------------

    def _arm(self, delay_s: float) -> None:
        if self._timer is None and self._looking is None and not self._stopped:
            self._timer = self._runtime.loop.call_later(delay_s, self._start_look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_look(self) -> None:
        self._disarm()
        if self._looking is None and not self._stopped:
            self._looking = self._runtime.hub.spawn(self._look())

    async def _look_at(self, keys: Iterable[WatchKey]) -> None:
        """Waits for a look at these, begun from now on. Raises RpcError `unavailable`."""
        self._touched.update(dict.fromkeys(keys))
        if self._next_look is None:
            self._next_look = self._runtime.loop.create_future()
        turn = self._next_look
        self._start_look()
        if not await asyncio.shield(turn):
            raise RpcError(UNAVAILABLE)

    async def _look(self) -> None:
        """Reads the states of all that are touched and tells the differences. What could not be read stays touched."""
        turn, self._next_look = self._next_look, None
        keys, self._touched = list(self._touched), {}
        done = False
        try:
            await self._read(keys)
            done = True
        except PresenceUnavailable:
            logger.warning("the states of %d watched users could not be read yet", len(keys))
        finally:
            self._looking = None
            if not done:
                self._touched.update(dict.fromkeys(key for key in keys if key in self._watches))
            if turn is not None and not turn.done():
                turn.set_result(done)
            self._go_on(COALESCE_S if done else RETRY_S)

    def _go_on(self, delay_s: float) -> None:
        """What somebody waits for follows at once, what was touched after a delay."""
        if self._next_look is not None:
            self._start_look()
        elif self._touched:
            self._arm(delay_s)

    async def _read(self, keys: Sequence[WatchKey]) -> None:
        of_projects: defaultdict[int, list[_Watch]] = defaultdict(list)
        for key in keys:
            watch = self._watches.get(key)
            if watch is not None:
                of_projects[key[0]].append(watch)
        for project, watches in of_projects.items():
            for start in range(0, len(watches), PAGE):
                await self._read_page(project, watches[start : start + PAGE])

    async def _read_page(self, project: int, watches: Sequence[_Watch]) -> None:
        ended = {watch for watch in watches if watch.ended}
        presence = self._runtime.presence
        found = await presence.sessions(project, [watch.key[1] for watch in watches])
        states = [online_state(each) for each in found]
        missing = {
            watch
            for watch, state in zip(watches, states, strict=True)
            if state == "OFFLINE" and watch.told not in (None, "OFFLINE") and watch not in ended
        }
        # In a store that was emptied who is missing may only not have been registered again yet.
        doubtful = missing if missing and not await presence.settled() else set()
        for watch in ended:
            watch.ended = False
        now_s = self._runtime.loop.time()
        for watch, state in zip(watches, states, strict=True):
            if self._watches.get(watch.key) is not watch:
                continue
            watch.looked_s = now_s
            self._watches.move_to_end(watch.key)
            if watch.told != state and watch not in doubtful:
                self._tell(watch, state)

    def _tell(self, watch: _Watch, state: OnlineState) -> None:
        watch.told = state
        if watch.subscribers:
            text = notification_text(CHANGED, StatesNotice({watch.key[1]: state}))
            self._runtime.hub.fanout.broadcast(watch.subscribers, Chunk(text, 1))

    # -- rechecks ----------------------------------------------------------------------------------------

    async def recheck(self) -> None:
        """One second's share of all that is watched: in case a hint was lost, or a process died and could give none.
        Raises RpcError `unavailable`; then they are looked at as soon as the store is back."""
        due_s = self._runtime.loop.time() - RECHECK_S
        keys: list[WatchKey] = []
        for key, watch in self._watches.items():
            if watch.looked_s > due_s or len(keys) == RECHECKS_PER_S:
                break
            keys.append(key)
        if keys:
            await self._look_at(keys)
