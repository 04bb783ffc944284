"""Presence and tokens: the load generator against a server that knows who is online."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from benchmarks import client, tokens
from projects.tokens import verify
from tests.benchmarks.servers import Json, answer, compact, load, serving

pytestmark = pytest.mark.shapeless

VISITS: dict[str, Any] = {"mode": "visits", "rooms": 0, "members": 7, "visitors": 2, "rate": 20, "check": True}


class Watched:
    """Tells subscribers of every login and logout, each notice `copies` times; of logouts only if `tells_logouts`."""

    def __init__(self, *, copies: int = 1, tells_logouts: bool = True) -> None:
        self.copies = copies
        self.tells_logouts = tells_logouts
        self.subscribers: dict[str, list[ServerConnection]] = {}
        self.logins: list[Json] = []

    async def talk(self, connection: ServerConnection) -> None:
        uid = ""
        async for text in connection:
            call = json.loads(text)
            match call["method"]:
                case "session.login":
                    uid = call["params"]["uid"]
                    self.logins.append(call["params"])
                    await connection.send(compact(answer(call, {})))
                    await self.tell(uid, "ONLINE")
                case "presence.subscribe":
                    for watched in call["params"]["uids"]:
                        self.subscribers.setdefault(watched, []).append(connection)
                    await connection.send(compact(answer(call, {"states": {}})))
                case "session.logout":
                    await connection.send(compact(answer(call, {})))
                    if self.tells_logouts:
                        await self.tell(uid, "OFFLINE")
                    await connection.close(1000, "logged_out")

    async def tell(self, uid: str, state: str) -> None:
        notice = {"jsonrpc": "2.0", "method": "presence.changed", "params": {"states": {uid: state}}}
        for subscriber in self.subscribers.get(uid, ()):
            for _ in range(self.copies):
                await subscriber.send(compact(notice))


async def test_every_change_is_a_delivery_to_each_subscriber(program: Path) -> None:
    server = Watched()
    async with serving(server) as port:
        events = await load(program, port, "rtm-presence", **VISITS)
    result = events["result"]
    assert events["connected"]["connections"] == 5
    assert [len(subscribers) for subscribers in server.subscribers.values()] == [5, 5]
    assert (result["messages"], result["deliveries"], result["missing"]) == (4, 20, 0)
    assert (result["repeats_or_backward"], result["skips"]) == (0, 0)
    assert 0 < result["p50_ms"] <= result["p99_ms"] < 1000
    assert events["done"]["connections_lost"] == 0  # visitors are meant to go


async def test_a_change_that_is_not_told_is_missing(program: Path) -> None:
    async with serving(Watched(tells_logouts=False)) as port:
        events = await load(program, port, "rtm-presence", **{**VISITS, "members": 6, "visitors": 1})
    assert (events["result"]["deliveries"], events["result"]["missing"]) == (5, 5)


async def test_a_change_that_is_told_twice_is_noticed(program: Path) -> None:
    async with serving(Watched(copies=2)) as port:
        events = await load(program, port, "rtm-presence", **VISITS)
    assert events["result"]["repeats_or_backward"] == 20


async def test_every_login_shows_a_good_token_of_its_uid(program: Path) -> None:
    server = Watched()
    async with serving(server) as port:
        with tokens.issued(8) as options:
            await load(program, port, **options, mode="idle", rooms=0)
    assert len({login["uid"] for login in server.logins}) == 8
    for login in server.logins:
        assert login["app"] == tokens.APP_ID
        verify(
            login["token"],
            app_id=tokens.APP_ID,
            certificates=[tokens.CERTIFICATE],
            uid=login["uid"],
            now_ms=int(time.time() * 1000),
        )


async def test_fewer_tokens_than_members_are_refused(program: Path) -> None:
    with tokens.issued(7) as options, pytest.raises(client.LoadFailed, match="no token for every member"):
        await load(program, 1, **options, mode="idle", rooms=0)
