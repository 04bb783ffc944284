"""What these tests have found, each as the one interleaving that shows it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from unittest import mock

import pytest
from django.db import connection

from realtime.bridge import READERS, WRITERS
from realtime.errors import UNAVAILABLE, RpcError
from realtime.presence import SessionRecord
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client, InProcess
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import Gate, Hints
from tests.support.recycling import close_waiting
from tests.support.runtimes import runtimes
from tests.support.told import people


@pytest.fixture
async def two() -> AsyncIterator[Lifetime]:
    """Two processes that go by one clock."""
    async with clocked_runtimes(2) as lifetime:
        yield lifetime


async def enter(lifetime: Lifetime, app: str, uid: str, *rooms: str, **login: Any) -> tuple[Client, str]:
    """A client of the first process, and its session."""
    client = lifetime.open_client()
    session: str = (await client.login(app, uid, **login))["session"]
    for room in rooms:
        await client.call("room.join", room=room)
    return client, session


async def lose(lifetime: Lifetime, client: Client) -> None:
    """The connection is lost, and it is long enough ago for the next login."""
    await client.close()
    await lifetime.settle()
    lifetime.clock.advance(1.5)


async def members(runtime: Runtime, room: str) -> list[str]:
    (project,) = {session.project.id for session in runtime.sessions.all()}
    return await runtime.sessions.members(project, f"room:{room}", 100)


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_cursor_from_a_process_that_was_ahead_is_believed(fast_app: str, is_new: bool) -> None:
    """Its client comes to one that has not heard yet of the latest entries, or not even that there are any."""
    hints = Hints()
    async with runtimes(2, hints) as (ahead, behind):
        ann, cal, back = Client(InProcess(ahead)), Client(InProcess(behind)), Client(InProcess(behind))
        session = (await ann.login(fast_app, "ann"))["session"]
        await cal.login(fast_app, "cal")
        await ann.call("room.join", room="math")
        if not is_new:
            await ann.send("math", "before", "m0")
        await cal.call("room.join", room="math")
        hints.mode = "drop"
        await ann.send("math", "hello", "m1")
        seq = (await ann.send("math", "hello", "m2"))["seq"]
        epoch = (await ann.call("stream.read", stream="room:math", after=0))["epoch"]
        await ann.close()
        cursor = {"seq": seq, "epoch": epoch}
        login = await back.login(fast_app, "ann", session=session, streams={"room:math": cursor})
        for client in (cal, back):
            await client.close()
    assert login["resumed"]
    expected = {"recovered": True, "epoch": epoch, "head": seq, "live": True, "entries": []}
    assert login["streams"]["room:math"] == expected


async def test_a_login_that_cannot_open_its_rooms_yet_keeps_the_session(two: Lifetime, app: str) -> None:
    ann, _ = await enter(two, app, "ann", "math")
    bob, session = await enter(two, app, "bob", "math")
    await lose(two, bob)
    back = two.open_client(place=1)
    with (
        mock.patch.object(two.runtimes[1].hub, "subscribe", side_effect=RpcError(UNAVAILABLE)),
        pytest.raises(CallFailed, match="out of reach"),
    ):
        await back.login(app, "bob", session=session)
    two.clock.advance(1.5)
    login = await back.login(app, "bob", session=session)
    assert login["resumed"]
    assert list(login["streams"]) == ["room:math"]
    await two.news(ann)
    assert people(ann) == ["joined bob"]


@pytest.mark.parametrize("opening", ["inbox:bob", "room:math", "room:art"])
async def test_rooms_that_are_still_being_opened_survive_a_lost_lease(two: Lifetime, app: str, opening: str) -> None:
    """The store is emptied while a session that came from another process gets its inbox and its rooms back."""
    _, second = two.runtimes
    _, session = await enter(two, app, "bob", "math", "art")
    gate = Gate()
    subscribe = second.hub.subscribe

    async def slow(session: Any, name: str) -> Any:
        if name == opening:
            await gate.come()
        return await subscribe(session, name)

    back = two.open_client(place=1)
    two.clock.advance(1.5)
    with mock.patch.object(second.hub, "subscribe", slow):
        login = await back.start("session.login", app=app, uid="bob", session=session)
        await gate.arrived()
        two.empty_store()
        for runtime in two.runtimes:
            await runtime.lease.renew()
        gate.open()
        streams = (await login)["streams"]
    assert set(streams) == {"room:math", "room:art"}
    assert await members(second, "math") == await members(second, "art") == ["bob"]


async def test_a_login_while_sessions_are_named_again_is_not_undone(two: Lifetime, app: str) -> None:
    """The earlier session of the same user here is out of date by then, not the new one."""
    first, _ = two.runtimes
    await enter(two, app, "bob", "math")
    two.clock.advance(1.5)
    restore = first.presence.restore
    new: list[Client] = []

    async def log_in_first(records: Iterable[SessionRecord]) -> list[tuple[int, str]]:
        client, _ = await enter(two, app, "bob", "art")
        new.append(client)
        return await restore(records)

    two.empty_store()
    with mock.patch.object(first.presence, "restore", log_in_first):
        await first.lease.renew()
    await new[0].call("session.ping")
    assert new[0].closed is None
    assert await members(first, "art") == ["bob"]


async def test_what_was_left_at_another_process_stays_left(two: Lifetime, app: str) -> None:
    """A session comes back to a process that has not noticed yet that it was away."""
    first, second = two.runtimes
    bob, session = await enter(two, app, "bob", "math", "art")
    elsewhere = two.open_client(place=1)
    two.clock.advance(1.5)
    with mock.patch.object(second.layer, "send"):
        await elsewhere.login(app, "bob", session=session)
    await elsewhere.call("room.leave", room="art")
    await lose(two, elsewhere)
    back = two.open_client()
    login = await back.login(app, "bob", session=session)
    assert list(login["streams"]) == ["room:math"]
    with pytest.raises(CallFailed, match="Join the room first"):
        await back.send("art", "hello", "m1")
    assert bob.closed is not None
    assert await members(first, "art") == []


async def test_a_list_of_members_is_not_older_than_the_notices_before_it(two: Lifetime, app: str) -> None:
    """Who replaces what they were told by it loses nobody."""
    first, _ = two.runtimes
    ann, _ = await enter(two, app, "ann", "math")
    gate = Gate()
    read = first.sessions.members
    slow = iter([True])

    async def slow_once(*args: Any) -> list[str]:
        found = await read(*args)
        if next(slow, False):
            await gate.come()
        return found

    with mock.patch.object(first.sessions, "members", slow_once):
        listing = await ann.start("room.members", room="math")
        await gate.arrived()
        await enter(two, app, "bob", "math")
        two.clock.advance(1)
        await ann.expect("room.joined")
        gate.open()
        assert (await listing) == {"members": ["ann", "bob"], "total": 2}


async def test_a_list_of_members_has_whom_nobody_was_told_to_have_left(two: Lifetime, app: str) -> None:
    """The store was emptied, and may only not know yet of somebody: they are no news when they come back."""
    first, second = two.runtimes
    ann, _ = await enter(two, app, "ann", "math")
    bob = two.open_client(place=1)
    await bob.login(app, "bob")
    await bob.call("room.join", room="math")
    await two.news(ann)
    two.empty_store()
    await first.lease.renew()
    listed = await ann.call("room.members", room="math")
    assert listed == {"members": ["ann", "bob"], "total": 2}
    await second.lease.renew()
    await two.news(ann)
    assert people(ann) == ["joined bob"]
    assert await members(first, "math") == ["ann", "bob"]


async def test_who_joined_as_the_store_was_emptied_gets_to_know_everybody(two: Lifetime, app: str) -> None:
    """The list of members is read in between: the store has nobody, and nobody was told of anybody."""
    first, _ = two.runtimes
    ann, _ = await enter(two, app, "ann", "math")
    bob, _ = await enter(two, app, "bob", "math")
    two.empty_store()
    for client, uid in ((ann, "ann"), (bob, "bob")):
        assert (await client.call("room.members", room="math"))["members"] == [uid]
    await first.lease.renew()
    await two.news(ann, bob)
    assert people(ann) == ["joined bob"]
    assert people(bob) == ["joined ann"]


async def test_who_leaves_a_list_and_comes_back_at_once_is_news(two: Lifetime, app: str) -> None:
    """Before the others were told of the leaving, so that there is no difference to tell."""
    ann, _ = await enter(two, app, "ann", "math")
    bob, _ = await enter(two, app, "bob", "math")
    await two.news(ann)
    assert people(ann) == ["joined bob"]
    await bob.call("room.leave", room="math")
    assert (await ann.call("room.members", room="math"))["members"] == ["ann"]
    await bob.call("room.join", room="math")
    await two.news(ann)
    assert people(ann) == ["joined bob"]


async def test_a_second_join_that_fails_leaves_a_member_in(two: Lifetime, app: str) -> None:
    ann, _ = await enter(two, app, "ann", "math")
    bob, _ = await enter(two, app, "bob", "math")
    with (
        mock.patch.object(two.runtime.sessions, "counts", side_effect=RpcError(UNAVAILABLE)),
        pytest.raises(CallFailed, match="out of reach"),
    ):
        await bob.call("room.join", room="math")
    await bob.send("math", "hello", "m1")
    assert (await ann.expect("room.sent"))["sender"] == "bob"
    assert await members(two.runtime, "math") == ["ann", "bob"]


async def test_a_join_that_fails_late_does_not_undo_that_of_the_next_connection(two: Lifetime, app: str) -> None:
    ann, _ = await enter(two, app, "ann", "math")
    bob, session = await enter(two, app, "bob")
    gate = Gate()
    counts = two.runtime.sessions.counts
    fails = iter([True])

    async def fail_late(*args: Any) -> list[int]:
        if next(fails, False):
            await gate.come()
            raise RpcError(UNAVAILABLE)
        return await counts(*args)

    with mock.patch.object(two.runtime.sessions, "counts", fail_late):
        await bob.start("room.join", room="math")
        await gate.arrived()
        two.clock.advance(1.5)
        back, _ = await enter(two, app, "bob", "math", session=session)
        gate.open()
        await two.settle()
    await ann.send("math", "hello", "m1")
    assert (await back.expect("room.sent"))["sender"] == "ann"
    assert await members(two.runtime, "math") == ["ann", "bob"]


async def test_connections_that_broke_while_idle_cost_nobody_an_error(runtime: Runtime, shape: str) -> None:
    """PostgreSQL was restarted while nobody asked it anything."""
    if shape != "cluster":
        pytest.skip("a SQLite file does not go away")

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.1)")

    def end_all_others() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    close_waiting()
    for run, threads in ((runtime.bridge.read, READERS), (runtime.bridge.write, WRITERS)):
        await asyncio.gather(*[run(hold) for _ in range(threads)])
        await run(end_all_others)
        await asyncio.gather(*[run(hold) for _ in range(threads)])
