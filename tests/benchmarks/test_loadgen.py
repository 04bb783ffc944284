"""The benchmark's load generator against servers whose answers are known."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import client
from benchmarks.processes import ServerProcess
from benchmarks.systems import SOCKETIO, clean_environment
from scripts.services import free_port
from tests.benchmarks.servers import answer, compact, load, refusal, serving

pytestmark = pytest.mark.shapeless


class Room:
    """One room that speaks just enough of docs/protocol.md: every message goes to every member, to its sender
    in one batch with the acknowledgement."""

    def __init__(self, *, skip_every: int = 0) -> None:
        self.seq = 0
        self.skip_every = skip_every
        self.members: set[ServerConnection] = set()
        self.sent_bytes: dict[ServerConnection, int] = {}
        self.received: list[tuple[ServerConnection, dict[str, Any]]] = []

    def calls(self, method: str) -> list[dict[str, Any]]:
        return [call for _, call in self.received if call["method"] == method]

    async def talk(self, connection: ServerConnection) -> None:
        async for text in connection:
            call = json.loads(text)
            self.received.append((connection, call))
            if call["method"] == "room.send":
                await self.publish(connection, call)
            elif call["method"] == "session.logout":
                await self.send(connection, answer(call, {}))
                await connection.close(1000, "logged_out")
            elif "id" in call:
                if call["method"] == "room.join":
                    self.members.add(connection)
                await self.send(connection, answer(call, {}))
        self.members.discard(connection)

    async def publish(self, sender: ServerConnection, call: dict[str, Any]) -> None:
        self.seq += 1
        if self.skip_every and self.seq % self.skip_every == 0:
            self.seq += 1
        params = {
            "stream": f"room:{call['params']['room']}",
            "seq": self.seq,
            "sender": "somebody",
            "message_id": call["params"]["message_id"],
            "ts": 1,
            "body": call["params"]["message"],
        }
        push = {"jsonrpc": "2.0", "method": "room.sent", "params": params}
        for member in list(self.members):
            mine = [answer(call, {"seq": self.seq, "ts": 1}), push]
            await self.send(member, mine if member is sender else push)

    async def send(self, connection: ServerConnection, message: object) -> None:
        text = compact(message)
        self.sent_bytes[connection] = self.sent_bytes.get(connection, 0) + len(text)
        await connection.send(text)


async def test_deliveries_count_for_members_other_than_the_sender(program: Path) -> None:
    room = Room()
    async with serving(room) as port:
        events = await load(program, port, mode="open", rate=40, senders=2, check=True)
    result = events["result"]
    assert events["connected"]["connections"] == 8
    assert result["messages"] > 10
    assert result["deliveries"] == result["messages"] * 7
    assert result["acks_per_s"] == result["messages_per_s"]
    assert (result["missing"], result["repeats_or_backward"], result["skips"]) == (0, 0, 0)
    assert 0 < result["p50_ms"] <= result["p99_ms"] < 1000
    assert events["done"]["connections_lost"] == 0


async def test_a_message_is_115_bytes_and_its_id_is_unique_and_in_order(program: Path) -> None:
    room = Room()
    async with serving(room) as port:
        await load(program, port, mode="ack", senders=1)
    sent = [call["params"] for call in room.calls("room.send")]
    assert {len(json.dumps(params["message"], separators=(",", ":"))) for params in sent} == {115}
    ids = [params["message_id"] for params in sent]
    assert ids == sorted(set(ids))
    assert len(ids) > 10


async def test_a_gap_in_the_sequence_is_noticed(program: Path) -> None:
    async with serving(Room(skip_every=5)) as port:
        events = await load(program, port, mode="open", rate=40, check=True)
    assert events["result"]["skips"] > 0


async def test_received_bytes_are_acknowledged_while_a_burst_is_coming_in(program: Path) -> None:
    room = Room()
    async with serving(room) as port:
        await load(program, port, mode="closed", members=3, message_bytes=30000)
    acknowledged: dict[ServerConnection, list[int]] = {}
    for connection, call in room.received:
        if call["method"] == "session.ack":
            assert "id" not in call
            acknowledged.setdefault(connection, []).append(call["params"]["received"])
    assert len(acknowledged) == 3
    for connection, received in acknowledged.items():
        assert received == sorted(received)
        assert received[-1] <= room.sent_bytes[connection]
        steps = [after - before for before, after in zip([0, *received], received, strict=False)]
        assert all(262144 <= step < 262144 + 40000 for step in steps)


async def test_a_silent_connection_sends_heartbeats_and_logs_out_at_the_end(program: Path) -> None:
    room = Room()
    async with serving(room) as port:
        events = await load(program, port, mode="idle", rooms=0, members=40, seconds=1)
    assert events["connected"]["connections"] == 40
    # The first one falls anywhere in the first three seconds of silence.
    assert 0 < len(room.calls("session.ping")) <= 40
    assert len(room.calls("session.logout")) == 40
    users = [call["params"]["uid"] for call in room.calls("session.login")]
    assert len(set(users)) == 40


async def test_a_refused_login_is_an_error_with_its_reason(program: Path) -> None:
    async def refuse(connection: ServerConnection) -> None:
        async for text in connection:
            await connection.send(compact(refusal(json.loads(text), "app_unknown", "no such project")))

    async with serve(refuse, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(client.LoadFailed, match="no such project"):
            await load(program, port)


@pytest.fixture
def socketio(tmp_path: Path) -> Iterator[int]:
    if not (SOCKETIO / "node_modules").exists() or shutil.which("node") is None:
        pytest.skip("Socket.IO is not installed (make bench installs it)")
    port = free_port()
    with ServerProcess(
        ["node", "server.js", str(port)],
        port=port,
        core=min(os.sched_getaffinity(0)),
        cwd=SOCKETIO,
        env=clean_environment({}),
        log=tmp_path / "log",
    ):
        yield port


async def test_socketio_is_counted_the_same_way(program: Path, socketio: int) -> None:
    events = await load(program, socketio, "socketio", mode="open", rate=40, senders=2)
    result = events["result"]
    assert result["deliveries"] == result["messages"] * 7
    assert result["acks_per_s"] == result["messages_per_s"]
    assert result["missing"] == 0


def test_options_that_make_no_sense_are_refused(program: Path) -> None:
    refused = subprocess.run(
        [program, "--protocol", "rtm", "--port", "1", "--rooms", "5", "--mode", "closed"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("usage: loadgen")
