"""What happens to sessions and rooms is written down, each event once in the cluster."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from activity import recorder
from activity.models import OpenRoom, Webhook
from activity.recorder import Recorder
from activity.services import recording, take_channel_events, take_user_events
from projects.models import Project
from realtime.errors import RpcError
from tests.support.activity import deliveries, make_heard, make_webhook, record
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import ThreadGate, held_at


@pytest.fixture
async def webhook(fast_app: str) -> Webhook:
    return await make_webhook(fast_app)


async def told(webhook: Webhook) -> list[str]:
    """Event, room, uid and reason of what the webhook is to be told, in order."""
    found = []
    for delivery in await deliveries(webhook):
        payload = json.loads(delivery.payload)
        assert (payload["event_id"], payload["event"]) == (delivery.event_id, delivery.event)
        data = payload["data"]
        found.append(" ".join([payload["event"], *(data[key] for key in ("room", "uid", "reason") if key in data)]))
    return found


async def test_a_visit_is_told_from_login_to_logout(lifetime: Lifetime, fast_app: str, webhook: Webhook) -> None:
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.call("room.leave", room="math")
    await ann.call("room.join", room="art")
    await ann.call("session.logout")
    await record(lifetime.runtime)
    assert await told(webhook) == [
        "user.logged_in ann",
        "room.created math ann",
        "room.joined math ann",
        "room.left math ann left",
        "room.created art ann",
        "room.joined art ann",
        "room.left art ann logged_out",
        "user.logged_out ann logged_out",
        "room.closed math ann",
        "room.closed art ann",
    ]


async def test_a_room_is_created_by_its_first_member_and_closed_by_its_last(
    two_places: Lifetime, fast_app: str, webhook: Webhook
) -> None:
    here, there = two_places.runtimes
    ann = await two_places.enter(fast_app, "ann", "math")
    bob = await two_places.enter(fast_app, "bob", "math", place=1)
    await record(here, there)
    await ann.call("room.leave", room="math")
    await record(here, there)
    assert [event for event in await told(webhook) if event.startswith(("room.created", "room.closed"))] == [
        "room.created math ann"
    ]
    await bob.call("room.leave", room="math")
    await record(there)
    await record(here)
    assert (await told(webhook))[-1] == "room.closed math bob"
    await ann.call("room.join", room="math")
    await record(here)
    assert (await told(webhook))[-2:] == ["room.created math ann", "room.joined math ann"]


async def test_a_second_join_of_a_member_is_none(lifetime: Lifetime, fast_app: str, webhook: Webhook) -> None:
    ann = await lifetime.enter(fast_app, "ann", "math", "math")
    await record(lifetime.runtime)
    assert (await told(webhook)).count("room.joined math ann") == 1
    await ann.close()


async def test_whoever_is_back_in_time_was_never_away(two_places: Lifetime, fast_app: str, webhook: Webhook) -> None:
    ann = two_places.open_client()
    session = (await ann.login(fast_app, "ann"))["session"]
    await ann.call("room.join", room="math")
    await ann.close()
    await two_places.pass_time(20)
    back = two_places.open_client(1)
    assert (await back.login(fast_app, "ann", session=session))["resumed"]
    await record(*two_places.runtimes)
    assert await told(webhook) == ["user.logged_in ann", "room.created math ann", "room.joined math ann"]
    await back.call("room.leave", room="math")
    await record(*two_places.runtimes)
    assert (await told(webhook))[3:] == ["room.left math ann left", "room.closed math ann"]


async def test_who_is_removed_has_left_and_logged_out_once(
    two_places: Lifetime, fast_app: str, webhook: Webhook
) -> None:
    ann = await two_places.enter(fast_app, "ann", "math")
    await ann.close()
    await two_places.pass_time(36)
    await record(*two_places.runtimes)
    assert await told(webhook) == [
        "user.logged_in ann",
        "room.created math ann",
        "room.joined math ann",
        "room.left math ann removed",
        "user.logged_out ann removed",
        "room.closed math ann",
    ]


async def test_a_login_elsewhere_ends_the_session_before(two_places: Lifetime, fast_app: str, webhook: Webhook) -> None:
    here, there = two_places.runtimes
    await two_places.enter(fast_app, "ann", "math")
    await record(here)
    await two_places.enter(fast_app, "ann", place=1)
    await two_places.settle()
    await record(there)
    await record(here)
    assert (await told(webhook))[3:] == [
        "room.left math ann replaced",
        "user.logged_out ann replaced",
        "user.logged_in ann",
        "room.closed math ann",
    ]


async def test_only_rooms_are_joined(lifetime: Lifetime, fast_app: str, webhook: Webhook) -> None:
    """A session may be in other streams, as in its own inbox: that is no event."""
    client = await lifetime.enter(fast_app, "ann")
    (session,) = lifetime.runtime.sessions.all()
    await lifetime.runtime.sessions.enter(session, "inbox:ann")
    await lifetime.runtime.sessions.leave(session, "inbox:ann")
    await client.call("session.logout")
    await record(lifetime.runtime)
    assert await told(webhook) == ["user.logged_in ann", "user.logged_out ann logged_out"]
    assert await sync_to_async(OpenRoom.objects.count)() == 0


async def test_a_process_that_died_closes_its_rooms_when_another_looks(fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    async with clocked_runtimes() as before:
        await before.enter(fast_app, "ann", "math")
        await record(before.runtime)
        before.empty_store()
    async with clocked_runtimes(2) as after:
        for runtime in after.runtimes:
            await runtime.part(Recorder).sweep()
    assert (await told(webhook))[-1] == "room.closed math"
    assert (await told(webhook)).count("room.closed math") == 1


async def test_nobody_is_taken_for_gone_while_the_store_is_filled_again(
    lifetime: Lifetime, fast_app: str, webhook: Webhook
) -> None:
    ann = await lifetime.enter(fast_app, "ann", "math")
    await record(lifetime.runtime)
    lifetime.empty_store()
    await lifetime.runtime.presence.epoch()
    await lifetime.runtime.part(Recorder).sweep()
    await lifetime.pass_time(60, ann)
    await lifetime.runtime.part(Recorder).sweep()
    assert not [event for event in await told(webhook) if event.startswith("room.closed")]


async def test_a_look_at_a_room_that_was_true_before_is_put_right(
    two_places: Lifetime, fast_app: str, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process sees the room empty, and before it writes that, somebody joins through the other."""
    here, there = two_places.runtimes
    ann = await two_places.enter(fast_app, "ann", "math")
    await record(here)
    gate = ThreadGate()
    monkeypatch.setattr(recorder, "record_rooms", held_at(gate, recording.record_rooms, before=True))
    await ann.call("room.leave", room="math")
    closing = here.hub.spawn(record(here))
    await gate.arrived()
    await two_places.enter(fast_app, "bob", "math", place=1)
    await record(there)
    gate.open()
    await closing
    assert await sync_to_async(OpenRoom.objects.filter(name="math").count)() == 1
    rooms = [event for event in await told(webhook) if event.startswith(("room.created", "room.closed"))]
    assert rooms == ["room.created math ann", "room.closed math ann", "room.created math"]


