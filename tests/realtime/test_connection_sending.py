"""Sending: without waiting, in order, and never for long to a reader that does not read."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from realtime.close_codes import KICKED, SLOW_CONSUMER
from realtime.connection import UNACKNOWLEDGED_LIMIT, Connection
from realtime.fanout import Fanout
from realtime.frames import Frame
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import until
from tests.support.runtimes import clients, runtimes, seqs


class Socket:
    """An ASGI `send` that suspends while `open` is not set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.taken: list[Any] = []
        self.error: Exception | None = None

    async def send(self, message: dict[str, Any]) -> None:
        if not self.open.is_set():
            await self.open.wait()
        if self.error is not None:
            raise self.error
        self.taken.append(message.get("text", message.get("code")))


async def drained(connection: Connection) -> None:
    if connection._drain is not None:
        await connection._drain


async def test_what_is_sent_behind_a_send_that_suspends_queues_in_order() -> None:
    socket = Socket()
    connection = Connection(socket.send, asyncio.get_running_loop())
    connection.push(Frame("1"))
    assert socket.taken == ["1"], "a send that does not suspend is done at once"
    socket.open.clear()
    for text in ("2", "3", "4"):
        connection.push(Frame(text))
    socket.open.set()
    connection.push(Frame("5"))
    assert socket.taken == ["1"]
    await drained(connection)
    connection.push(Frame("6"))
    assert socket.taken == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_socket_that_is_gone_is_no_error_of_the_sender(suspends: bool) -> None:
    socket = Socket()
    connection = Connection(socket.send, asyncio.get_running_loop())
    socket.error = OSError("gone")
    if suspends:
        socket.open.clear()
    connection.push(Frame("1"))
    connection.push(Frame("2"))
    socket.open.set()
    await drained(connection)
    assert socket.taken == []


async def test_a_ready_frame_goes_past_asgi_where_the_server_takes_it() -> None:
    written: list[bytes] = []
    socket = Socket()

    def write(wire: bytes) -> bool:
        written.append(wire)
        return len(written) == 1

    connection = Connection(socket.send, asyncio.get_running_loop(), write=write)
    connection.push(Frame("1"))
    connection.push(Frame("2"))
    assert (written, socket.taken) == ([b"\x81\x011", b"\x81\x012"], ["2"])


async def test_closing_sends_what_is_pending_and_says_why() -> None:
    socket = Socket()
    loop = asyncio.get_running_loop()
    connection, fanout = Connection(socket.send, loop), Fanout(loop)
    fanout.enqueue(connection, '"pending"')
    socket.open.clear()
    connection.close(KICKED)
    fanout.enqueue(connection, '"too late"')
    connection.push(Frame('"too late"'))
    socket.open.set()
    await until(lambda: len(socket.taken) == 3)
    closing = '{"jsonrpc":"2.0","method":"session.closing","params":{"code":4001,"name":"kicked","reconnect":false,'
    assert socket.taken[0] == '"pending"'
    assert socket.taken[1].startswith(closing)
    assert socket.taken[2:] == [4001]


async def test_a_reader_that_is_given_up_is_aborted_where_the_server_can() -> None:
    socket, aborted = Socket(), asyncio.Event()
    socket.open.clear()
    connection = Connection(socket.send, asyncio.get_running_loop(), abort=aborted.set)
    connection.push(Frame("stuck"))
    connection.push(Frame("behind"))
    await asyncio.sleep(0)
    connection.give_up(SLOW_CONSUMER)
    connection.give_up(KICKED)
    await asyncio.wait_for(aborted.wait(), 10)
    socket.open.set()
    await until(lambda: connection._drain is None)
    assert (socket.taken, connection.closed) == ([], SLOW_CONSUMER)


async def test_closing_a_reader_that_is_stuck_ends_in_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.connection.CLOSE_TIMEOUT_S", 0.001)
    socket, aborted = Socket(), asyncio.Event()
    socket.open.clear()
    connection = Connection(socket.send, asyncio.get_running_loop(), abort=aborted.set)
    connection.push(Frame("stuck"))
    connection.close(KICKED)
    await asyncio.wait_for(aborted.wait(), 10)
    socket.open.set()
    await drained(connection)


