"""The layer between processes carries hints: whatever becomes of them, nobody misses anything for long."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer

from realtime import layer as layers
from realtime.layer import ChannelsLayer, Message, stream_group
from tests.support.doubles import Gate, Hints, until
from tests.support.runtimes import clients, runtimes, seqs


async def test_hints_in_any_order_and_number_bring_each_entry_once(app: str) -> None:
    hints = Hints()
    hints.mode = "keep"
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        for number in range(6):
            await client("bob").send("math", "x", f"m{number}")
        hints.deliver(3, 1, 1, 0, 5, 0, 2, 2, 4, 3)
        await client("ann").call("session.ping")
        assert seqs(client("ann")) == [1, 2, 3, 4, 5, 6]


async def test_a_lost_hint_is_noticed_by_the_next_one(app: str) -> None:
    hints = Hints()
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        hints.mode = "drop"
        await client("bob").send("math", "lost", "m1")
        hints.mode = "deliver"
        await client("bob").send("math", "arrives", "m2")
        assert [(await client("ann").expect("room.sent"))["body"]["text"] for _ in range(2)] == ["lost", "arrives"]


async def test_a_change_made_where_nobody_is_in_the_room_is_seen_where_somebody_is(app: str) -> None:
    hints = Hints()
    async with (
        runtimes(2, hints) as (here, there),
        clients(app, "math", ann=here) as client,
        clients(app, bob=there) as outside,
    ):
        change = {"room": "math", "attributes": {"k": "1"}, "notify": True}
        await outside("bob").call("room.set_attributes", message_id="a1", **change)
        await outside("bob").call("room.update_attributes", message_id="a2", **change)
        assert [(await client("ann").expect("room.attributes_changed"))["seq"] for _ in range(2)] == [1, 2]


async def test_rule_size_the_cost_of_a_message_grows_with_processes_not_with_members(fast_app: str) -> None:
    hints = Hints()
    async with runtimes(3, hints) as places:
        everybody = {f"u{number}": places[number % 2] for number in range(12)}
        async with clients(fast_app, "math", **everybody) as client:
            for number in range(3):
                await client("u0").send("math", "x", f"m{number}")
            for uid in everybody:
                await client(uid).call("session.ping")
                assert seqs(client(uid)) == [1, 2, 3]
            assert len(hints.entries()) == 3


async def test_rule_size_a_process_listens_while_it_has_members(app: str) -> None:
    hints = Hints()
    async with runtimes(2, hints) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        (stream,) = [key for key in here.hub.live if key[1] == "room:math"]
        group = stream_group(stream)
        layer = hints.layers[0]
        assert group in layer.groups
        await client("ann").call("room.leave", room="math")
        await here.hub.settle(10)
        assert group not in layer.groups
        assert stream not in here.hub.live
        await client("bob").send("math", "not for here", "m1")
        assert (await client("ann").call("room.join", room="math"))["head"] == 1
        await client("bob").send("math", "for here again", "m2")
        assert (await client("ann").expect("room.sent"))["seq"] == 2


def test_rule_size_group_names_are_short_whatever_the_rooms_name() -> None:
    names = {stream_group((7, f"room:{'x' * 64}{number}")) for number in range(100)}
    assert len(names) == 100
    assert all(len(name) < 100 and name.replace(".", "").isalnum() for name in names)
    assert stream_group((1, "room:a")) != stream_group((2, "room:a"))


async def test_rule_pressure_a_layer_message_is_capped_at_256_kb(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger one says: look at the head."""
    monkeypatch.setattr("realtime.hints.LAYER_BYTES", 20_000)
    hints = Hints()
    async with runtimes(2, hints) as (here, there), clients(fast_app, "math", ann=here, bob=there) as client:
        await client("bob").send("math", "x", "m1")
        await client("bob").send("math", "课" * 10_000, "m2")
        assert [len((await client("ann").expect("room.sent"))["body"]["text"]) for _ in range(2)] == [1, 10_000]
        small, large = hints.entries()
        assert ("entries" in small, "entries" in large, large["head"]) == (True, False, 2)


def test_rule_pressure_the_cap_of_layer_messages() -> None:
    from realtime.hints import LAYER_BYTES

    assert LAYER_BYTES == 256 * 1024


