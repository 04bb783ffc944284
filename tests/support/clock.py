"""A runtime whose time a test moves: what takes seconds or minutes is proved without waiting."""

import asyncio
import heapq
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, cast

import redis
from django.conf import settings

from realtime.presence import MemoryPresence, MemoryPresenceState, PresenceStore, RedisPresence
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import Hints

STEP_S = 3.0
"""A client's heartbeat; a node's lease is renewed as often here."""
LONG_STEP_S = 11.0
"""While nobody is there: a lease lasts 15 s."""
NEWS_S = 0.05
"""Longer than changes of a room's members are gathered."""


class Clock:
    """The loop's seconds and the milliseconds of the wall and of the presence store, moved together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now_s = loop.time()
        self._now_ms = 1_700_000_000_000
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._serial = count()
        self.moved: list[Callable[[int], None]] = []

    # In the loop's place

    def time(self) -> float:
        return self._now_s

    def call_later(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self._now_s + delay_s, callback, args, self._loop)
        heapq.heappush(self._timers, (handle.when(), next(self._serial), handle))
        return handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    # In the test's hands

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, seconds: float) -> None:
        """Moves time and calls what was due on the way, in order."""
        end_s = self._now_s + seconds
        while self._timers and self._timers[0][0] <= end_s:
            when_s, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._move_to(when_s)
                handle._run()
        self._move_to(end_s)

    def _move_to(self, now_s: float) -> None:
        ms = round((now_s - self._now_s) * 1000)
        self._now_s = max(self._now_s, now_s)
        self._now_ms += ms
        for listener in self.moved:
            listener(ms)


class Lifetime:
    """Runtimes that go by one clock, their clients, and the heartbeats of both sides while time passes."""

    def __init__(
        self, runtimes: Sequence[Runtime], clock: Clock, hints: Hints, empty_store: Callable[[], None]
    ) -> None:
        self.runtimes = runtimes
        self.clock = clock
        self.hints = hints
        self.empty_store = empty_store
        """Makes the presence store forget everything, as a restart of Redis does."""
        self.clients: list[Client] = []

    @property
    def runtime(self) -> Runtime:
        return self.runtimes[0]

    def open_client(self, place: int = 0, **options: Any) -> Client:
        """A client of one of the runtimes, not logged in."""
        client = Client(InProcess(self.runtimes[place]), **options)
        self.clients.append(client)
        return client

    async def enter(self, app: str, uid: str, *rooms: str, place: int = 0, **params: Any) -> Client:
        """A client that is logged in, with these params, and in these rooms."""
        client = self.open_client(place)
        await client.login(app, uid, **params)
        for room in rooms:
            await client.call("room.join", room=room)
        return client

    async def pass_time(self, seconds: float, *alive: Client, step_s: float = STEP_S) -> None:
        """Time passes in which these clients show that they are there, and everybody else is silent."""
        while seconds > 0:
            passed_s = min(seconds, step_s)
            seconds -= passed_s
            self.clock.advance(passed_s)
            for client in alive:
                await client.call("session.ping")
            for runtime in self.runtimes:
                runtime.silence.tick()
                await runtime.lease.renew()
            for runtime in self.runtimes:
                await runtime.lease.reap()
            await self.settle()

    async def settle(self) -> None:
        """What is under way without a timer comes to its end, and what was sent has arrived."""
        for _ in range(3):
            for runtime in self.runtimes:
                await runtime.hub.settle(10)
            await asyncio.sleep(0)

    async def news(self, *clients: Client) -> None:
        """Long enough for notices about members to be on their way; then they have arrived at these clients."""
        await self.settle()
        self.clock.advance(NEWS_S)
        await self.settle()
        for client in clients:
            await client.call("session.ping")


def _presence(clock: Clock, name: str, state: MemoryPresenceState) -> PresenceStore:
    """One process's view of a store of the shape the tests run on, that goes by `clock`."""
    if not settings.REDIS_URL:
        return MemoryPresence(state)
    source = f"return tonumber(redis.call('GET', '{name}'))"
    return RedisPresence(settings.REDIS_URL, prefix=f"{name}:", clock=source)


@asynccontextmanager
async def clocked_runtimes(count: int = 1, *, settled: bool = True) -> AsyncIterator[Lifetime]:
    """Started runtimes that go by a clock of the test's own, past the presence store's first grace unless told
    otherwise; they share the store and a layer."""
    clock = Clock(asyncio.get_running_loop())
    name = f"clock-{secrets.token_hex(6)}"
    if settings.REDIS_URL:
        server = redis.Redis.from_url(settings.REDIS_URL)
        server.set(name, clock.now_ms())
        clock.moved.append(lambda ms: cast(None, server.incrby(name, ms)))
    state = MemoryPresenceState(clock.now_ms)
    hints = Hints()

    def empty_store() -> None:
        if settings.REDIS_URL:
            server.delete(*server.scan_iter(f"{name}:*"))
        else:
            state.clear()

    async with AsyncExitStack() as stack:
        runtimes = []
        for _ in range(count):
            presence = _presence(clock, name, state)
            runtime = Runtime(layer=hints.layer(), presence=presence, clock_ms=clock.now_ms)
            runtime.loop = cast(asyncio.AbstractEventLoop, clock)
            await runtime.start()
            stack.push_async_callback(runtime.stop)
            runtimes.append(runtime)
        lifetime = Lifetime(runtimes, clock, hints, empty_store)
        if settled:
            await lifetime.pass_time(31, step_s=LONG_STEP_S)
        try:
            yield lifetime
        finally:
            for client in lifetime.clients:
                await client.close()
            if settings.REDIS_URL:
                server.close()
