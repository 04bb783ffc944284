"""Writes down who logged in and out, joined and left, in batches and beside the way of a message or a login."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from activity.events import JOINED, LEFT, LOGGED_IN, LOGGED_OUT, ROOM_PREFIX, Occurrence, Reason, make_event_id
from activity.selectors import heard_projects, open_rooms
from activity.services.recording import By, RoomKey, record_occurrences, record_rooms
from activity.services.vendor import trim_vendor_events
from messaging.selectors import from_ms, to_ms
from realtime.errors import RpcError
from realtime.parts import RecurringPart, Round, attempt
from realtime.runtime import Runtime
from realtime.session import Change

logger = logging.getLogger(__name__)

WRITING: Final = "writing activity down"
FLUSH_S: Final = 0.2
SWEEP_S: Final = 30.0
BATCH: Final = 200
UNHEARD_S: Final = 5.0
"""So long nothing is noted of a project that nobody hears of, until that is looked at again."""
QUEUE: Final = 20_000
"""While the database is away; what comes above it is lost, and logged."""
TRIM_EVERY: Final = 500
"""Events of a project, until those that are not kept are deleted."""

_ENDS: Final = {
    Change.LOGGED_OUT: Reason.LOGGED_OUT,
    Change.REPLACED: Reason.REPLACED,
    Change.REMOVED: Reason.REMOVED,
    Change.EVICTED: Reason.EVICTED,
}


class Recorder(RecurringPart):
    """A part of the runtime. Each process writes what it has done itself, so that everything is told once. Of projects
    that nobody hears of, nothing is noted."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._queue: deque[Occurrence] = deque()
        self._unheard: dict[int, float] = {}
        """Projects that nobody hears of, with when that was read."""
        self._touched: dict[RoomKey, By] = {}
        """Rooms that somebody came to or left, with the last: they may be empty now."""
        self._lost = 0
        self._since_trim: Counter[int] = Counter()
        self._writing = asyncio.Lock()

    def rounds(self) -> Sequence[Round]:
        return (
            Round(WRITING, FLUSH_S, self.flush),
            Round("the sweep of open rooms", SWEEP_S, self.sweep),
        )

    async def start(self) -> None:
        self._runtime.sessions.on_change.append(self._changed)
        await super().start()

    async def drain(self) -> None:
        await attempt(WRITING, self.flush)

    async def stop(self) -> None:
        await super().stop()
        await attempt(WRITING, self.flush)  # what has happened since the drain

    # -- what happens ------------------------------------------------------------------------------------

    def _changed(self, project: int, uid: str, change: Change, streams: Sequence[str]) -> None:
        """Only notes it. A session's own inbox is no room."""
        read_s = self._unheard.get(project)
        if read_s is not None and self._runtime.loop.time() - read_s < UNHEARD_S:
            return
        rooms = [stream.removeprefix(ROOM_PREFIX) for stream in streams if stream.startswith(ROOM_PREFIX)]
        if change is Change.LOGGED_IN:
            self._note(LOGGED_IN, project, uid)
        elif change is Change.JOINED:
            for room in rooms:
                self._note(JOINED, project, uid, room=room)
        else:
            reason = _ENDS.get(change, Reason.LEFT)
            for room in rooms:
                self._note(LEFT, project, uid, room=room, reason=reason)
            if change in _ENDS:
                self._note(LOGGED_OUT, project, uid, reason=reason)

    def _note(self, event: str, project: int, uid: str, *, room: str = "", reason: str = "") -> None:
        if len(self._queue) >= QUEUE:
            self._lost += 1
            return
        self._queue.append(
            Occurrence(
                id=make_event_id(),
                project=project,
                event=event,
                ts=self._runtime.clock_ms(),
                uid=uid,
                room=room,
                reason=str(reason),
            )
        )

    # -- writing -----------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Writes down everything that has happened so far. What cannot be written for want of a database stays."""
        async with self._writing:
            if self._lost:
                logger.error("activity: %d events were lost while the database was away", self._lost)
                self._lost = 0
            while self._queue:
                taken = list(islice(self._queue, BATCH))
                heard = await self._heard({occurrence.project for occurrence in taken})
                batch = [occurrence for occurrence in taken if occurrence.project in heard]
                if batch:
                    await self._write(batch)
                for _ in taken:
                    self._queue.popleft()
                for occurrence in batch:
                    self._since_trim[occurrence.project] += 1
                    if occurrence.event in (JOINED, LEFT):
                        room = (occurrence.project, occurrence.room)
                        self._touched[room] = By(occurrence.uid, occurrence.ts)
            await self._trim()
            touched, self._touched = self._touched, {}
            await self._look_at(touched)

    async def _heard(self, projects: set[int]) -> set[int]:
        heard = await self._runtime.bridge.read(heard_projects, projects)
        now_s = self._runtime.loop.time()
        for project in projects:
            self._unheard.pop(project, None)
        self._unheard |= dict.fromkeys(projects - heard, now_s)
        return heard

    async def _write(self, batch: Sequence[Occurrence]) -> None:
        try:
            await self._runtime.bridge.write(record_occurrences, occurrences=batch, now=self._now())
        except RpcError:
            raise
        except Exception:
            logger.exception("activity: %d events could not be written down", len(batch))

    async def _trim(self) -> None:
        for project, count in list(self._since_trim.items()):
            if count >= TRIM_EVERY:
                await self._runtime.bridge.write(_trim_project, project)
                del self._since_trim[project]

    async def _look_at(self, rooms: Mapping[RoomKey, By]) -> None:
        """Opens and closes rooms by what the presence store says, until a look changes nothing: somebody else may
        have acted meanwhile on what was true before."""
        while rooms:
            occupied, empty = await self._ask(rooms)
            now = self._now()
            changed = await self._runtime.bridge.write(
                record_rooms, occupied=occupied, empty={room: rooms[room] for room in empty}, now=now
            )
            rooms = dict.fromkeys(changed, By("", to_ms(now)))

    async def _ask(self, rooms: Collection[RoomKey]) -> tuple[list[RoomKey], list[RoomKey]]:
        presence = self._runtime.presence
        occupied: list[RoomKey] = []
        empty: list[RoomKey] = []
        for project in {project for project, _ in rooms}:
            names = [name for owner, name in rooms if owner == project]
            counts = await presence.counts(project, [ROOM_PREFIX + name for name in names])
            for name, count in zip(names, counts, strict=True):
                (occupied if count else empty).append((project, name))
        if empty and not await presence.settled():
            empty = []  # whoever is missing may only not be named again yet; the sweep looks later
        return occupied, empty

    async def sweep(self) -> None:
        """Looks at every room that was said to be open: its last member may have been lost with a process."""
        after = 0
        while True:
            page = await self._runtime.bridge.read(open_rooms, after, BATCH)
            async with self._writing:
                _, empty = await self._ask([room for _, room in page])
                await self._look_at(dict.fromkeys(empty, By("", self._runtime.clock_ms())))
            if len(page) < BATCH:
                return
            after = page[-1][0]

    def _now(self) -> datetime:
        return from_ms(self._runtime.clock_ms())


def _trim_project(project_id: int) -> int:
    return sum(trim_vendor_events(project_id=project_id))
