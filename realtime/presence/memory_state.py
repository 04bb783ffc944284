"""What the memory store keeps, and the steps its calls are made of."""

import heapq
import secrets
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple

from realtime.presence.base import Eviction, EvictionReason

Key = tuple[int, str]
"""(project, uid)"""


def steady_clock() -> Callable[[], int]:
    """A clock in ms that shows the time of day at the start and then never jumps."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: (offset_ns + time.monotonic_ns()) // 1_000_000


class Lease:
    """One life of a node in the store."""

    __slots__ = ("held", "node", "renewed_ms")

    def __init__(self, node: str, now_ms: int) -> None:
        self.node = node
        self.renewed_ms = now_ms
        self.held: dict[Key, Session] = {}


class Session:
    __slots__ = (
        "capabilities",
        "generation",
        "gone_ms",
        "key",
        "lease",
        "levels",
        "levels_ms",
        "rooms",
        "session",
        "since_ms",
    )

    def __init__(self, key: Key, session: str, generation: int, since_ms: int, lease: Lease) -> None:
        self.key = key
        self.session = session
        self.generation = generation
        self.since_ms = since_ms
        self.lease = lease
        self.rooms: dict[str, None] = {}
        self.gone_ms: int | None = None
        self.levels = ""
        self.levels_ms = since_ms
        self.capabilities = ""


class Logins(NamedTuple):
    """A uid's last two logins: when each was, and the generation of the later one."""

    generation: int = 0
    older_ms: int | None = None
    newer_ms: int | None = None


NO_LOGINS: Final = Logins()


class MemoryPresenceState:
    """What the nodes share. One process has one node; tests play several on one state."""

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self.clock = clock or steady_clock()
        self.clear()

    def clear(self) -> None:
        """Forgets everything and begins a new life, as a Redis server does that is restarted."""
        self.epoch: str | None = None
        self.grace_until_ms = 0
        self.leases: list[Lease] = []
        self.sessions: dict[Key, Session] = {}
        self.rooms: dict[tuple[int, str], dict[str, None]] = {}
        self.gone: list[tuple[int, int, Session]] = []
        """Heap by moment. An entry whose session came back is passed over when its time has come."""
        self.gone_serial = count()
        self.logins: dict[Key, Logins] = {}
        self.logins_by_age: deque[tuple[int, Key]] = deque()
        self.evictions: dict[str, dict[Eviction, int]] = {}
        """Per node, with the moment each was made."""

    def ensure_life(self, grace_ms: int) -> str:
        """The epoch. An empty store begins it, and a grace with it."""
        if self.epoch is None:
            self.epoch = secrets.token_hex(8)
            self.grace_until_ms = self.clock() + grace_ms
        return self.epoch

    def enter(self, session: Session, room: str) -> None:
        session.rooms[room] = None
        project, uid = session.key
        self.rooms.setdefault((project, room), {}).setdefault(uid)

    def exit(self, session: Session, room: str) -> None:
        if room in session.rooms:
            del session.rooms[room]
            project, uid = session.key
            members = self.rooms[project, room]
            del members[uid]
            if not members:
                del self.rooms[project, room]

    def drop(self, session: Session) -> tuple[str, ...]:
        rooms = tuple(session.rooms)
        for room in rooms:
            self.exit(session, room)
        del self.sessions[session.key]
        del session.lease.held[session.key]
        return rooms

    def set_gone(self, session: Session, gone_ms: int) -> None:
        session.gone_ms = gone_ms
        heapq.heappush(self.gone, (gone_ms, next(self.gone_serial), session))

    def evict(self, session: Session, reason: EvictionReason, now_ms: int) -> None:
        eviction = Eviction(*session.key, session.generation, reason)
        self.evictions.setdefault(session.lease.node, {})[eviction] = now_ms

    def forget_old_logins(self, before_ms: int) -> None:
        """Forgets uids whose last login was at `before_ms` or earlier."""
        while self.logins_by_age and self.logins_by_age[0][0] <= before_ms:
            key = self.logins_by_age.popleft()[1]
            newer_ms = self.logins.get(key, NO_LOGINS).newer_ms
            if newer_ms is not None and newer_ms <= before_ms:
                del self.logins[key]

    def forget_old_evictions(self, before_ms: int) -> None:
        for node, evictions in list(self.evictions.items()):
            for eviction in [eviction for eviction, made_ms in evictions.items() if made_ms <= before_ms]:
                del evictions[eviction]
            if not evictions:
                del self.evictions[node]
