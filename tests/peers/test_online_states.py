"""Online states: asked for, and subscribed to (docs/contract.md 2)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from peers.watches import Watches
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime
from tests.support.told import states

Enter = Callable[..., Awaitable[Client]]


def uids(count: int, first: int = 0) -> list[str]:
    return [f"u{number}" for number in range(first, first + count)]


async def refusal(client: Client, method: str, **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call(method, **params)
    return refused.value.name


async def subscribe(client: Client, *wanted: str) -> Any:
    return (await client.call("presence.subscribe", uids=list(wanted)))["states"]


async def seconds(lifetime: Lifetime, count: int, *alive: Client) -> None:
    """Time passes in small steps, and what it brought has arrived."""
    for _ in range(count):
        await lifetime.pass_time(1, *alive)
    await lifetime.news(*alive)


# Query


async def test_a_query_tells_who_is_there(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    await enter(app, "bob")
    found = await ann.call("presence.query", uids=["bob", "cal", "ann", "bob"])
    assert found == {"states": {"bob": "ONLINE", "cal": "OFFLINE", "ann": "ONLINE"}}


async def test_a_query_tells_who_is_unreachable_and_who_was_removed(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=1)
    await bob.close()
    await two_places.settle()

    async def state() -> Any:
        return (await ann.call("presence.query", uids=["bob"]))["states"]["bob"]

    await two_places.pass_time(5, ann)
    assert await state() == "ONLINE"
    await two_places.pass_time(1, ann)
    assert await state() == "UNREACHABLE"
    await two_places.pass_time(30, ann)
    assert await state() == "OFFLINE"


async def test_a_query_takes_256_users_and_not_one_more(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    found = await ann.call("presence.query", uids=[*uids(256), "u0"])
    assert found == {"states": dict.fromkeys(uids(256), "OFFLINE")}
    assert await refusal(ann, "presence.query", uids=uids(257)) == "limit_exceeded"
    assert await refusal(ann, "presence.query", uids=uids(1025)) == "invalid_params"
    assert await refusal(ann, "presence.query", uids=[]) == "invalid_params"


@pytest.mark.parametrize("method", ["presence.query", "presence.subscribe", "presence.unsubscribe"])
@pytest.mark.parametrize("uid", ["", "x" * 65, "\u00a0" * 33, "ä"])
async def test_what_is_no_user_id_is_refused(enter: Enter, app: str, method: str, uid: str) -> None:
    ann = await enter(app, "ann")
    assert await refusal(ann, method, uids=["bob", uid]) == "invalid_params"
    assert await ann.call("presence.subscriptions") == {"uids": []}


# Subscriptions


async def test_a_subscription_begins_with_the_state_of_all(two_places: Lifetime, app: str) -> None:
    ann = await two_places.enter(app, "ann")
    await two_places.enter(app, "bob")
    await two_places.enter(app, "cal", place=1)
    assert await subscribe(ann, "bob", "cal", "dan", "ann") == {
        "bob": "ONLINE",
        "cal": "ONLINE",
        "dan": "OFFLINE",
        "ann": "ONLINE",
    }
    await two_places.news(ann)
    assert states(ann) == []


@pytest.mark.parametrize("place", [0, 1], ids=["same process", "other process"])
async def test_each_change_is_told(two_places: Lifetime, app: str, place: int) -> None:
    """Login, a lost connection, the return, a lost connection for long, logout."""
    ann = await two_places.enter(app, "ann")
    assert await subscribe(ann, "bob") == {"bob": "OFFLINE"}
    bob = two_places.open_client(place)
    session = (await bob.login(app, "bob"))["session"]
    await two_places.news(ann)
    assert states(ann) == ["bob ONLINE"]

    await bob.close()
    await seconds(two_places, 5, ann)
    assert states(ann) == []
    await seconds(two_places, 2, ann)
    assert states(ann) == ["bob UNREACHABLE"]

    bob = two_places.open_client(place)
    assert (await bob.login(app, "bob", session=session))["resumed"]
    await two_places.news(ann)
    assert states(ann) == ["bob ONLINE"]

    await bob.close()
    await seconds(two_places, 29, ann)
    assert states(ann) == ["bob UNREACHABLE"]
    await seconds(two_places, 6, ann)
    assert states(ann) == ["bob OFFLINE"]

    bob = await two_places.enter(app, "bob", place=place)
    await two_places.news(ann)
    assert states(ann) == ["bob ONLINE"]
    await bob.call("session.logout")
    await two_places.news(ann)
    assert states(ann) == ["bob OFFLINE"]


@pytest.mark.parametrize("place", [0, 1], ids=["same process", "other process"])
async def test_a_client_that_falls_silent_is_unreachable_until_it_is_heard(
    two_places: Lifetime, app: str, place: int
) -> None:
    ann = await two_places.enter(app, "ann")
    bob = await two_places.enter(app, "bob", place=place)
    await subscribe(ann, "bob")
    await seconds(two_places, 7, ann)
    assert states(ann) == ["bob UNREACHABLE"]
    await bob.call("session.ping")
    await two_places.news(ann)
    assert states(ann) == ["bob ONLINE"]


@pytest.mark.parametrize("places", [(0, 0), (0, 1), (1, 0)])
async def test_back_within_six_seconds_nobody_saw_a_thing(
    two_places: Lifetime, app: str, places: tuple[int, int]
) -> None:
    ann = await two_places.enter(app, "ann")
    bob = two_places.open_client(places[0])
    session = (await bob.login(app, "bob"))["session"]
    await subscribe(ann, "bob")
    await bob.close()
    await seconds(two_places, 4, ann)
    again = two_places.open_client(places[1])
    await again.login(app, "bob", session=session)
    await seconds(two_places, 8, ann, again)
    assert states(ann) == []


@pytest.mark.parametrize("places", [(0, 0), (0, 1), (1, 0)])
async def test_a_login_that_takes_over_is_no_change(two_places: Lifetime, app: str, places: tuple[int, int]) -> None:
    ann = await two_places.enter(app, "ann")
    await two_places.enter(app, "bob", place=places[0])
    await subscribe(ann, "bob")
    again = await two_places.enter(app, "bob", place=places[1])
    await seconds(two_places, 8, ann, again)
    assert states(ann) == []


async def test_ones_own_state_is_told_like_any_other(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    assert await subscribe(ann, "ann") == {"ann": "ONLINE"}
    await seconds(lifetime, 7)
    await lifetime.news(ann)
    await lifetime.news(ann)
    assert states(ann) == ["ann UNREACHABLE", "ann ONLINE"]


async def test_the_same_id_twice_is_no_error_and_is_told_once(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    bob = await lifetime.enter(app, "bob")
    assert await subscribe(ann, "bob", "bob") == {"bob": "ONLINE"}
    assert await subscribe(ann, "bob") == {"bob": "ONLINE"}
    assert await ann.call("presence.subscriptions") == {"uids": ["bob"]}
    await bob.call("session.logout")
    await lifetime.news(ann)
    assert states(ann) == ["bob OFFLINE"]
    assert await subscribe(ann, "bob") == {"bob": "OFFLINE"}


async def test_after_unsubscribing_nothing_is_told(lifetime: Lifetime, app: str) -> None:
    ann, cal = await lifetime.enter(app, "ann"), await lifetime.enter(app, "cal")
    bob, dan = await lifetime.enter(app, "bob"), await lifetime.enter(app, "dan")
    for client in (ann, cal):
        await subscribe(client, "bob", "dan")
    assert await ann.call("presence.unsubscribe", uids=["bob", "bob", "nobody"]) == {}
    assert await ann.call("presence.subscriptions") == {"uids": ["dan"]}
    for client in (bob, dan):
        await client.call("session.logout")
    await lifetime.news(ann, cal)
    assert states(ann) == ["dan OFFLINE"]
    assert sorted(states(cal)) == ["bob OFFLINE", "dan OFFLINE"]


async def test_512_users_are_subscribed_to_and_not_one_more(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    assert len(await subscribe(ann, *uids(511))) == 511
    assert await refusal(ann, "presence.subscribe", uids=["a", "b"]) == "limit_exceeded"
    assert (await ann.call("presence.subscriptions"))["uids"] == uids(511), "all or nothing"
    await subscribe(ann, "a")
    await subscribe(ann, *uids(511))
    assert await refusal(ann, "presence.subscribe", uids=["b"]) == "limit_exceeded"
    await ann.call("presence.unsubscribe", uids=["u3"])
    await subscribe(ann, "b")
    bob = await enter(fast_app, "bob")
    assert len(await subscribe(bob, *uids(512, first=300))) == 512, "each connection has its own"


async def test_calls_of_a_connection_take_effect_in_their_order(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    asked = [
        await ann.start("presence.subscribe", uids=["bob", "cal"]),
        await ann.start("presence.subscriptions"),
        await ann.start("presence.unsubscribe", uids=["bob"]),
        await ann.start("presence.subscriptions"),
    ]
    answers = [await answer for answer in asked]
    assert [answers[1], answers[3]] == [{"uids": ["bob", "cal"]}, {"uids": ["cal"]}]


async def test_a_subscription_ends_with_its_connection(lifetime: Lifetime, app: str) -> None:
    """The state of all, when it is subscribed to again, tells what changed meanwhile."""
    ann = lifetime.open_client()
    session = (await ann.login(app, "ann"))["session"]
    bob = await lifetime.enter(app, "bob")
    assert await subscribe(ann, "bob", "cal") == {"bob": "ONLINE", "cal": "OFFLINE"}
    await ann.close()
    await lifetime.settle()
    assert len(lifetime.runtime.part(Watches)) == 0
    await bob.call("session.logout")
    again = lifetime.open_client()
    assert (await again.login(app, "ann", session=session))["resumed"]
    await lifetime.enter(app, "cal")
    await lifetime.news(again)
    assert states(again) == []
    assert await again.call("presence.subscriptions") == {"uids": []}
    assert await subscribe(again, "bob", "cal") == {"bob": "OFFLINE", "cal": "ONLINE"}
