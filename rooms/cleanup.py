"""Clears the attributes of RTM rooms that stay empty for 5 minutes (docs/contract.md 7)."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from realtime.errors import RpcError
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from rooms.models import Room
from rooms.selectors import rooms_with_attributes
from rooms.services.attributes import clear_empty_room, mark_empty, mark_in_use

logger = logging.getLogger(__name__)

PERIOD_S: Final = 30.0
EMPTY_FOR: Final = timedelta(minutes=5)
BATCH: Final = 200


class Cleanup:
    """A part of the runtime. Any number of processes may look: marks and clearing are decided in the
    database, and a mark counts only within one life of the presence store."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = self._runtime.loop.create_task(self._run(), name="attribute-cleanup")

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.sweep()
            except (RpcError, PresenceUnavailable):
                logger.warning("the clean-up of empty rooms is put off: storage out of reach")
            except Exception:
                logger.exception("the clean-up of empty rooms failed")

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
