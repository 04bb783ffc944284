"""Messages come to the queues of webhooks from the log: each once, for whom it concerns."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, transaction

from activity import pump as pump_module
from activity import selectors
from activity.models import Webhook
from activity.services import queue
from messaging.models import inbox_name
from messaging.selectors import from_ms
from messaging.services import append_entry, ensure_stream
from projects.models import Project
from tests.support.activity import deliveries, make_webhook, pump, record
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.runtimes import elsewhere


async def payloads(webhook: Webhook) -> list[dict[str, Any]]:
    return [json.loads(delivery.payload) for delivery in await deliveries(webhook)]


async def texts(webhook: Webhook) -> list[str]:
    return [payload["data"]["body"]["text"] for payload in await payloads(webhook) if "body" in payload["data"]]


async def test_a_message_is_queued_with_all_that_the_room_saw(lifetime: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    answer = await ann.send("math", "Good \x00 morning", "m1")
    pushed = await ann.expect("room.sent")
    await pump(lifetime.runtime)
    (payload,) = await payloads(webhook)
    assert (payload["event"], payload["app_id"], payload["ts"]) == ("room.sent", fast_app, answer["ts"])
    assert payload["data"] == {
        "room": "math",
        **{key: pushed[key] for key in ("seq", "sender", "message_id", "body")},
    }
    (delivery,) = await deliveries(webhook)
    assert (delivery.event, delivery.event_id, delivery.state) == ("room.sent", payload["event_id"], "waiting")


async def test_what_is_in_a_users_inbox_is_told_with_the_user(lifetime: Lifetime, fast_app: str) -> None:
    """Peer messages and invitations are entries there, appended by services."""
    webhook = await make_webhook(fast_app, events=["peer.sent", "invitation.changed"])
    project = await sync_to_async(Project.objects.get)(app_id=fast_app)
    now = from_ms(lifetime.clock.now_ms())

    def append() -> None:
        stream = ensure_stream(project_id=project.pk, name=inbox_name("bob"), creator="ann", now=now)
        for event in ("peer.sent", "invitation.changed", "something.else"):
            with transaction.atomic():
                append_entry(stream_id=stream.id, event=event, sender="ann", message_id=event[:4], body="{}", now=now)

    await elsewhere(append)
    await pump(lifetime.runtime)
    found = await payloads(webhook)
    assert [payload["event"] for payload in found] == ["peer.sent", "invitation.changed"]
    assert found[0]["data"] == {"seq": 1, "sender": "ann", "message_id": "peer", "body": {}, "uid": "bob"}


async def test_a_webhook_tells_of_what_comes_after_it_was_made(lifetime: Lifetime, fast_app: str) -> None:
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.send("math", "before", "m1")
    webhook = await make_webhook(fast_app)
    await ann.send("math", "after", "m2")
    await pump(lifetime.runtime)
    await pump(lifetime.runtime)
    assert await texts(webhook) == ["after"]


async def test_projects_hear_only_of_their_own(
    lifetime: Lifetime, fast_app: str, make_project: Callable[..., Project]
) -> None:
    other = await sync_to_async(make_project)()
    ours, theirs = await make_webhook(fast_app), await make_webhook(other.app_id)
    for app, text in ((fast_app, "ours"), (other.app_id, "theirs")):
        ann = await lifetime.enter(app, "ann", "math")
        await ann.call("session.set_business_id", business_id=f"of-{text}")
        await ann.send("math", text, "m1")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    for webhook, app, text in ((ours, fast_app, "ours"), (theirs, other.app_id, "theirs")):
        found = await payloads(webhook)
        assert {payload["app_id"] for payload in found} == {app}
        assert [payload["event"] for payload in found] == ["user.logged_in", "room.created", "room.joined", "room.sent"]
        assert await texts(webhook) == [text]
        assert found[-1]["business_id"] == f"of-{text}"


async def test_a_webhook_hears_of_the_events_it_names(lifetime: Lifetime, fast_app: str) -> None:
    joins = await make_webhook(fast_app, events=["room.joined"])
    messages = await make_webhook(fast_app, events=["room.sent"])
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.send("math", "Good morning", "m1")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    assert [payload["event"] for payload in await payloads(joins)] == ["room.joined"]
    assert [payload["event"] for payload in await payloads(messages)] == ["room.sent"]


async def test_two_processes_queue_each_message_once(two_places: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    ann = await two_places.enter(fast_app, "ann", "math")
    for number in range(20):
        await ann.send("math", str(number), f"m{number}")
        pumping = [runtime.hub.spawn(pump(runtime)) for runtime in two_places.runtimes]
        for task in pumping:
            await task
    await pump(two_places.runtime)
    assert await texts(webhook) == [str(number) for number in range(20)]


async def test_a_new_process_goes_on_where_the_last_one_was(fast_app: str) -> None:
    webhook = await make_webhook(fast_app)
    async with clocked_runtimes() as before:
        ann = await before.enter(fast_app, "ann", "math")
        await ann.send("math", "queued", "m1")
        await pump(before.runtime)
        await ann.send("math", "not queued", "m2")
    async with clocked_runtimes() as after:
        await pump(after.runtime)
        await pump(after.runtime)
    assert await texts(webhook) == ["queued", "not queued"]


async def test_a_page_that_was_queued_without_an_answer_is_not_queued_twice(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await make_webhook(fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.send("math", "once", "m1")

    def forget(**arguments: Any) -> bool:
        queue.enqueue_entries(**arguments)
        raise OperationalError("the connection was lost at the commit")

    with monkeypatch.context() as broken:
        broken.setattr(pump_module, "enqueue_entries", forget)
        with pytest.raises(Exception, match="out of reach"):
            await pump(lifetime.runtime)
    await pump(lifetime.runtime)
    assert await texts(webhook) == ["once"]


async def test_the_log_is_taken_in_pages(lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "PAGE", 3)
    monkeypatch.setattr(selectors, "SPAN", 5)
    webhook = await make_webhook(fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    for number in range(17):
        await ann.send("math", str(number), f"m{number}")
    await pump(lifetime.runtime)
    assert await texts(webhook) == [str(number) for number in range(17)]


async def test_behind_a_full_queue_the_log_waits_and_the_others_go_on(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOG_QUEUE", 4)
    monkeypatch.setattr(selectors, "PAGE", 2)
    stuck = await make_webhook(fast_app)
    ann = await lifetime.enter(fast_app, "ann", "math")
    for number in range(9):
        await ann.send("math", str(number), f"m{number}")
    await pump(lifetime.runtime)
    assert await texts(stuck) == ["0", "1", "2", "3"]
    other = await make_webhook(fast_app)
    await ann.send("math", "9", "m9")
    await pump(lifetime.runtime)
    assert await texts(other) == ["9"]
    await sync_to_async(stuck.deliveries.update)(next_attempt_at=None)
    await ann.send("math", "10", "m10")
    await pump(lifetime.runtime)
    assert await texts(stuck) == [str(number) for number in range(8)]
    assert await texts(other) == ["9", "10"], "what is told to one that is behind is not told to it"


async def test_with_too_much_waiting_what_is_not_in_the_log_is_dropped(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(queue, "PRESENCE_QUEUE", 2)
    webhook = await make_webhook(fast_app)
    await lifetime.enter(fast_app, "ann", "math")
    await record(lifetime.runtime)
    await lifetime.enter(fast_app, "bob")
    await record(lifetime.runtime)
    assert len(await deliveries(webhook)) == 3
    assert f"webhook {webhook.pk}: its queue is full" in caplog.text


async def test_a_webhook_that_is_switched_off_catches_up_later(lifetime: Lifetime, fast_app: str) -> None:
    webhook = await make_webhook(fast_app, is_active=False)
    ann = await lifetime.enter(fast_app, "ann", "math")
    await ann.send("math", "meanwhile", "m1")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    assert await deliveries(webhook) == []
    await sync_to_async(Webhook.objects.filter(pk=webhook.pk).update)(is_active=True)
    await pump(lifetime.runtime)
    assert [payload["event"] for payload in await payloads(webhook)] == ["room.sent"]
