"""What both presence stores promise about the end: who is removed, when, and by whom (docs/contract.md 6)."""

import asyncio

import pytest

from realtime.presence import Eviction, PresenceStore, Removed
from tests.realtime.presence.harness import Harness, log_in, seen

pytestmark = pytest.mark.shapeless

REAP_EVERY_MS = 500


async def removal_ms(presence: Harness, store: PresenceStore, uid: str = "ann", *, within_ms: int) -> int:
    """How long it takes until `store`, which renews and reaps as a node does, has removed the uid."""
    for passed_ms in range(REAP_EVERY_MS, within_ms + REAP_EVERY_MS, REAP_EVERY_MS):
        await presence.live(REAP_EVERY_MS, store)
        if any(removed.uid == uid for removed in await store.reap(100)):
            assert await seen(store, uid) == "OFFLINE"
            return passed_ms
    raise AssertionError(f"{uid} is still here after {within_ms} ms")


async def settle(presence: Harness, *nodes: PresenceStore) -> None:
    """Passes the grace that every new life of a store begins with."""
    await presence.live(30_000, *nodes)
    assert await nodes[0].settled()


@pytest.mark.parametrize("silent_ms", [0, 1, 6_000, 7_250])
async def test_a_user_is_removed_30_to_35_s_after_the_last_sign_of_life(presence: Harness, silent_ms: int) -> None:
    node = await presence.node("a")
    await settle(presence, node)
    generation = (await log_in(node, "ann", "maths")).generation
    await node.set_gone(1, "ann", generation, silent_ms, "")
    after_ms = silent_ms + await removal_ms(presence, node, within_ms=35_000)
    assert 30_000 <= after_ms <= 35_000
    assert await node.counts(1, ["maths"]) == [0]


async def test_what_was_removed_is_returned_with_its_rooms(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node, "ann", "maths", "music")).generation
    await node.set_gone(1, "ann", generation, 0, "")
    await presence.live(30_250, node)
    (removed,) = await node.reap(100)
    assert (removed.project, removed.uid, removed.generation) == (1, "ann", generation)
    assert sorted(removed.rooms) == ["maths", "music"]
    assert await node.reap(100) == []
    assert not await node.set_here(1, "ann", generation)


async def test_who_is_back_in_time_is_not_removed(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a, "ann", "maths")
    bob = await log_in(a, "bob", "maths")
    await a.set_gone(1, "ann", ann.generation, 0, "")
    await a.set_gone(1, "bob", bob.generation, 0, "")
    await presence.live(30_000, a, b)
    assert await a.set_here(1, "ann", ann.generation)
    assert (await log_in(b, "bob")).resumed
    await presence.live(60_000, a, b)
    assert await a.reap(100) == await b.reap(100) == []
    assert await a.members(1, "maths", 10) == ["ann", "bob"]


async def test_each_absence_counts_by_itself(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node)).generation
    for _ in range(3):
        await node.set_gone(1, "ann", generation, 0, "")
        await presence.live(20_000, node)
        await node.set_here(1, "ann", generation)
        assert await node.reap(100) == []
    await node.set_gone(1, "ann", generation, 0, "")
    assert 30_000 <= await removal_ms(presence, node, within_ms=35_000) <= 35_000


