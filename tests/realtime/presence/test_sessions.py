"""What both presence stores promise about logins, rooms and states."""

import pytest
from msgspec import structs

from realtime.presence import Eviction, LoginOutcome, PresenceUnavailable, Previous, Removed
from tests.realtime.presence.harness import START_MS, Harness, log_in, record, seen

pytestmark = pytest.mark.shapeless

ODD_NAMES = ["a b", " x", "{1}:user:ann", "1:2:superseded:x", "nul#", "tab\tnew\nline", "no\u00a0break", "%d"]


# -- logins ------------------------------------------------------------------------------------------------


async def test_the_first_login_makes_the_session(presence: Harness) -> None:
    node = await presence.node("a")
    assert await node.login(1, "ann", None, "s1") == LoginOutcome(
        session="s1", generation=START_MS, since_ms=START_MS, now_ms=START_MS
    )
    assert await seen(node) == "ONLINE a"


async def test_an_unknown_session_is_not_resumed(presence: Harness) -> None:
    node = await presence.node("a")
    outcome = await node.login(1, "ann", "of last week", "s1")
    assert (outcome.session, outcome.resumed, outcome.previous) == ("s1", False, None)


async def test_a_login_with_the_same_session_resumes_it_with_its_rooms(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    first = await log_in(a, "ann", "maths", "music")
    presence.advance(2_000)
    second = await b.login(1, "ann", "s1", "s2")
    assert (second.session, second.resumed, second.since_ms) == ("s1", True, START_MS)
    assert sorted(second.rooms) == ["maths", "music"]
    assert second.left_rooms == ()
    assert second.previous == Previous("a", first.generation, "s1")
    assert second.generation > first.generation
    assert await b.members(1, "maths", 10) == ["ann"]
    assert await seen(a) == "ONLINE b"


async def test_what_a_client_can_is_that_of_its_last_login(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")

    async def capabilities() -> str | None:
        (state,) = await a.sessions(1, ["ann"])
        return state.capabilities if state is not None else None

    await a.login(1, "ann", None, "s1", capabilities="ink media")
    assert await capabilities() == "ink media"
    presence.advance(1_000)
    await b.login(1, "ann", "s1", "s2")
    assert await capabilities() == "", "a resume says it anew"
    presence.advance(1_000)
    second = await a.login(1, "ann", "s1", "s3", capabilities="media")
    assert await capabilities() == "media"
    presence.empty()
    assert (await a.renew()).lost
    await a.restore([structs.replace(record(second), capabilities="media")])
    assert await capabilities() == "media"


async def test_another_login_replaces_the_session_and_leaves_its_rooms(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    first = await log_in(a, "ann", "maths", "music")
    presence.advance(2_000)
    second = await b.login(1, "ann", None, "s2")
    assert (second.session, second.resumed, second.rooms) == ("s2", False, ())
    assert sorted(second.left_rooms) == ["maths", "music"]
    assert second.previous == Previous("a", first.generation, "s1")
    assert second.since_ms == START_MS + 2_000
    assert await b.counts(1, ["maths", "music"]) == [0, 0]


async def test_a_takeover_is_told_to_the_node_that_had_the_session(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    ann = await log_in(a, "ann")
    bob = await log_in(a, "bob")
    await log_in(b, "ann", session="s1")
    await log_in(b, "bob", session="s2")
    assert (await b.renew()).evictions == ()
    renewal = await a.renew()
    assert not renewal.lost
    assert set(renewal.evictions) == {
        Eviction(1, "ann", ann.generation, "superseded"),
        Eviction(1, "bob", bob.generation, "remote_login"),
    }
    assert (await a.renew()).evictions == ()


async def test_a_takeover_on_the_same_node_is_known_there(presence: Harness) -> None:
    node = await presence.node("a")
    first = await log_in(node)
    second = await log_in(node, session="s2")
    assert second.previous == Previous("a", first.generation, "s1")
    assert (await node.renew()).evictions == ()


async def test_evictions_wait_for_a_node_that_does_not_renew(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    for number in range(30):
        await log_in(a, f"u{number}")
        await log_in(b, f"u{number}", session="s2")
    presence.advance(40_000)
    await b.renew()
    await b.reap(100)
    renewal = await a.renew()
    assert {eviction.uid for eviction in renewal.evictions} == {f"u{number}" for number in range(30)}


async def test_a_project_may_accept_logins_more_often(presence: Harness) -> None:
    node = await presence.node("a")
    for number in range(3):
        presence.advance(250)
        assert not (await node.login(1, "ann", None, f"s{number}", window_ms=500)).too_often
    assert (await node.login(1, "ann", None, "s3", window_ms=500)).too_often
    assert not (await node.login(1, "ann", None, "s3", window_ms=0)).too_often


async def test_a_third_login_within_a_second_is_too_often_and_changes_nothing(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    await log_in(a)
    presence.advance(500)
    second = await log_in(a, "ann", "maths")
    presence.advance(499)
    assert (await b.login(1, "ann", None, "s3")).too_often
    assert await seen(b) == "ONLINE a"
    assert (await a.renew()).evictions == ()
    assert await a.leave(1, "ann", second.generation, "maths")
    presence.advance(1)
    assert not (await b.login(1, "ann", None, "s3")).too_often
    assert (await b.login(1, "ann", None, "s4")).too_often


async def test_logging_out_does_not_make_a_third_login_possible(presence: Harness) -> None:
    node = await presence.node("a")
    for _ in range(2):
        outcome = await log_in(node)
        await node.remove(1, "ann", outcome.generation)
    assert (await node.login(1, "ann", None, "s1")).too_often
    assert not (await node.login(1, "bob", None, "s1")).too_often
    assert not (await node.login(2, "ann", None, "s1")).too_often


async def test_rate_buckets_move_with_the_user(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")
    outcome = await log_in(a)
    assert (outcome.levels, outcome.levels_age_ms, outcome.previous_login_ms) == ("", 0, None)
    presence.advance(5_000)
    assert await a.set_gone(1, "ann", outcome.generation, 1_000, '{"send": 2.5}')
    presence.advance(300)
    resumed = await b.login(1, "ann", "s1", "s2")
    assert (resumed.levels, resumed.levels_age_ms) == ('{"send": 2.5}', 300)
    assert resumed.previous_login_ms == outcome.now_ms
    presence.advance(1_000)
    replaced = await b.login(1, "ann", None, "s3")
    assert (replaced.levels, replaced.levels_age_ms) == ('{"send": 2.5}', 1_300)
    assert replaced.previous_login_ms == resumed.now_ms


async def test_the_last_login_is_known_for_ten_seconds_after_a_logout(presence: Harness) -> None:
    node = await presence.node("a")
    outcome = await log_in(node)
    await node.remove(1, "ann", outcome.generation)
    presence.advance(9_999)
    again = await log_in(node)
    assert again.previous_login_ms == outcome.now_ms
    await node.remove(1, "ann", again.generation)
    presence.advance(10_000)
    await node.renew()
    assert (await log_in(node)).previous_login_ms is None


# -- rooms -------------------------------------------------------------------------------------------------


async def test_members_come_in_the_order_they_joined_and_never_more_than_asked_for(presence: Harness) -> None:
    node = await presence.node("a")
    for uid in ("cyd", "ann", "bob"):
        await log_in(node, uid, "maths")
        presence.advance(10)
    assert await node.members(1, "maths", 512) == ["cyd", "ann", "bob"]
    assert await node.members(1, "maths", 2) == ["cyd", "ann"]
    assert await node.counts(1, ["maths", "nobody's", "maths"]) == [3, 0, 3]
    assert await node.counts(1, []) == []


async def test_joining_and_leaving_twice_is_once(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node, "ann", "maths", "maths")).generation
    assert await node.counts(1, ["maths"]) == [1]
    assert await node.leave(1, "ann", generation, "maths")
    assert await node.leave(1, "ann", generation, "maths")
    assert await node.counts(1, ["maths"]) == [0]
    assert await node.remove(1, "ann", generation) == ()


async def test_a_removed_session_leaves_its_rooms_once(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node, "ann", "maths", "music")).generation
    await log_in(node, "bob", "maths")
    assert sorted(await node.remove(1, "ann", generation) or ()) == ["maths", "music"]
    assert await node.remove(1, "ann", generation) is None
    assert await node.members(1, "maths", 10) == ["bob"]
    assert await seen(node) == "OFFLINE"


async def test_projects_never_see_each_other(presence: Harness) -> None:
    node = await presence.node("a")
    one = await node.login(1, "ann", None, "s1")
    two = await node.login(2, "ann", "s1", "s2")
    assert (two.session, two.previous) == ("s2", None)
    await node.join(1, "ann", one.generation, "maths")
    assert await node.members(2, "maths", 10) == []
    assert await node.counts(2, ["maths"]) == [0]
    await node.remove(1, "ann", one.generation)
    assert await seen(node) == "OFFLINE"
    assert (await node.sessions(2, ["ann"]))[0] is not None


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_permitted_name_is_kept_as_it_is(presence: Harness, name: str) -> None:
    a, b = await presence.node("a#1"), await presence.node("b:2")
    first = await log_in(a, name, name, session=name)
    assert await a.members(1, name, 10) == [name]
    second = await b.login(1, name, name, "s2")
    assert (second.session, second.rooms) == (name, (name,))
    assert second.previous == Previous("a#1", first.generation, name)
    assert (await a.renew()).evictions == (Eviction(1, name, first.generation, "superseded"),)
    await b.set_gone(1, name, second.generation, 0, name)
    await presence.live(60_000, a, b)
    assert await a.reap(10) == [Removed(1, name, second.generation, (name,))]
    assert (await b.renew()).evictions == (Eviction(1, name, second.generation, "removed"),)


# -- states ------------------------------------------------------------------------------------------------


async def test_a_user_is_unreachable_after_six_seconds_without_a_sign_of_life(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node)).generation
    assert await node.set_gone(1, "ann", generation, 0, "")
    presence.advance(5_999)
    assert await seen(node) == "ONLINE a"
    presence.advance(1)
    assert await seen(node) == "UNREACHABLE a"
    assert await node.set_here(1, "ann", generation)
    assert await seen(node) == "ONLINE a"


async def test_silence_counts_from_the_last_sign_of_life(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node)).generation
    presence.advance(6_000)
    await node.renew()
    assert await node.set_gone(1, "ann", generation, 6_000, "")
    assert await seen(node) == "UNREACHABLE a"
    assert await node.set_gone(1, "ann", generation, 0, "")
    assert await seen(node) == "UNREACHABLE a"


async def test_a_resumed_user_is_here(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node)).generation
    await node.set_gone(1, "ann", generation, 10_000, "")
    assert (await log_in(node)).resumed
    assert await seen(node) == "ONLINE a"


async def test_states_are_answered_in_the_order_of_the_question(presence: Harness) -> None:
    node = await presence.node("a")
    generation = (await log_in(node, "ann")).generation
    uids = [f"u{number}" for number in range(600)] + ["ann"]
    states = await node.sessions(1, uids)
    assert states[:-1] == [None] * 600
    assert states[-1] is not None
    assert (states[-1].node, states[-1].generation, states[-1].since_ms) == ("a", generation, START_MS)


async def test_a_state_names_the_session_that_is_current(presence: Harness) -> None:
    a, b = await presence.node("a"), await presence.node("b")

    async def current() -> str | None:
        (state,) = await a.sessions(1, ["ann"])
        return None if state is None else state.session

    assert await current() is None
    await log_in(a, "ann", session="s1")
    assert await current() == "s1"
    presence.advance(1_000)
    assert (await b.login(1, "ann", "s1", "s2")).resumed
    assert await current() == "s1"
    presence.advance(1_000)
    generation = (await b.login(1, "ann", None, "s3")).generation
    assert await current() == "s3"
    await b.remove(1, "ann", generation)
    assert await current() is None


async def test_a_store_that_is_closed_says_so(presence: Harness) -> None:
    node = await presence.node("a")
    await node.close()
    with pytest.raises(PresenceUnavailable):
        await node.login(1, "ann", None, "s1")
    with pytest.raises(PresenceUnavailable):
        await node.renew()
