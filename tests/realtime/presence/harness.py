"""Drives both presence stores the same way: several nodes on one store, whose clock the test moves."""

from abc import ABC, abstractmethod
from typing import cast

import redis

from realtime.presence import (
    LoginOutcome,
    MemoryPresence,
    MemoryPresenceState,
    PresenceStore,
    PresenceTiming,
    RedisPresence,
    SessionRecord,
)
from tests.support.services import PrivateRedis

START_MS = 1_700_000_000_000
TIMING = PresenceTiming()
CLOCK_KEY = "test-clock"


class Harness(ABC):
    def __init__(self) -> None:
        self.opened: list[PresenceStore] = []

    async def node(self, name: str) -> PresenceStore:
        """A new process of this name, its lease taken."""
        store = self._store()
        self.opened.append(store)
        await store.open(name)
        return store

    async def close(self) -> None:
        for store in self.opened:
            await store.close()

    @abstractmethod
    def _store(self) -> PresenceStore: ...

    @property
    @abstractmethod
    def now_ms(self) -> int: ...

    @abstractmethod
    def advance(self, ms: int) -> None:
        """Moves the store's clock, also back."""

    async def live(self, ms: int, *nodes: PresenceStore) -> None:
        """Time passes, in which these nodes renew their leases as they should."""
        while ms > 0:
            step_ms = min(ms, TIMING.lease_renew_ms)
            self.advance(step_ms)
            ms -= step_ms
            for node in nodes:
                assert not (await node.renew()).lost

    @abstractmethod
    def empty(self) -> None:
        """The store loses all it knows."""

    @abstractmethod
    def kept(self) -> int:
        """How many things the store keeps, without its epoch and what Redis will let expire."""


class MemoryHarness(Harness):
    def __init__(self) -> None:
        super().__init__()
        self._now_ms = START_MS
        self._state = MemoryPresenceState(lambda: self._now_ms)

    def _store(self) -> PresenceStore:
        return MemoryPresence(self._state, timing=TIMING)

    @property
    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms

    def empty(self) -> None:
        self._state.clear()

    def kept(self) -> int:
        state = self._state
        kept = (state.sessions, state.rooms, state.gone, state.evictions, state.leases)
        return sum(len(part) for part in kept)


class RedisHarness(Harness):
    def __init__(self, server: PrivateRedis) -> None:
        super().__init__()
        self._url = server.url
        self.client = redis.Redis.from_url(server.url, decode_responses=True)
        self.client.flushall()
        self.client.set(CLOCK_KEY, START_MS)

    async def close(self) -> None:
        await super().close()
        self.client.close()

    def _store(self) -> PresenceStore:
        clock = f"return tonumber(redis.call('GET', '{CLOCK_KEY}'))"
        return RedisPresence(self._url, prefix="test:", timing=TIMING, clock=clock)

    @property
    def now_ms(self) -> int:
        return int(cast(str, self.client.get(CLOCK_KEY)))

    def advance(self, ms: int) -> None:
        self.client.incrby(CLOCK_KEY, ms)

    def empty(self) -> None:
        now_ms = self.now_ms
        self.client.flushall()
        self.client.set(CLOCK_KEY, now_ms)

    def kept(self) -> int:
        keys = cast(list[str], self.client.keys("*"))
        return len([key for key in keys if self.client.ttl(key) == -1 and key not in (CLOCK_KEY, "test:meta")])


async def log_in(store: PresenceStore, uid: str = "ann", *rooms: str, session: str = "s1") -> LoginOutcome:
    """Logs in with a session of this name, resumed or new, and joins rooms."""
    outcome = await store.login(1, uid, session, session)
    assert not outcome.too_often
    for room in rooms:
        assert await store.join(1, uid, outcome.generation, room)
    return outcome


def record(outcome: LoginOutcome, uid: str = "ann", *rooms: str, silent_ms: int | None = None) -> SessionRecord:
    """What the node that logged the uid in knows of the session."""
    return SessionRecord(
        project=1,
        uid=uid,
        session=outcome.session,
        generation=outcome.generation,
        since_ms=outcome.since_ms,
        rooms=rooms,
        silent_ms=silent_ms,
    )


async def seen(store: PresenceStore, uid: str = "ann") -> str:
    """What others see of the uid: its state, and the node that holds it."""
    (state,) = await store.sessions(1, [uid])
    return "OFFLINE" if state is None else f"{state.state} {state.node}"
