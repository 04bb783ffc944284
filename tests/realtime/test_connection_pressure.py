"""Pressure: who sends faster than is stored is not read for a while; nothing is lost, refused or reordered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import connection

from messaging.journal.backends import backend_for
from realtime import pressure
from realtime.connection import Connection
from realtime.pressure import Pressure
from realtime.runtime import Runtime
from realtime.silence import UNREACHABLE_S
from rooms.selectors import get_snapshot
from tests.support.client import Client, InProcess
from tests.support.doubles import ScriptedBackend, ThreadGate, held_at, until
from tests.support.runtimes import runtimes, seqs


@asynccontextmanager
async def stuck_journal(
    monkeypatch: pytest.MonkeyPatch, app: str
) -> AsyncIterator[tuple[Runtime, ThreadGate, Callable[..., Any]]]:
    """A runtime, and a way to open clients in the room. The first of them sends a message, so that the room has its
    row; the next commit waits at the gate, also when that one took more than one attempt."""
    gate = ThreadGate()
    backend = ScriptedBackend(backend_for(connection.vendor))
    monkeypatch.setattr("messaging.engine.backend_for", lambda _vendor: backend)
    opened: list[Client] = []
    async with runtimes(1) as (runtime,):

        async def open_one(uid: str) -> tuple[Client, InProcess]:
            transport = InProcess(runtime)
            client = Client(transport)
            opened.append(client)
            await client.login(app, uid)
            await client.call("room.join", room="math")
            if len(opened) == 1:
                await client.send("math", "the room's row", "first")
                backend.script.append(gate)
            return client, transport

        try:
            yield runtime, gate, open_one
        finally:
            gate.open()
            for client in opened:
                await client.close()


async def send_all(client: Client, count: int, text: str = "x") -> list[Any]:
    message = {"type": "TEXT", "text": text}
    return [await client.start("room.send", room="math", message_id=f"m{n}", message=message) for n in range(count)]


async def until_paused(runtime: Runtime, uid: str) -> Connection:
    """The gateway reads what it will; then the connection waits."""
    (connection,) = (session.connection for session in runtime.sessions.all() if session.uid == uid)
    assert connection is not None
    await until(lambda: connection.paused)
    return connection


async def test_rule_pressure_64_requests_in_work_stop_the_reading(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stuck_journal(monkeypatch, fast_app) as (runtime, gate, open_one):
        ann, transport = await open_one("ann")
        answers = await send_all(ann, 200)
        paused = await until_paused(runtime, "ann")
        assert (paused.work, transport.to_app_size()) == (64, 200 - 64)
        gate.open()
        assert [(await answer)["seq"] for answer in answers] == list(range(2, 202))
        await ann.call("session.ping")
        assert seqs(ann) == list(range(1, 202)), "in the order they were sent"
        assert (paused.work, paused.work_bytes, runtime.pressure.bytes) == (0, 0, 0)


async def test_rule_pressure_256_kb_in_work_stop_the_reading(fast_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stuck_journal(monkeypatch, fast_app) as (runtime, gate, open_one):
        ann, transport = await open_one("ann")
        answers = await send_all(ann, 20, "x" * 30_000)
        paused = await until_paused(runtime, "ann")
        assert paused.work_bytes >= 256 * 1024 > paused.work_bytes - 31_000
        assert transport.to_app_size() == 20 - paused.work == 11
        gate.open()
        assert [(await answer)["seq"] for answer in answers] == list(range(2, 22))


async def test_rule_pressure_who_is_not_read_counts_as_alive_and_hears_the_server(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stuck_journal(monkeypatch, fast_app) as (runtime, gate, open_one):
        ann, _ = await open_one("ann")
        await send_all(ann, 65)
        ping = await ann.start("session.ping")
        paused = await until_paused(runtime, "ann")
        paused.seen_s -= UNREACHABLE_S + 1
        runtime.silence.tick()
        assert await ann.expect("session.alive") == {}
        assert paused.session is not None
        assert not paused.session.gone
        assert not ping.done()
        gate.open()
        assert await ping == {}


async def test_rule_pressure_other_connections_are_read_on(fast_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stuck_journal(monkeypatch, fast_app) as (runtime, gate, open_one):
        ann, _ = await open_one("ann")
        bob, _ = await open_one("bob")
        answers = await send_all(ann, 100)
        await until_paused(runtime, "ann")
        assert (await bob.call("room.members", room="math"))["total"] == 2
        mine = await bob.start("room.send", room="math", message_id="b", message={"type": "TEXT", "text": "bob"})
        gate.open()
        assert (await mine)["seq"] in range(2, 103)
        assert len({(await answer)["seq"] for answer in answers}) == 100


async def test_rule_pressure_the_process_has_one_budget(fast_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it nobody with work under way is read, however little of it is his."""
    monkeypatch.setattr(pressure, "PROCESS_BYTES", 100_000)
    async with stuck_journal(monkeypatch, fast_app) as (runtime, gate, open_one):
        ann, _ = await open_one("ann")
        bob, bobs = await open_one("bob")
        mine = await send_all(ann, 4, "x" * 30_000)
        await until_paused(runtime, "ann")
        his = await send_all(bob, 2)
        await until_paused(runtime, "bob")
        assert bobs.to_app_size() == 1
        gate.open()
        assert sorted([(await answer)["seq"] for answer in mine + his]) == list(range(2, 8))
        assert runtime.pressure.bytes == 0


async def test_rule_pressure_what_a_lost_socket_asked_for_weighs_nothing(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the process's budget would be used up by those who have gone."""
    gate = ThreadGate()
    monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
    async with runtimes(1) as (runtime,):
        ann = Client(InProcess(runtime))
        await ann.login(fast_app, "ann")
        for number in range(15):
            await ann.start("room.join", room=f"r{number}")
        await gate.arrived()
        assert runtime.pressure.bytes > 0
        await ann.close()
        gate.open()
        await runtime.hub.settle(10)
        assert runtime.pressure.bytes == 0


async def test_rule_pressure_a_session_that_is_dropped_while_it_joins_weighs_nothing(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
    async with runtimes(1) as (runtime,):
        ann, other = Client(InProcess(runtime)), Client(InProcess(runtime))
        await ann.login(fast_app, "ann")
        for number in range(3):
            await ann.start("room.join", room=f"r{number}")
        await gate.arrived()
        await other.login(fast_app, "ann")
        gate.open()
        await ann.expect_close()
        await runtime.hub.settle(10)
        assert runtime.pressure.bytes == 0
        assert [name for _, name in runtime.hub.live] == ["inbox:ann"], "the other's"
        await other.close()
        await ann.close()


async def test_a_waiting_connection_that_closes_is_not_waited_for() -> None:
    """Its budget is given to those who remain."""
    loop = asyncio.get_running_loop()
    weight = Pressure()

    async def send(_message: object) -> None:
        return

    gone, waiting = Connection(send, loop), Connection(send, loop)
    weight.begin(pressure.PROCESS_BYTES)
    assert not weight.allows(gone)
    assert not weight.allows(waiting)
    waiting.capacity = loop.create_future()
    weight.end(1)
    await asyncio.wait_for(waiting.capacity or asyncio.sleep(0), 1)
    assert weight.allows(waiting)
