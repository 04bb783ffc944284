"""What a client may not send: the connection is closed, and the client learns why, on each of our servers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.server import MAX_MESSAGE_BYTES
from tests.support.raw_websocket import CONTINUED, TEXT, RawWebSocket, client_frame
from tests.support.server_process import ServerProcess, server_process

pytestmark = pytest.mark.shapeless

TOO_BIG = 257 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["uvicorn", "daphne"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ServerProcess]:
    """One for all tests: whatever they do to it, it goes on."""
    async with server_process("-m", "tests.support.server_main", request.param) as process:
        yield process


async def test_a_message_of_256_kib_passes_and_one_above_is_closed_with_1009(server: ServerProcess) -> None:
    address = server.url.replace("http", "ws")
    async with connect(address, proxy=None, compression=None, max_size=None) as client:
        for _ in range(2):
            await client.send("x" * MAX_MESSAGE_BYTES)
            assert await client.recv() == "x" * MAX_MESSAGE_BYTES
        await client.send("y" * TOO_BIG)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_the_client_learns_why_even_while_it_still_sends(server: ServerProcess) -> None:
    client = await RawWebSocket.connect(server.url)
    client.send("x" * (8 * 1024 * 1024))  # most of it is still to be sent when the server has seen enough
    assert (await client.receive()).close_code == 1009
    await client.close()


half = "x" * (MAX_MESSAGE_BYTES // 2 + 1)
refused = {
    "in fragments": (client_frame(half.encode(), TEXT, final=False) + client_frame(half.encode(), CONTINUED), 1009),
    "not UTF-8": (client_frame(b"\xff\xfe"), 1007),
    "not UTF-8 in fragments": (client_frame(b"\xc3", TEXT, final=False) + client_frame(b"(", CONTINUED), 1007),
    "not masked": (b"\x81\x05hello", 1002),
    "reserved bits": (b"\xf1\x85\0\0\0\0hello", 1002),
    "reserved opcode": (client_frame(b"hello", 3), 1002),
    "nothing to continue": (client_frame(b"hello", CONTINUED), 1002),
    "a ping of 126 bytes": (client_frame(b"x" * 126, 9), 1002),
    "a ping in fragments": (client_frame(b"x", 9, final=False), 1002),
}


@pytest.mark.parametrize(("stream", "code"), refused.values(), ids=refused)
async def test_malformed_frames_are_closed_with_their_code(server: ServerProcess, stream: bytes, code: int) -> None:
    client = await RawWebSocket.connect(server.url)
    client.send("before")
    assert await client.text() == "before"
    client.writer.write(stream + client_frame(b"after"))
    assert (await client.receive()).close_code == code
    await client.close()
    assert (await server.get())[0] == 200


async def test_who_is_refused_and_goes_on_sending_is_dropped(server: ServerProcess) -> None:
    client = await RawWebSocket.connect(server.url)
    client.writer.write(b"\x81\x05hello")
    assert (await client.receive()).close_code == 1002

    async def send_on() -> None:
        while True:
            client.send("still here")
            await client.writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_on(), 60)
    await client.close()
