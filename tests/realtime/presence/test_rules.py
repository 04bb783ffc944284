"""The rules that keep presence correct, each with the interleaving that it closes, on both stores."""

from collections.abc import Awaitable, Callable

import pytest

from realtime.presence import Eviction, PresenceStore, PresenceUnavailable, Removed, Renewal
from tests.realtime.presence.harness import START_MS, Harness, log_in, record, seen

pytestmark = pytest.mark.shapeless

Write = Callable[[PresenceStore, int], Awaitable[object]]

WRITES: dict[str, Write] = {
    "join": lambda store, generation: store.join(1, "ann", generation, "music"),
    "leave": lambda store, generation: store.leave(1, "ann", generation, "maths"),
    "set_gone": lambda store, generation: store.set_gone(1, "ann", generation, 60_000, "full"),
    "set_here": lambda store, generation: store.set_here(1, "ann", generation),
    "remove": lambda store, generation: store.remove(1, "ann", generation),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))


# -- generation: every login has a greater one; a write for another than the current one does nothing --------


@every_write
async def test_rule_generation_a_write_of_a_session_taken_over_changes_nothing(presence: Harness, write: Write) -> None:
    old, new = await presence.node("old"), await presence.node("new")
    stale = (await log_in(old)).generation
    current = (await log_in(new, "ann", "maths")).generation
    assert not await write(old, stale)
    assert await seen(new) == "ONLINE new"
    assert await new.members(1, "maths", 10) == ["ann"]
    assert await new.counts(1, ["music"]) == [0]
    assert await new.remove(1, "ann", current) == ("maths",)


@every_write
async def test_rule_generation_a_write_of_a_removed_session_changes_nothing(presence: Harness, write: Write) -> None:
    node = await presence.node("a")
    generation = (await log_in(node)).generation
    await node.remove(1, "ann", generation)
    assert not await write(node, generation)
    assert not await write(node, generation + 1)
    assert await seen(node) == "OFFLINE"
    assert await node.counts(1, ["maths", "music"]) == [0, 0]


async def test_rule_generation_grows_within_one_millisecond_and_across_removals(presence: Harness) -> None:
    node = await presence.node("a")
    generations = []
    for _ in range(3):
        for _ in range(2):
            outcome = await log_in(node)
            generations.append(outcome.generation)
            await node.remove(1, "ann", outcome.generation)
        presence.advance(1_000)
        await node.renew()
    assert generations == sorted(set(generations))


async def test_rule_generation_grows_after_the_store_was_emptied(presence: Harness) -> None:
    node = await presence.node("a")
    await log_in(node)
    before = (await log_in(node)).generation
    presence.advance(5)
    presence.empty()
    await node.renew()
    assert (await log_in(node)).generation > before


async def test_rule_generation_grows_when_the_stores_clock_is_set_back(presence: Harness) -> None:
    node = await presence.node("a")
    await log_in(node)
    before = (await log_in(node)).generation
    presence.advance(-60_000)
    await node.renew()
    assert (await log_in(node)).generation > before


async def test_rule_generation_a_reap_that_comes_late_spares_who_logged_in_meanwhile(
    presence: Harness,
) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    gone = (await log_in(a, "ann", "maths")).generation
    await a.set_gone(1, "ann", gone, 0, "")
    await presence.live(35_000, a, b)
    assert (await log_in(b)).resumed
    assert await a.reap(100) == []
    assert await a.members(1, "maths", 10) == ["ann"]


