"""What subscribers know is right in the end and never goes back, whatever is late or lost."""

import asyncio
import json
import random
from typing import Any

import pytest

from peers.states import online_state
from peers.watches import RECHECK_S, RECHECKS_PER_S
from realtime.presence import PresenceUnavailable
from tests.peers.watching import Reads, project_of, recheck, subscribe, watches
from tests.support.client import Client
from tests.support.clock import Lifetime
from tests.support.doubles import Gate
from tests.support.told import states

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
