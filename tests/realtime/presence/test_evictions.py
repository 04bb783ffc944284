"""What both presence stores promise when the staff of a project ends a session."""

import pytest

from realtime.presence import Evicted, Eviction, EvictionReason, PresenceUnavailable
from tests.realtime.presence.harness import Harness, log_in, record, seen

pytestmark = pytest.mark.shapeless


@pytest.mark.parametrize("reason", ["kicked", "banned"])
async def test_an_evicted_session_is_gone_and_its_node_is_told(presence: Harness, reason: EvictionReason) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a, "ann", "maths", "music")
    await log_in(a, "bob", "maths")
    evicted = await b.evict(1, "ann", reason)
    assert evicted is not None
    assert (evicted.node, evicted.generation, sorted(evicted.rooms)) == ("a", ann.generation, ["maths", "music"])
    assert await seen(b) == "OFFLINE"
    assert await b.members(1, "maths", 10) == ["bob"]
    assert (await b.renew()).evictions == ()
    assert (await a.renew()).evictions == (Eviction(1, "ann", ann.generation, reason),)
    assert not await a.join(1, "ann", ann.generation, "maths")


async def test_a_node_is_not_told_of_its_own_eviction(presence: Harness) -> None:
    node = await presence.node("a")
    ann = await log_in(node)
    assert await node.evict(1, "ann", "kicked") == Evicted("a", ann.generation, ())
    assert (await node.renew()).evictions == ()


async def test_nobody_is_evicted_twice(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    await log_in(a)
    assert await b.evict(1, "ann", "banned") is not None
    assert await a.evict(1, "ann", "banned") is None
    assert await a.evict(1, "nobody", "banned") is None


async def test_an_evicted_session_is_not_resumed(presence: Harness) -> None:
    node = await presence.node("a")
    first = await log_in(node, "ann", "maths")
    await node.evict(1, "ann", "kicked")
    again = await node.login(1, "ann", "s1", "s2")
    assert (again.session, again.resumed, again.rooms, again.previous) == ("s2", False, (), None)
    assert again.generation > first.generation


async def test_an_eviction_stays_in_its_project(presence: Harness) -> None:
    node = await presence.node("a")
    await node.login(2, "ann", None, "s2")
    assert await node.evict(1, "ann", "kicked") is None
    assert (await node.sessions(2, ["ann"]))[0] is not None


async def test_a_session_of_a_dead_node_is_evicted_too(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a, "ann", "maths")
    await presence.live(20_000, b)
    assert await b.evict(1, "ann", "kicked") == Evicted("a", ann.generation, ("maths",))
    assert await b.counts(1, ["maths"]) == [0]


async def test_a_session_that_was_not_named_again_yet_is_not_found_and_the_store_has_not_settled(
    presence: Harness,
) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a)
    await presence.live(31_000, a, b)
    presence.empty()
    assert (await b.renew()).lost
    await b.restore([])
    assert await b.evict(1, "ann", "kicked") is None
    assert not await b.settled()
    assert (await a.renew()).lost
    await a.restore([record(ann)])
    assert await b.evict(1, "ann", "kicked") == Evicted("a", ann.generation, ())


async def test_a_node_without_a_lease_evicts_nobody(presence: Harness) -> None:
    node = await presence.node("a")
    await log_in(node)
    presence.advance(15_000)
    with pytest.raises(PresenceUnavailable):
        await node.evict(1, "ann", "kicked")


async def test_an_eviction_leaves_nothing_behind(presence: Harness) -> None:
    node = await presence.node("a")
    before = presence.kept()
    await log_in(node, "ann", "maths")
    await node.evict(1, "ann", "kicked")
    assert presence.kept() == before
