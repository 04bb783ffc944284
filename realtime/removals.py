"""Kicks and bans as a process carries them out (docs/contract.md 6).

The database has them (`projects.models.Removal`), whoever wrote them: another process, a command, the admin. Every
process looks for those that are not carried out yet and ends their users' sessions, on whichever node they are; one
that is carried out twice finds nothing the second time. What a process writes itself it looks for at once.

A login knows a project's bans from a few seconds ago (`realtime.tenants`), which costs it nothing. So a ban is carried
out again and again for `SETTLES_MS`, and also ends the session of a login that had been let by.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from projects.models import Removal
from projects.selectors import ActiveBan, Tenant, UserKey, active_bans, pending_removals
from projects.services import finish_removals
from realtime.errors import RpcError
from realtime.presence import PresenceUnavailable

if TYPE_CHECKING:
    from realtime.runtime import Runtime

logger = logging.getLogger(__name__)

LOOK_S: Final = 2.0
SETTLES_MS: Final = 15_000
"""Longer than what a login knows of bans is kept and the login takes, together."""
BATCH: Final = 200


class Removals:
    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._turn = asyncio.Lock()
        self._is_due = False
        self._recheck = False
        self._asked: set[UserKey] = set()
        self._asking = asyncio.Lock()
        self._answer: asyncio.Task[Mapping[UserKey, ActiveBan]] | None = None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)

    # -- logins ------------------------------------------------------------------------------------------

    async def ban_of(self, tenant: Tenant, uid: str) -> ActiveBan | None:
        """Whether a uid is banned. Of a project with so many bans that they are not kept it is read from the database:
        whoever asks while a query runs shares the next one. Raises RpcError `unavailable`."""
        if tenant.bans is not None:
            known = tenant.bans.get(uid)
            return known if known is not None and known.holds(self._now()) else None
        self._asked.add((tenant.id, uid))
        if self._answer is None:
            self._answer = self._runtime.loop.create_task(self._ask())
        found = await asyncio.shield(self._answer)
        return found.get((tenant.id, uid))

    async def _ask(self) -> Mapping[UserKey, ActiveBan]:
        async with self._asking:
            asked, self._asked, self._answer = self._asked, set(), None
            return await self._runtime.bridge.read(active_bans, asked, self._now())

    # -- sessions ----------------------------------------------------------------------------------------

    def look_soon(self, project: int) -> None:
        """This process has changed a project's removals. One look takes all that is written before it begins."""
        self._runtime.tenants.forget(project)
        if not self._is_due:
            self._is_due = True
            self._runtime.hub.spawn(self.look())

    def recheck_soon(self) -> None:
        """The store may have forgotten evictions that this node had not heard of: its sessions are compared with the
        bans at the next look."""
        self._recheck = True

    async def look(self) -> None:
        """Carries out what was written since the last look."""
        async with self._turn:
            self._is_due = False
            try:
                await self._carry_out_pending()
                if self._recheck:
                    await self._end_banned()
                    self._recheck = False
            except RpcError:
                logger.warning("kicks and bans are put off: the database is out of reach")
            except PresenceUnavailable:
                logger.warning("kicks and bans are put off: the presence store is out of reach")

    async def _carry_out_pending(self) -> None:
        after_id = 0
        while True:
            pending = await self._runtime.bridge.read(pending_removals, after_id, BATCH)
            done = await asyncio.gather(*[self._carry_out(removal) for removal in pending])
            ids = [removal.pk for removal, is_done in zip(pending, done, strict=True) if is_done]
            if ids:
                await self._runtime.bridge.write(finish_removals, ids=ids, now=self._now())
            if len(pending) < BATCH:
                return
            after_id = pending[-1].pk

    async def _carry_out(self, removal: Removal) -> bool:
        """Whether nothing remains to be done. Without a presence store sessions end on this node at least, and it is
        tried again."""
        now = self._now()
        is_kick = removal.kind == Removal.Kind.KICK
        if not (is_kick or removal.holds(now)):
            return True
        if not is_kick:
            self._runtime.tenants.forget(removal.project_id)
        try:
            ended = await self._runtime.sessions.evict(
                removal.project_id, removal.uid, "kicked" if is_kick else "banned"
            )
            # Until the store has settled, a session may not be named again yet.
            found = is_kick and (ended or await self._runtime.presence.settled())
        except PresenceUnavailable:
            return False
        return found or (now - removal.created_at).total_seconds() * 1000 >= SETTLES_MS

    async def _end_banned(self) -> None:
        users = [session.key for session in self._runtime.sessions.all()]
        for project, uid in await self._runtime.bridge.read(active_bans, users, self._now()):
            await self._runtime.sessions.evict(project, uid, "banned")
