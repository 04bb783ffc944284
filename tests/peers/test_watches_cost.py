"""What a subscription leaves behind, and what a change costs: as many sends as there are subscribers."""

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from peers.groups import watch_group
from projects.models import Project
from tests.peers.watching import Reads, groups, project_of, recheck, subscribe, watches
from tests.support.client import CallFailed, Closed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import Gate, Sink
from tests.support.told import states

# What is left behind


async def test_a_process_listens_for_a_uid_as_long_as_somebody_watches_it(two_places: Lifetime, app: str) -> None:
    project = await project_of(app)

    def listens_for(*uids: str) -> bool:
        return groups(two_places) == {watch_group((project, uid)) for uid in uids}

    ann, bob = await two_places.enter(app, "ann"), await two_places.enter(app, "bob")
    await subscribe(ann, "cal", "dan")
    await subscribe(bob, "cal")
    assert listens_for("cal", "dan")
    await ann.call("presence.unsubscribe", uids=["cal", "dan"])
    await two_places.settle()
    assert listens_for("cal")
    await bob.close()
    await two_places.settle()
    assert (listens_for(), len(watches(two_places))) == (True, 0)
    await subscribe(ann, "cal")
    assert listens_for("cal")


async def test_uids_of_one_layer_group_are_told_apart(
    two_places: Lifetime, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peers.groups.GROUPS", 1)
    ann = await two_places.enter(app, "ann")
    await subscribe(ann, "bob", "cal")
    reads = Reads(two_places.runtime)
    for uid in ("bob", "dan"):
        await two_places.enter(app, uid, place=1)
    await two_places.news(ann)
    assert (states(ann), reads.asked) == (["bob ONLINE"], [["bob"]])
    await ann.call("presence.unsubscribe", uids=["bob"])
    await two_places.enter(app, "cal", place=1)
    await two_places.news(ann)
    assert states(ann) == ["cal ONLINE"]
    await ann.call("presence.unsubscribe", uids=["cal"])
    await two_places.settle()
    assert groups(two_places) == set()


@pytest.mark.parametrize("how", ["closed", "logged out", "replaced"])
async def test_a_connection_that_ends_while_it_subscribes_leaves_nothing(
    two_places: Lifetime, app: str, how: str
) -> None:
    ann = await two_places.enter(app, "ann")
    reads = Reads(two_places.runtime)
    reads.gate = gate = Gate()
    answer = await ann.start("presence.subscribe", uids=["bob"])
    await gate.arrived()
    if how == "closed":
        await ann.close()
    elif how == "logged out":
        await ann.start("session.logout")
    else:
        await two_places.enter(app, "ann")
    gate.open()
    if how == "replaced":
        with pytest.raises((Closed, CallFailed)):
            await answer
    elif how == "logged out":
        assert await ann.expect_close() == 1000
    await two_places.settle()
    assert (groups(two_places), len(watches(two_places))) == (set(), 0)


# What it costs


async def test_a_change_costs_as_many_sends_as_there_are_subscribers(
    make_project: Callable[..., Project],
) -> None:
    project = await sync_to_async(make_project)()
    async with clocked_runtimes(2) as lifetime:
        loop = asyncio.get_running_loop()
        bob = await lifetime.enter(project.app_id, "bob", place=1)
        others = [await lifetime.enter(project.app_id, f"other-{number}") for number in range(5)]
        sinks = [(place, Sink(loop, f"s{place}-{n}", project=project.pk)) for place in (0, 1) for n in range(250)]
        found = await asyncio.gather(
            *(watches(lifetime, place).subscribe(sink.session, sink.connection, ["bob"]) for place, sink in sinks)
        )
        assert found == [{"bob": "ONLINE"}] * 500
        lifetime.hints.sent.clear()
        reads = [Reads(runtime) for runtime in lifetime.runtimes]
        await bob.call("session.logout")
        await lifetime.news(*others)
        assert [each.asked for each in reads] == [[["bob"]], [["bob"]]]
        assert [message["kind"] for message in lifetime.hints.sent] == ["presence"]
        told = {"jsonrpc": "2.0", "method": "presence.changed", "params": {"states": {"bob": "OFFLINE"}}}
        assert all(sink.messages() == [told] for _, sink in sinks)
        assert [states(other) for other in others] == [[]] * 5
        lifetime.hints.layers[1].hand_over(lifetime.hints.sent[0])
        await lifetime.news()
        assert len(reads[1].asked) == 1, "what a process did itself it does not look at again"
        texts = {id(sink.frames[0]) for _, sink in sinks}
        assert len(texts) == 2, "encoded once in each process"


async def test_changes_of_a_moment_are_read_together(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    people = [await two_places.enter(app, f"u{number}", place=1) for number in range(20)]
    await subscribe(ann, *(f"u{number}" for number in range(20)))
    reads = Reads(two_places.runtime)
    for client in people:
        await client.call("session.logout")
    await two_places.news(ann)
    assert len(reads.asked) == 1
    assert len(states(ann)) == 20


async def test_who_is_not_watched_is_not_read(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    reads = Reads(two_places.runtime)
    bob = await two_places.enter(app, "bob", place=1)
    await bob.call("session.logout")
    await two_places.pass_time(6, ann)
    await recheck(two_places, ann)
    assert reads.asked == []
