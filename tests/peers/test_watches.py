"""What subscribers know is right in the end and never goes back, whatever is lost, late or out of reach; and a change
costs as many sends as there are subscribers."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from peers.groups import watch_group
from peers.watches import RECHECK_S, RECHECKS_PER_S, Watches, online_state
from projects.models import Project
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from tests.support.client import CallFailed, Client, Closed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import Gate, Sink
from tests.support.told import states


async def subscribe(client: Client, *uids: str) -> Any:
    return (await client.call("presence.subscribe", uids=list(uids)))["states"]


def watches(lifetime: Lifetime, place: int = 0) -> Watches:
    return lifetime.runtimes[place].part(Watches)


async def recheck(lifetime: Lifetime, *alive: Client, place: int = 0) -> None:
    await watches(lifetime, place).recheck()
    await lifetime.news(*alive)


def groups(lifetime: Lifetime) -> set[str]:
    """The layer groups for watched uids that the first process is in."""
    return {group for group in lifetime.hints.layers[0].groups if group.startswith("watch.")}


async def project_of(app: str) -> int:
    return (await sync_to_async(Project.objects.get)(app_id=app)).pk


class Reads:
    """Counts a process's questions for states; `gate` holds back the next answer, `broken` refuses all."""

    def __init__(self, runtime: Runtime) -> None:
        self.asked: list[list[str]] = []
        self.gate: Gate | None = None
        self.broken = False
        self._sessions = runtime.presence.sessions
        runtime.presence.sessions = self._read  # type: ignore[method-assign]

    async def _read(self, project: int, uids: Sequence[str]) -> Any:
        self.asked.append(list(uids))
        if self.broken:
            raise PresenceUnavailable
        found = await self._sessions(project, uids)
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.come()
        return found


# Late answers