async def test_nothing_is_asked_of_the_database_before_the_flush(lifetime: Lifetime, fast_app: str) -> None:
    await make_heard(fast_app)
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.send("math", "Good morning", "m1")
    assert await sync_to_async(take_user_events)(project.pk) == []
    await record(lifetime.runtime)
    (event,) = await sync_to_async(take_user_events)(project.pk)
    assert (event.type, event.uid, event.room) == ("Login", "ann", "")


async def test_of_a_project_that_nobody_hears_of_nothing_is_noted(lifetime: Lifetime, fast_app: str) -> None:
    """Until its owner makes a credential or a webhook: then from a few seconds later on."""
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    await lifetime.enter(fast_app, "ann", "math")
    await record(lifetime.runtime)
    await make_heard(fast_app)
    await lifetime.enter(fast_app, "bob")
    lifetime.clock.advance(recorder.UNHEARD_S)
    await lifetime.enter(fast_app, "cal")
    await record(lifetime.runtime)
    assert [event.uid for event in await sync_to_async(take_user_events)(project.pk)] == ["cal"]


async def test_while_the_database_is_away_events_wait_within_bounds(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    await make_heard(fast_app)
    monkeypatch.setattr(recorder, "QUEUE", 3)

    def refuse(**arguments: Any) -> None:
        raise OperationalError("the database is out of reach")

    part = lifetime.runtime.part(Recorder)
    with monkeypatch.context() as away:
        away.setattr(recorder, "record_occurrences", refuse)
        await lifetime.enter(fast_app, "ann", "math", "art")
        await lifetime.enter(fast_app, "bob")
        with pytest.raises(RpcError, match="out of reach"):
            await part.flush()
    await part.flush()
    assert "1 events were lost" in caplog.text
    assert [event.uid for event in await sync_to_async(take_user_events)(project.pk)] == ["ann"]
    assert [event.room for event in await sync_to_async(take_channel_events)(project.pk)] == ["math", "art"]


async def test_a_batch_that_was_written_without_an_answer_is_not_written_twice(
    lifetime: Lifetime, fast_app: str, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    await lifetime.enter(fast_app, "ann", "math")
    part = lifetime.runtime.part(Recorder)

    def forget(**arguments: Any) -> None:
        recording.record_occurrences(**arguments)
        raise OperationalError("the connection was lost at the commit")

    with monkeypatch.context() as away:
        away.setattr(recorder, "record_occurrences", forget)
        with pytest.raises(RpcError, match="out of reach"):
            await part.flush()
    await part.flush()
    assert await told(webhook) == ["user.logged_in ann", "room.created math ann", "room.joined math ann"]
    assert len(await sync_to_async(take_user_events)(project.pk)) == 1


async def test_events_of_a_deleted_project_hold_up_nobody(
    lifetime: Lifetime, make_project: Callable[..., Project], fast_app: str, webhook: Webhook
) -> None:
    gone = await sync_to_async(make_project)()
    await lifetime.enter(gone.app_id, "ann", "math")
    await lifetime.enter(fast_app, "ann")
    await sync_to_async(gone.delete)()
    await record(lifetime.runtime)
    assert await told(webhook) == ["user.logged_in ann"]


async def test_what_a_process_has_noted_is_written_when_it_stops(fast_app: str, webhook: Webhook) -> None:
    async with clocked_runtimes() as lifetime:
        await lifetime.enter(fast_app, "ann")
    assert await told(webhook) == ["user.logged_in ann"]
