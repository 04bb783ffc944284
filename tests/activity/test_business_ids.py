"""`session.set_business_id`: travels with what the user does, and webhooks filter by it (docs/contract.md 2)."""

import json

import pytest
from asgiref.sync import sync_to_async

from activity.models import BusinessId, Webhook
from activity.selectors import BusinessIds
from activity.services.recording import BUSINESS_IDS_KEPT
from projects.models import Project
from tests.support.activity import deliveries, make_webhook, pump, record
from tests.support.client import CallFailed
from tests.support.clock import Lifetime


async def told(webhook: Webhook) -> list[tuple[str, str]]:
    """Event and business id of what a webhook is to be told."""
    payloads = [json.loads(delivery.payload) for delivery in await deliveries(webhook)]
    return [(payload["event"], payload["business_id"]) for payload in payloads]


async def test_it_goes_with_what_its_user_does_until_the_session_ends(lifetime: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    ann = await lifetime.enter(fast_app, "ann")
    lifetime.clock.advance(0.01)
    await ann.call("session.set_business_id", business_id="evening")
    await ann.call("room.join", room="math")
    await ann.send("math", "x", "m1")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    lifetime.clock.advance(0.01)
    await ann.call("session.logout")
    await record(lifetime.runtime)
    lifetime.clock.advance(2)
    again = await lifetime.enter(fast_app, "ann", "math")
    await again.send("math", "x", "m2")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    assert await told(webhook) == [
        ("user.logged_in", ""),
        ("room.created", "evening"),
        ("room.joined", "evening"),
        ("room.sent", "evening"),
        ("room.left", "evening"),
        ("user.logged_out", "evening"),
        ("room.closed", "evening"),
        ("user.logged_in", ""),
        ("room.created", ""),
        ("room.joined", ""),
        ("room.sent", ""),
    ]


async def test_a_message_keeps_the_id_it_was_sent_under(lifetime: Lifetime, fast_app: str) -> None:
    """The log is read a moment later: by then the user may have another id, or have logged out."""
    webhook = await make_webhook(fast_app, events=["room.sent"])
    ann = await lifetime.enter(fast_app, "ann", "math")
    for number, business_id in enumerate(("first", "second")):
        await ann.call("session.set_business_id", business_id=business_id)
        lifetime.clock.advance(0.01)
        await ann.send("math", "x", f"m{number}")
        lifetime.clock.advance(0.01)
    await ann.call("session.logout")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    assert [business_id for _, business_id in await told(webhook)] == ["first", "second"]


async def test_a_webhook_with_a_business_id_hears_of_its_users_only(lifetime: Lifetime, fast_app: str) -> None:
    evening, everything = await make_webhook(fast_app, business_id="evening"), await make_webhook(fast_app)
    ann, bob, cyd = [await lifetime.enter(fast_app, uid) for uid in ("ann", "bob", "cyd")]
    await ann.call("session.set_business_id", business_id="evening")
    await bob.call("session.set_business_id", business_id="morning")
    for client in (bob, ann, cyd):
        await client.call("room.join", room="math")
        await client.send("math", "x", "m1")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    assert await told(evening) == [("user.logged_in", "evening"), ("room.joined", "evening"), ("room.sent", "evening")]
    assert len(await told(everything)) == 10


async def test_a_resumed_session_keeps_it_and_another_does_not(two_places: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app, events=["room.joined"])
    ann = two_places.open_client()
    session = (await ann.login(fast_app, "ann"))["session"]
    await ann.call("session.set_business_id", business_id="evening")
    await record(two_places.runtime)
    await ann.close()
    back = two_places.open_client(1)
    await back.login(fast_app, "ann", session=session)
    await back.call("room.join", room="math")
    await record(*two_places.runtimes)
    two_places.clock.advance(2)
    other = await two_places.enter(fast_app, "ann")
    await record(*two_places.runtimes)
    two_places.clock.advance(0.01)
    await other.call("room.join", room="art")
    await record(*two_places.runtimes)
    assert await told(webhook) == [("room.joined", "evening"), ("room.joined", "")]


async def test_the_end_of_an_earlier_session_that_is_written_late_takes_nothing_away(
    two_places: Lifetime, fast_app: str
) -> None:
    here, there = two_places.runtimes
    ann = await two_places.enter(fast_app, "ann")
    await ann.call("session.logout")
    two_places.clock.advance(2)
    again = await two_places.enter(fast_app, "ann", place=1)
    two_places.clock.advance(0.01)
    await again.call("session.set_business_id", business_id="evening")
    await record(there)
    await record(here)
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    known = await sync_to_async(BusinessIds)({(project.pk, "ann")})
    assert known.at(project.pk, "ann", two_places.clock.now_ms() + 1_000) == "evening"


@pytest.mark.parametrize("business_id", ["", "x" * 65, "two words", "ümlaut", "a\n", None, 7])
async def test_what_is_none_is_refused(lifetime: Lifetime, fast_app: str, business_id: object) -> None:
    ann = await lifetime.enter(fast_app, "ann")
    with pytest.raises(CallFailed) as refused:
        await ann.call("session.set_business_id", business_id=business_id)
    assert refused.value.name == "invalid_params"


@pytest.mark.parametrize("business_id", ["x", "x" * 64, "!~#:/\\\"'"])
async def test_visible_characters_are_taken(lifetime: Lifetime, fast_app: str, business_id: str) -> None:
    ann = await lifetime.enter(fast_app, "ann")
    assert await ann.call("session.set_business_id", business_id=business_id) == {}
    assert await ann.call("session.set_business_id", business_id=business_id) == {}
    rows = BusinessId.objects.filter(project__app_id=fast_app).values_list("business_id", flat=True)
    assert [row async for row in rows] == [business_id]


async def test_who_sets_it_again_and_again_fills_no_table(lifetime: Lifetime, fast_app: str) -> None:
    ann = await lifetime.enter(fast_app, "ann")
    for number in range(BUSINESS_IDS_KEPT + 5):
        await ann.call("session.set_business_id", business_id=f"b{number}")
    rows = BusinessId.objects.filter(project__app_id=fast_app)
    assert await sync_to_async(rows.count)() == BUSINESS_IDS_KEPT
    assert [row.business_id async for row in rows.filter(until=None)] == ["b20"]
