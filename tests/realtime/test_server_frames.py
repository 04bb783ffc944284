"""Ready frames past uvicorn: their order among ordinary sends, back-pressure, and giving up on a stuck reader."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from realtime.server import protocol as protocol_module
from realtime.server.protocol import FRAME_EXTENSION, FramePassingProtocol
from tests.support.asgi import Receive, Send, serving
from tests.support.raw_websocket import TEXT, RawWebSocket, server_frame

pytestmark = pytest.mark.shapeless

Run = Callable[[Coroutine[Any, Any, None]], None]
BIG = "x" * 32_000


@pytest.fixture(params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on either kind of loop, whose transports differ."""

    async def bounded(coroutine: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(60):  # a hang is a failure, not a wait
            await coroutine

    def run_on_loop(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded(coroutine))

    return run_on_loop


def text(content: str) -> dict[str, str]:
    return {"type": "websocket.send", "text": content}


async def accept(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def fill(write: Callable[[bytes], bool]) -> None:
    """Writes until the transport takes no more, and neither do the buffers of the client and the kernel."""
    refused = 0
    while refused < 20:
        refused = 0 if write(server_frame(BIG)) else refused + 1
        await asyncio.sleep(0)


@pytest.mark.parametrize("stock", [False, True], ids=["fast", "stock"])
def test_frames_and_sends_arrive_in_the_order_of_the_calls_at_a_slow_reader(run: Run, stock: bool) -> None:
    count = 600
    stalled = asyncio.Event()
    refused: list[int] = []
    written: list[int] = []

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        write = scope["extensions"].get(FRAME_EXTENSION, {}).get("write")
        for number in range(count):
            content = f"{number} {BIG}"
            if write is not None and number % 10:
                if write(server_frame(content)):
                    written.append(number)
                    continue
                refused.append(number)
            sending = asyncio.ensure_future(send(text(content)))
            await asyncio.sleep(0)
            if not sending.done():
                stalled.set()
            await sending
        await until_disconnected(receive)

    async def scenario() -> None:
        async with serving(application, stock=stock) as (_, url):
            client = await RawWebSocket.connect(url)
            await stalled.wait()  # not a byte was read until now
            for number in range(count):
                assert await client.text() == f"{number} {BIG}"
            await client.close()

    run(scenario())
    assert bool(written) is bool(refused) is not stock


def test_a_write_behind_a_suspended_send_is_refused(run: Run) -> None:
    answers: list[bool] = []
    full = asyncio.Event()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        write = scope["extensions"][FRAME_EXTENSION]["write"]
        await fill(write)
        suspended = asyncio.ensure_future(send(text("suspended")))
        await asyncio.sleep(0)
        full.set()
        while not suspended.done():
            answers.append(write(server_frame("overtaking")))
            await asyncio.sleep(0)
        answers.append(write(server_frame("after it")))
        await until_disconnected(receive)

    async def scenario() -> None:
        async with serving(application) as (_, url):
            client = await RawWebSocket.connect(url)
            await full.wait()
            while (received := await client.text()) == BIG:
                pass
            assert received == "suspended"
            assert await client.text() == "after it"
            await client.close()

    run(scenario())
    assert len(answers) > 1
    assert answers[-1]
    assert not any(answers[:-1])


def test_nothing_is_written_before_the_handshake_or_after_the_close(run: Run) -> None:
    answers: list[bool] = []

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        write = scope["extensions"][FRAME_EXTENSION]["write"]
        answers.append(write(server_frame("too early")))
        await accept(receive, send)
        answers.append(write(server_frame("hello")))
        await send({"type": "websocket.close", "code": 4001, "reason": "kicked"})
        answers.append(write(server_frame("too late")))
        await until_disconnected(receive)

    async def scenario() -> None:
        async with serving(application) as (_, url):
            client = await RawWebSocket.connect(url)
            assert await client.text() == "hello"
            closing = await client.receive()
            assert (closing.close_code, closing.payload[2:]) == (4001, b"kicked")
            await client.close()

    run(scenario())
    assert answers == [False, True, False]


def test_abort_frees_everyone_who_waits_for_a_stuck_reader(run: Run) -> None:
    outcome: asyncio.Queue[Any] = asyncio.Queue()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        extension = scope["extensions"][FRAME_EXTENSION]
        await fill(extension["write"])
        suspended = asyncio.ensure_future(send(text("never read")))
        await asyncio.sleep(0)
        outcome.put_nowait(suspended.done())
        extension["abort"]()
        outcome.put_nowait((await receive())["type"])
        outcome.put_nowait(await asyncio.gather(suspended, return_exceptions=True))

    async def scenario() -> None:
        async with serving(application) as (server, url):
            client = await RawWebSocket.connect(url)
            assert await outcome.get() is False
            assert await outcome.get() == "websocket.disconnect"
            (raised,) = await outcome.get()
            assert isinstance(raised, OSError)
            assert not server.server_state.connections
            await client.close()

    run(scenario())


def test_a_client_that_does_not_read_is_dropped_after_the_application_returned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol_module, "UNREAD_S", 0.0)
    lost: list[asyncio.Future[None]] = []

    class Watched(FramePassingProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost[0].set_result(None)

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await fill(scope["extensions"][FRAME_EXTENSION]["write"])

    async def scenario() -> None:
        lost.append(asyncio.get_running_loop().create_future())
        async with serving(application) as (server, url):
            server.config.ws_protocol_class = Watched
            client = await RawWebSocket.connect(url)
            await lost[0]  # the client has read nothing
            await client.close()

    run(scenario())


def test_nothing_of_a_closed_connection_waits_for_the_garbage_collector(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Any]] = []
    connection_made = HttpToolsProtocol.connection_made
    websocket_made = FramePassingProtocol.connection_made

    def remember(original: Callable[..., None]) -> Callable[..., None]:
        def made(self: Any, transport: Any) -> None:
            alive.append(weakref.ref(self))
            original(self, transport)

        return made

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        await send(text(str([type(found()).__name__ for found in alive if found() is not None])))
        await until_disconnected(receive)

    async def scenario() -> None:
        async with serving(application) as (server, url):
            client = await RawWebSocket.connect(url)
            assert await client.text() == "['FramePassingProtocol']"  # that of HTTP is gone by now
            await client.close()
            await asyncio.gather(*server.server_state.tasks)
            assert not server.server_state.connections

    monkeypatch.setattr(HttpToolsProtocol, "connection_made", remember(connection_made))
    monkeypatch.setattr(FramePassingProtocol, "connection_made", remember(websocket_made))
    gc.disable()
    try:
        run(scenario())
        assert [found() for found in alive] == [None, None]
    finally:
        gc.enable()


def test_both_servers_hold_the_same_conversation(run: Run) -> None:
    async def echo(scope: Any, receive: Receive, send: Send) -> None:
        await accept(receive, send)
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    async def talk(stock: bool) -> list[tuple[int, bytes]]:
        heard: list[tuple[int, bytes]] = []
        async with serving(echo, stock=stock) as (_, url):
            client = await RawWebSocket.connect(url)
            for content in ("a", "é" * 100, "", "y" * 70_000):
                client.send(content)
                heard.append(await client.receive())
            client.send(b"\0\xff", opcode=2)
            heard.append(await client.receive())
            client.send("frag", final=False)
            client.send("", opcode=9)
            client.send("ment", opcode=0)
            heard += [await client.receive(), await client.receive()]
            client.send(b"\x03\xe8bye", opcode=8)
            heard.append(await client.receive())
            await client.at_end()
            await client.close()
        return heard

    async def scenario() -> None:
        fast = await talk(stock=False)
        assert fast == await talk(stock=True)
        assert fast[0] == (TEXT, b"a")

    run(scenario())
