"""Deliveries to a real HTTP server that fails at times: at least once, under the same event id, signed."""

import asyncio
from collections import Counter

import pytest
from asgiref.sync import sync_to_async

from activity import http, sender
from activity.lookups import OF_PROJECT, Lookups
from activity.models import Webhook
from activity.sender import Sender
from activity.services.deliveries import BACK_OFF_S, LEASE, claim_deliveries
from activity.signature import sign
from messaging.selectors import from_ms
from tests.support.activity import deliver, deliveries, make_webhook, pump, record, states
from tests.support.client import Client
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.doubles import WAIT_S, until
from tests.support.name_server import NameServer
from tests.support.receiver import CLOSE, DRIP, HANG, Receiver, receiving


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.sender.random.uniform", lambda low, high: 0.0)


async def send(client: Client, *texts: str) -> None:
    for text in texts:
        await client.send("math", text, f"m-{text}")


async def messages_for(lifetime: Lifetime, app: str, url: str, *texts: str) -> Webhook:
    """A webhook with these messages in its queue."""
    webhook = await make_webhook(app, url, events=["room.sent"])
    ann = await lifetime.enter(app, "ann", "math")
    await send(ann, *texts)
    await pump(lifetime.runtime)
    return webhook


def texts(receiver: Receiver) -> list[str]:
    return [delivered.payload["data"]["body"]["text"] for delivered in receiver.take()]


async def test_a_delivery_is_a_signed_post(lifetime: Lifetime, fast_app: str, receiver: Receiver) -> None:
    webhook = await messages_for(lifetime, fast_app, receiver.url, "morning")
    await deliver(lifetime.runtime)
    (delivered,) = receiver.take()
    (queued,) = await deliveries(webhook)
    assert delivered.path == "/hook?from=rostrum"
    assert delivered.body.decode() == queued.payload
    assert delivered.headers["Content-Type"] == "application/json"
    assert delivered.event_id == queued.event_id == delivered.payload["event_id"]
    timestamp = int(delivered.headers["X-Rostrum-Timestamp"])
    assert timestamp == lifetime.clock.now_ms() // 1000
    assert delivered.headers["X-Rostrum-Signature"] == sign(webhook.secret, timestamp, delivered.body)
    assert (queued.state, queued.last_status, queued.attempts) == ("delivered", 204, 1)
    await deliver(lifetime.runtime)
    assert receiver.take() == [], "once"


