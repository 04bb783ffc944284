"""HTTP before the application: heads, bodies and silence have limits on each of our servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from realtime.server import MAX_BODY_BYTES, MAX_HEAD_BYTES, http
from tests.support.asgi import Receive, Send, serving
from tests.support.doubles import until
from tests.support.raw_websocket import HANDSHAKE, RawWebSocket
from tests.support.server_process import ServerProcess, server_process
from tests.support.servers import SERVERS, unnamed_file_bytes

pytestmark = pytest.mark.shapeless

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


class Socket:
    """A connection that sends any bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> int:
        """Of the next answer, whose body is not read."""
        return int((await self.reader.readuntil(b"\r\n\r\n")).split()[1])

    async def rest(self) -> bytes:
        """What comes until the server closes or drops the connection."""
        received = b""
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                while data := await self.reader.read(1 << 16):
                    received += data
        return received


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Socket]:
    address = urlsplit(url)
    socket = Socket(*await asyncio.open_connection(address.hostname, address.port))
    try:
        yield socket
    finally:
        socket.writer.close()
        with suppress(OSError):
            await socket.writer.wait_closed()


@pytest.fixture(scope="module", params=["uvicorn", "stock", "daphne"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(kind: str) -> AsyncIterator[ServerProcess]:
    """One for all tests: whatever they do to it, it goes on."""
    async with server_process("-m", "tests.support.server_main", kind) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty_server(kind: str) -> AsyncIterator[ServerProcess]:
    """Half a second for a head or a body."""
    async with server_process("-m", "tests.support.server_main", kind, "--request-s", "0.5") as process:
        yield process


# The head


async def test_a_head_within_the_limit_is_answered(server: ServerProcess) -> None:
    async with opened(server.url) as socket:
        await socket.send(GET + b"X-A: " + b"a" * 15_000 + b"\r\n\r\n")
        assert await socket.status() == 200


@pytest.mark.parametrize("line", [b"X-A: " + b"a" * 4000 + b"\r\n", b"a" * 4000], ids=["headers", "one header"])
async def test_an_endless_head_is_refused(kind: str, server: ServerProcess, line: bytes) -> None:
    async with opened(server.url) as socket:
        answer = asyncio.create_task(socket.rest())
        with suppress(ConnectionError):
            await socket.send(GET + b"X-B: ")
            while not answer.done():
                await socket.send(line)
        if kind == "daphne":  # may close without an answer
            assert (await answer) == b"" or (await answer).startswith(b"HTTP/1.1 400 ")
        else:
            assert (await answer).startswith(b"HTTP/1.1 431 ")
        assert (await server.get())[0] == 200


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_head_of_64_kib_passes_on_uvicorn_and_one_above_is_431(extra: int) -> None:
    start, end = GET + b"X-A: ", b"\r\n\r\n"
    head = start + b"a" * (MAX_HEAD_BYTES + extra - len(start) - len(end)) + end
    async with server_process("-m", "tests.support.server_main", "uvicorn") as process, opened(process.url) as socket:
        for _ in range(2 - extra):
            await socket.send(head)
            assert await socket.status() == (431 if extra else 200)
            if not extra:
                await socket.reader.readexactly(len(str(process.pid)))
        if extra:
            assert await socket.rest() == b""


# Silence

silences = {
    "nothing at all": b"",
    "half a head": GET + b"X-A: ",
    "half a handshake": HANDSHAKE.format(path="/", host="localhost").encode()[:-2],
    "half a body": POST + b"Content-Length: 100\r\n\r\nx",
    "half a chunked body": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "empty lines": b"\r\n",
}


@pytest.mark.parametrize("data", silences.values(), ids=silences)
async def test_a_request_that_does_not_get_on_is_closed(hasty_server: ServerProcess, data: bytes) -> None:
    websocket = await RawWebSocket.connect(hasty_server.url)
    async with opened(hasty_server.url) as socket:
        await socket.send(data)
        answer = await socket.rest()
        assert answer == b"" or answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))
    websocket.send("who is connected may be silent")
    assert await websocket.text() == "who is connected may be silent"
    await websocket.close()


@pytest.mark.parametrize(
    ("start", "drop"),
    [(GET, b"X-A: a\r\n"), (POST + b"Content-Length: 10000\r\n\r\n", b"x")],
    ids=["head", "body"],
)
async def test_a_request_that_comes_in_drops_is_closed_too(
    hasty_server: ServerProcess, start: bytes, drop: bytes
) -> None:
    async with opened(hasty_server.url) as socket:

        async def drip() -> None:
            with suppress(ConnectionError):
                await socket.send(start)
                while True:
                    await socket.send(drop)
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        await socket.rest()
        dripping.cancel()
    assert (await hasty_server.get())[0] == 200


async def test_the_next_request_on_a_connection_has_its_own_time(hasty_server: ServerProcess) -> None:
    async with opened(hasty_server.url) as socket:
        for _ in range(3):
            await socket.send(GET)
            await asyncio.sleep(0.2)  # altogether longer than one may take
            await socket.send(b"\r\n")
            assert await socket.status() == 200
            await socket.reader.readexactly(len(str(hasty_server.pid)))
        await socket.send(GET)
        assert await socket.rest() == b""


async def test_who_is_late_with_the_next_request_still_gets_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_S", 0.01)
    released = asyncio.Event()

    async def application(_scope: Any, _receive: Receive, send: Send) -> None:
        await released.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(application) as (running, url), opened(url) as socket:
        await socket.send(GET + b"\r\n" + GET)
        (connection,) = await _connections(running.server_state.connections)
        await until(lambda: not connection.cycle.keep_alive)
        released.set()
        assert (await socket.rest()).startswith(b"HTTP/1.1 204 ")


async def _connections(found: set[Any]) -> set[Any]:
    await until(lambda: any(connection.cycle is not None for connection in found))
    return found


# The body


def chunked(body: bytes) -> bytes:
    return b"%x\r\n" % len(body) + body + b"\r\n"


async def test_a_body_of_1_mib_passes_and_one_above_is_413(server: ServerProcess) -> None:
    whole = b"x" * MAX_BODY_BYTES
    bodies = {
        b"Content-Length: %d\r\n\r\n" % MAX_BODY_BYTES + whole: 200,
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(whole) + b"0\r\n\r\n": 200,
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1) + whole: 413,
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(whole) + chunked(b"x"): 413,
    }
    for body, status in bodies.items():
        async with opened(server.url) as socket:
            await socket.send(POST + body)
            assert await socket.status() == status
    assert (await server.get())[0] == 200


@pytest.mark.parametrize("options", SERVERS.values(), ids=SERVERS)
async def test_a_huge_body_is_refused_before_it_is_stored(options: tuple[str, ...]) -> None:
    """By the real service: the answer comes long before its end."""
    async with server_process("manage.py", "serve", "--port=0", *options) as process:
        for size in (b"Content-Length: 300000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
            async with opened(process.url) as socket:
                with suppress(ConnectionError):
                    await socket.send(POST + size)
                    for _ in range(20):
                        await socket.send(chunked(b"x" * 100_000))
                assert await socket.status() == 413
                assert unnamed_file_bytes(process.pid) <= MAX_BODY_BYTES
                await socket.rest()
