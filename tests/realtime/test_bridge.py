"""The bridge: services and selectors in threads, their failures on the loop, and never a thread too many."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from django.db import DataError, IntegrityError, OperationalError, connection

from projects.models import Project
from realtime import bridge as bridges
from realtime.bridge import Bridge, origin
from realtime.errors import LIMIT_EXCEEDED, RpcError
from tests.support.doubles import ThreadGate


class Owner:
    """What threads belong to."""


@pytest_asyncio.fixture
async def bridge() -> AsyncIterator[Bridge]:
    bridge = Bridge(asyncio.get_running_loop(), Owner())
    yield bridge
    await asyncio.to_thread(bridge.stop)


async def test_a_result_comes_back_from_a_thread_that_knows_its_runtime(bridge: Bridge) -> None:
    def work(number: int, *, plus: int) -> tuple[int, str, object]:
        return number + plus, threading.current_thread().name, origin()

    for run in (bridge.read, bridge.write):
        result, thread, owner = await run(work, 1, plus=2)
        assert result == 3
        assert thread != threading.current_thread().name
        assert isinstance(owner, Owner)
    assert origin() is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RpcError(LIMIT_EXCEEDED), "limit_exceeded"),
        (OperationalError("gone"), "unavailable"),
        (IntegrityError("twice"), None),
        (DataError("too long"), None),
        (LookupError("a defect"), None),
    ],
)
async def test_an_error_comes_back_too(bridge: Bridge, error: Exception, told: str | None) -> None:
    """A database out of reach is something to try again; other failures are what they are."""

    def fail() -> None:
        raise error

    with pytest.raises((RpcError, type(error))) as failed:
        await bridge.write(fail)
    if told is None:
        assert failed.value is error
    else:
        assert isinstance(failed.value, RpcError)
        assert failed.value.kind.name == told
    assert await bridge.write(lambda: "and on") == "and on"


async def test_reads_run_side_by_side(bridge: Bridge) -> None:
    barrier = threading.Barrier(bridges.READERS)
    await asyncio.gather(*[bridge.read(barrier.wait, 10) for _ in range(bridges.READERS)])


async def test_rule_sqlite_writes_run_one_by_one_and_elsewhere_side_by_side(bridge: Bridge, shape: str) -> None:
    if shape == "cluster":
        barrier = threading.Barrier(bridges.WRITERS)
        await asyncio.gather(*[bridge.write(barrier.wait, 10) for _ in range(bridges.WRITERS)])
        return
    gate = ThreadGate()
    order: list[int] = []
    first = asyncio.create_task(bridge.write(gate.come))
    await gate.arrived()
    others = [asyncio.create_task(bridge.write(order.append, number)) for number in range(3)]
    assert await bridge.read(lambda: "readers go on") == "readers go on"
    assert order == []
    gate.open()
    await asyncio.gather(first, *others)
    assert order == [0, 1, 2]


async def test_what_nobody_waits_for_any_more_is_not_begun(bridge: Bridge) -> None:
    gates = [ThreadGate() for _ in range(bridges.READERS)]
    busy = [asyncio.create_task(bridge.read(gate.come)) for gate in gates]
    for gate in gates:
        await gate.arrived()
    begun: list[str] = []
    given_up = asyncio.create_task(bridge.read(begun.append, "x"))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    for gate in gates:
        gate.open()
    await asyncio.gather(*busy)
    await bridge.read(lambda: None)
    assert begun == []


async def test_a_queue_that_is_too_long_is_told_as_overload(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridges, "QUEUE_LIMIT", 2)
    gates = [ThreadGate() for _ in range(bridges.READERS)]
    waiting = []
    for gate in gates:
        waiting.append(asyncio.create_task(bridge.read(gate.come)))
        await gate.arrived()
    waiting += [asyncio.create_task(bridge.read(done)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RpcError) as failed:
        await bridge.read(done)
    assert (failed.value.kind.name, failed.value.kind.retryable) == ("overloaded", True)
    for gate in gates:
        gate.open()
    await asyncio.gather(*waiting)
    await bridge.read(done)


def done() -> None:
    """Work that is soon done."""


async def test_a_connection_that_broke_is_replaced(
    bridge: Bridge, shape: str, make_project: Callable[..., Project]
) -> None:
    if shape != "cluster":
        pytest.skip("a SQLite file does not go away")

    def end_it() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    for run, threads in ((bridge.read, bridges.READERS), (bridge.write, bridges.WRITERS)):
        for _ in range(threads):
            with pytest.raises(RpcError) as failed:
                await run(end_it)
            assert failed.value.kind.name == "unavailable"
        counts = await asyncio.gather(*[run(Project.objects.count) for _ in range(threads * 2)])
        assert len(set(counts)) == 1


async def test_stopping_ends_what_is_queued_and_the_threads(shape: str) -> None:
    bridge = Bridge(asyncio.get_running_loop(), Owner())
    before = {thread.name for thread in threading.enumerate()}
    ran: list[int] = []
    tasks = [asyncio.create_task(bridge.write(ran.append, number)) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(bridge.stop)
    await asyncio.gather(*tasks)
    assert sorted(ran) == list(range(20))
    assert any(name.startswith("writer") for name in before)
    assert not any(thread.name.startswith(("writer", "reader")) for thread in threading.enumerate())
