"""Whatever a client can and however entries come to it, it is told each one once: as it is, or as skipped.

The log is a model in memory; Hypothesis chooses who comes, goes and comes back, with which capabilities.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.capabilities import known_capabilities, shown, withheld_events
from realtime.registry import EVENTS, Event
from realtime.session import Introduction
from realtime.streams import StoredEntry, Subscription, entry_item, entry_text
from tests.support import hubs
from tests.support.doubles import LogStore, Sink
from tests.support.hubs import HubBench

pytestmark = pytest.mark.shapeless

WINDOW_MS = 3_600_000
"""Longer than any script."""
PAGE_BYTES = 60_000
NEEDS = {"room.sent": "", "room.media_sent": "media", "room.ink_drawn": "ink"}
BODIES = ['{"message":{"text":",\\"body\\":{}"}}', json.dumps("x" * 40_000)]
"""Some that are more than one small frame."""


@pytest.fixture(autouse=True, scope="module")
def _another_capability() -> Iterator[None]:
    ink = Event("room.ink_drawn", EVENTS["room.media_sent"].params, "", "ink")
    with mock.patch.dict(EVENTS, {ink.name: ink}):
        withheld_events.cache_clear()
        yield
    withheld_events.cache_clear()


def as_told(entry: StoredEntry, capabilities: str) -> dict[str, Any]:
    """What a client with these is to be told, as an item of a page."""
    needed = NEEDS[entry.event]
    is_skipped = bool(needed) and needed not in capabilities.split()
    return {
        "event": "stream.skipped" if is_skipped else entry.event,
        "stream": hubs.KEY[1],
        "seq": entry.seq,
        "sender": entry.sender,
        "message_id": entry.message_id,
        "ts": entry.ts,
        "body": {} if is_skipped else json.loads(entry.body),
    }


@dataclass
class Reader:
    """A client; `told` since its first cursor, `sink` its connection of now, whose client has the `capabilities`."""

    start: int
    sink: Sink
    subscription: Subscription
    capabilities: str
    told: list[dict[str, Any]] = field(default_factory=list)
    connected: bool = True
    live: bool = True
    on_hold: bool = False

    @property
    def cursor(self) -> int:
        return self.told[-1]["seq"] if self.told else self.start


places = st.integers(0, 3)
abilities = st.sampled_from(["", "ink", "media", "ink media"])
steps = st.one_of(
    st.tuples(
        st.sampled_from(["tell", "commit"]),
        st.lists(st.tuples(st.sampled_from(list(NEEDS)), st.sampled_from(BODIES)), min_size=1, max_size=5),
    ),
    st.tuples(st.just("join"), abilities),
    st.tuples(st.just("resume"), st.tuples(places, abilities)),
    st.tuples(st.sampled_from(["hold", "release"]), places),
    st.tuples(st.sampled_from(["lose", "read", "leave"]), places),
)


class Scene:
    """Takes the steps. An inbox has one reader, who does not join."""

    def __init__(self, *, is_inbox: bool) -> None:
        self.is_inbox = is_inbox
        self.bench = HubBench(LogStore(page_entries=4))
        self.entries: list[StoredEntry] = []
        self.readers: list[Reader] = []

    async def take(self, name: str, argument: Any) -> None:
        match name, argument:
            case "tell" | "commit", list(chosen):
                new = [self.bench.commit(1, body, event)[0] for event, body in chosen]
                self.entries += new
                if name == "tell" and self.bench.hub.live:
                    self.bench.publish(*new)
            case "join", str(capabilities) if len(self.readers) < (1 if self.is_inbox else 4):
                await self._join(capabilities)
            case "resume", (int(place), str(capabilities)) if self.readers:
                await self._resume(self.readers[place % len(self.readers)], capabilities)
            case _, int(place) if self.readers:
                await getattr(self, f"_{name}")(self.readers[place % len(self.readers)])
        self._count()
        await self._look()

    async def _look(self) -> None:
        """What was pushed has arrived."""
        await self.bench.settle()
        for reader in self.readers:
            self._arrive(reader)
        self._count()

    def _count(self) -> None:
        """Who of the members lacks something is known at any time."""
        if self.bench.hub.live:
            stream = self.bench.stream
            sessions = {connection: connection.session for connection in stream.members}
            assert stream.lacking == {
                connection: session.withheld for connection, session in sessions.items() if session and session.withheld
            }

    def _arrive(self, reader: Reader) -> None:
        connection = reader.sink.connection
        connection.acknowledge(connection.sent)
        for message in reader.sink.messages():
            assert reader.live, "nothing is pushed to a client that is catching up"
            self._tell(reader, {"event": message["method"], **message["params"]})
        reader.sink.frames.clear()

    def _tell(self, reader: Reader, item: dict[str, Any]) -> None:
        assert item["seq"] == reader.cursor + 1
        assert item == as_told(self.entries[item["seq"] - 1], reader.capabilities)
        reader.told.append(item)

    async def _join(self, capabilities: str) -> None:
        sink = Sink(self.bench.loop, f"u{len(self.readers)}")
        sink.session.introduce(Introduction(capabilities=capabilities))
        subscription = await self.bench.subscribe(sink)
        self.bench.hub.go_live(subscription)
        self.readers.append(Reader(self.bench.stream.cursor or 0, sink, subscription, capabilities))

    async def _lose(self, reader: Reader) -> None:
        self.bench.hub.detach(reader.sink.connection, [reader.subscription])
        reader.subscription.end_hold()
        reader.sink.session.connection = None
        reader.connected = reader.live = reader.on_hold = False

    async def _resume(self, reader: Reader, capabilities: str) -> None:
        """Another connection, also while the first is there, whose client can something else."""
        await self._lose(reader)
        connection = Sink(self.bench.loop, reader.sink.session.uid)
        connection.session = connection.connection.session = reader.subscription.session
        connection.session.connection = connection.connection
        connection.session.introduce(Introduction(capabilities=capabilities))
        reader.sink, reader.capabilities, reader.connected = connection, capabilities, True
        epoch = self.bench.stream.epoch
        answer = await self.bench.recoveries.recover(reader.subscription, reader.cursor, epoch, WINDOW_MS, PAGE_BYTES)
        assert answer.recovered
        self._take_page(reader, answer.entries, answer.last)

    async def _read(self, reader: Reader) -> None:
        """A client that is catching up asks for the next page."""
        if reader.connected and not reader.live:
            page = await self.bench.recoveries.page(reader.subscription, reader.cursor, PAGE_BYTES)
            self._take_page(reader, page.entries, page.last)

    def _take_page(self, reader: Reader, entries: list[tuple[int, str]], last: int) -> None:
        for _, text in entries:
            self._tell(reader, json.loads(entry_item(text)))
        reader.live = self.bench.hub.catch_up(reader.subscription, last)

    async def _hold(self, reader: Reader) -> None:
        """It joins again: what comes meanwhile is held."""
        if reader.live and not reader.on_hold and not self.is_inbox:
            reader.subscription.start_hold()
            reader.on_hold = True

    async def _release(self, reader: Reader) -> None:
        if not reader.on_hold:
            return
        reader.on_hold = False
        held = reader.subscription.end_hold()
        if held is None:
            reader.live = False
        else:
            for _, text in held:
                self.bench.hub.fanout.enqueue(reader.sink.connection, text)
            self.bench.hub.go_live(reader.subscription)

    async def _leave(self, reader: Reader) -> None:
        self.readers.remove(reader)
        self.bench.hub.unsubscribe(reader.subscription)

    async def finish(self) -> None:
        """Everybody comes back and reads to the end; what nobody was told of is found by the head check."""
        await self.bench.hub.check_heads()
        await self._look()
        for reader in self.readers:
            await self._release(reader)
            if not reader.connected:
                await self._resume(reader, reader.capabilities)
            for _ in range(len(self.entries)):
                await self._read(reader)
        await self._look()
        for reader in self.readers:
            assert reader.cursor == len(self.entries)


@pytest.mark.parametrize("name", ["room:math", "inbox:u0"])
def test_each_entry_is_told_once_as_its_client_takes_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEY", (1, name))

    @settings(max_examples=80)
    @given(st.lists(steps, min_size=10, max_size=40))
    def check(script: list[tuple[str, Any]]) -> None:
        async def play() -> None:
            scene = Scene(is_inbox=name.startswith("inbox:"))
            await scene.take("join", "")
            for step, argument in script:
                await scene.take(step, argument)
            await scene.finish()

        asyncio.run(play())

    check()


def test_where_all_take_everything_the_entries_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's members are served as before, as soon as the last who lacks something has gone."""

    async def play() -> None:
        bench = HubBench()
        able, other = Sink(bench.loop, "ann"), Sink(bench.loop, "bob")
        able.session.introduce(Introduction(capabilities="ink media"))
        for sink in (able, other):
            bench.hub.go_live(await bench.subscribe(sink))
        bench.publish(*bench.commit(event="room.media_sent"))
        bench.hub.unsubscribe(bench.stream.subscriptions[other.session])
        with mock.patch("realtime.capabilities._event_of", side_effect=AssertionError):
            bench.publish(*bench.commit(event="room.media_sent"))
            await bench.recoveries.page(bench.reader, 0)
        await bench.settle()
        assert [message["method"] for message in able.messages()] == ["room.media_sent"] * 2
        assert [message["method"] for message in other.messages()] == ["stream.skipped"]

    asyncio.run(play())


@settings(max_examples=25)
@given(st.text(), st.text(), st.text())
def test_names_that_look_like_a_body_are_none(stream: str, sender: str, body: str) -> None:
    for odd in ("", ',"body":', '","body":{'):
        name = f"room:{stream}{odd}"
        entry = StoredEntry(7, "room.media_sent", sender + odd, "m1", 5, json.dumps(body + odd))
        ((_, text),) = shown([(7, entry_text(json.dumps(name), entry))], withheld_events("ink"))
        assert json.loads(text)["params"] == {
            "stream": name,
            "seq": 7,
            "sender": sender + odd,
            "message_id": "m1",
            "ts": 5,
            "body": {},
        }


def test_what_no_event_needs_is_passed_over() -> None:
    assert known_capabilities(["offline", "media", "media", "ink media", ""]) == "media"
    assert withheld_events("media") == {"room.ink_drawn"}