class Unreliable(InMemoryChannelLayer):
    """A Channels layer that fails as its list of failures says: by method, once for each."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, int] = defaultdict(int)
        self.gate: Gate | None = None
        """Where the next one to join a group waits."""

    def _maybe_fail(self, name: str) -> None:
        if self.failures[name]:
            self.failures[name] -= 1
            raise ConnectionError(name)

    async def group_add(self, group: str, channel: str) -> None:
        self._maybe_fail("group_add")
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.come()
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._maybe_fail("group_discard")
        await super().group_discard(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        self._maybe_fail("group_send")
        await super().group_send(group, message)

    async def receive(self, channel: str) -> Any:
        self._maybe_fail("receive")
        return await super().receive(channel)


class Process:
    def __init__(self, channels_layer: Unreliable) -> None:
        self.layer = ChannelsLayer(cast(BaseChannelLayer, channels_layer))
        self.received: list[Any] = []
        self.without_entries: list[Any] = []
        self.reconnected = 0

    def receive(self, message: Message) -> None:
        self.received.append(message["n"])
        if "entries" not in message:
            self.without_entries.append(message["n"])
        if message["n"] == "defect":
            raise LookupError("a defect")

    def reconnect(self) -> None:
        self.reconnected += 1


@asynccontextmanager
async def two_processes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Unreliable, Process, Process]]:
    monkeypatch.setattr(layers, "RETRY_S", 0.001)
    channels_layer = Unreliable()
    both = Process(channels_layer), Process(channels_layer)
    for process in both:
        await process.layer.start(process.receive, process.reconnect)
    try:
        yield channels_layer, *both
    finally:
        for process in both:
            await process.layer.stop()


async def test_over_channels_a_message_reaches_every_process_of_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_processes(monkeypatch) as (_, one, two):
        await one.layer.subscribe("g")
        await two.layer.subscribe("g")
        two.layer.send("g", {"n": 1})
        two.layer.send("other", {"n": 2})
        two.layer.send("g", {"n": 3})
        await until(lambda: one.received == [1, 3] == two.received)
        await one.layer.unsubscribe("g")
        two.layer.send("g", {"n": 4})
        await until(lambda: two.received == [1, 3, 4])
        assert one.received == [1, 3]


async def test_rule_pressure_what_waits_for_the_layer_has_one_budget_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond it a message says only: look at the head. With what has been sent, there is room again."""
    assert layers.QUEUE_BYTES == 16 * 1024 * 1024
    monkeypatch.setattr(layers, "QUEUE_BYTES", 100_000)
    async with two_processes(monkeypatch) as (_, one, two):
        await one.layer.subscribe("g")
        for number in range(5):
            two.layer.send("g", {"n": number, "entries": [[number, "课" * 10_000]]})
        await until(lambda: len(one.received) == 5)
        two.layer.send("g", {"n": 5, "entries": [[5, "x" * 100_000]]})
        await until(lambda: len(one.received) == 6)
    assert one.received == list(range(6))
    assert one.without_entries == [3, 4]


async def test_joining_a_group_is_tried_again_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_processes(monkeypatch) as (channels_layer, one, two):
        channels_layer.failures["group_add"] = 3
        await one.layer.subscribe("g")
        await until(lambda: one.reconnected == 1)
        two.layer.send("g", {"n": 1})
        await until(lambda: one.received == [1])
        assert two.reconnected == 0


async def test_a_group_that_was_joined_again_is_not_left_by_an_earlier_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaving failed and is to be repeated; before its turn the process has members there again."""
    async with two_processes(monkeypatch) as (channels_layer, one, two):
        await one.layer.subscribe("g")
        channels_layer.failures.update(group_add=1, group_discard=1)
        await one.layer.subscribe("other")
        await one.layer.unsubscribe("g")
        gate = channels_layer.gate = Gate()
        await gate.arrived()  # the repetition has begun with the other group
        await one.layer.subscribe("g")
        gate.open()
        await until(lambda: one.reconnected == 1)
        two.layer.send("g", {"n": 1})
        await until(lambda: one.received == [1])


async def test_a_message_that_cannot_be_sent_is_dropped_and_the_next_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_processes(monkeypatch) as (channels_layer, one, two):
        await one.layer.subscribe("g")
        channels_layer.failures["group_send"] = 1
        two.layer.send("g", {"n": 1})
        two.layer.send("g", {"n": 2})
        await until(lambda: one.received == [2])
        assert two.layer.dropped == 1


async def test_receiving_goes_on_after_failures_of_the_layer_and_of_the_receiver(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_processes(monkeypatch) as (channels_layer, one, two):
        await one.layer.subscribe("g")
        channels_layer.failures["receive"] = 2
        for number in ("defect", 2):
            two.layer.send("g", {"n": number})
        await until(lambda: one.received == ["defect", 2])
        assert "a defect" in caplog.text


async def test_a_queue_that_is_full_drops_and_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "QUEUE_LIMIT", 5)
    async with two_processes(monkeypatch) as (_, one, two):
        await one.layer.subscribe("g")
        for number in range(8):
            two.layer.send("g", {"n": number})
        await until(lambda: len(one.received) == 5)
        assert (one.received, two.layer.dropped) == ([0, 1, 2, 3, 4], 3)
        await asyncio.sleep(0)
