"""What the hot paths ask the database: as little for a full room as for an empty one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper

from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.runtimes import UNLIMITED_LOGINS, runtimes

Queries = list[str]


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Notes the SQL that goes through Django's cursors, in all threads."""
    noted: Queries = []
    execute = CursorWrapper.execute

    def noting(self: CursorWrapper, sql: Any, params: Any = None) -> Any:
        if not str(sql).startswith(("PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE")):
            noted.append(str(sql))
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", noting)

    @contextmanager
    def watch() -> Iterator[Queries]:
        noted.clear()
        yield noted

    return watch


async def member(at: Runtime, app: str, uid: str) -> Client:
    client = Client(InProcess(at))
    await client.login(app, uid)
    await client.call("room.join", room="math")
    return client


async def test_a_message_asks_nothing_but_the_journals_own_statements(fast_app: str, queries: Any) -> None:
    async with runtimes(1) as (here,):
        members = [await member(here, fast_app, f"u{number}") for number in range(5)]
        await members[0].send("math", "the room's row", "m0")
        with queries() as noted:
            for number in range(1, 30):
                await members[number % 5].send("math", "x", f"m{number}")
            for client in members:
                await client.call("session.ping")
            assert noted == []
        for client in members:
            await client.close()


@pytest.mark.parametrize("attributes", [0, 30])
async def test_a_join_asks_as_much_of_a_full_room_as_of_an_empty_one(
    fast_app: str, queries: Any, attributes: int
) -> None:
    async with runtimes(1) as (here,):
        members = [await member(here, fast_app, f"u{number}") for number in range(4)]
        if attributes:
            values = {f"k{number}": "v" for number in range(attributes)}
            await members[0].call("room.set_attributes", room="math", message_id="a1", attributes=values)
        for number in range(attributes):
            await members[0].send("math", "x", f"m{number}")
        joiner = Client(InProcess(here))
        await joiner.login(fast_app, "joiner")
        with queries() as noted:
            joined = await joiner.call("room.join", room="math")
            assert len(joined["attributes"]) == attributes
            assert len(noted) == 2, "the head, and the attributes with their revision"
        for client in [*members, joiner]:
            await client.close()


async def test_the_first_join_of_a_process_looks_at_the_head_besides(fast_app: str, queries: Any) -> None:
    async with runtimes(1) as (here,):
        client = Client(InProcess(here))
        await client.login(fast_app, "ann")
        with queries() as noted:
            await client.call("room.join", room="math")
            assert len(noted) == 3
        await client.close()


async def test_a_resume_without_a_gap_asks_nothing_however_many_rooms(fast_app: str, queries: Any) -> None:
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,):
        bob, ann = Client(InProcess(here)), Client(InProcess(here))
        await bob.login(fast_app, "bob")
        session = (await ann.login(fast_app, "ann"))["session"]
        cursors = {}
        for number in range(10):
            for client in (bob, ann):
                await client.call("room.join", room=f"r{number}")
            await bob.send(f"r{number}", "x", "m1")
            stream = here.hub.live[next(iter(here.hub.live))[0], f"room:r{number}"]
            cursors[stream.key[1]] = {"seq": 1, "epoch": stream.epoch}
        await ann.close()
        for number in range(5):
            await bob.send(f"r{number}", "while ann is away", "m2")
        back = Client(InProcess(here))
        with queries() as noted:
            resumed = await back.login(fast_app, "ann", session=session, streams=cursors)
            assert [len(state["entries"]) for state in resumed["streams"].values()] == [1] * 5 + [0] * 5
            assert noted == []
        for client in (back, bob):
            await client.close()
