"""What a presence store promises, written naively: lists, and everything computed when it is asked for."""

from dataclasses import dataclass, field

from realtime.presence import (
    Evicted,
    Eviction,
    EvictionReason,
    LoginOutcome,
    PresenceState,
    PresenceTiming,
    PresenceUnavailable,
    Previous,
    Removed,
    SessionRecord,
    SessionState,
)


@dataclass(eq=False)
class ModelLease:
    node: str
    renewed_ms: int


@dataclass(eq=False)
class ModelSession:
    project: int
    uid: str
    session: str
    generation: int
    lease: ModelLease
    since_ms: int
    rooms: list[str] = field(default_factory=list)
    gone_ms: int | None = None
    levels: str = ""
    levels_ms: int = 0
    capabilities: str = ""


@dataclass
class Model:
    timing: PresenceTiming
    now_ms: int
    grace_until_ms: int = 0
    leases: dict[str, ModelLease] = field(default_factory=dict)
    """The current one of each node."""
    restoring: set[str] = field(default_factory=set)
    sessions: list[ModelSession] = field(default_factory=list)
    logins: list[tuple[int, str, int, int]] = field(default_factory=list)
    """Every accepted login: project, uid, generation, when."""
    evictions: list[tuple[str, Eviction]] = field(default_factory=list)

    def begin_life(self) -> None:
        self.grace_until_ms = self.now_ms + self.timing.grace_ms

    def empty(self) -> None:
        self.sessions, self.logins, self.evictions = [], [], []
        for lease in self.leases.values():
            lease.renewed_ms = -self.timing.lease_lost_ms
        self.begin_life()

    def is_live(self, lease: ModelLease) -> bool:
        return self.now_ms - lease.renewed_ms < self.timing.lease_lost_ms

    def lease(self, node: str) -> ModelLease:
        lease = self.leases[node]
        if not self.is_live(lease):
            raise PresenceUnavailable
        return lease

    def stored(self, project: int, uid: str) -> ModelSession | None:
        found = [session for session in self.sessions if (session.project, session.uid) == (project, uid)]
        assert len(found) <= 1
        return found[0] if found else None

    def current(self, node: str, project: int, uid: str, generation: int) -> ModelSession | None:
        self.lease(node)
        session = self.stored(project, uid)
        known = session.generation if session else 0
        if known < generation and node in self.restoring:
            raise PresenceUnavailable
        return session if known == generation else None

    def tell(self, session: ModelSession, reason: EvictionReason) -> None:
        eviction = Eviction(session.project, session.uid, session.generation, reason)
        self.evictions.append((session.lease.node, eviction))

    def login(self, node: str, project: int, uid: str, wanted: str | None, new: str, capabilities: str) -> LoginOutcome:
        lease = self.lease(node)
        mine = [login for login in self.logins if login[:2] == (project, uid)]
        mine = [login for login in mine if self.now_ms - login[3] < self.timing.logins_kept_ms]
        if sum(self.now_ms - login[3] < self.timing.login_window_ms for login in mine) >= 2:
            return LoginOutcome(too_often=True)
        old = self.stored(project, uid)
        last = max([login[2] for login in mine] + ([old.generation] if old else []), default=0)
        generation = max(self.now_ms, last + 1)
        self.logins.append((project, uid, generation, self.now_ms))
        resumed = old is not None and old.session == wanted
        if old is not None:
            self.sessions.remove(old)
            if old.lease.node != node:
                self.tell(old, "superseded" if resumed else "remote_login")
        session = ModelSession(project, uid, new, generation, lease, self.now_ms)
        if old is not None and resumed:
            session.session, session.since_ms, session.rooms = old.session, old.since_ms, old.rooms
        if old is not None:
            session.levels, session.levels_ms = old.levels, old.levels_ms
        session.capabilities = capabilities
        self.sessions.append(session)
        return LoginOutcome(
            session=session.session,
            generation=generation,
            resumed=resumed,
            since_ms=session.since_ms,
            rooms=tuple(session.rooms),
            left_rooms=() if old is None or resumed else tuple(old.rooms),
            previous=None if old is None else Previous(old.lease.node, old.generation, old.session),
            levels=session.levels,
            levels_age_ms=self.now_ms - session.levels_ms if session.levels else 0,
            previous_login_ms=min(last, self.now_ms) if last else None,
            now_ms=self.now_ms,
        )

    def remove(self, node: str, project: int, uid: str, generation: int) -> tuple[str, ...] | None:
        session = self.current(node, project, uid, generation)
        if session is None:
            return None
        self.sessions.remove(session)
        return tuple(session.rooms)

    def evict(self, node: str, project: int, uid: str, reason: EvictionReason) -> Evicted | None:
        self.lease(node)
        session = self.stored(project, uid)
        if session is None:
            return None
        self.sessions.remove(session)
        if session.lease.node != node:
            self.tell(session, reason)
        return Evicted(session.lease.node, session.generation, tuple(session.rooms))

    def join(self, node: str, project: int, uid: str, generation: int, room: str) -> bool:
        session = self.current(node, project, uid, generation)
        if session is not None and room not in session.rooms:
            session.rooms.append(room)
        return session is not None

    def leave(self, node: str, project: int, uid: str, generation: int, room: str) -> bool:
        session = self.current(node, project, uid, generation)
        if session is not None and room in session.rooms:
            session.rooms.remove(room)
        return session is not None

    def set_gone(self, node: str, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool:
        session = self.current(node, project, uid, generation)
        if session is not None:
            gone_ms = self.now_ms - silent_ms
            session.gone_ms = gone_ms if session.gone_ms is None else min(gone_ms, session.gone_ms)
            session.levels, session.levels_ms = levels, self.now_ms
        return session is not None

    def set_here(self, node: str, project: int, uid: str, generation: int) -> bool:
        session = self.current(node, project, uid, generation)
        if session is not None:
            session.gone_ms = None
        return session is not None

    def members(self, project: int, room: str) -> set[str]:
        return {session.uid for session in self.sessions if session.project == project and room in session.rooms}

    def state(self, project: int, uid: str) -> SessionState | None:
        session = self.stored(project, uid)
        if session is None:
            return None
        absent = session.gone_ms is not None and self.now_ms - session.gone_ms >= self.timing.unreachable_ms
        state = PresenceState.UNREACHABLE if absent or not self.is_live(session.lease) else PresenceState.ONLINE
        return SessionState(
            state, session.lease.node, session.generation, session.since_ms, session.session, session.capabilities
        )

    def renew(self, node: str) -> tuple[bool, set[Eviction]]:
        lost = not self.is_live(self.leases[node])
        if lost:
            self.leases[node] = ModelLease(node, self.now_ms)
            self.restoring.add(node)
            self.begin_life()
        self.leases[node].renewed_ms = self.now_ms
        evictions = {eviction for receiver, eviction in self.evictions if receiver == node}
        self.evictions = [item for item in self.evictions if item[0] != node]
        return lost, evictions

    def restore(self, node: str, records: list[SessionRecord]) -> list[tuple[int, str]]:
        lease = self.lease(node)
        rejected = []
        for record in records:
            old = self.stored(record.project, record.uid)
            if old is not None and (
                old.generation > record.generation
                or (old.generation == record.generation and old.session != record.session)
            ):
                rejected.append((record.project, record.uid))
                continue
            if old is not None:
                self.sessions.remove(old)
                if old.generation < record.generation and old.lease.node != node:
                    self.tell(old, "superseded" if old.session == record.session else "remote_login")
            silent_ms = record.silent_ms or 0
            self.sessions.append(
                ModelSession(
                    record.project,
                    record.uid,
                    record.session,
                    record.generation,
                    lease,
                    record.since_ms,
                    list(record.rooms),
                    None if record.silent_ms is None else self.now_ms - silent_ms,
                    record.levels,
                    self.now_ms - silent_ms,
                    record.capabilities,
                )
            )
        self.restoring.discard(node)
        return rejected

    def reap(self, node: str) -> list[Removed]:
        """Without a limit."""
        if not self.is_live(self.leases[node]) or self.now_ms < self.grace_until_ms:
            return []
        removed = []
        for session in list(self.sessions):
            gone = session.gone_ms is not None and self.now_ms - session.gone_ms >= self.timing.gone_removal_ms
            dead = self.now_ms - session.lease.renewed_ms >= self.timing.lease_removal_ms
            if gone or dead:
                self.sessions.remove(session)
                removed.append(Removed(session.project, session.uid, session.generation, tuple(session.rooms)))
                if gone and session.lease.node != node:
                    self.tell(session, "removed")
        return removed
