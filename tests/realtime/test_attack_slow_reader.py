"""A reader that never reads, against a real server: it is cut off as a slow consumer past 1 MiB, the others do not
notice, and the server's memory stays bounded, also when it says that it has read everything. On uvicorn with and
without the fast path, and on Daphne."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from realtime.connection import UNACKNOWLEDGED_LIMIT
from tests.support.client import Client, Json, connect
from tests.support.cluster import ServerProcess
from tests.support.raw_websocket import RawWebSocket
from tests.support.servers import SERVERS, open_sockets, resident_bytes, until

pytestmark = pytest.mark.shapeless

STALLED: Final = 20
MESSAGES: Final = 150
TEXT: Final = "x" * 32_000
"""All messages together are several times what a client may leave unread."""
FRAME_BYTES: Final = 128 * 1024
MEMORY_RISE: Final = 40 * 1024 * 1024


@pytest.fixture(params=SERVERS)
def server(tmp_path: Path, request: pytest.FixtureRequest, _database: None) -> Iterator[ServerProcess]:
    process = ServerProcess("attacked", tmp_path, os.environ, *SERVERS[request.param])
    process.start()
    yield process
    process.close()


class Stalled:
    """A member of "math" that has stopped reading right after its join."""

    def __init__(self, websocket: RawWebSocket, session: str, epoch: str) -> None:
        self.websocket = websocket
        self.session = session
        self.epoch = epoch

    @classmethod
    async def enter(cls, port: int, app: str, uid: str) -> "Stalled":
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=small, limit=4096)
        websocket = await RawWebSocket.upgrade(reader, writer, "/rtm/ws")
        websocket.send(request(1, "session.login", app=app, uid=uid))
        session = (await cls._result(websocket, 1))["session"]
        websocket.send(request(2, "room.join", room="math"))
        epoch = (await cls._result(websocket, 2))["epoch"]
        return cls(websocket, session, epoch)

    @staticmethod
    async def _result(websocket: RawWebSocket, request_id: int) -> dict[str, Any]:
        """The answer to a request, whether it comes alone or with what else was ready."""
        while True:
            frame = json.loads(await websocket.text())
            for message in frame if isinstance(frame, list) else [frame]:
                if message.get("id") == request_id:
                    result: dict[str, Any] = message["result"]
                    return result

    async def lie(self) -> None:
        """Acknowledges more than was ever sent, for as long as the server listens."""
        with contextlib.suppress(OSError):
            while True:
                self.websocket.send('{"jsonrpc":"2.0","method":"session.ack","params":{"received":9007199254740991}}')
                await self.websocket.writer.drain()
                await asyncio.sleep(0.01)

    async def read_to_the_end(self) -> int:
        """Reads what is left until the connection ends; how many bytes that was."""
        size = 0
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionResetError):
                while data := await self.websocket.reader.read(1 << 16):
                    size += len(data)
        return size


def request(request_id: int, method: str, **params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


async def flood(sender: Client, name: str) -> None:
    """Sends all messages, each group as soon as the one before is acknowledged."""
    message = {"type": "TEXT", "text": TEXT}
    for start in range(0, MESSAGES, 10):
        answers = [
            await sender.start("room.send", room="math", message_id=f"{name}-{number}", message=message)
            for number in range(start, start + 10)
        ]
        await asyncio.wait_for(asyncio.gather(*answers), 30)


async def received(client: Client, after: int) -> int:
    """Reads all messages after a seq and checks that none is missing; the last seq."""
    for seq in range(after + 1, after + MESSAGES + 1):
        assert (await client.expect("room.sent"))["seq"] == seq
    return after + MESSAGES


async def catch_up(client: Client, state: Json) -> list[int]:
    """The seqs of a resumed stream's entries, page by page."""
    seqs = [entry["seq"] for entry in state["entries"]]
    while not state["live"]:
        state = await client.call("stream.read", stream="room:math", after=seqs[-1] if seqs else 0)
        seqs += [entry["seq"] for entry in state["entries"]]
    return seqs


async def test_a_reader_that_never_reads_is_cut_off_and_nobody_else_notices(
    server: ServerProcess, fast_app: str
) -> None:
    assert server.port is not None
    async with AsyncExitStack() as stack:
        members = []
        for uid in ("ann", "bob"):
            member = await connect(server.port)
            stack.push_async_callback(member.close)
            await member.login(fast_app, uid)
            await member.call("room.join", room="math")
            members.append(member)
        ann, bob = members
        await flood(ann, "warm-up")
        seq = await received(bob, 0)
        port = server.port
        assert port is not None
        before, sockets = resident_bytes(server.pid), open_sockets(server.pid, port)

        stalled = []
        for number in range(STALLED):
            one = await Stalled.enter(server.port, fast_app, f"stalled-{number}")
            stack.push_async_callback(one.websocket.close)
            stalled.append(one)
        await flood(ann, "flood")
        assert await received(bob, seq) == 2 * MESSAGES
        assert resident_bytes(server.pid) - before < MEMORY_RISE
        await until(lambda: open_sockets(server.pid, port) == sockets, "the stalled ones' sockets are closed")
        for one in stalled:
            assert await one.read_to_the_end() < UNACKNOWLEDGED_LIMIT + FRAME_BYTES
        for member in members:
            await member.call("session.ping")
            assert member.closed is None

        back = await connect(server.port)
        stack.push_async_callback(back.close)
        streams = {"room:math": {"seq": seq, "epoch": stalled[0].epoch}}
        answer = await back.login(fast_app, "stalled-0", session=stalled[0].session, streams=streams)
        assert answer["resumed"], "it may come back, and gets what it has not read"
        assert await catch_up(back, answer["streams"]["room:math"]) == list(range(seq + 1, 2 * MESSAGES + 1))
    assert "Traceback" not in server.log.read_text()


async def test_rule_pressure_a_reader_that_lies_about_what_it_has_read_is_cut_off(
    server: ServerProcess, fast_app: str
) -> None:
    """It acknowledges all that was sent, which lies in the server's memory: that cannot have been read."""
    assert server.port is not None
    async with AsyncExitStack() as stack:
        ann = await connect(server.port)
        stack.push_async_callback(ann.close)
        await ann.login(fast_app, "ann")
        await ann.call("room.join", room="math")
        await flood(ann, "warm-up")
        port = server.port
        assert port is not None
        before, sockets = resident_bytes(server.pid), open_sockets(server.pid, port)
        liars = []
        for number in range(STALLED):
            liar = await Stalled.enter(server.port, fast_app, f"liar-{number}")
            stack.push_async_callback(liar.websocket.close)
            liars.append(liar)
        lies = asyncio.gather(*[liar.lie() for liar in liars])
        await flood(ann, "flood")
        lies.cancel()
        assert resident_bytes(server.pid) - before < MEMORY_RISE
        for liar in liars:
            await liar.read_to_the_end()  # there is one
        await until(lambda: open_sockets(server.pid, port) == sockets, "the liars' sockets are closed")
        await ann.call("session.ping")
    assert "Traceback" not in server.log.read_text()
