"""Joining leaves no gap between the snapshot and what follows it; an acknowledgement is no delivery."""

import asyncio
from typing import Any

import pytest

from messaging import selectors
from realtime.errors import UNAVAILABLE, RpcError
from realtime.runtime import Runtime
from realtime.streams import HOLD_CHARS
from rooms.selectors import get_snapshot
from tests.support.client import CallFailed, Client, InProcess
from tests.support.doubles import Hints, ThreadGate, held_at
from tests.support.runtimes import clients, runtimes, seqs


async def logged_in(runtime: Runtime, app: str, uid: str) -> Client:
    client = Client(InProcess(runtime))
    await client.login(app, uid)
    return client


async def caught_up(client: Client, joined: dict[str, Any]) -> list[int]:
    """The seqs a client has in order: pages until it is live, then what is pushed."""
    taken: list[int] = []
    live, last = joined["live"], joined["head"]
    while not live:
        page = await client.call("stream.read", stream=joined["stream"], after=last)
        taken += [entry["seq"] for entry in page["entries"]]
        live, last = page["live"], taken[-1] if taken else last
    await client.call("session.ping")
    return taken + [seq for seq in seqs(client) if seq > last]


async def test_rule_join_what_is_committed_while_the_snapshot_is_read_follows_the_reply(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", bob=here) as client:
        await client("bob").send("math", "before", "m1")
        ann = await logged_in(here, app, "ann")
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
        join = await ann.start("room.join", room="math")
        await gate.arrived()
        for number in (2, 3):
            await client("bob").send("math", "meanwhile", f"m{number}")
        assert not join.done()
        assert seqs(ann) == []
        gate.open()
        joined = await join
        await client("bob").send("math", "after", "m4")
        assert (joined["head"], joined["live"]) == (1, True)
        assert await caught_up(ann, joined) == [2, 3, 4]
        await ann.close()


async def test_rule_join_what_the_snapshot_covers_is_not_pushed_again(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came after the subscription, and is held; the snapshot then is newer."""
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", bob=here) as client:
        await client("bob").send("math", "before", "m1")
        ann = await logged_in(here, app, "ann")
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot, before=True))
        join = await ann.start("room.join", room="math")
        await gate.arrived()
        for number in (2, 3):
            await client("bob").send("math", "meanwhile", f"m{number}")
        gate.open()
        assert (await join)["head"] == 3
        await client("bob").send("math", "after", "m4")
        await ann.expect("room.sent")
        await ann.call("session.ping")
        assert seqs(ann) == [4]
        await ann.close()


@pytest.mark.parametrize("after", [None, {"seq": 1, "epoch": ""}])
async def test_rule_join_again_of_a_room_one_is_in_begins_anew(
    app: str, monkeypatch: pytest.MonkeyPatch, after: dict[str, Any] | None
) -> None:
    """A client repeats a join whose answer was lost. What came while it was answered follows the answer once."""
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", ann=here, bob=here) as client:
        ann = client("ann")
        await client("bob").send("math", "before", "m1")
        await ann.expect("room.sent")
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
        join = await ann.start("room.join", room="math", **({"after": after} if after is not None else {}))
        await gate.arrived()
        for number in (2, 3):
            await client("bob").send("math", "meanwhile", f"m{number}")
        await ann.expect_nothing("room.sent")
        gate.open()
        joined = await join
        got = [entry["seq"] for entry in joined.get("entries", ())]
        assert (joined["head"] if after is None else got) == (1 if after is None else [2, 3])
        await client("bob").send("math", "after", "m4")
        await client("bob").call("session.ping")
        await ann.call("session.ping")
        assert [seq for seq in [*seqs(ann), *got] if seq > 1] == ([2, 3, 4] if after is None else [4, 2, 3])


async def test_rule_join_again_that_fails_leaves_the_member_where_it_was(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", ann=here, bob=here) as client:
        ann = client("ann")
        await client("bob").send("math", "before", "m1")
        await ann.expect("room.sent")

        def fail(*_args: object) -> Any:
            gate.come()
            raise RpcError(UNAVAILABLE)

        with monkeypatch.context() as patch:
            patch.setattr("rooms.membership.get_snapshot", fail)
            join = await ann.start("room.join", room="math")
            await gate.arrived()
            await client("bob").send("math", "meanwhile", "m2")
            gate.open()
            with pytest.raises(CallFailed):
                await join
        await client("bob").send("math", "after", "m3")
        assert [(await ann.expect("room.sent"))["seq"] for _ in range(2)] == [2, 3]
        assert await ann.call("room.members", room="math") == {"members": ["ann", "bob"], "total": 2}


async def test_rule_join_snapshot_and_pushes_together_make_the_state(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", bob=here) as client:
        set_to = {"room": "math", "notify": True}
        await client("bob").call("room.set_attributes", message_id="a1", attributes={"k": "1"}, **set_to)
        ann = await logged_in(here, app, "ann")
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
        join = await ann.start("room.join", room="math")
        await gate.arrived()
        await client("bob").call("room.update_attributes", message_id="a2", attributes={"k": "2"}, **set_to)
        gate.open()
        joined = await join
        assert joined["attributes"]["k"]["value"] == "1"
        assert joined["revision"] == 1
        changed = await ann.expect("room.attributes_changed")
        assert (changed["seq"], changed["body"]["set"], changed["body"]["revision"]) == (
            joined["head"] + 1,
            {"k": "2"},
            2,
        )
        await ann.close()


async def test_rule_join_more_than_is_held_is_read_in_pages(fast_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(fast_app, "math", bob=here) as client:
        ann = await logged_in(here, fast_app, "ann")
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
        join = await ann.start("room.join", room="math")
        await gate.arrived()
        count = HOLD_CHARS // 30_000 + 3
        for number in range(count):
            await client("bob").send("math", "x" * 30_000, f"m{number}")
        gate.open()
        joined = await join
        assert joined["live"] is False
        await client("bob").send("math", "not pushed before the pages are read", "n1")
        await ann.expect_nothing("room.sent")
        assert await caught_up(ann, joined) == list(range(1, count + 2))
        await client("bob").send("math", "pushed", "n2")
        assert (await ann.expect("room.sent"))["seq"] == count + 2
        await ann.close()


async def test_rule_join_a_head_that_another_process_moved_is_reached_before_the_reply(app: str) -> None:
    hints = Hints()
    hints.mode = "drop"
    async with runtimes(2, hints) as (here, there), clients(app, "math", carl=here, bob=there) as client:
        for number in (1, 2, 3):
            await client("bob").send("math", "unannounced", f"m{number}")
        ann = await logged_in(here, app, "ann")
        joined = await ann.call("room.join", room="math")
        assert (joined["head"], joined["live"]) == (3, True)
        await ann.send("math", "four", "m4")
        assert await caught_up(ann, joined) == [4]
        assert seqs(client("carl")) == [1, 2, 3, 4]
        await ann.close()


async def test_rule_join_in_the_middle_of_a_stream_of_messages(fast_app: str) -> None:
    async with runtimes(2) as (here, there), clients(fast_app, "math", bob=here, carl=there) as client:
        joiners = [await logged_in(place, fast_app, f"u{n}") for n, place in enumerate([here, there] * 4)]
        stop = asyncio.Event()

        async def talk(uid: str) -> int:
            count = 0
            while not stop.is_set():
                count += 1
                await client(uid).send("math", "on and on", f"{uid}-{count}")
            return count

        talking = [asyncio.create_task(talk(uid)) for uid in ("bob", "carl")]
        joined = [await joiner.call("room.join", room="math") for joiner in joiners]
        stop.set()
        head = sum(await asyncio.gather(*talking))
        for runtime in (here, there):
            await runtime.hub.check_heads()
            await runtime.hub.settle(10)
        for joiner, answer in zip(joiners, joined, strict=True):
            assert await caught_up(joiner, answer) == list(range(answer["head"] + 1, head + 1))
            await joiner.close()


async def test_a_join_that_loses_its_socket_is_in_the_room_when_it_is_back(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    async with runtimes(1) as (here,), clients(app, "math", bob=here) as client:
        ann = Client(InProcess(here))
        session = (await ann.login(app, "ann"))["session"]
        monkeypatch.setattr("rooms.membership.get_snapshot", held_at(gate, get_snapshot))
        await ann.start("room.join", room="math")
        await gate.arrived()
        await ann.close()
        gate.open()
        await here.hub.settle(10)
        back = Client(InProcess(here))
        resumed = await back.login(app, "ann", session=session)
        assert resumed["streams"]["room:math"]["live"]
        await client("bob").send("math", "welcome back", "m1")
        assert (await back.expect("room.sent"))["seq"] == 1
        assert here.pressure.bytes == 0, "what the lost socket had asked for weighs nothing any more"
        await back.close()


async def test_rule_acknowledgement_is_no_delivery(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann's message is acknowledged as the second before the first has come: both are still pushed, in order."""
    gate = ThreadGate()
    hints = Hints()
    hints.mode = "drop"
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        monkeypatch.setattr(selectors, "read_entries", held_at(gate, selectors.read_entries))
        await client("bob").send("math", "first", "m1")
        assert (await client("ann").send("math", "second", "m2"))["seq"] == 2
        await gate.arrived()
        await client("ann").expect_nothing("room.sent")
        gate.open()
        assert [(await client("ann").expect("room.sent"))["body"]["text"] for _ in range(2)] == ["first", "second"]
        assert seqs(client("ann")) == [1, 2]
