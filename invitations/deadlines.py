"""Ends invitations whose time is over, or one of whose parties has gone for good (docs/contract.md 8)."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from invitations.models import UNKNOWN
from invitations.selectors import Parties, due_invitations, open_parties, open_parties_of
from invitations.services import end_for_gone, time_out
from invitations.transitions import Party
from realtime.errors import RpcError
from realtime.parts import RecurringPart, Round
from realtime.presence import PresenceUnavailable, SessionState
from realtime.runtime import Runtime
from realtime.session import ENDINGS, Change

logger = logging.getLogger(__name__)

CLOCK_S: Final = 1.0
PARTIES_S: Final = 5.0
"""Between two looks at who is still there: for what no hook has told."""
BATCH: Final = 200
MAX_GONE: Final = 10_000
"""Users noted as gone and not seen to yet; more are found by looking at the parties."""


class Deadlines(RecurringPart):
    """A part of the runtime. Any number of processes may look: the row's lock decides who ends an invitation, and
    what a killed process leaves undone the others do, or the next one."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._gone: dict[tuple[int, str], None] = {}
        self._seeing_to_gone = False

    def rounds(self) -> Sequence[Round]:
        return (
            Round("the deadlines of invitations", CLOCK_S, self.look_at_clock),
            Round("the parties of invitations", PARTIES_S, self.look_at_parties),
        )

    async def start(self) -> None:
        self._runtime.sessions.on_change.append(self._note_change)
        await super().start()

    async def look_at_clock(self) -> int:
        """Times out what is due. Returns how many."""
        now = self._now()
        ended = 0
        while True:
            due = await self._runtime.bridge.read(due_invitations, now, BATCH)
            done = 0
            for invitation_id in due:
                done += await self._runtime.bridge.write(time_out, invitation_id=invitation_id, now=now)
            ended += done
            if len(due) < BATCH or not done:  # the rest is another process's
                return ended

    async def look_at_parties(self) -> int:
        """Ends the open invitations of sessions that are no more. Returns how many."""
        ended = 0
        after_id = 0
        while True:
            page = await self._runtime.bridge.read(open_parties, after_id, BATCH)
            ended += await self._end_gone(page)
            if len(page) < BATCH:
                return ended
            after_id = page[-1].id

    def _note_change(self, project: int, uid: str, change: Change, streams: Sequence[str]) -> None:
        if change not in ENDINGS:
            return
        if len(self._gone) < MAX_GONE:
            self._gone[project, uid] = None
        if not self._seeing_to_gone:
            self._seeing_to_gone = True
            self._runtime.hub.spawn(self._see_to_gone())

    async def _see_to_gone(self) -> None:
        try:
            while self._gone:
                project = next(iter(self._gone))[0]
                users = [key for key in self._gone if key[0] == project][:BATCH]
                for key in users:
                    del self._gone[key]
                uids = [uid for _, uid in users]
                await self._end_gone(await self._runtime.bridge.read(open_parties_of, project, uids))
        except (RpcError, PresenceUnavailable):
            logger.warning("invitations of users who left are put off: storage out of reach")
        finally:
            self._seeing_to_gone = False

    async def _end_gone(self, invitations: Sequence[Parties]) -> int:
        """Ends those that are between other sessions than those of now."""
        presence = self._runtime.presence
        current: dict[tuple[int, str], SessionState | None] = {}
        for project in {parties.project_id for parties in invitations}:
            of_project = [parties for parties in invitations if parties.project_id == project]
            uids = sorted({uid for parties in of_project for uid in (parties.caller, parties.callee)})
            for uid, state in zip(uids, await presence.sessions(project, uids), strict=True):
                current[project, uid] = state
        # Asked after reading who is there: during the grace who is missing may only not be named again yet.
        settled = bool(invitations) and await presence.settled()
        ended = 0
        for parties in invitations:
            for party in (Party.CALLER, Party.CALLEE):
                uid, since = parties.side(party)
                state = current[parties.project_id, uid]
                if settled if state is None else since not in (UNKNOWN, state.since_ms):
                    ended += await self._runtime.bridge.write(
                        end_for_gone, invitation_id=parties.id, party=party, since=since, now=self._now()
                    )
        return ended

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)
