"""The node's lease: renewed with the presence store, which tells by that what was evicted here (docs/contract.md 6).

It covers all sessions of this process; whoever's node has lost its lease is removed after 30 s, by any node.
"""

import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from realtime.close_codes import REMOTE_LOGIN, SESSION_LOST
from realtime.presence import Eviction, PresenceUnavailable, SessionRecord
from realtime.session import EVICTED_CODES, Change, Session

if TYPE_CHECKING:
    from realtime.runtime import Runtime

logger = logging.getLogger(__name__)

REAP_BATCH: Final = 200


class Lease:
    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    async def renew(self) -> None:
        """Renews the node's lease and closes what moved elsewhere. After a lost lease or in an emptied store
        it registers its sessions again."""
        sessions = self._runtime.sessions
        renewal = await self._runtime.presence.renew()
        for eviction in renewal.evictions:
            session = sessions.get(eviction.project, eviction.uid)
            if session is not None and session.generation <= eviction.generation:
                sessions.drop(session, EVICTED_CODES[eviction.reason])
            if eviction.reason in ("kicked", "banned"):
                self._runtime.hub.spawn(self._forget_evicted(eviction))
        if renewal.lost:
            self._runtime.removals.recheck_soon()
            logger.warning("the node's lease was lost: %d sessions are registered again", len(sessions))
            named: dict[tuple[int, str], tuple[Session, int]] = {}
            for key in await self._runtime.presence.restore(self._records(named)):
                session, generation = named[key]
                # Since it was named, the same uid may have logged in here anew.
                if sessions.get(*key) is session and session.generation == generation:
                    sessions.drop(session, REMOTE_LOGIN)

    async def _forget_evicted(self, eviction: Eviction) -> None:
        """This node may have named the session again before it learned of the eviction."""
        with contextlib.suppress(PresenceUnavailable):  # then the sessions that are here are named once more
            rooms = await self._runtime.presence.remove(eviction.project, eviction.uid, eviction.generation)
            self._runtime.sessions.members_changed(eviction.project, rooms or (), left=eviction.uid)

    def _records(self, named: dict[tuple[int, str], tuple[Session, int]]) -> Iterator[SessionRecord]:
        """Each session as it is when its turn comes, noted in `named`."""
        sessions = self._runtime.sessions
        for session in list(sessions.all()):
            if sessions.get(*session.key) is session:
                named[session.key] = (session, session.generation)
                yield self._record(session)

    def _record(self, session: Session) -> SessionRecord:
        now_s = self._runtime.loop.time()
        connection = session.connection
        silent_ms: int | None = None
        if connection is None:
            silent_ms = round((now_s - session.lost_s) * 1000)
        elif session.gone:
            silent_ms = round((now_s - connection.seen_s) * 1000)
        return SessionRecord(
            project=session.project.id,
            uid=session.uid,
            session=session.id,
            generation=session.generation,
            since_ms=session.since_ms,
            rooms=(*session.subscriptions, *session.returning),
            silent_ms=silent_ms,
            levels=session.buckets.levels(now_s),
            capabilities=session.capabilities,
        )

    async def reap(self) -> None:
        """Removes sessions that have been away for 30 s, of this node and of dead ones."""
        sessions = self._runtime.sessions
        while True:
            removed = await self._runtime.presence.reap(REAP_BATCH)
            ended: defaultdict[int, dict[str, int]] = defaultdict(dict)
            for gone in removed:
                ended[gone.project][gone.uid] = gone.generation
                session = sessions.get(gone.project, gone.uid)
                if session is not None and session.generation <= gone.generation:
                    sessions.drop(session, SESSION_LOST)
                sessions.members_changed(gone.project, gone.rooms, left=gone.uid)
                sessions.befell(gone.project, gone.uid, Change.REMOVED, gone.rooms)
            for project, uids in ended.items():
                sessions.presence_changed(project, uids)
            if len(removed) < REAP_BATCH:
                return
