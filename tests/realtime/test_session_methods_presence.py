"""One session per uid, its short losses and its end, on a clock of the test's own (docs/contract.md 6)."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.client import CallFailed, Client, Closed
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.told import notices, people


@pytest.fixture
async def lifetime() -> AsyncIterator[Lifetime]:
    async with clocked_runtimes(2) as lifetime:
        yield lifetime


@pytest.fixture(params=[0, 1], ids=["same process", "other process"])
def place(request: pytest.FixtureRequest) -> int:
    """Where the uid comes back."""
    chosen: int = request.param
    return chosen


async def closing(client: Client) -> tuple[int, str, bool]:
    """The code, its name and whether to reconnect, as told before the close; the close has the same code."""
    told = await client.expect("session.closing")
    assert await client.expect_close() == told["code"]
    return told["code"], told["name"], told["reconnect"]


async def state_of(lifetime: Lifetime, app: str, uid: str) -> str:
    """What the presence store says of a uid."""
    tenant = await lifetime.runtime.tenants.get(app)
    assert tenant is not None
    (found,) = await lifetime.runtime.presence.sessions(tenant.id, [uid])
    return "OFFLINE" if found is None else found.state


# The same uid elsewhere


async def test_a_remote_login_ends_the_older_session(lifetime: Lifetime, app: str, place: int) -> None:
    old = await lifetime.enter(app, "ann", "math")
    await lifetime.pass_time(5, old)
    new = lifetime.open_client(place)
    answer = await new.login(app, "ann")
    assert (answer["resumed"], answer["streams"]) == (False, {})
    assert await closing(old) == (4003, "remote_login", False)
    assert await new.call("session.ping") == {}
    with pytest.raises(CallFailed) as refused:
        await new.send("math", "hello", "m1")
    assert refused.value.name == "not_in_room"


async def test_a_remote_login_leaves_the_rooms_of_the_older_session(lifetime: Lifetime, app: str, place: int) -> None:
    bob = await lifetime.enter(app, "bob", "math", "art")
    old = await lifetime.enter(app, "ann", "math", "art")
    await lifetime.pass_time(5, bob, old)
    assert people(bob) == ["joined ann", "joined ann"]
    await lifetime.enter(app, "ann", "art", place=place)
    await lifetime.pass_time(1, bob)
    assert [push for push in notices(bob) if push != "counted 2"] == ["left ann", "counted 1"]
    assert (await bob.call("room.members", room="art"))["members"] == ["bob", "ann"]
    assert (await bob.call("room.members", room="math"))["members"] == ["bob"]


async def test_of_two_logins_at_once_one_stays(lifetime: Lifetime, app: str, place: int) -> None:
    first, second = lifetime.open_client(), lifetime.open_client(place)
    logins = [await client.start("session.login", app=app, uid="ann") for client in (first, second)]
    for login in logins:
        with contextlib.suppress(CallFailed, Closed):
            await login
    await lifetime.pass_time(5)
    (stays,) = [client for client in (first, second) if client.closed is None]
    await stays.call("room.join", room="math")
    assert (await stays.call("room.members", room="math"))["members"] == ["ann"]


# Coming back within 30 seconds


async def test_who_is_back_within_30_seconds_was_never_away_for_the_others(
    lifetime: Lifetime, app: str, place: int
) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    ann = lifetime.open_client()
    session = (await ann.login(app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await lifetime.pass_time(1, bob, ann)
    notices(bob)
    await ann.close()
    await lifetime.settle()
    await bob.send("math", "missed", "m1")
    sent = await bob.expect("room.sent")
    await lifetime.pass_time(28.9, bob)
    back = lifetime.open_client(place)
    streams = {"room:math": {"seq": 0, "epoch": ""}}
    answer = await back.login(app, "ann", session=session, streams=streams)
    assert (answer["resumed"], answer["session"]) == (True, session)
    await lifetime.pass_time(10, bob, back)
    assert notices(bob) == []
    assert (await bob.call("room.members", room="math"))["members"] == ["bob", "ann"]
    state = answer["streams"]["room:math"]
    assert (state["live"], state["head"], state["entries"]) == (True, 1, [{"event": "room.sent", **sent}])
    await back.send("math", "back", "m1")
    assert (await bob.expect("room.sent"))["body"]["text"] == "back"


async def test_a_session_that_is_resumed_beside_its_open_socket_closes_that_one(
    lifetime: Lifetime, app: str, place: int
) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    old = lifetime.open_client()
    session = (await old.login(app, "ann"))["session"]
    await old.call("room.join", room="math")
    await lifetime.pass_time(1, bob, old)
    notices(bob)
    new = lifetime.open_client(place)
    assert (await new.login(app, "ann", session=session))["resumed"]
    assert await closing(old) == (4010, "superseded", False)
    await lifetime.pass_time(10, bob, new)
    assert notices(bob) == []
    assert await new.send("math", "hello", "m1")


async def test_a_stream_without_a_cursor_goes_on_from_its_head(lifetime: Lifetime, app: str, place: int) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    ann = lifetime.open_client()
    session = (await ann.login(app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await bob.send("math", "unasked", "m1")
    await ann.close()
    await lifetime.settle()
    back = lifetime.open_client(place)
    state = (await back.login(app, "ann", session=session))["streams"]["room:math"]
    assert (state["recovered"], state["live"], state["head"], state["entries"]) == (False, True, 1, [])
    await bob.send("math", "heard", "m2")
    assert (await back.expect("room.sent"))["seq"] == 2


# Away for longer


async def test_who_is_away_for_30_seconds_is_removed_by_35(lifetime: Lifetime, app: str, place: int) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    ann = lifetime.open_client()
    session = (await ann.login(app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await lifetime.pass_time(1, bob, ann)
    notices(bob)
    await ann.close()
    await lifetime.settle()
    await lifetime.pass_time(30, bob)
    assert notices(bob) == [], "30 s"
    await lifetime.pass_time(5, bob)
    assert notices(bob) == ["left ann", "counted 1"], "35 s"
    back = lifetime.open_client(place)
    answer = await back.login(app, "ann", session=session)
    assert (answer["resumed"], answer["streams"]) == (False, {})


async def test_who_is_silent_with_an_open_socket_is_treated_alike(lifetime: Lifetime, app: str) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.pass_time(1, bob, ann)
    notices(bob)
    await lifetime.pass_time(29, bob)
    assert notices(bob) == []
    await ann.call("session.ping")
    await lifetime.pass_time(29, bob)
    assert notices(bob) == [], "counted from the last sign of life"
    await lifetime.pass_time(7, bob)
    assert notices(bob) == ["left ann", "counted 1"]
    assert await closing(ann) == (4008, "session_lost", True)


async def test_whoever_gives_a_sign_of_life_is_there(lifetime: Lifetime, app: str) -> None:
    bob = await lifetime.enter(app, "bob", "math")
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.news(bob)
    notices(bob)
    await lifetime.pass_time(60, ann, bob)
    assert people(bob) == []


async def test_a_user_is_unreachable_after_6_seconds_and_offline_after_35(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    assert await state_of(lifetime, app, "ann") == "ONLINE"
    await ann.close()
    await lifetime.settle()
    await lifetime.pass_time(5.9)
    assert await state_of(lifetime, app, "ann") == "ONLINE"
    await lifetime.pass_time(0.1)
    assert await state_of(lifetime, app, "ann") == "UNREACHABLE"
    await lifetime.pass_time(24)
    assert await state_of(lifetime, app, "ann") == "UNREACHABLE", "30 s"
    await lifetime.pass_time(5)
    assert await state_of(lifetime, app, "ann") == "OFFLINE", "35 s"


async def test_a_silent_user_is_unreachable_and_online_again_with_the_next_frame(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    await lifetime.pass_time(7)
    assert await state_of(lifetime, app, "ann") == "UNREACHABLE"
    await ann.call("session.ping")
    await lifetime.settle()
    assert await state_of(lifetime, app, "ann") == "ONLINE"


async def test_a_connection_that_does_not_log_in_is_closed_after_12_seconds(lifetime: Lifetime, app: str) -> None:
    idle, late = lifetime.open_client(), lifetime.open_client()
    await idle.call("session.ping")
    await late.call("session.ping")
    await lifetime.pass_time(12, idle, late)
    await late.login(app, "ann")
    await lifetime.pass_time(1, late)
    assert await closing(idle) == (4006, "login_timeout", True)
    assert await late.call("session.ping") == {}


async def test_a_logout_is_seen_by_all_at_once(lifetime: Lifetime, app: str, place: int) -> None:
    bob = await lifetime.enter(app, "bob", "math", place=place)
    ann = await lifetime.enter(app, "ann", "math")
    await lifetime.pass_time(1, bob, ann)
    notices(bob)
    await ann.call("session.logout")
    await lifetime.pass_time(1, bob)
    assert notices(bob) == ["left ann", "counted 1"]
    assert await state_of(lifetime, app, "ann") == "OFFLINE"
