"""The process's real-time runtime: what is made once per process and how it starts, drains and stops.

Higher floors add their parts with `add_part`; each is made per runtime, so that tests can run two "processes"
in one loop.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from channels.layers import get_channel_layer
from django.conf import settings

from realtime.bridge import Bridge
from realtime.close_codes import SERVER_RESTART
from realtime.heads import HEAD_CHECK_S
from realtime.hub import Hub
from realtime.layer import ChannelsLayer, Layer, NoLayer, node_group
from realtime.lease import Lease
from realtime.parts import Part, Round, go_round
from realtime.presence import MemoryPresence, PresenceStore, PresenceTiming, RedisPresence
from realtime.pressure import Pressure
from realtime.removals import LOOK_S, Removals
from realtime.sessions import Sessions
from realtime.silence import Silence
from realtime.streams import StreamStore
from realtime.tasks import cancel_all
from realtime.tenants import Tenants

logger = logging.getLogger(__name__)

DRAIN_SPREAD_MS: Final = 5_000
DRAIN_TIMEOUT_S: Final = 10.0
REAP_S: Final = 0.5
TICK_S: Final = 1.0
STANDSTILL_S: Final = 3.0
"""A loop that did not tick for so long was stopped."""


PartT = TypeVar("PartT", bound=Part)

_factories: list[Callable[["Runtime"], Part]] = []
_store_factories: list[Callable[["Runtime"], StreamStore]] = []


def add_part(factory: Callable[["Runtime"], Part]) -> None:
    """Registers a part; called when Django's apps are ready."""
    _factories.append(factory)


def set_stream_store(factory: Callable[["Runtime"], StreamStore]) -> None:
    """Registers how the hub reads the log."""
    _store_factories[:] = [factory]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Runtime:
    """Everything a process shares between its connections. Made and used on one loop."""

    def __init__(
        self,
        *,
        layer: Layer | None = None,
        presence: PresenceStore | None = None,
        timing: PresenceTiming | None = None,
        clock_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.node = secrets.token_hex(8)
        self.clock_ms = clock_ms
        self.timing = timing if timing is not None else PresenceTiming()
        self.pressure = Pressure()
        self.bridge = Bridge(self.loop, self)
        self.layer = layer if layer is not None else _default_layer()
        self.presence = presence if presence is not None else _default_presence(self.timing)
        store = _store_factories[0](self)
        self.hub = Hub(
            loop=self.loop,
            layer=self.layer,
            store=store,
            node=self.node,
            clock_ms=clock_ms,
        )
        self.hub.shared = not isinstance(self.layer, NoLayer)
        self.recoveries = self.hub.recoveries
        self.sessions = Sessions(self, self.presence)
        self.silence = Silence(self)
        self.lease = Lease(self)
        self.tenants = Tenants(self.loop, self.bridge, clock_ms)
        self.removals = Removals(self)
        self.draining = False
        self.hints: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "entries": self.hub.hints.receive,
            "evict": lambda _message: self._soon(self._renew()),
        }
        self._parts: dict[type[Part], Part] = {}
        for factory in _factories:
            part = factory(self)
            self._parts[type(part)] = part
        self._tasks: list[asyncio.Task[None]] = []
        self._ticked_s = self.loop.time()

    def part(self, kind: type[PartT]) -> PartT:
        """This runtime's part of a class."""
        part = self._parts[kind]
        assert isinstance(part, kind)
        return part

    async def start(self) -> None:
        await self.presence.open(self.node)
        await self.layer.start(self._receive_hint, lambda: self._soon(self._check_heads()))
        await self.layer.subscribe(node_group(self.node))
        for part in self._parts.values():
            await part.start()
        rounds = (
            Round("tick", TICK_S, self._tick),
            Round("head check", HEAD_CHECK_S, self._check_heads),
            Round("lease", self.timing.lease_renew_ms / 1000, self._renew),
            Round("reaper", REAP_S, self._reap),
            Round("removals", LOOK_S, self.removals.look),
        )
        self._tasks = [self.loop.create_task(go_round(one), name=one.what) for one in rounds]
        _running.append(self)

    def _soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.hub.spawn(coroutine)

    def _receive_hint(self, message: Mapping[str, Any]) -> None:
        handler = self.hints.get(message.get("kind", ""))
        if handler is not None:
            handler(message)

    async def _tick(self) -> None:
        now_s = self.loop.time()
        if now_s - self._ticked_s > TICK_S + STANDSTILL_S:
            logger.warning("the process stood still for %.1f s", now_s - self._ticked_s)
            self.silence.forgive()
            await self._renew()
        self._ticked_s = now_s
        self.silence.tick()
        self.hub.rings.tick()

    async def _check_heads(self) -> None:
        await self.hub.check_heads()

    async def _renew(self) -> None:
        await self.lease.renew()

    async def _reap(self) -> None:
        if self.loop.time() - self._ticked_s > TICK_S + STANDSTILL_S:
            return  # first the tick forgives and the lease is renewed
        await self.lease.reap()

    async def drain(self) -> None:
        """Refuses new connections, tells the others to come back after a random delay, finishes commits."""
        if self.draining:
            return
        self.draining = True  # from now on nothing is read
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                for part in self._parts.values():
                    await part.drain()
        except TimeoutError:
            logger.warning("drain: some work was not finished in time; its senders send it again")
        spread_ms = min(DRAIN_SPREAD_MS, 20 * len(self.sessions.connections))
        for connection in list(self.sessions.connections):
            connection.close(SERVER_RESTART, delay_ms=random.randint(0, spread_ms))
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self.sessions.all_lost.wait()
        except TimeoutError:
            logger.warning("drain: %d connections did not close in time", len(self.sessions.connections))
        await self.hub.settle(2)

    async def stop(self) -> None:
        await self.drain()
        if self in _running:
            _running.remove(self)
        await cancel_all(self._tasks)
        for part in reversed(list(self._parts.values())):
            await part.stop()
        await self.hub.stop()
        await self.layer.stop()
        await self.presence.close()
        await asyncio.get_running_loop().run_in_executor(None, self.bridge.stop)


def _default_layer() -> Layer:
    layer = get_channel_layer() if settings.REDIS_URL else None
    return ChannelsLayer(layer) if layer is not None else NoLayer()


def _default_presence(timing: PresenceTiming) -> PresenceStore:
    if settings.REDIS_URL:
        return RedisPresence(settings.REDIS_URL, timing=timing)
    return MemoryPresence(timing=timing)


_running: list[Runtime] = []


def removals_changed(project_id: int) -> None:
    """A service has changed kicks or bans of a project, in any thread of this process."""
    for runtime in tuple(_running):
        runtime.loop.call_soon_threadsafe(runtime.removals.look_soon, project_id)


_starting: "asyncio.Task[Runtime] | None" = None


async def started() -> Runtime:
    """The process's runtime; starts it if the server has no lifespan events."""
    global _starting
    if _running:
        return _running[0]
    if _starting is None:
        _starting = asyncio.get_running_loop().create_task(_start())
    return await asyncio.shield(_starting)


async def _start() -> Runtime:
    global _starting
    try:
        runtime = Runtime()
        await runtime.start()
        return runtime
    finally:
        _starting = None


async def startup() -> None:
    """For the server's start."""
    await started()


async def drain() -> None:
    """For SIGTERM, before the server closes its connections."""
    for runtime in tuple(_running):
        await runtime.drain()


async def shutdown() -> None:
    """For the server's end."""
    for runtime in tuple(_running):
        await runtime.stop()
