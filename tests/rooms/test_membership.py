"""Joining, leaving, and who is there (docs/contract.md 2 and 3)."""

from collections.abc import Awaitable, Callable

import pytest

from tests.support.client import CallFailed, Client

Enter = Callable[..., Awaitable[Client]]


async def error_name(client: Client, method: str, **params: object) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call(method, **params)
    return refused.value.name


async def test_a_first_join_of_a_room_nobody_wrote_into(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    assert await ann.call("room.join", room="math") == {
        "room": "math",
        "stream": "room:math",
        "epoch": "",
        "head": 0,
        "member_count": 1,
        "attributes": {},
        "revision": 0,
        "live": True,
    }


async def test_a_join_says_how_many_there_are_and_where_the_room_is(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob")
    await ann.send("math", "one", "m1")
    await ann.send("math", "two", "m2")
    joined = await bob.call("room.join", room="math")
    assert (joined["member_count"], joined["head"]) == (2, 2)
    assert joined["epoch"]
    await ann.send("math", "three", "m3")
    assert (await bob.expect("room.sent"))["seq"] == 3


async def test_a_user_is_in_at_most_20_rooms(enter: Enter, app: str) -> None:
    rooms = [f"room-{number}" for number in range(20)]
    ann = await enter(app, "ann", *rooms)
    assert await error_name(ann, "room.join", room="room-20") == "limit_exceeded"
    assert (await ann.call("room.member_counts", rooms=["room-20"]))["counts"] == {"room-20": 0}
    await ann.call("room.join", room="room-7")  # one of the 20
    await ann.call("room.leave", room="room-3")
    await ann.call("room.join", room="room-20")
    assert await error_name(ann, "room.join", room="room-3") == "limit_exceeded"


async def test_the_20_rooms_are_each_users_own(enter: Enter, app: str) -> None:
    rooms = [f"room-{number}" for number in range(20)]
    await enter(app, "ann", *rooms)
    bob = await enter(app, "bob", *rooms)
    assert (await bob.call("room.members", room="room-19"))["members"] == ["ann", "bob"]


async def test_after_leaving_nothing_more_of_the_room_comes(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math", "art"), await enter(app, "bob", "math", "art")
    await bob.call("room.leave", room="math")
    await ann.send("math", "unheard", "m1")
    await ann.send("art", "heard", "m2")
    assert (await bob.expect("room.sent"))["stream"] == "room:art"
    await bob.expect_nothing("room.sent")


async def test_leaving_then_joining_again_works(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    await bob.call("room.leave", room="math")
    await ann.send("math", "missed", "m1")
    assert (await bob.call("room.join", room="math"))["head"] == 1
    await ann.send("math", "heard", "m2")
    assert (await bob.expect("room.sent"))["body"]["text"] == "heard"
    await bob.send("math", "back", "m1")
    assert (await ann.call("room.members", room="math"))["members"] == ["ann", "bob"]


async def test_joining_with_a_cursor_brings_what_was_missed(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    await ann.send("math", "one", "m1")
    epoch = (await bob.call("room.join", room="math"))["epoch"]
    await bob.call("room.leave", room="math")
    await ann.send("math", "two", "m2")
    await ann.send("math", "three", "m3")
    cal = await enter(app, "cal")
    joined = await cal.call("room.join", room="math", after={"seq": 1, "epoch": epoch})
    assert (joined["recovered"], joined["live"], joined["head"]) == (True, True, 3)
    assert [entry["body"]["text"] for entry in joined["entries"]] == ["two", "three"]
    await ann.send("math", "four", "m4")
    assert (await cal.expect("room.sent"))["seq"] == 4


@pytest.mark.parametrize("method", ["room.leave", "room.members", "room.history"])
async def test_what_only_members_may_do(enter: Enter, app: str, method: str) -> None:
    await enter(app, "ann", "math")
    bob = await enter(app, "bob", "art")
    assert await error_name(bob, method, room="math") == "not_in_room"
    assert await error_name(bob, "stream.read", stream="room:math", after=0) == "not_in_room"
    await bob.call("room.join", room="math")
    await bob.call("room.leave", room="math")
    assert await error_name(bob, method, room="math") == "not_in_room"


async def test_members_are_listed_in_the_order_of_joining(enter: Enter, app: str) -> None:
    for uid in ("zoe", "ann", "moe"):
        last = await enter(app, uid, "math")
    assert await last.call("room.members", room="math") == {"members": ["zoe", "ann", "moe"], "total": 3}


async def test_a_logout_leaves_the_rooms(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math", "art"), await enter(app, "bob", "math", "art")
    await bob.call("session.logout")
    assert (await ann.call("room.members", room="math"))["members"] == ["ann"]
    assert (await ann.call("room.members", room="art"))["members"] == ["ann"]


async def test_counts_of_32_rooms_and_not_of_33(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "room-0", "room-31")
    await enter(fast_app, "bob", "room-31")
    rooms = [f"room-{number}" for number in range(33)]
    counts = (await ann.call("room.member_counts", rooms=rooms[:32]))["counts"]
    assert counts == {**dict.fromkeys(rooms[:32], 0), "room-0": 1, "room-31": 2}
    assert await error_name(ann, "room.member_counts", rooms=rooms) == "limit_exceeded"
    assert await error_name(ann, "room.member_counts", rooms=[]) == "invalid_params"


async def test_counting_needs_no_membership_and_a_room_named_twice_counts_once(enter: Enter, fast_app: str) -> None:
    await enter(fast_app, "ann", "math")
    bob = await enter(fast_app, "bob")
    assert (await bob.call("room.member_counts", rooms=["math", "math"]))["counts"] == {"math": 1}
    assert (await bob.call("room.member_counts", rooms=["math"]))["counts"] == {"math": 1}