async def test_everything_arrives_at_a_receiver_that_fails_at_times(
    lifetime: Lifetime, fast_app: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", 0.2)
    receiver.script.extend([500, CLOSE, 204, HANG, 404, 302, 204, DRIP, 429, CLOSE])
    numbers = [str(number) for number in range(8)]
    webhook = await messages_for(lifetime, fast_app, receiver.url, *numbers)
    for wait_s in (0, *BACK_OFF_S):
        lifetime.clock.advance(wait_s)
        await deliver(lifetime.runtime)
    assert await states(webhook) == ["delivered"] * 8
    received = receiver.take()
    ids = {delivery.event_id: delivery for delivery in await deliveries(webhook)}
    assert {delivered.event_id for delivered in received} == set(ids)
    for delivered in received:
        assert delivered.body.decode() == ids[delivered.event_id].payload, "the same each time"
    assert len(received) == sum(delivery.attempts for delivery in ids.values()) == 16


async def test_attempts_are_further_and_further_apart_and_end(
    lifetime: Lifetime, fast_app: str, receiver: Receiver
) -> None:
    receiver.script.extend([500] * 7)
    webhook = await messages_for(lifetime, fast_app, receiver.url, "x")
    await deliver(lifetime.runtime)
    for wait_s in BACK_OFF_S:
        assert await states(webhook) == ["waiting"]
        lifetime.clock.advance(wait_s - 0.001)
        await deliver(lifetime.runtime)
        assert len(receiver.take()) == 1, "of the attempt before"
        lifetime.clock.advance(0.001)
        await deliver(lifetime.runtime)
    (delivery,) = await deliveries(webhook)
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("given up", 7, 500)
    assert delivery.last_error == "answered 500"
    lifetime.clock.advance(1_000_000)
    receiver.take()
    await deliver(lifetime.runtime)
    assert receiver.take() == []


@pytest.mark.parametrize("jitter", [-1.0, 1.0])
async def test_attempts_of_many_are_spread(
    lifetime: Lifetime, fast_app: str, receiver: Receiver, jitter: float
) -> None:
    receiver.script.append(500)
    webhook = await messages_for(lifetime, fast_app, receiver.url, "x")
    spread = Sender(lifetime.runtime, jitter=lambda: jitter)
    await spread.look()
    await spread.idle()
    await spread.stop()
    (delivery,) = await deliveries(webhook)
    assert delivery.next_attempt_at == from_ms(lifetime.clock.now_ms() + round(1000 * 5 * (1 + jitter / 5)))


async def test_the_order_is_that_of_the_events_as_far_as_it_goes(
    lifetime: Lifetime, fast_app: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WIDTH", 1)
    numbers = [str(number) for number in range(10)]
    await messages_for(lifetime, fast_app, receiver.url, *numbers)
    await deliver(lifetime.runtime)
    assert texts(receiver) == numbers


async def test_after_a_failure_one_goes_at_a_time_until_one_is_taken(
    lifetime: Lifetime, fast_app: str, receiver: Receiver
) -> None:
    widths: list[int] = []

    class Counting:
        at_once = 0

        async def __call__(
            self, url: str, headers: dict[str, str], body: bytes, *, project: int, is_proven: bool
        ) -> int:
            self.at_once += 1
            if self.at_once == 1:
                widths.append(0)
            widths[-1] = max(widths[-1], self.at_once)
            await asyncio.sleep(0)
            self.at_once -= 1
            return 500 if len(widths) <= 2 else 204

    await messages_for(lifetime, fast_app, receiver.url, *[str(number) for number in range(12)])
    counting = Sender(lifetime.runtime, post=Counting())
    await counting.look()
    await counting.idle()
    await counting.stop()
    assert widths == [4, 1, 1, 4, 2]


async def test_a_restart_in_the_middle_loses_none(fast_app: str, receiver: Receiver) -> None:
    receiver.script.extend([204, 500, CLOSE, 204])
    async with clocked_runtimes() as before:
        webhook = await messages_for(before, fast_app, receiver.url, *"abcdef")
        await sync_to_async(claim_deliveries)(webhook_id=webhook.pk, limit=1, now=from_ms(before.clock.now_ms()))
        await deliver(before.runtime)
        assert Counter(await states(webhook)) == {"delivered": 3, "waiting": 3}
    first = receiver.take()
    async with clocked_runtimes() as after:
        after.clock.advance(LEASE.total_seconds())
        await deliver(after.runtime)
        assert await states(webhook) == ["delivered"] * 6
    events = {delivered.event_id for delivered in (*first, *receiver.take())}
    assert events == {delivery.event_id for delivery in await deliveries(webhook)}


async def test_what_was_on_its_way_when_its_sender_died_comes_again_under_the_same_id(
    two_places: Lifetime, fast_app: str, receiver: Receiver
) -> None:
    """Delivered, and the process is gone before it has noted that."""
    here, there = two_places.runtimes
    webhook = await messages_for(two_places, fast_app, receiver.url, "x")
    receiver.script.append(HANG)
    dying = Sender(here)
    await dying.look()
    await asyncio.to_thread(receiver.wait_for_arrival)
    await dying.stop()
    await deliver(there)
    assert len(receiver.received) == 1, "the lease is not over"
    two_places.clock.advance(LEASE.total_seconds())
    await deliver(there)
    first, second = receiver.take()
    assert first.event_id == second.event_id
    assert await states(webhook) == ["delivered"]


async def test_two_processes_deliver_each_event_once(two_places: Lifetime, fast_app: str, receiver: Receiver) -> None:
    numbers = [str(number) for number in range(40)]
    webhook = await messages_for(two_places, fast_app, receiver.url, *numbers)
    sending = [runtime.hub.spawn(deliver(runtime)) for runtime in two_places.runtimes]
    for task in sending:
        await task
    assert sorted(texts(receiver), key=int) == numbers
    assert await states(webhook) == ["delivered"] * 40


async def test_a_hanging_receiver_holds_up_no_message_and_no_other_webhook(
    lifetime: Lifetime, fast_app: str, receiver: Receiver
) -> None:
    with receiving() as stuck:
        stuck.script.append(HANG)
        hanging = await make_webhook(fast_app, stuck.url, events=["room.sent"])
        healthy = await make_webhook(fast_app, receiver.url, events=["room.sent"])
        ann = await lifetime.enter(fast_app, "ann", "math")
        bob = await lifetime.enter(fast_app, "bob", "math")
        await send(ann, "first")
        await pump(lifetime.runtime)
        part = lifetime.runtime.part(Sender)
        await part.look()
        await asyncio.to_thread(stuck.wait_for_arrival)
        await send(ann, "second")
        await bob.call("session.ping")
        assert bob.texts() == ["first", "second"]
        await pump(lifetime.runtime)
        async with asyncio.timeout(WAIT_S):
            while texts_so_far(receiver) != ["first", "second"]:
                await part.look()  # in vain while the lane of the first is coming to its end
        assert await states(hanging) == ["waiting", "waiting"], "the receiver has not answered yet"
        stuck.release()
        await part.idle()
        await deliver(lifetime.runtime)
        assert await states(hanging) == await states(healthy) == ["delivered", "delivered"]


def texts_so_far(receiver: Receiver) -> list[str]:
    return [delivered.payload["data"]["body"]["text"] for delivered in list(receiver.received)]


async def test_dead_receivers_do_not_take_all_lanes(
    lifetime: Lifetime, fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LANES", 4)
    monkeypatch.setattr(sender, "FAILING_LANES", 2)
    gate = asyncio.Event()
    calls: list[str] = []

    async def fail_or_wait(url: str, headers: dict[str, str], body: bytes, *, project: int, is_proven: bool) -> int:
        calls.append(url)
        if "dead" in url and len(calls) > 4:
            await gate.wait()
        return 500 if "dead" in url else 204

    for number in range(4):
        await make_webhook(fast_app, f"https://dead{number}.example/", events=["room.sent"])
    ann = await lifetime.enter(fast_app, "ann", "math")
    await send(ann, "x")
    await pump(lifetime.runtime)
    part = Sender(lifetime.runtime, post=fail_or_wait)
    await part.look()
    await part.idle()
    assert len(calls) == 4
    lifetime.clock.advance(10)
    await make_webhook(fast_app, "https://alive.example/", events=["room.sent"])
    await send(ann, "y")
    await pump(lifetime.runtime)
    del calls[:]
    calls.extend(["-"] * 4)
    await part.look()
    await until(lambda: "https://alive.example/" in calls)
    assert len([url for url in calls if "dead" in url]) <= 2
    gate.set()
    await part.idle()
    await part.stop()


async def test_silent_name_servers_hold_up_no_webhook_that_works(
    lifetime: Lifetime, fast_app: str, receiver: Receiver, name_server: NameServer
) -> None:
    """Even of the same project: as many endpoints as have a lane are broken, and their look-ups hold threads on and
    on."""
    healthy = await make_webhook(fast_app, receiver.url, events=["room.sent"])
    ann = await lifetime.enter(fast_app, "ann", "math")
    await send(ann, "w")
    await pump(lifetime.runtime)
    part = Sender(lifetime.runtime, lookups=Lookups(name_server.resolve))
    await part.look()
    await part.idle()
    await asyncio.to_thread(receiver.wait_for_arrival)
    assert texts(receiver) == ["w"]
    for number in range(sender.FAILING_LANES):
        await make_webhook(fast_app, f"https://silent{number}.example/", events=["room.sent"])
    await send(ann, "x")
    await pump(lifetime.runtime)
    await part.look()
    await until(lambda: name_server.waiting == OF_PROJECT)
    await asyncio.to_thread(receiver.wait_for_arrival)
    assert (texts(receiver), name_server.waiting) == (["x"], OF_PROJECT)
    name_server.release()
    await part.idle()
    assert await states(healthy) == ["delivered", "delivered"]
    await part.stop()


async def test_a_draining_process_finishes_what_is_on_its_way_and_begins_nothing(
    lifetime: Lifetime, fast_app: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WIDTH", 1)
    receiver.script.append(HANG)
    webhook = await messages_for(lifetime, fast_app, receiver.url, "first", "second")
    part = lifetime.runtime.part(Sender)
    await part.look()
    await asyncio.to_thread(receiver.wait_for_arrival)
    draining = lifetime.runtime.hub.spawn(part.drain())
    receiver.release()
    await draining
    assert await states(webhook) == ["delivered", "waiting"]


async def test_a_webhook_that_is_switched_off_is_not_sent_to(
    lifetime: Lifetime, fast_app: str, receiver: Receiver
) -> None:
    webhook = await messages_for(lifetime, fast_app, receiver.url, "x")
    await sync_to_async(Webhook.objects.filter(pk=webhook.pk).update)(is_active=False)
    await deliver(lifetime.runtime)
    assert await states(webhook) == ["waiting"]
    assert receiver.take() == []


async def test_a_visit_arrives_in_the_customers_server(lifetime: Lifetime, fast_app: str, receiver: Receiver) -> None:
    await make_webhook(fast_app, receiver.url)
    ann = await lifetime.enter(fast_app, "ann", "math")
    await send(ann, "morning")
    await ann.call("session.logout")
    await record(lifetime.runtime)
    await pump(lifetime.runtime)
    await deliver(lifetime.runtime)
    assert sorted(receiver.events()) == sorted(
        [
            "user.logged_in",
            "room.created",
            "room.joined",
            "room.sent",
            "room.left",
            "user.logged_out",
            "room.closed",
        ]
    )