async def test_rule_generation_an_eviction_names_the_login_it_is_meant_for(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    first = await log_in(a)
    await log_in(b)
    presence.advance(2_000)
    back = await log_in(a)
    assert (await a.renew()).evictions == (Eviction(1, "ann", first.generation, "superseded"),)
    assert await a.set_here(1, "ann", back.generation)


async def test_rule_generation_a_takeover_while_a_node_is_stopped_reaches_it_before_it_restores(
    presence: Harness,
) -> None:
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    stale = await log_in(stopped)
    await presence.live(20_000, alive)
    current = await log_in(alive, session="s2")
    renewal = await stopped.renew()
    assert renewal.lost
    assert renewal.evictions == (Eviction(1, "ann", stale.generation, "remote_login"),)
    assert await stopped.restore([record(stale)]) == [(1, "ann")]  # had it not acted on that
    assert await alive.set_here(1, "ann", current.generation)


async def test_rule_generation_of_two_nodes_that_restore_a_uid_the_later_login_wins(presence: Harness) -> None:
    early, late = await presence.node("early"), await presence.node("late")
    first = await log_in(early, "ann", "maths")
    second = await log_in(late, "ann", "music", session="s2")
    presence.empty()  # and with it what the first node was to be told
    assert (await early.renew()).lost
    assert (await late.renew()).lost
    assert await early.restore([record(first, "ann", "maths")]) == []
    assert await late.restore([record(second, "ann", "music")]) == []
    assert (await early.renew()).evictions == (Eviction(1, "ann", first.generation, "remote_login"),)
    assert await late.counts(1, ["maths", "music"]) == [0, 1]
    assert await seen(late) == "ONLINE late"


# -- leases: each node is the truth for its own sockets; who lost the lease registers them again --------------


async def test_rule_leases_a_node_that_renews_in_time_keeps_its_lease(presence: Harness) -> None:
    node = await presence.node("a")
    await log_in(node)
    for _ in range(5):
        presence.advance(14_999)
        assert not (await node.renew()).lost
    assert await seen(node) == "ONLINE a"


async def test_rule_leases_a_process_stopped_for_20_s_and_going_on_loses_nobody(presence: Harness) -> None:
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    outcome = await log_in(stopped, "ann", "maths")
    await presence.live(30_000, stopped, alive)
    for _ in range(40):
        await presence.live(500, alive)
        assert await alive.reap(100) == []
    assert await seen(alive) == "UNREACHABLE stopped"
    assert (await stopped.renew()).lost
    assert await stopped.restore([record(outcome, "ann", "maths")]) == []
    assert await seen(alive) == "ONLINE stopped"
    for _ in range(120):
        await presence.live(500, stopped, alive)
        assert await alive.reap(100) == await stopped.reap(100) == []
    assert await alive.members(1, "maths", 10) == ["ann"]


async def test_rule_leases_a_process_stopped_for_40_s_registers_its_removed_users_again(
    presence: Harness,
) -> None:
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    outcome = await log_in(stopped, "ann", "maths")
    await presence.live(40_000, alive)
    assert await alive.reap(100) == [Removed(1, "ann", outcome.generation, ("maths",))]
    assert await stopped.renew() == Renewal(lost=True)
    assert await stopped.restore([record(outcome, "ann", "maths")]) == []
    assert await stopped.join(1, "ann", outcome.generation, "music")
    assert await alive.counts(1, ["maths", "music"]) == [1, 1]
    assert await seen(alive) == "ONLINE stopped"


@every_write
async def test_rule_leases_a_node_writes_nothing_before_it_has_renewed_a_lost_lease(
    presence: Harness, write: Write
) -> None:
    """Else a login on a process that has just gone on would be removed at once, with its dead lease."""
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    generation = (await log_in(stopped, "ann", "maths")).generation
    await presence.live(20_000, alive)
    with pytest.raises(PresenceUnavailable):
        await stopped.login(1, "bob", None, "s1")
    with pytest.raises(PresenceUnavailable):
        await write(stopped, generation)
    with pytest.raises(PresenceUnavailable):
        await stopped.restore([])
    assert await alive.members(1, "maths", 10) == ["ann"]
    assert await seen(alive, "bob") == "OFFLINE"
    await stopped.renew()
    await log_in(stopped, "bob")
    await presence.live(60_000, stopped, alive)
    assert "bob" not in {removed.uid for removed in await alive.reap(100)}


async def test_rule_leases_nobody_is_removed_in_the_grace_after_a_lost_lease(presence: Harness) -> None:
    stopped, alive = await presence.node("stopped"), await presence.node("alive")
    gone = await log_in(alive, "gone")
    await presence.live(30_000, stopped, alive)
    await alive.set_gone(1, "gone", gone.generation, 0, "")
    await presence.live(29_000, alive)
    assert (await stopped.renew()).lost
    assert not await alive.settled()
    await presence.live(29_999, stopped, alive)
    assert await alive.reap(100) == await stopped.reap(100) == []
    await presence.live(1, stopped, alive)
    assert await alive.settled()
    assert [removed.uid for removed in await alive.reap(100)] == ["gone"]


async def test_rule_leases_after_an_outage_that_all_nodes_saw_nobody_removes_anybody(
    presence: Harness,
) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann, bob = await log_in(a, "ann"), await log_in(b, "bob")
    presence.advance(60_000)
    assert await a.reap(100) == []
    assert (await a.renew()).lost
    await a.restore([record(ann)])
    assert await a.reap(100) == []
    assert (await b.renew()).lost
    await b.restore([record(bob, "bob")])
    await presence.live(60_000, a, b)
    assert await a.reap(100) == await b.reap(100) == []
    assert [await seen(a, uid) for uid in ("ann", "bob")] == ["ONLINE a", "ONLINE b"]


async def test_rule_leases_an_emptied_store_is_filled_again_by_its_nodes(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a, "ann", "maths", "music")
    bob = await log_in(b, "bob", "maths")
    await presence.live(60_000, a, b)
    before = await a.epoch()
    presence.empty()
    assert not await a.settled()
    for node, records in ((a, [record(ann, "ann", "maths", "music")]), (b, [record(bob, "bob", "maths")])):
        assert (await node.renew()).lost
        assert await node.restore(records) == []
    assert sorted(await a.members(1, "maths", 10)) == ["ann", "bob"]
    assert await a.counts(1, ["music"]) == [1]
    (state, _) = await a.sessions(1, ["ann", "bob"])
    assert state is not None
    assert (state.generation, state.since_ms) == (ann.generation, START_MS)
    assert await a.epoch() == await b.epoch() != before
    assert not (await a.renew()).lost


async def test_rule_leases_who_is_not_restored_yet_is_no_stranger(presence: Harness) -> None:
    """A process that took "not current" for an answer would drop all its users with the store."""
    node = await presence.node("a")
    ann, bob = await log_in(node, "ann"), await log_in(node, "bob")
    presence.empty()
    with pytest.raises(PresenceUnavailable):
        await node.join(1, "ann", ann.generation, "maths")
    await node.renew()
    with pytest.raises(PresenceUnavailable):
        await node.join(1, "ann", ann.generation, "maths")
    await node.restore([record(ann)])
    assert await node.join(1, "ann", ann.generation, "maths")
    assert not await node.join(1, "bob", bob.generation, "maths")


async def test_rule_leases_an_answer_about_a_newer_login_is_given_even_while_restoring(
    presence: Harness,
) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    stale = await log_in(a)
    presence.advance(1)
    presence.empty()
    await b.renew()
    await log_in(b)
    await a.renew()
    assert not await a.set_here(1, "ann", stale.generation)


async def test_rule_leases_what_a_node_does_not_name_ends_with_its_old_lease(presence: Harness) -> None:
    node, other = await presence.node("a"), await presence.node("b")
    kept = await log_in(node, "kept", "maths")
    await log_in(node, "forgotten", "maths")
    await presence.live(15_000, other)
    assert (await node.renew()).lost
    await node.restore([record(kept, "kept", "music", silent_ms=None)])
    assert await node.members(1, "maths", 10) == ["forgotten"]
    assert await node.members(1, "music", 10) == ["kept"]
    await presence.live(30_000, node, other)
    assert [removed.uid for removed in await other.reap(100)] == ["forgotten"]
    assert await node.counts(1, ["maths", "music"]) == [0, 1]


async def test_rule_leases_a_session_restored_as_gone_is_removed_in_its_time(presence: Harness) -> None:
    node = await presence.node("a")
    outcome = await log_in(node)
    presence.empty()
    await node.renew()
    await node.restore([record(outcome, silent_ms=20_000)])
    assert await seen(node) == "UNREACHABLE a"
    await presence.live(10_250, node)
    assert await node.reap(100) == []  # the grace
    await presence.live(20_000, node)
    assert [removed.uid for removed in await node.reap(100)] == ["ann"]


async def test_rule_leases_a_session_gone_in_the_store_is_here_if_its_node_says_so(presence: Harness) -> None:
    node = await presence.node("a")
    outcome = await log_in(node)
    await node.set_gone(1, "ann", outcome.generation, 0, "")
    presence.advance(20_000)
    await node.renew()
    await node.restore([record(outcome)])
    assert await seen(node) == "ONLINE a"
    await presence.live(60_000, node)
    assert await node.reap(100) == []


async def test_rule_leases_a_restarted_process_has_another_name_and_the_old_users_time_runs(
    presence: Harness,
) -> None:
    killed = await presence.node("host-1")
    await log_in(killed, "ann", "maths")
    await log_in(killed, "bob", "maths")
    presence.advance(3_000)
    fresh = await presence.node("host-2")
    assert (await log_in(fresh, "bob")).rooms == ("maths",)
    await presence.live(31_500, fresh)
    assert [removed.uid for removed in await fresh.reap(100)] == ["ann"]


async def test_rule_generation_that_a_store_without_memory_gave_twice_stays_with_who_is_there(
    presence: Harness,
) -> None:
    """The store loses what it knows and gives the generation again within its millisecond: two nodes hold it."""
    a, b = await presence.node("a"), await presence.node("b")
    lost = await log_in(a, session="s1")
    presence.empty()
    for node in (a, b):
        await node.renew()
    again = await log_in(b, session="s2")
    assert again.generation == lost.generation
    assert await a.restore([record(lost)]) == [(1, "ann")]
    assert await seen(b) == "ONLINE b"
    assert await b.restore([record(again)]) == []