async def test_no_more_than_the_limit_is_removed_at_once(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    for number in range(5):
        generation = (await log_in(a, f"gone{number}")).generation
        await a.set_gone(1, f"gone{number}", generation, 0, "")
        await log_in(b, f"dead{number}")
    await presence.live(40_000, a)
    batches = [await a.reap(4) for _ in range(4)]
    assert [len(batch) for batch in batches] == [4, 4, 2, 0]
    assert len({removed.uid for batch in batches for removed in batch}) == 10


async def test_two_nodes_that_reap_at_once_never_return_the_same_removal(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    dead = await presence.node("dead")
    for number in range(40):
        generation = (await log_in(a, f"gone{number}")).generation
        await a.set_gone(1, f"gone{number}", generation, 0, "")
        await log_in(dead, f"dead{number}")
    await presence.live(40_000, a, b)
    batches = await asyncio.gather(*[node.reap(5) for _ in range(10) for node in (a, b)])
    removed = [removed.uid for batch in batches for removed in batch]
    assert len(removed) == len(set(removed)) == 80


async def test_the_node_that_had_the_session_hears_of_its_removal(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    generation = (await log_in(a)).generation
    await a.set_gone(1, "ann", generation, 0, "")
    await presence.live(32_000, a, b)
    assert await b.reap(100) == [Removed(1, "ann", generation, ())]
    assert (await a.renew()).evictions == (Eviction(1, "ann", generation, "removed"),)


@pytest.mark.parametrize("since_renewal_ms", [0, 1, 1_777, 3_999])
async def test_the_users_of_a_killed_node_are_unreachable_within_15_s_and_removed_in_30_to_35_s(
    presence: Harness, since_renewal_ms: int
) -> None:
    dead, alive = await presence.node("dead"), await presence.node("alive")
    await log_in(dead, "ann", "maths")
    await settle(presence, dead, alive)
    await presence.live(since_renewal_ms, alive)  # and here the node is killed
    await presence.live(9_000, alive)
    assert await seen(alive) == "ONLINE dead"
    await presence.live(6_000, alive)
    assert await seen(alive) == "UNREACHABLE dead"
    after_ms = 15_000 + await removal_ms(presence, alive, within_ms=20_000)
    assert 30_000 <= after_ms <= 35_000
    assert await alive.counts(1, ["maths"]) == [0]


async def test_the_users_of_a_killed_node_who_come_to_another_one_are_not_removed(presence: Harness) -> None:
    dead, alive = await presence.node("dead"), await presence.node("alive")
    await log_in(dead, "ann", "maths")
    await presence.live(29_000, alive)
    resumed = await log_in(alive)
    assert (resumed.resumed, resumed.rooms) == (True, ("maths",))
    await presence.live(60_000, alive)
    assert await alive.reap(100) == []
    assert await seen(alive) == "ONLINE alive"


async def test_a_node_that_stops_leaves_its_users_30_s_to_come_back_elsewhere(presence: Harness) -> None:
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    await log_in(stopped, "ann", "maths")
    await log_in(stopped, "bob", "maths")
    await settle(presence, stopped, alive)
    await stopped.close()
    await presence.live(4_000, alive)
    assert await seen(alive) == "ONLINE stopped"
    assert (await log_in(alive, "bob")).rooms == ("maths",)
    after_ms = 4_000 + await removal_ms(presence, alive, within_ms=27_000)
    assert after_ms >= 30_000
    assert await alive.members(1, "maths", 10) == ["bob"]


async def test_nothing_is_kept_of_what_is_gone(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    empty = presence.kept()
    for number in range(10):
        generation = (await log_in(a, f"here{number}", "maths", f"own{number}")).generation
        await log_in(b, f"here{number}", session="another")  # which a hears of
        await log_in(b, f"away{number}")
        generation = (await log_in(a, f"away{number}", session="another")).generation  # b never will
        assert await a.remove(1, f"away{number}", generation) == ()
        generation = (await log_in(a, f"out{number}", "maths")).generation
        assert await a.remove(1, f"out{number}", generation) == ("maths",)
        generation = (await log_in(a, f"left{number}", "music")).generation
        assert await a.leave(1, f"left{number}", generation, "music")
        await a.set_gone(1, f"left{number}", generation, 0, "levels")
        generation = (await log_in(b, f"lost{number}", "maths", "music")).generation
        await b.set_gone(1, f"lost{number}", generation, 0, "levels")
        await b.set_here(1, f"lost{number}", generation)
    assert presence.kept() > empty
    await presence.live(40_000, a)  # b has died
    while await a.reap(10):
        pass
    await a.renew()
    presence.advance(600_000)
    c = await presence.node("c")
    assert await c.reap(10) == []
    assert await c.reap(10) == []
    await a.close()
    await c.close()
    assert presence.kept() == 0
