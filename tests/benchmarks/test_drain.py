"""The offline drain against a server that keeps messages, in pages."""

import asyncio
import json

import pytest
from websockets.asyncio.server import ServerConnection

from benchmarks import client, drain
from tests.benchmarks.servers import Json, answer, compact, refusal, serving

PAGE = 4


class Kept:
    """Keeps what is sent to users who are away; forgets every `loses`-th entry, or refuses all."""

    def __init__(self, *, loses: int = 0, refuses: bool = False) -> None:
        self.loses = loses
        self.refuses = refuses
        self.entries: dict[str, list[Json]] = {}
        self.acknowledged: dict[str, list[int]] = {}

    async def talk(self, connection: ServerConnection) -> None:
        uid = ""
        async for text in connection:
            call = json.loads(text)
            params = call["params"]
            match call["method"]:
                case "session.login":
                    uid = params["uid"]
                    await connection.send(compact(answer(call, {"inbox": self.page(uid, 0)})))
                case "peer.send_many" if self.refuses:
                    await connection.send(compact(refusal(call, "too_often", "slower")))
                case "peer.send_many":
                    assert params["offline"]
                    assert len(compact(params["message"])) == 115
                    for peer in params["peers"]:
                        self.keep(peer, params["message"])
                    alive = {"jsonrpc": "2.0", "method": "session.alive", "params": {}}
                    result = {"received": dict.fromkeys(params["peers"], False), "failed": {}}
                    await connection.send(compact([alive, answer(call, result)]))
                case "stream.read":
                    await connection.send(compact(answer(call, self.page(uid, params["after"]))))
                case "inbox.ack":
                    self.acknowledged.setdefault(uid, []).append(params["seq"])

    def keep(self, peer: str, message: Json) -> None:
        entries = self.entries.setdefault(peer, [])
        entries.append({"seq": len(entries) + 1, "body": {"message": message}})

    def page(self, uid: str, after: int) -> Json:
        left = [entry for entry in self.entries.get(uid, []) if entry["seq"] > after]
        page = [entry for entry in left[:PAGE] if not self.loses or entry["seq"] % self.loses]
        return {"entries": page, "live": len(left) <= PAGE}


async def drained(server: Kept) -> dict[str, float]:
    async with serving(server) as port:
        return await asyncio.to_thread(drain.run, port, users=3, messages=10)


async def test_everybody_reads_page_after_page_and_acknowledges_each() -> None:
    server = Kept()
    outcome = await drained(server)
    assert (outcome["missing"], outcome["repeats_or_backward"]) == (0, 0)
    assert outcome["drain_s"] > 0
    assert list(server.acknowledged.values()) == [[4, 8, 10]] * 3


async def test_what_does_not_come_is_missing() -> None:
    assert (await drained(Kept(loses=5)))["missing"] == 3 * 2


async def test_a_refused_message_is_an_error_with_its_reason() -> None:
    with pytest.raises(client.LoadFailed, match="too_often"):
        await drained(Kept(refuses=True))
