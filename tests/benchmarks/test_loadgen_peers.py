"""Peer messages: the load generator against a server that keeps inboxes."""

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.benchmarks.servers import Json, answer, compact, load, serving

pytestmark = pytest.mark.shapeless

PAIRS: dict[str, Any] = {"rooms": 4, "senders": 4, "mode": "ack", "check": True}


class Inboxes:
    """Delivers `joined` messages to a frame and answers what is acknowledged, like docs/protocol.md. Every message
    has the seq 1 with `counts=False`; with `received=False` none has arrived."""

    def __init__(self, *, joined: int = 1, counts: bool = True, received: bool = True) -> None:
        self.joined = joined
        self.counts = counts
        self.received = received
        self.connections: dict[str, ServerConnection] = {}
        self.seqs: dict[str, int] = {}
        self.held: dict[str, list[Json]] = {}
        self.unanswered: dict[str, list[tuple[int, ServerConnection, Json]]] = {}
        self.pushed: dict[str, list[int]] = {}
        self.acknowledged: dict[str, list[int]] = {}
        self.most_unanswered = 0

    async def talk(self, connection: ServerConnection) -> None:
        uid = ""
        async for text in connection:
            call = json.loads(text)
            params = call["params"]
            match call["method"]:
                case "session.login":
                    uid = params["uid"]
                    self.connections[uid] = connection
                    await connection.send(compact(answer(call, {})))
                case "peer.send":
                    await self.take(uid, connection, call)
                case "inbox.ack":
                    assert "id" not in call
                    self.acknowledged.setdefault(uid, []).append(params["seq"])
                    await self.answer_up_to(uid, params["seq"])
                case "session.logout":
                    await connection.close(1000, "logged_out")

    async def take(self, sender: str, connection: ServerConnection, call: Json) -> None:
        params = call["params"]
        peer = params["peer"]
        if not self.received:
            await connection.send(compact(answer(call, {"received": False, "ts": 1})))
            return
        seq = self.seqs[peer] = self.seqs.get(peer, 0) + 1
        unanswered = self.unanswered.setdefault(peer, [])
        unanswered.append((seq, connection, call))
        self.most_unanswered = max(self.most_unanswered, len(unanswered))
        entry = {
            "stream": f"inbox:{peer}",
            "seq": seq if self.counts else 1,
            "sender": sender,
            "message_id": params["message_id"],
            "ts": 1,
            "body": {"message": params["message"]},
        }
        held = self.held.setdefault(peer, [])
        held.append({"jsonrpc": "2.0", "method": "peer.sent", "params": entry})
        if len(held) >= self.joined:
            self.pushed.setdefault(peer, []).append(seq)
            await self.connections[peer].send(compact(held if len(held) > 1 else held[0]))
            self.held[peer] = []

    async def answer_up_to(self, uid: str, seq: int) -> None:
        waiting = self.unanswered.get(uid, [])
        due = [one for one in waiting if one[0] <= seq or not self.counts]
        self.unanswered[uid] = [one for one in waiting if one not in due]
        for _, connection, call in due:
            await connection.send(compact(answer(call, {"received": True, "ts": 1})))


async def test_a_peer_message_counts_once_its_receiver_has_acknowledged_it(program: Path) -> None:
    server = Inboxes()
    async with serving(server) as port:
        events = await load(program, port, "rtm-peers", **PAIRS)
    result = events["result"]
    assert result["acks_per_s"] > 20
    assert (result["missing"], result["refused"]) == (0, 0)
    assert (result["repeats_or_backward"], result["skips"]) == (0, 0)
    assert 0 < result["p50_ms"] < result["ack_p50_ms"] <= result["ack_p99_ms"] < 1000
    assert events["done"]["connections_lost"] == 0
    assert len(server.acknowledged) == 4
    assert server.acknowledged == server.pushed
    assert server.most_unanswered == 1


async def test_a_sender_may_have_several_unacknowledged(program: Path) -> None:
    server = Inboxes()
    async with serving(server) as port:
        events = await load(program, port, "rtm-peers", **PAIRS, window=3)
    assert server.most_unanswered == 3
    assert (events["result"]["missing"], events["result"]["refused"]) == (0, 0)


async def test_a_frame_with_several_entries_is_acknowledged_once(program: Path) -> None:
    server = Inboxes(joined=3)
    async with serving(server) as port:
        events = await load(program, port, "rtm-peers", **PAIRS, window=3)
    assert events["result"]["deliveries"] > 20
    assert events["result"]["frames_per_delivery"] > 1  # a third to the receiver, an answer to the sender
    assert {seq % 3 for seqs in server.acknowledged.values() for seq in seqs} == {0}
    assert server.acknowledged == server.pushed


async def test_at_a_fixed_rate_the_time_to_the_answer_is_measured_too(program: Path) -> None:
    async with serving(Inboxes()) as port:
        events = await load(program, port, "rtm-peers", **{**PAIRS, "mode": "open"}, rate=100)
    result = events["result"]
    assert 40 <= result["messages"] <= 60
    assert result["missing"] == 0
    assert 0 < result["p50_ms"] < result["ack_p50_ms"] < 1000


async def test_an_inbox_that_repeats_a_seq_is_noticed(program: Path) -> None:
    async with serving(Inboxes(counts=False)) as port:
        events = await load(program, port, "rtm-peers", **PAIRS)
    assert events["result"]["repeats_or_backward"] > 0


async def test_a_message_that_has_not_arrived_counts_as_refused(program: Path) -> None:
    async with serving(Inboxes(received=False)) as port:
        events = await load(program, port, "rtm-peers", **{**PAIRS, "mode": "open"}, rate=20)
    result = events["result"]
    assert result["refused"] > 0
    assert result["missing"] == result["refused"]
    assert result["acks_per_s"] == 0