async def test_a_change_while_the_states_are_read_follows_the_answer(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    reads = Reads(two_places.runtime)
    reads.gate = gate = Gate()
    answer = await ann.start("presence.subscribe", uids=["bob", "cal"])
    await gate.arrived()
    await bob.call("session.logout")
    await two_places.enter(app, "cal", place=1)
    gate.open()
    assert (await answer)["states"] == {"bob": "ONLINE", "cal": "OFFLINE"}
    await two_places.news(ann)
    assert sorted(states(ann)) == ["bob OFFLINE", "cal ONLINE"]


async def test_an_answer_is_not_older_than_what_others_were_told(two_places: Lifetime, app: str) -> None:
    """Bob leaves between the two reads of which the second is Dan's."""
    ann, dan = await two_places.enter(app, "ann"), await two_places.enter(app, "dan")
    bob = await two_places.enter(app, "bob", place=1)
    await subscribe(ann, "bob")
    reads = Reads(two_places.runtime)
    reads.gate = gate = Gate()
    two_places.clock.advance(RECHECK_S)
    first = asyncio.create_task(watches(two_places).recheck())
    await gate.arrived()
    answer = await dan.start("presence.subscribe", uids=["bob"])
    await bob.call("session.logout")
    gate.open()
    await first
    assert (await answer)["states"] == {"bob": "OFFLINE"}
    await two_places.news(ann, dan)
    assert (states(ann), states(dan)) == (["bob OFFLINE"], [])


async def test_a_process_listens_before_it_reads(two_places: Lifetime, app: str) -> None:
    """Who leaves before it listens is seen by the read, who leaves after it by the hint."""
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    gate = Gate()
    layer = two_places.hints.layers[0]

    async def subscribe_late(group: str) -> None:
        await gate.come()
        layer.groups.add(group)

    layer.subscribe = subscribe_late  # type: ignore[method-assign]
    answer = await ann.start("presence.subscribe", uids=["bob"])
    await gate.arrived()
    await bob.call("session.logout")
    gate.open()
    assert (await answer)["states"] == {"bob": "OFFLINE"}


# Lost hints


async def test_a_lost_hint_delays_a_change_and_loses_none(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    await subscribe(ann, "bob", "cal")
    two_places.hints.lost.add("presence")
    await bob.call("session.logout")
    await two_places.enter(app, "cal", place=1)
    await two_places.news(ann)
    assert states(ann) == []
    two_places.clock.advance(RECHECK_S)
    await recheck(two_places, ann)
    assert sorted(states(ann)) == ["bob OFFLINE", "cal ONLINE"]


async def test_a_recheck_reads_what_was_not_read_for_three_seconds_and_so_many_at_most(
    two_places: Lifetime, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RECHECKS_PER_S >= 512
    ann = await two_places.enter(app, "ann")
    await subscribe(ann, "a", "b", "c", "d")
    reads = Reads(two_places.runtime)
    await recheck(two_places, ann)
    assert reads.asked == []
    two_places.clock.advance(RECHECK_S)
    monkeypatch.setattr("peers.watches.RECHECKS_PER_S", 3)
    await recheck(two_places, ann)
    await recheck(two_places, ann)
    await recheck(two_places, ann)
    assert reads.asked == [["a", "b", "c"], ["d"]]


async def test_when_a_process_dies_its_users_become_unreachable_and_then_offline(
    two_places: Lifetime, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await two_places.enter(app, "ann")
    await two_places.enter(app, "bob", place=1)
    await subscribe(ann, "bob")
    dead = two_places.runtimes[1]

    async def fail(*_: object) -> Any:
        raise PresenceUnavailable

    monkeypatch.setattr(dead.presence, "renew", fail)
    monkeypatch.setattr(dead.presence, "reap", fail)
    two_places.runtimes = two_places.runtimes[:1]
    told = []
    for second in range(1, 40):
        await two_places.pass_time(1, ann)
        await recheck(two_places, ann)
        told += [(second, state) for state in states(ann)]
    (lost_s, lost), (gone_s, gone) = told
    assert (lost, gone) == ("bob UNREACHABLE", "bob OFFLINE")
    assert lost_s <= 15 + RECHECK_S + 1
    assert gone_s <= 36


# A store that was emptied, or is out of reach


async def test_an_emptied_store_makes_nobody_offline(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    cal = await two_places.enter(app, "cal", place=1)
    await subscribe(ann, "bob", "cal")
    await cal.call("session.logout")
    cal = await two_places.enter(app, "cal", place=1)
    await two_places.news(ann)
    assert states(ann) == [], "gone and back within a moment"
    two_places.empty_store()
    two_places.clock.advance(RECHECK_S)
    await recheck(two_places, ann)
    await two_places.pass_time(3, ann, bob, cal)
    await recheck(two_places, ann)
    assert states(ann) == []
    await bob.call("session.logout")
    await two_places.news(ann)
    assert states(ann) == ["bob OFFLINE"], "who says so has gone"


async def test_who_went_while_the_store_was_empty_is_offline_when_it_is_settled(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    await subscribe(ann, "bob")
    two_places.hints.lost.add("presence")
    await bob.call("session.logout")
    two_places.empty_store()
    told = []
    for second in range(1, 40):
        await two_places.pass_time(1, ann)
        await recheck(two_places, ann)
        told += [(second, state) for state in states(ann)]
    ((second, state),) = told
    assert state == "bob OFFLINE"
    assert 30 <= second <= 36


async def test_without_the_store_a_subscription_is_refused_and_leaves_nothing(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    reads = Reads(two_places.runtime)
    reads.broken = True
    for method in ("presence.subscribe", "presence.query"):
        with pytest.raises(CallFailed) as refused:
            await ann.call(method, uids=["bob"])
        assert refused.value.name == "unavailable"
    assert await ann.call("presence.subscriptions") == {"uids": []}
    await two_places.settle()
    assert (len(watches(two_places)), groups(two_places)) == (0, set())
    reads.broken = False
    assert await subscribe(ann, "bob") == {"bob": "OFFLINE"}


async def test_a_change_while_the_store_is_away_is_told_when_it_is_back(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    await subscribe(ann, "bob")
    reads = Reads(two_places.runtime)
    reads.broken = True
    await bob.call("session.logout")
    await two_places.news(ann)
    await two_places.pass_time(3, ann)
    assert len(reads.asked) > 1
    reads.broken = False
    await two_places.pass_time(3, ann)
    assert states(ann) == ["bob OFFLINE"]


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


# All of it at random


def believed(client: Client) -> dict[str, str]:
    """What a client thinks that takes answers and events in the order they come."""
    belief: dict[str, str] = {}
    for frame in client.frames:
        decoded = json.loads(frame)
        for message in decoded if isinstance(decoded, list) else [decoded]:
            belief |= message.get("result", message.get("params", {})).get("states", {})
    return belief


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_every_subscriber_ends_up_with_the_states_of_the_store(
    two_places: Lifetime, fast_app: str, seed: int
) -> None:
    chance = random.Random(seed)
    project = await project_of(fast_app)
    watchers = [await two_places.enter(fast_app, f"w{place}", place=place) for place in (0, 1)]
    uids = [f"u{number}" for number in range(6)]
    people: dict[str, Client] = {}
    sessions: dict[str, str] = {}
    for _ in range(60):
        uid = chance.choice(uids)
        two_places.hints.lost = set(chance.choice([(), ("presence",)]))
        match chance.randrange(6):
            case 0 | 1:
                people[uid] = two_places.open_client(chance.randrange(2))
                session = sessions.get(uid, "") if chance.random() < 0.5 else ""
                sessions[uid] = (await people[uid].login(fast_app, uid, session=session))["session"]
            case 2 if uid in people:
                await people.pop(uid).close()
            case 3 if uid in people:
                await people.pop(uid).start("session.logout")
            case 4:
                some = chance.sample(uids, 3)
                await chance.choice(watchers).start("presence.subscribe", uids=some)
            case _:
                await two_places.pass_time(chance.choice([0.02, 1, 7]), *watchers)
    for watcher in watchers:
        await watcher.call("presence.subscribe", uids=uids[:3])
    two_places.clock.advance(RECHECK_S)
    for place in (0, 1):
        await recheck(two_places, *watchers, place=place)
    for watcher in watchers:
        subscribed = (await watcher.call("presence.subscriptions"))["uids"]
        found = await two_places.runtime.presence.sessions(project, subscribed)
        states_now = {uid: online_state(state) for uid, state in zip(subscribed, found, strict=True)}
        belief = believed(watcher)
        assert {uid: belief[uid] for uid in subscribed} == states_now
