"""Presence in this process's memory, for a service of one process. No call ever suspends."""

import heapq
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from realtime.presence.base import (
    Evicted,
    EvictionReason,
    LoginOutcome,
    PresenceState,
    PresenceStore,
    PresenceTiming,
    PresenceUnavailable,
    Previous,
    Removed,
    Renewal,
    SessionRecord,
    SessionState,
)
from realtime.presence.memory_state import NO_LOGINS, Lease, Logins, MemoryPresenceState, Session

TOO_OFTEN: Final = LoginOutcome(too_often=True)


class MemoryPresence(PresenceStore):
    """One node's view. Without `state` it has one of its own."""

    def __init__(self, state: MemoryPresenceState | None = None, *, timing: PresenceTiming | None = None) -> None:
        self._state = state or MemoryPresenceState()
        self._timing = timing or PresenceTiming()
        self._lease: Lease | None = None
        self._restoring = False

    async def open(self, node: str) -> None:
        self._state.ensure_life(self._timing.grace_ms)
        self._lease = Lease(node, self._state.clock())
        self._state.leases.append(self._lease)

    async def close(self) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if not lease.held and lease in self._state.leases:
            self._state.leases.remove(lease)
        lease.renewed_ms = min(lease.renewed_ms, self._state.clock() - self._timing.lease_renew_ms)

    async def epoch(self) -> str:
        return self._state.ensure_life(self._timing.grace_ms)

    async def settled(self) -> bool:
        self._state.ensure_life(self._timing.grace_ms)
        return self._state.clock() >= self._state.grace_until_ms

    async def login(
        self,
        project: int,
        uid: str,
        wanted_session: str | None,
        new_session: str,
        *,
        capabilities: str = "",
        window_ms: int | None = None,
    ) -> LoginOutcome:
        state, timing = self._state, self._timing
        now_ms = state.clock()
        lease = self._live_lease(now_ms)
        state.forget_old_logins(now_ms - timing.logins_kept_ms)
        key = (project, uid)
        last_generation, older_ms, newer_ms = state.logins.get(key, NO_LOGINS)
        limit_ms = timing.login_window_ms if window_ms is None else window_ms
        if older_ms is not None and 0 <= now_ms - older_ms < limit_ms:
            return TOO_OFTEN

        stored = state.sessions.get(key)
        if stored is not None:
            last_generation = max(last_generation, stored.generation)
        generation = max(now_ms, last_generation + 1)
        state.logins[key] = Logins(generation, newer_ms, now_ms)
        state.logins_by_age.append((now_ms, key))
        previous_login_ms = min(last_generation, now_ms) if last_generation else None

        if stored is None:
            session = state.sessions[key] = Session(key, new_session, generation, now_ms, lease)
            session.capabilities = capabilities
            lease.held[key] = session
            return LoginOutcome(
                session=new_session,
                generation=generation,
                since_ms=now_ms,
                previous_login_ms=previous_login_ms,
                now_ms=now_ms,
            )

        resumed = stored.session == wanted_session
        previous = Previous(stored.lease.node, stored.generation, stored.session)
        if stored.lease.node != lease.node:
            state.evict(stored, "superseded" if resumed else "remote_login", now_ms)
        left_rooms: tuple[str, ...] = ()
        if resumed:
            session = stored
            del stored.lease.held[key]
            session.lease = lease
            session.generation = generation
            session.gone_ms = None
        else:
            left_rooms = state.drop(stored)
            session = state.sessions[key] = Session(key, new_session, generation, now_ms, lease)
            session.levels, session.levels_ms = stored.levels, stored.levels_ms
        session.capabilities = capabilities
        lease.held[key] = session
        return LoginOutcome(
            session=session.session,
            generation=generation,
            resumed=resumed,
            since_ms=session.since_ms,
            rooms=tuple(session.rooms),
            left_rooms=left_rooms,
            previous=previous,
            levels=session.levels,
            levels_age_ms=now_ms - session.levels_ms if session.levels else 0,
            previous_login_ms=previous_login_ms,
            now_ms=now_ms,
        )

    async def remove(self, project: int, uid: str, generation: int) -> tuple[str, ...] | None:
        session = self._current(project, uid, generation)
        return None if session is None else self._state.drop(session)

    async def evict(self, project: int, uid: str, reason: EvictionReason) -> Evicted | None:
        state = self._state
        now_ms = state.clock()
        lease = self._live_lease(now_ms)
        session = state.sessions.get((project, uid))
        if session is None:
            return None
        node = session.lease.node
        if node != lease.node:
            state.evict(session, reason, now_ms)
        return Evicted(node, session.generation, state.drop(session))

    async def join(self, project: int, uid: str, generation: int, room: str) -> bool:
        session = self._current(project, uid, generation)
        if session is None:
            return False
        self._state.enter(session, room)
        return True

    async def leave(self, project: int, uid: str, generation: int, room: str) -> bool:
        session = self._current(project, uid, generation)
        if session is None:
            return False
        self._state.exit(session, room)
        return True

    async def set_gone(self, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool:
        session = self._current(project, uid, generation)
        if session is None:
            return False
        now_ms = self._state.clock()
        session.levels, session.levels_ms = levels, now_ms
        gone_ms = now_ms - silent_ms
        if session.gone_ms is None or gone_ms < session.gone_ms:
            self._state.set_gone(session, gone_ms)
        return True

    async def set_here(self, project: int, uid: str, generation: int) -> bool:
        session = self._current(project, uid, generation)
        if session is None:
            return False
        session.gone_ms = None
        return True

    async def members(self, project: int, room: str, limit: int) -> list[str]:
        return list(islice(self._state.rooms.get((project, room), ()), limit))

    async def counts(self, project: int, rooms: Sequence[str]) -> list[int]:
        return [len(self._state.rooms.get((project, room), ())) for room in rooms]

    async def sessions(self, project: int, uids: Sequence[str]) -> list[SessionState | None]:
        now_ms = self._state.clock()
        return [self._session_state(self._state.sessions.get((project, uid)), now_ms) for uid in uids]

    def _session_state(self, session: Session | None, now_ms: int) -> SessionState | None:
        if session is None:
            return None
        unreachable = (
            session.gone_ms is not None and now_ms - session.gone_ms >= self._timing.unreachable_ms
        ) or now_ms - session.lease.renewed_ms >= self._timing.lease_lost_ms
        return SessionState(
            PresenceState.UNREACHABLE if unreachable else PresenceState.ONLINE,
            session.lease.node,
            session.generation,
            session.since_ms,
            session.session,
            session.capabilities,
        )

    async def renew(self) -> Renewal:
        state, lease = self._state, self._lease
        if lease is None:
            raise PresenceUnavailable("the store is not open")
        state.ensure_life(self._timing.grace_ms)
        now_ms = state.clock()
        lost = not self._is_live(lease, now_ms)
        if lost:
            lease = self._lease = Lease(lease.node, now_ms)
            state.leases.append(lease)
            state.grace_until_ms = now_ms + self._timing.grace_ms
            self._restoring = True
        lease.renewed_ms = now_ms
        return Renewal(lost, tuple(state.evictions.pop(lease.node, ())))

    async def restore(self, records: Iterable[SessionRecord]) -> list[tuple[int, str]]:
        now_ms = self._state.clock()
        lease = self._live_lease(now_ms)
        rejected = [(record.project, record.uid) for record in records if not self._restore(record, lease, now_ms)]
        self._restoring = False
        return rejected

    def _restore(self, record: SessionRecord, lease: Lease, now_ms: int) -> bool:
        state = self._state
        key = (record.project, record.uid)
        session = state.sessions.get(key)
        if session is not None and session.generation > record.generation:
            return False
        if session is not None and session.generation == record.generation and session.session != record.session:
            return False
        if session is not None and session.generation < record.generation:
            if session.lease.node != lease.node:
                reason: EvictionReason = "superseded" if session.session == record.session else "remote_login"
                state.evict(session, reason, now_ms)
            state.drop(session)
            session = None
        if session is None:
            session = state.sessions[key] = Session(key, record.session, record.generation, record.since_ms, lease)
        else:
            del session.lease.held[key]
            session.lease = lease
        lease.held[key] = session
        for room in session.rooms.keys() - set(record.rooms):
            state.exit(session, room)
        for room in record.rooms:
            state.enter(session, room)
        session.levels, session.levels_ms = record.levels, now_ms - (record.silent_ms or 0)
        session.capabilities = record.capabilities
        session.gone_ms = None
        if record.silent_ms is not None:
            state.set_gone(session, now_ms - record.silent_ms)
        return True

    async def reap(self, limit: int) -> list[Removed]:
        state, timing = self._state, self._timing
        state.ensure_life(timing.grace_ms)
        now_ms = state.clock()
        state.forget_old_logins(now_ms - timing.logins_kept_ms)
        state.forget_old_evictions(now_ms - timing.evictions_kept_ms)
        if self._lease is None or not self._is_live(self._lease, now_ms) or now_ms < state.grace_until_ms:
            return []
        removed: list[Removed] = []
        gone, gone_until_ms = state.gone, now_ms - timing.gone_removal_ms
        while gone and gone[0][0] <= gone_until_ms and len(removed) < limit:
            gone_ms, _, session = heapq.heappop(gone)
            if session.gone_ms == gone_ms and state.sessions.get(session.key) is session:
                if session.lease.node != self._lease.node:
                    state.evict(session, "removed", now_ms)
                removed.append(Removed(*session.key, session.generation, state.drop(session)))
        for lease in list(state.leases):
            if now_ms - lease.renewed_ms >= timing.lease_removal_ms:
                removed += [
                    Removed(*session.key, session.generation, state.drop(session))
                    for session in list(lease.held.values())[: limit - len(removed)]
                ]
                if not lease.held:
                    state.leases.remove(lease)
        return removed

    def _is_live(self, lease: Lease, now_ms: int) -> bool:
        return lease in self._state.leases and now_ms - lease.renewed_ms < self._timing.lease_lost_ms

    def _live_lease(self, now_ms: int) -> Lease:
        if self._lease is None or not self._is_live(self._lease, now_ms):
            raise PresenceUnavailable("this node has no lease until it renews it")
        return self._lease

    def _current(self, project: int, uid: str, generation: int) -> Session | None:
        """The session if `generation` is its current one."""
        self._live_lease(self._state.clock())
        session = self._state.sessions.get((project, uid))
        if session is not None and session.generation == generation:
            return session
        if self._restoring and (session is None or session.generation < generation):
            raise PresenceUnavailable("this node's sessions are being restored")
        return None
