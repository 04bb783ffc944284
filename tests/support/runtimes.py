"""Several runtimes in one loop: the processes of a cluster, without processes."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ParamSpec, TypeVar
from unittest import mock

from django.conf import settings
from django.db import connection

from realtime.presence import MemoryPresence, MemoryPresenceState, PresenceStore, PresenceTiming, RedisPresence
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import Hints

P = ParamSpec("P")
T = TypeVar("T")

UNLIMITED_LOGINS = PresenceTiming(login_window_ms=0)
"""For tests that log in again and again."""


STOP_S = 60.0
"""A runtime that has not stopped by then never will."""


async def stopped(runtime: Runtime) -> None:
    """Stops it. One that does not stop fails the test, and shows where each task of the loop is."""
    try:
        async with asyncio.timeout(STOP_S):
            await runtime.stop()
    except TimeoutError:
        for task in asyncio.all_tasks():
            task.print_stack()
        raise


@asynccontextmanager
async def runtimes(
    count: int, hints: Hints | None = None, *, timing: PresenceTiming | None = None, **options: Any
) -> AsyncIterator[list[Runtime]]:
    """Started runtimes that share the database, one presence store and a layer of the test's own. They compare
    heads and look at deadlines when the test says, not by themselves."""
    hints = hints or Hints()
    state = MemoryPresenceState()
    prefix = f"test-{secrets.token_hex(6)}:"

    def presence() -> PresenceStore:
        if settings.REDIS_URL:
            return RedisPresence(settings.REDIS_URL, timing=timing, prefix=prefix)
        return MemoryPresence(state, timing=timing)

    async with AsyncExitStack() as stack:
        started = []
        for _ in range(count):
            runtime = Runtime(layer=hints.layer(), presence=presence(), **options)
            with (
                mock.patch("realtime.runtime.HEAD_CHECK_S", 3600.0),
                mock.patch("invitations.deadlines.CLOCK_S", 3600.0),
                mock.patch("invitations.deadlines.PARTIES_S", 3600.0),
            ):
                await runtime.start()
            stack.push_async_callback(stopped, runtime)
            started.append(runtime)
        yield started


@asynccontextmanager
async def clients(app: str, room: str = "", **uids: Runtime) -> AsyncIterator[Callable[[str], Client]]:
    """Clients by uid, each logged in at its runtime and in the room; closed at the end."""
    opened: dict[str, Client] = {}
    try:
        for uid, runtime in uids.items():
            opened[uid] = client = Client(InProcess(runtime))
            await client.login(app, uid)
            if room:
                await client.call("room.join", room=room)
        yield opened.__getitem__
    finally:
        for client in opened.values():
            await client.close()


def forget_rings(runtime: Runtime) -> None:
    """As half a minute of other traffic would: what is recovered now comes from the database."""
    for stream in runtime.hub.live.values():
        runtime.hub.rings.forget(stream)


def entries(client: Client) -> list[dict[str, Any]]:
    """The entries pushed to a client since its beginning, in the order they came: their params."""
    found: list[dict[str, Any]] = []
    for frame in client.frames:
        decoded = json.loads(frame)
        messages = decoded if isinstance(decoded, list) else [decoded]
        found += [message["params"] for message in messages if "seq" in message.get("params", {})]
    return found


def seqs(client: Client) -> list[int]:
    """Their seqs."""
    return [entry["seq"] for entry in entries(client)]


async def elsewhere(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a service or a query as a command of another process does: on a connection of its own, and no runtime
    is told."""

    def run() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    return await asyncio.to_thread(run)