async def test_rule_pressure_a_slow_consumer_is_cut_off_and_nobody_else_notices(fast_app: str) -> None:
    """It takes every frame, but acknowledges none: more than 1 MB is not kept for it."""
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here, bob=here) as client:
        slow = Client(InProcess(here), acknowledges=False)
        await slow.login(fast_app, "slow")
        await slow.call("room.join", room="math")
        for number in range(60):
            await client("ann").send("math", "x" * 30_000, f"m{number}")
        assert await slow.expect_close() == SLOW_CONSUMER.code
        assert UNACKNOWLEDGED_LIMIT - 2 * 31_000 < slow.received <= UNACKNOWLEDGED_LIMIT
        await client("bob").call("session.ping")
        assert seqs(client("bob")) == seqs(client("ann")) == list(range(1, 61))
        await slow.close()


async def test_rule_pressure_a_reader_that_is_stuck_delays_nobody(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket takes nothing any more: it is given up at 1 MB, and its session catches up when it is back."""
    monkeypatch.setattr("realtime.connection.CLOSE_TIMEOUT_S", 0.01)
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here) as client:
        transport = InProcess(here)
        stuck = Client(transport)
        session = (await stuck.login(fast_app, "stuck"))["session"]
        joined = await stuck.call("room.join", room="math")
        transport.writable.clear()
        for number in range(60):
            await client("ann").send("math", "x" * 30_000, f"m{number}")
        await asyncio.wait_for(transport.task, 10)
        assert len(here.sessions.connections) == 1
        back = Client(InProcess(here))
        cursor = {"seq": joined["head"], "epoch": joined["epoch"]}
        state = (await back.login(fast_app, "stuck", session=session, streams={"room:math": cursor}))["streams"]
        got = [entry["seq"] for entry in state["room:math"]["entries"]]
        assert (state["room:math"]["recovered"], state["room:math"]["live"]) == (True, False)
        live = False
        while not live:
            page = await back.call("stream.read", stream="room:math", after=got[-1])
            got += [entry["seq"] for entry in page["entries"]]
            live = page["live"]
        assert got == list(range(1, 61))
        await back.close()
        await stuck.close()


async def test_acknowledged_is_never_more_than_was_sent() -> None:
    """A client that claims the future gets no larger credit."""
    socket = Socket()
    connection = Connection(socket.send, asyncio.get_running_loop())
    connection.push(Frame("x" * 1000))
    connection.acknowledge(10**12)
    assert connection.acked == 1000
    connection.acknowledge(5)
    assert connection.acked == 1000
    connection.push(Frame("x" * UNACKNOWLEDGED_LIMIT))
    assert connection.closed is None
    connection.push(Frame("x"))
    assert connection.closed is SLOW_CONSUMER


async def test_rule_pressure_what_has_not_left_the_process_cannot_be_acknowledged() -> None:
    """Whatever a client says of it; when it has left, the client may say so."""
    socket = Socket()
    connection = Connection(socket.send, asyncio.get_running_loop())
    frame = Frame("x" * (UNACKNOWLEDGED_LIMIT // 2))
    connection.push(frame)
    connection.acknowledge(10**12)
    socket.open.clear()
    for _ in range(2):
        connection.push(frame)
        connection.acknowledge(10**12)
    assert connection.acked == frame.size
    socket.open.set()
    await drained(connection)
    connection.acknowledge(10**12)
    assert connection.acked == 3 * frame.size
    socket.open.clear()
    for _ in range(3):
        connection.push(frame)
        connection.acknowledge(10**12)
    assert connection.closed is SLOW_CONSUMER
    assert connection._backlog == []


async def test_a_client_that_acknowledges_gets_any_amount(
    open_client: Callable[..., Client], runtime: Runtime, fast_app: str
) -> None:
    ann = open_client()
    await ann.login(fast_app, "ann")
    await ann.call("room.join", room="math")
    for number in range(90):
        await ann.send("math", "x" * 30_000, f"m{number}")
    await ann.call("session.ping")
    assert ann.received > 2 * UNACKNOWLEDGED_LIMIT
    assert seqs(ann) == list(range(1, 91))
