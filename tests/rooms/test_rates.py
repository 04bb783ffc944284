"""Every rate of the table, at the limit and one past it (docs/contract.md 2 and 3), on a clock of the test's own."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

from projects.limits import RATES
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime

_serial = count(1)


def message() -> dict[str, Any]:
    text = {"type": "TEXT", "text": "x"}
    return {"room": "math", "message_id": f"m{next(_serial)}", "message": text}


def put() -> dict[str, Any]:
    return {"room": "math", "message_id": f"m{next(_serial)}", "attributes": {"a": "1"}}


def unknown_media() -> dict[str, Any]:
    return {"media": "0" * 32}


def cleared() -> dict[str, Any]:
    return {"room": "math", "message_id": f"m{next(_serial)}"}


def deleted() -> dict[str, Any]:
    return {"room": "math", "message_id": f"m{next(_serial)}", "keys": ["a"]}


def bob() -> dict[str, Any]:
    return {"uids": ["bob"]}


def call_nobody() -> dict[str, Any]:
    return {"invitation": f"i{next(_serial)}", "peer": "nobody"}


def math() -> dict[str, Any]:
    return {"room": "math"}


COUNTED = ("done", "not_in_room", "invitation_not_found", "media_not_found", "message_not_found", "too_many_uploads")
"""What a call comes to whose rate is not spent."""


class Case(NamedTuple):
    """Calls that spend one bucket, in turn."""

    rate: str
    calls: list[tuple[str, Callable[[], dict[str, Any]]]]


CASES = [
    Case("message", [("room.send", message), ("room.delete_message", lambda: {"room": "math", "seq": 0})]),
    Case("members", [("room.members", math)]),
    Case("member_counts", [("room.member_counts", lambda: {"rooms": ["math"]})]),
    Case(
        "set_room_attributes",
        [
            ("room.set_attributes", put),
            ("room.update_attributes", put),
            ("room.delete_attributes", deleted),
            ("room.clear_attributes", cleared),
        ],
    ),
    Case("get_room_attributes", [("room.get_attributes", math)]),
    Case("query_peers", [("presence.query", bob)]),
    Case("subscribe_peers", [("presence.subscribe", bob), ("presence.unsubscribe", bob)]),
    Case("list_subscriptions", [("presence.subscriptions", dict)]),
    Case(
        "set_user_attributes",
        [
            ("user.set_attributes", lambda: {"attributes": {"a": "1"}}),
            ("user.update_attributes", lambda: {"attributes": {"a": "1"}}),
            ("user.delete_attributes", lambda: {"keys": ["a"]}),
            ("user.clear_attributes", dict),
        ],
    ),
    Case("get_user_attributes", [("user.get_attributes", lambda: {"uid": "bob"})]),
    Case("history", [("room.history", math)]),
    Case("read", [("stream.read", lambda: {"stream": "room:math", "after": 0})]),
    Case(
        "invitation",
        [
            ("invitation.send", call_nobody),
            ("invitation.confirm", lambda: {"invitation": "i", "caller": "bob"}),
            ("invitation.accept", lambda: {"invitation": "i", "caller": "bob"}),
            ("invitation.refuse", lambda: {"invitation": "i", "caller": "bob"}),
            ("invitation.cancel", lambda: {"invitation": "i"}),
            ("invitation.list", dict),
        ],
    ),
    Case(
        "media",
        [
            ("media.start", lambda: {"kind": "FILE", "name": "file", "size": 1}),
            ("media.finish", unknown_media),
            ("media.abandon", unknown_media),
            ("media.url", unknown_media),
        ],
    ),
    Case("renew_token", [("session.renew_token", lambda: {"token": "any, as the certificate is off"})]),
    Case("session", [("room.leave", lambda: {"room": "nowhere"})]),
]


def test_every_rate_of_the_table_is_tried_here() -> None:
    elsewhere = {"login", "join", "join_same_room"}  # with tests of their own below
    elsewhere |= {name for name in RATES if name.startswith(("rest_", "client_"))}  # tests/test_limits.py
    assert {case.rate for case in CASES} | elsewhere == set(RATES)


async def outcome(client: Client, method: str, params: dict[str, Any]) -> str:
    """ "done", or the name of the error."""
    try:
        await client.call(method, **params)
    except CallFailed as failed:
        return failed.name
    return "done"


@pytest.mark.parametrize("case", CASES, ids=[case.rate for case in CASES])
async def test_as_many_calls_as_the_rate_says_and_not_one_more(lifetime: Lifetime, app: str, case: Case) -> None:
    ann = await lifetime.enter(app, "ann", "math")
    bob = await lifetime.enter(app, "bob", "math")
    rate = RATES[case.rate]
    for number in range(rate.calls):
        method, params = case.calls[number % len(case.calls)]
        assert await outcome(ann, method, params()) in COUNTED, number
    for method, params in case.calls:
        with pytest.raises(CallFailed) as refused:
            await ann.call(method, **params())
        assert (refused.value.name, refused.value.data["retryable"]) == ("too_often", True)
    method, params = case.calls[0]
    assert await outcome(bob, method, params()) in COUNTED, "each user has a rate of their own"
    wait_ms = refused.value.data["retry_after_ms"]
    assert 0 < wait_ms <= rate.window_ms / rate.calls + 1
    lifetime.clock.advance((wait_ms - 1) / 1000 - 0.001)
    assert await outcome(ann, method, params()) == "too_often", "the time said is not too long"
    lifetime.clock.advance(0.002)
    assert await outcome(ann, method, params()) in COUNTED, "nor too short"
    assert await outcome(ann, method, params()) == "too_often"
    lifetime.clock.advance(rate.window_ms / 1000)
    for _ in range(rate.calls):
        assert await outcome(ann, method, params()) in COUNTED
    assert await outcome(ann, method, params()) == "too_often", "a full window refills the bucket and no more"


async def test_50_joins_in_3_seconds(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    for number in range(50):
        assert await outcome(ann, "room.join", {"room": f"room-{number}"}) == "done"
        assert await outcome(ann, "room.leave", {"room": f"room-{number}"}) == "done"
    assert await outcome(ann, "room.join", {"room": "one-more"}) == "too_often"
    lifetime.clock.advance(3)
    assert await outcome(ann, "room.join", {"room": "one-more"}) == "done"


async def test_2_joins_of_the_same_room_in_5_seconds(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    for _ in range(2):
        assert await outcome(ann, "room.join", {"room": "math"}) == "done"
        assert await outcome(ann, "room.leave", {"room": "math"}) == "done"
    with pytest.raises(CallFailed) as refused:
        await ann.call("room.join", room="math")
    assert (refused.value.name, refused.value.data["retryable"]) == ("join_same_room_too_often", True)
    assert await outcome(ann, "room.join", {"room": "art"}) == "done", "other rooms are free"
    lifetime.clock.advance(refused.value.data["retry_after_ms"] / 1000)
    assert await outcome(ann, "room.join", {"room": "math"}) == "done"


async def test_a_join_that_is_refused_joins_nothing(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    bob = await lifetime.enter(app, "bob", "math")
    for _ in range(2):
        await ann.call("room.join", room="math")
        await ann.call("room.leave", room="math")
    assert await outcome(ann, "room.join", {"room": "math"}) == "join_same_room_too_often"
    assert (await bob.call("room.members", room="math"))["members"] == ["bob"]
    assert await outcome(ann, "room.send", message()) == "not_in_room"


async def test_2_logins_of_a_uid_in_a_second(lifetime: Lifetime, app: str) -> None:
    for _ in range(2):
        await lifetime.open_client().login(app, "ann")
    late = lifetime.open_client()
    with pytest.raises(CallFailed) as refused:
        await late.login(app, "ann")
    assert (refused.value.name, refused.value.data["retryable"]) == ("too_often", True)
    await lifetime.open_client().login(app, "bob")
    lifetime.clock.advance(refused.value.data["retry_after_ms"] / 1000)
    assert await late.login(app, "ann")


async def test_heartbeats_and_acknowledgements_are_free(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    for _ in range(300):
        await ann.notify("session.ack", received=0)
        await ann.call("session.ping")


async def test_calls_that_fail_are_counted_too(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    for _ in range(10):
        assert await outcome(ann, "room.get_attributes", {"room": "*"}) == "invalid_params"
    assert await outcome(ann, "room.get_attributes", {"room": "math"}) == "too_often"


async def test_a_new_login_does_not_refill_the_buckets(lifetime: Lifetime, app: str) -> None:
    ann = await lifetime.enter(app, "ann")
    for _ in range(10):
        await ann.call("room.get_attributes", room="math")
    again = await lifetime.enter(app, "ann")
    assert await outcome(again, "room.get_attributes", {"room": "math"}) == "too_often"


async def test_a_resumed_session_goes_on_with_its_buckets(two_places: Lifetime, app: str) -> None:
    for place in (0, 1):
        uid = f"ann-{place}"
        ann = two_places.open_client()
        session = (await ann.login(app, uid))["session"]
        for _ in range(10):
            await ann.call("room.get_attributes", room="math")
        await ann.close()
        await two_places.settle()
        back = two_places.open_client(place)
        assert (await back.login(app, uid, session=session))["resumed"]
        assert await outcome(back, "room.get_attributes", {"room": "math"}) == "too_often"


async def test_who_logs_out_and_in_again_at_once_may_go_on(lifetime: Lifetime, app: str) -> None:
    """Buckets that were hardly used are not taken for empty ones."""
    ann = await lifetime.enter(app, "ann", "math")
    await ann.call("session.logout")
    back = await lifetime.enter(app, "ann", "math")
    assert await outcome(back, "room.send", message()) == "done"
    assert await outcome(back, "room.leave", {"room": "math"}) == "done"
    third = lifetime.open_client()
    lifetime.clock.advance(1)
    await third.login(app, "ann")
    assert await outcome(third, "room.join", {"room": "math"}) == "done"
