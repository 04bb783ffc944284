"""Ten thousand malformed, oversized, wrongly typed, deeply nested or out-of-order frames against a real server:
error replies or a clean close, no crash, memory back, and the other clients do not notice."""

import asyncio
import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support.client import Client, connect
from tests.support.cluster import ServerProcess
from tests.support.hostile import Hostile, hostile_frames
from tests.support.raw_websocket import CLOSE, TEXT, RawWebSocket, client_frame
from tests.support.servers import SERVERS, resident_bytes, until

pytestmark = pytest.mark.shapeless

FRAMES: Final = {"uvicorn": 10_000, "stock uvicorn": 2_000, "daphne": 2_000}
ATTACKERS: Final = 10
CLEAN: Final = {1000, 1002, 1003, 1007, 1009, 4007}
"""Codes that a client is told when it has broken a protocol: the WebSocket's, or ours."""
MEMORY_RISE: Final = 16 * 1024 * 1024


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def server(tmp_path: Path, kind: str, _database: None) -> Iterator[ServerProcess]:
    process = ServerProcess("attacked", tmp_path, os.environ, *SERVERS[kind])
    process.start()
    yield process
    process.close()


class Attacker:
    """Sends hostile frames one after the other, and looks at what becomes of each."""

    def __init__(self, port: int, app: str, uid: str, *, logs_in: bool) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._app = app
        self._uid = uid
        self._logs_in = logs_in
        self._websocket: RawWebSocket | None = None
        self._pings = 0
        self.outcomes: Counter[str] = Counter()

    async def send(self, frame: Hostile) -> None:
        websocket = self._websocket or await self._connect()
        websocket.writer.write(frame.wire)
        try:
            async with asyncio.timeout(30):
                await self._see(websocket, frame)
        except TimeoutError:
            pytest.fail(f"no answer and no close after: {frame.kind} {frame.wire[:200]!r}")

    async def _connect(self) -> RawWebSocket:
        self._websocket = websocket = await RawWebSocket.connect(self._url, "/rtm/ws")
        if self._logs_in:
            # A uid of its own each time: two logins in a second are all that one has.
            uid = f"{self._uid}-{sum(self.outcomes.values())}"
            websocket.send(request("login", "session.login", app=self._app, uid=uid))
            assert '"result"' in await websocket.text()
        return websocket

    async def _see(self, websocket: RawWebSocket, frame: Hostile) -> None:
        """Until the server closes, or answers a ping that was sent behind the frame."""
        self._pings += 1
        marker = f'"id":"ping-{self._pings}"'
        with contextlib.suppress(ConnectionError):
            websocket.send(request(f"ping-{self._pings}", "session.ping"))
            await websocket.writer.drain()
        refused = False
        while True:
            try:
                received = await websocket.receive()
            except (asyncio.IncompleteReadError, ConnectionError):
                assert frame.fatal, f"dropped without a close: {frame.kind} {frame.wire[:200]!r}"
                await self._leave(f"{frame.kind}: dropped")
                return
            if received.opcode == CLOSE:
                code = received.close_code if received.payload else 1000
                assert code in CLEAN, (code, frame.kind, frame.wire[:200])
                assert frame.fatal or code in (1000, 4007), (code, frame.kind, frame.wire[:200])
                await self._leave(f"{frame.kind}: closed with {code}")
                return
            if received.opcode != TEXT:
                continue
            text = received.payload.decode()
            refused = refused or '"error"' in text
            assert '"internal"' not in text, (text, frame.wire[:500])
            if marker in text:
                assert not frame.fatal, f"taken: {frame.kind} {frame.wire[:200]!r}"
                self.outcomes[f"{frame.kind}: {'refused' if refused else 'passed over'}"] += 1
                return

    async def _leave(self, outcome: str) -> None:
        assert self._websocket is not None
        websocket, self._websocket = self._websocket, None
        self.outcomes[outcome] += 1
        await websocket.close()

    async def close(self) -> None:
        if self._websocket is not None:
            await self._websocket.close()


def request(request_id: str, method: str, **params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


async def attack(port: int, app: str, frames: int, seed: int) -> Counter[str]:
    """Half of the attackers log in first. What became of the frames, by kind."""

    async def strike(number: int) -> Counter[str]:
        attacker = Attacker(port, app, f"attacker-{seed}-{number}", logs_in=number % 2 == 0)
        try:
            for frame in hostile_frames(seed * 1_000 + number, frames // ATTACKERS):
                await attacker.send(frame)
        finally:
            await attacker.close()
        return attacker.outcomes

    strikes = await asyncio.gather(*(strike(number) for number in range(ATTACKERS)))
    return sum(strikes, Counter())


class Bystanders:
    """Two who talk all the time. Each message has to arrive."""

    def __init__(self, ann: Client, bob: Client) -> None:
        self._ann = ann
        self._bob = bob
        self._enough = asyncio.Event()

    async def talk(self) -> int:
        """Until `stop`; how many messages were sent and arrived, in order."""
        count = 0
        while not self._enough.is_set():
            count += 1
            await self._ann.send("quiet", f"{count}", f"m{count}")
            assert (await self._bob.expect("room.sent"))["body"]["text"] == f"{count}"
        return count

    def stop(self) -> None:
        self._enough.set()


def errors_in(server: ServerProcess) -> list[str]:
    """What the server has logged as its own failure. (uvicorn logs text that is not UTF-8 as one.)"""
    lines = server.log.read_text().splitlines()
    return [line for line in lines if " ERROR " in line and "Invalid UTF-8 sequence" not in line]


async def test_hostile_frames_harm_nobody_but_their_sender(server: ServerProcess, kind: str, fast_app: str) -> None:
    assert server.port is not None
    port = server.port
    async with AsyncExitStack() as stack:
        clients = []
        for uid in ("ann", "bob"):
            client = await connect(port)
            stack.push_async_callback(client.close)
            await client.login(fast_app, uid)
            await client.call("room.join", room="quiet")
            clients.append(client)
        await attack(port, fast_app, FRAMES[kind] // 4, seed=1)  # what is needed once is needed now
        before = resident_bytes(server.pid)

        bystanders = Bystanders(*clients)
        talking = asyncio.create_task(bystanders.talk())
        outcomes = await attack(port, fast_app, FRAMES[kind], seed=2)
        bystanders.stop()
        assert await talking > 0
        assert sum(outcomes.values()) == FRAMES[kind]
        refused = sum(count for outcome, count in outcomes.items() if outcome.endswith("refused"))
        assert refused > FRAMES[kind] / 2

        await until(lambda: resident_bytes(server.pid) - before < MEMORY_RISE, "memory is given back")
        for client in clients:
            assert client.closed is None
            await client.call("session.ping")
    assert errors_in(server) == []


async def test_who_goes_on_sending_nonsense_is_closed(server: ServerProcess, fast_app: str) -> None:
    """An error reply each, up to a thousand in ten seconds."""
    assert server.port is not None
    websocket = await RawWebSocket.connect(f"http://127.0.0.1:{server.port}", "/rtm/ws")
    for _ in range(1_200):
        websocket.writer.write(client_frame(b"nonsense"))
    refused = 0
    while (frame := await websocket.receive()).opcode != CLOSE:
        refused += frame.payload.count(b'"parse_error"')
    assert frame.close_code == 4007
    assert refused >= 1_000
    await websocket.close()
