"""Who joined, who left and how many there are (docs/contract.md 3)."""

from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.told import notices, people


async def test_members_are_told_who_joins_and_who_leaves(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    bob = await lifetime.enter(app, "bob", "math")
    await lifetime.news(ann)
    assert people(ann) == ["joined bob"]
    await bob.call("room.leave", room="math")
    await lifetime.news(ann)
    assert people(ann) == ["left bob"]


async def test_nobody_is_told_of_themselves(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    bob = await lifetime.enter(app, "bob", "math")
    await lifetime.news(ann, bob)
    assert people(ann) == ["joined bob"]
    assert people(bob) == []


async def test_who_was_there_before_is_no_news(two_places: Lifetime, app: str) -> None:
    """Not even when they came a moment before."""
    await two_places.enter(app, "ann", "math")
    here = await two_places.enter(app, "bob", "math")
    there = await two_places.enter(app, "cal", "math", place=1)
    await two_places.news(here, there)
    assert people(here) == ["joined cal"]
    assert people(there) == []


async def test_who_joins_at_the_same_moment_is_told_of_those_behind(two_places: Lifetime, app: str) -> None:
    zoe = await two_places.enter(app, "zoe", "math")
    ann = await two_places.enter(app, "ann", "math")
    moe = await two_places.enter(app, "moe", "math", place=1)
    await two_places.news(zoe, ann, moe)
    assert people(zoe) == ["joined ann", "joined moe"]
    assert people(ann) == ["joined moe"]
    assert people(moe) == []


async def test_members_at_another_process_are_told_as_well(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann", "math")
    bob = await two_places.enter(app, "bob", "math", place=1)
    await two_places.news(ann, bob)
    assert people(ann) == ["joined bob"]
    await bob.call("room.leave", room="math")
    await two_places.news(ann, bob)
    assert people(ann) == ["left bob"]
    assert people(bob) == []


async def test_who_was_listed_and_left_before_anybody_was_told_of_them_is_told_to_have_left(
    lifetime: Lifetime, app: str
) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    bob = await lifetime.enter(app, "bob", "math")
    assert (await ann.call("room.members", room="math"))["members"] == ["ann", "bob"]
    await bob.call("room.leave", room="math")
    await lifetime.news(ann)
    assert people(ann) == ["left bob"]
    cal = await lifetime.enter(app, "cal", "math")
    await lifetime.news(ann, cal)
    assert people(ann) == ["joined cal"]


async def test_notices_stay_in_their_room(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.enter(app, "bob", "art")
    await lifetime.news(ann)
    assert people(ann) == []


async def test_who_joins_twice_joined_once(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.enter(app, "bob", "math", "math")
    await lifetime.news(ann)
    assert people(ann) == ["joined bob"]


async def test_a_logout_leaves_all_rooms(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math", "art")
    bob = await lifetime.enter(app, "bob", "math", "art")
    await lifetime.news(ann)
    people(ann)
    await bob.call("session.logout")
    await lifetime.news(ann)
    assert people(ann) == ["left bob", "left bob"]


async def test_the_count_is_told_at_ones_own_join_and_with_each_change(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.news(ann)
    assert notices(ann) == ["counted 1"]
    await lifetime.pass_time(1, ann)
    await lifetime.enter(app, "bob", "math")
    await lifetime.news(ann)
    assert notices(ann) == ["joined bob", "counted 2"]


async def test_the_count_is_told_at_most_once_a_second(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.news(ann)
    assert notices(ann) == ["counted 1"]
    for uid in ("bob", "cal", "dan"):
        await lifetime.enter(app, uid, "math")
        await lifetime.news(ann)
        assert notices(ann) == [f"joined {uid}"], "a notice does not wait for the count"
    await lifetime.pass_time(0.8, ann)
    assert notices(ann) == []
    await lifetime.pass_time(0.2, ann)
    assert notices(ann) == ["counted 4"]


async def test_who_left_is_told_at_once_also_right_after_the_store_began(app: str) -> None:
    """A store that has just begun may miss members that are not registered again yet. Who leaves says so."""
    async with clocked_runtimes(2, settled=False) as lifetime:
        ann = await lifetime.enter(app, "ann", "math")
        uids = ["bob", "cal", "dan"]
        bob, cal, _ = [await lifetime.enter(app, uid, "math", place=1) for uid in uids]
        await lifetime.news(ann)
        people(ann)
        await bob.call("room.leave", room="math")
        await lifetime.news(ann)
        assert people(ann) == ["left bob"]
        await cal.call("session.logout")
        await lifetime.news(ann)
        assert people(ann) == ["left cal"]
        await lifetime.enter(app, "dan")
        await lifetime.news(ann)
        assert people(ann) == ["left dan"]


async def test_a_room_that_was_empty_here_starts_afresh(two_places: Lifetime, app: str) -> None:
    """What changed while nobody listened here is no news for who joins later."""
    ann = await two_places.enter(app, "ann", "math")
    await two_places.news(ann)
    await ann.call("room.leave", room="math")
    await two_places.enter(app, "bob", "math", place=1)
    await ann.call("room.join", room="math")
    await two_places.news(ann)
    assert people(ann) == []
    await two_places.enter(app, "cal", "math")
    await two_places.news(ann)
    assert people(ann) == ["joined cal"]
