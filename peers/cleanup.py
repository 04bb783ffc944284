"""Deletes the attributes of sessions that are over. Nobody could see them any more (docs/contract.md 7)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from peers.models import UserAttributes
from peers.selectors import untouched_attributes
from peers.services.attributes import delete_ended, delete_left_over
from realtime.parts import RecurringPart, Round
from realtime.runtime import Runtime

FLUSH_S: Final = 1.0
SWEEP_S: Final = 600.0
UNTOUCHED_FOR: Final = timedelta(hours=1)
BATCH: Final = 200
ENDED_LIMIT: Final = 10_000
"""So many ended sessions of a project wait to be cleaned up; the sweep finds those beyond."""


class Cleanup(RecurringPart):
    """A part of the runtime. Sessions that ended here are cleaned up after within a second or so; what a crash has
    left, the sweep finds. Any number of processes may do so: what is deleted is decided in the database."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._ended: defaultdict[int, dict[str, int]] = defaultdict(dict)

    def rounds(self) -> Sequence[Round]:
        return (
            Round("the clean-up after sessions", FLUSH_S, self.flush),
            Round("the clean-up of user attributes", SWEEP_S, self.sweep),
        )

    async def start(self) -> None:
        self._runtime.sessions.on_presence.append(self._changed)
        await super().start()

    def _changed(self, project: int, uids: Mapping[str, int]) -> None:
        for uid, ended in uids.items():
            if ended and len(self._ended[project]) < ENDED_LIMIT:
                self._ended[project][uid] = ended

    async def flush(self) -> int:
        """Cleans up after the sessions that have ended here. Returns how many had attributes."""
        deleted = 0
        while self._ended:
            project, uids = next(iter(self._ended.items()))
            batch = dict(list(uids.items())[:BATCH])
            deleted += await self._runtime.bridge.write(delete_ended, project_id=project, ended=batch)
            for uid, ended in batch.items():
                if uids.get(uid) == ended:
                    del uids[uid]
            if not uids:
                del self._ended[project]
        return deleted

    async def sweep(self) -> int:
        """Looks once at every row that nobody has written to for an hour. Returns how many were deleted."""
        before = datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC) - UNTOUCHED_FOR
        deleted = 0
        after_id = 0
        while True:
            rows = await self._runtime.bridge.read(untouched_attributes, before, after_id, BATCH)
            over = await self._over(rows)
            if over:
                deleted += await self._runtime.bridge.write(delete_left_over, rows=over)
            if len(rows) < BATCH:
                return deleted
            after_id = rows[-1].pk

    async def _over(self, rows: Sequence[UserAttributes]) -> list[UserAttributes]:
        """Those of another session than the user's current one: one question to the presence store for each
        project. None of them while a store that was emptied is being filled."""
        over: list[UserAttributes] = []
        for project_id in {row.project_id for row in rows}:
            of_project = [row for row in rows if row.project_id == project_id]
            found = await self._runtime.presence.sessions(project_id, [row.uid for row in of_project])
            over += [
                row
                for row, state in zip(of_project, found, strict=True)
                if state is None or state.session != row.session
            ]
        return over if not over or await self._runtime.presence.settled() else []
