"""Clears the attributes of RTM rooms that stay empty for 5 minutes (docs/contract.md 7)."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from realtime.parts import RecurringPart, Round
from rooms.models import Room
from rooms.selectors import rooms_with_attributes
from rooms.services.attributes import clear_empty_room, mark_empty, mark_in_use

PERIOD_S: Final = 30.0
EMPTY_FOR: Final = timedelta(minutes=5)
BATCH: Final = 200


class Cleanup(RecurringPart):
    """A part of the runtime. Any number of processes may look: marks and clearing are decided in the
    database, and a mark counts only within one life of the presence store."""

    def rounds(self) -> Sequence[Round]:
        return (Round("the clean-up of empty rooms", PERIOD_S, self.sweep),)

    async def sweep(self) -> int:
        """Looks at every RTM room with attributes once. Returns how many were cleared."""
        cleared = 0
        after_id = 0
        while True:
            epoch = await self._runtime.presence.epoch()
            rooms = await self._runtime.bridge.read(rooms_with_attributes, after_id, BATCH)
            in_use = await self._in_use(rooms)
            for room in rooms:
                cleared += await self._look_at(room, epoch, in_use=room.pk in in_use)
            if len(rooms) < BATCH:
                return cleared
            after_id = rooms[-1].pk

    async def _look_at(self, room: Room, epoch: str, *, in_use: bool) -> bool:
        bridge = self._runtime.bridge
        if in_use:
            if room.empty_since is not None:
                await bridge.write(mark_in_use, project_id=room.project_id, room=room.name)
            return False
        now = datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)
        if not room.is_marked_empty(epoch):
            await bridge.write(mark_empty, room_id=room.pk, presence_epoch=epoch, now=now)
            # Who joined meanwhile either has seen the mark and taken it away, or is seen here.
            if await self._in_use([room]):
                await bridge.write(mark_in_use, project_id=room.project_id, room=room.name)
            return False
        assert room.empty_since is not None
        if now - room.empty_since < EMPTY_FOR:
            return False
        return await bridge.write(
            clear_empty_room,
            room_id=room.pk,
            empty_before=now - EMPTY_FOR,
            presence_epoch=epoch,
            message_id=f"cleanup-{secrets.token_hex(12)}",
            now=now,
        )

    async def _in_use(self, rooms: Sequence[Room]) -> set[int]:
        """The ids of those that have members: one call of the store for each project."""
        found: set[int] = set()
        for project_id in {room.project_id for room in rooms}:
            of_project = [room for room in rooms if room.project_id == project_id]
            names = [room.stream_name for room in of_project]
            counts = await self._runtime.presence.counts(project_id, names)
            found.update(room.pk for room, count in zip(of_project, counts, strict=True) if count)
        return found
