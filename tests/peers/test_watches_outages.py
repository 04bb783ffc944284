"""What subscribers know while the presence store is empty, or out of reach."""

import pytest

from peers.watches import RECHECK_S
from tests.peers.watching import Reads, groups, recheck, subscribe, watches
from tests.support.client import CallFailed
from tests.support.clock import Lifetime
from tests.support.told import states


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
