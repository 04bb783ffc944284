"""How a server ends: the application is drained while its connections live, then they are closed."""

import signal

import pytest

from tests.support.raw_websocket import CLOSE, RawWebSocket
from tests.support.server_process import ServerProcess, http_connection, server_process

pytestmark = [pytest.mark.shapeless, pytest.mark.parametrize("server", ["uvicorn", "stock", "daphne"])]


def small_server(server: str) -> tuple[str, ...]:
    return ("-m", "tests.support.server_main", server)


async def talked_to(process: ServerProcess) -> RawWebSocket:
    """A client whose connection certainly works."""
    client = await RawWebSocket.connect(process.url)
    client.send("hello")
    assert await client.text() == "hello"
    return client


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_then_closes_then_shuts_down(server: str, signum: int) -> None:
    async with server_process(*small_server(server)) as process:
        client = await talked_to(process)
        process.signal(signum)
        assert await client.text() == "goodbye"
        client.send("still here")
        assert await client.text() == "still here"
        client.send("bye")
        assert (await client.receive()).close_code == 1012
        await client.close()
        assert await process.rest() == ["drains", "drained", "shut down"]
        assert await process.exit_code() == 0


async def test_who_comes_during_the_drain_is_sent_away(server: str) -> None:
    async with server_process(*small_server(server)) as process, http_connection(process.url) as kept_alive:
        assert (await kept_alive.get())[0] == 200
        client = await talked_to(process)
        process.signal(signal.SIGTERM)
        assert await client.text() == "goodbye"
        with pytest.raises(ConnectionRefusedError):
            await RawWebSocket.connect(process.url)
        assert (await kept_alive.get())[0] == 503
        client.send("bye")
        assert (await client.receive()).close_code == 1012
        await client.close()
        assert await process.exit_code() == 0


async def test_an_upgrade_during_the_drain_is_closed_with_1012(server: str) -> None:
    async with server_process(*small_server(server)) as process:
        async with http_connection(process.url) as kept_alive:
            assert (await kept_alive.get())[0] == 200
            client = await talked_to(process)
            process.signal(signal.SIGTERM)
            assert await client.text() == "goodbye"
            late = await kept_alive.upgrade()
            assert (await late.receive()).close_code == 1012
        client.send("bye")
        assert (await client.receive()).close_code == 1012
        await client.close()
        assert await process.exit_code() == 0


async def test_a_second_signal_ends_it_at_once(server: str) -> None:
    async with server_process(*small_server(server)) as process:
        client = await talked_to(process)
        process.signal(signal.SIGTERM)
        assert await client.text() == "goodbye"  # and it would wait for an answer
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == -signal.SIGTERM
        assert await process.rest() == ["drains"]
        await client.close()


async def test_a_client_that_does_not_read_does_not_hold_it_up(server: str) -> None:
    async with server_process(*small_server(server), env={"IMPATIENT": "1"}) as process:
        client = await talked_to(process)
        client.send("flood")
        assert await process.line() == "floods"
        process.signal(signal.SIGTERM)
        assert await process.rest() == ["drains", "shut down"]
        assert await process.exit_code() == 0
        await client.close()


async def test_a_client_that_is_talking_learns_why(server: str) -> None:
    """Its words meet an open socket, not one that answers with a reset, until it has answered the close frame."""
    async with server_process(*small_server(server)) as process:
        talker = await talked_to(process)
        process.signal(signal.SIGTERM)
        assert await talker.text() == "goodbye"
        talker.send("farewell")
        assert [await process.line(), await process.line()] == ["drains", "drained"]
        for _ in range(3):
            talker.send("as I was saying")
            await talker.writer.drain()
        farewell = await talker.receive()
        assert farewell.close_code == 1012
        talker.send(farewell.payload, CLOSE)
        if server != "daphne":  # there the answer is followed by a reset, as ever
            await talker.at_end()
        await talker.close()
        assert await process.rest() == ["shut down"]


async def test_a_client_that_does_not_answer_does_not_hold_it_up(server: str) -> None:
    async with server_process(*small_server(server)) as process:
        client = await talked_to(process)
        process.signal(signal.SIGTERM)
        assert await client.text() == "goodbye"
        client.send("farewell")
        assert await process.rest() == ["drains", "drained", "shut down"]
        assert await process.exit_code() == 0
        await client.close()
