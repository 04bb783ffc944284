"""Epochs: a cursor of a time that was lost is not believed (docs/contract.md 5)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from messaging.models import Entry, Stream
from messaging.services import ensure_stream, renew_epochs
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import Gate, Hints, ThreadGate, held_at
from tests.support.hubs import KEY, HubBench
from tests.support.runtimes import UNLIMITED_LOGINS, clients, elsewhere, runtimes, seqs

ROOM = "room:math"


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def stored(project: Project) -> Stream:
    return Stream.objects.get(project=project, name=ROOM)


def restore_backup(project: Project, head: int) -> str:
    """What was committed after `head` is lost, and the restore has renewed the epochs; the new one."""
    stream = stored(project)
    Entry.objects.filter(stream=stream, seq__gt=head).delete()
    Stream.objects.filter(pk=stream.pk).update(head=head)
    assert renew_epochs(project_id=project.pk) == 1
    return stored(project).epoch


async def resume(at: Runtime, app: str, session: str, cursor: dict[str, Any] | None = None) -> tuple[Client, Any]:
    """Ann comes back; what the answer says of her room."""
    client = Client(InProcess(at))
    answer = await client.login(app, "ann", session=session, streams={ROOM: cursor} if cursor is not None else {})
    assert answer["resumed"]
    return client, answer["streams"][ROOM]


async def test_rule_epoch_a_cursor_of_another_epoch_is_not_recovered(project: Project) -> None:
    app = project.app_id
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(app, "math", bob=here) as client:
        ann = Client(InProcess(here))
        session = (await ann.login(app, "ann"))["session"]
        await ann.call("room.join", room="math")
        for number in (1, 2, 3):
            await client("bob").send("math", "of the lost time", f"m{number}")
        old = (await elsewhere(stored, project)).epoch
        await ann.close()
        new = await elsewhere(restore_backup, project, 2)
        await here.hub.check_heads()
        await client("bob").send("math", "of the new time", "n3")
        back, state = await resume(here, app, session, {"seq": 3, "epoch": old})
        assert state == {"recovered": False, "epoch": new, "head": 3, "live": True, "entries": []}
        await client("bob").send("math", "and on", "n4")
        assert (await back.expect("room.sent"))["seq"] == 4
        await back.close()


async def test_rule_epoch_a_cursor_past_the_head_is_not_recovered(project: Project) -> None:
    """A failover that lost commits keeps the epoch."""
    app = project.app_id
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(app, "math", bob=here) as client:
        ann = Client(InProcess(here))
        session = (await ann.login(app, "ann"))["session"]
        await ann.call("room.join", room="math")
        await client("bob").send("math", "one", "m1")
        await ann.close()
        epoch = (await elsewhere(stored, project)).epoch
        back, state = await resume(here, app, session, {"seq": 9, "epoch": epoch})
        assert state == {"recovered": False, "epoch": epoch, "head": 1, "live": True, "entries": []}
        await back.close()


async def test_rule_epoch_members_who_are_there_are_told_and_go_on_from_the_head(project: Project) -> None:
    app = project.app_id
    async with runtimes(1) as (here,), clients(app, "math", ann=here, bob=here) as client:
        for number in (1, 2, 3):
            await client("bob").send("math", "of the lost time", f"m{number}")
        new = await elsewhere(restore_backup, project, 1)
        await here.hub.check_heads()
        await client("bob").send("math", "of the new time", "n2")
        assert await client("ann").expect("stream.reset") == {"stream": ROOM, "epoch": new, "head": 1}
        assert (await client("ann").expect("room.sent"))["seq"] == 2
        assert seqs(client("ann")) == [1, 2, 3, 2]


async def test_rule_epoch_late_news_of_the_lost_time_changes_nothing(project: Project) -> None:
    hints = Hints()
    hints.mode = "keep"
    app = project.app_id
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        for number in (1, 2):
            await client("bob").send("math", "of the lost time", f"m{number}")
        await here.hub.check_heads()
        await here.hub.settle(10)
        new = await elsewhere(restore_backup, project, 1)
        await here.hub.check_heads()
        await there.hub.check_heads()
        hints.deliver(1, 0)
        hints.mode = "deliver"
        await client("bob").send("math", "of the new time", "n2")
        assert (await client("ann").expect("stream.reset"))["epoch"] == new
        assert (await client("ann").expect("room.sent"))["body"]["text"] == "of the new time"
        await client("ann").expect_nothing("stream.reset")


async def test_rule_epoch_a_member_since_before_the_first_entry_loses_nothing(project: Project) -> None:
    """A stream has no epoch before its first entry. Whoever was there then knows it only from a page: until
    then an unknown epoch is believed, or the gap of a lost socket would be lost with it."""
    app = project.app_id
    async with runtimes(1, timing=UNLIMITED_LOGINS) as (here,), clients(app, "math", bob=here) as client:
        ann = Client(InProcess(here))
        session = (await ann.login(app, "ann"))["session"]
        assert (await ann.call("room.join", room="math"))["epoch"] == ""
        await client("bob").send("math", "one", "m1")
        assert (await ann.expect("room.sent"))["seq"] == 1
        await ann.close()
        await client("bob").send("math", "two", "m2")
        back, state = await resume(here, app, session, {"seq": 1, "epoch": ""})
        assert (state["recovered"], [entry["seq"] for entry in state["entries"]]) == (True, [2])
        await back.close()


async def test_rule_epoch_renewing_says_how_many_and_leaves_other_projects_alone(
    project: Project, make_project: Callable[..., Project]
) -> None:
    other = await elsewhere(make_project)
    async with runtimes(1) as (here,):
        for of in (project, other):
            async with clients(of.app_id, "math", bob=here) as client:
                await client("bob").send("math", "one", "m1")
    before = [(await elsewhere(stored, of)).epoch for of in (project, other)]
    assert await elsewhere(renew_epochs, project_id=project.pk) == 1
    after = [(await elsewhere(stored, of)).epoch for of in (project, other)]
    assert after[0] != before[0]
    assert after[1] == before[1]


async def test_rule_epoch_a_stream_whose_row_was_lost_begins_again() -> None:
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(3))
    del bench.store.heads_of[KEY]
    bench.store.rows.clear()
    await bench.hub.check_heads()
    await bench.settle()
    assert ann.messages()[-1]["params"] == {"stream": KEY[1], "epoch": "", "head": 0}
    bench.commit(2)
    await bench.hub.check_heads()
    await bench.settle()
    assert ann.seqs()[-2:] == [1, 2]


async def test_rule_epoch_a_reset_while_a_gap_is_read_is_told_and_not_mixed() -> None:
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(5))
    bench.stream.forget_ring(5)
    gate = bench.store.gate = Gate()
    recovering = asyncio.create_task(bench.recoveries.recover(bench.reader, 2, "first", 600_000))
    await gate.arrived()
    bench.store.heads_of[KEY] = bench.store.heads_of[KEY]._replace(epoch="second", head=3)
    await bench.hub.check_heads()
    gate.open()
    answer = await recovering
    assert (answer.recovered, answer.epoch, answer.head, answer.entries, answer.live) == (False, "second", 3, [], True)
    assert ann.seqs() == [1, 2, 3, 4, 5]


async def test_a_stream_whose_entries_came_before_its_row_was_known_is_no_restored_one() -> None:
    bench = HubBench()
    ann = await bench.join()
    (entry,) = bench.commit()
    bench.hub.publish(bench.stream, entry.seq, bench.text(entry))
    bench.hub.flush()
    await bench.hub.check_heads()
    bench.publish(*bench.commit())
    await bench.settle()
    assert ann.seqs() == [1, 2]
    assert {message["method"] for message in ann.messages()} == {"room.sent"}


async def test_a_stream_left_and_joined_again_while_its_row_is_made_is_no_restored_one(
    app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ThreadGate()
    monkeypatch.setattr("messaging.engine.ensure_stream", held_at(gate, ensure_stream))
    async with runtimes(1) as (here,), clients(app, "math", ann=here) as client:
        ann = client("ann")
        first = await ann.start("room.send", room="math", message_id="m1", message={"type": "TEXT", "text": "one"})
        await gate.arrived()
        await ann.call("room.leave", room="math")
        joining = await ann.start("room.join", room="math")
        await ann.call("session.ping")
        gate.open()
        await first
        await joining
        for number in (2, 3):
            await ann.send("math", "on", f"m{number}")
        await here.hub.check_heads()
        await ann.expect_nothing("stream.reset")
        assert seqs(ann)[-2:] == [2, 3]
