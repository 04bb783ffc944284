"""Several processes on one socket: replaced when they die, drained together, gone when their parent is."""

import os
import signal

import pytest

from tests.support.raw_websocket import RawWebSocket
from tests.support.server_process import ServerProcess, server_process

pytestmark = pytest.mark.shapeless

WORKERS = 2


def several(server: str) -> tuple[str, ...]:
    return ("-m", "tests.support.server_main", server, "--workers", str(WORKERS))


async def pids(process: ServerProcess) -> set[int]:
    """The processes that serve, found by asking until all of them have answered."""
    found: set[int] = set()
    while len(found) < WORKERS:
        status, body = await process.get()
        assert status == 200
        found.add(int(body))
    return found


async def clients_of_all(process: ServerProcess) -> list[RawWebSocket]:
    """Enough connected clients that each worker has one."""
    return [await RawWebSocket.connect(process.url) for _ in range(32)]


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_a_worker_that_was_killed_is_replaced(server: str) -> None:
    async with server_process(*several(server)) as process:
        before = await pids(process)
        assert process.pid not in before
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        after = await pids(process)
        while victim in after:
            after = await pids(process)
        assert before < after
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_a_signal_to_the_parent_drains_all_workers(server: str) -> None:
    async with server_process(*several(server), env={"IMPATIENT": "1"}) as process:
        await pids(process)
        clients = await clients_of_all(process)
        process.signal(signal.SIGTERM)
        for client in clients:
            assert (await client.receive()).close_code == 1012
            await client.close()
        assert sorted(await process.rest()) == ["drains"] * WORKERS + ["shut down"] * WORKERS
        assert await process.exit_code() == 0
        with pytest.raises(ConnectionRefusedError):
            await process.get()


async def test_a_signal_to_the_whole_group_drains_too() -> None:
    """systemd signals every process of a service: a worker then hears it twice."""
    async with server_process(*several("uvicorn")) as process:
        workers = await pids(process)
        clients = await clients_of_all(process)
        for pid in (*workers, process.pid):
            os.kill(pid, signal.SIGTERM)
        for client in clients:
            assert await client.text() == "goodbye"
        for client in clients:
            client.send("bye")
        for client in clients:
            assert (await client.receive()).close_code == 1012
            await client.close()
        assert await process.exit_code() == 0


async def test_a_second_signal_to_the_parent_ends_all_at_once() -> None:
    async with server_process(*several("uvicorn")) as process:
        await pids(process)
        clients = await clients_of_all(process)
        process.signal(signal.SIGTERM)
        for client in clients:
            assert await client.text() == "goodbye"  # and they would wait for an answer
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == -signal.SIGTERM
        assert await process.rest() == ["drains"] * WORKERS
        for client in clients:
            await client.close()


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
async def test_no_worker_outlives_its_parent(server: str) -> None:
    async with server_process(*several(server), env={"IMPATIENT": "1"}) as process:
        await pids(process)
        process.signal(signal.SIGKILL)
        assert await process.exit_code() == -signal.SIGKILL
        # Workers hold the other end of what is read here: it ends with the last of them.
        assert sorted(await process.rest()) == ["drains"] * WORKERS + ["shut down"] * WORKERS


async def test_workers_that_cannot_start_end_the_parent() -> None:
    async with server_process(*several("uvicorn"), env={"BROKEN": "1"}, ready=False) as process:
        assert await process.rest() == []
        assert await process.exit_code() == 1
