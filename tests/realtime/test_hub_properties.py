"""Whatever happens to hints, reads and sockets, a member is given each entry once and in order.

The log is a model in memory; Hypothesis chooses what of it is told, how often, in which order, and when.
"""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.repairs import GAP_S
from realtime.rings import RING_S
from realtime.streams import Subscription
from tests.support.doubles import LogStore, Sink
from tests.support.hubs import HubBench

WINDOW_MS = 3_600_000
"""Longer than any script."""
PAGE_BYTES = 500
"""Three or four entries."""

places = st.lists(st.integers(0, 40), max_size=8)
"""Which of the committed entries are told, counted back from the newest; some again, some early, some never."""
steps = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 6)),
    st.tuples(st.sampled_from(["publish", "hint"]), places),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("check"), st.none()),
    st.tuples(st.just("pass"), st.sampled_from([GAP_S / 2, GAP_S, 1.5, RING_S + 1])),
    st.tuples(st.just("join"), st.none()),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.just("resume"), st.integers(0, 3)),
    st.tuples(st.just("read"), st.integers(0, 3)),
)


@dataclass
class Reader:
    """A client: what it was given, over any number of connections, since its first cursor."""

    start: int
    sink: Sink
    subscription: Subscription
    taken: list[int] = field(default_factory=list)
    connected: bool = True
    live: bool = True

    @property
    def seen(self) -> list[int]:
        return self.taken + self.sink.seqs()

    @property
    def cursor(self) -> int:
        seen = self.seen
        return seen[-1] if seen else self.start


class Scene:
    """Takes the steps."""

    def __init__(self) -> None:
        self.bench = HubBench(LogStore(page_entries=4))
        self.entries = self.bench.commit(1)
        self.readers: list[Reader] = []

    async def take(self, name: str, argument: object) -> None:
        match name, argument:
            case "commit", int(count):
                self.entries += self.bench.commit(count)
            case "publish" | "hint", list(chosen) if self.bench.hub.live:
                told = [self.entries[-1 - place] for place in chosen if place < len(self.entries)]
                if told:
                    (self.bench.publish if name == "publish" else self.bench.hint)(*told)
            case "look", None if self.bench.hub.live:
                self.bench.hint(head=len(self.entries))
            case "check", None:
                await self.bench.hub.check_heads()
            case "pass", float(seconds):
                await self.bench.pass_time(seconds)
                self.bench.hub.rings.tick()
            case "join", None if len(self.readers) < 4:
                await self._join()
            case "lose" | "resume" | "read", int(place) if place < len(self.readers):
                await getattr(self, f"_{name}")(self.readers[place])
        await self.bench.settle()

    async def _join(self) -> None:
        sink = Sink(self.bench.loop, f"u{len(self.readers)}")
        subscription = await self.bench.subscribe(sink)
        self.bench.hub.go_live(subscription)
        self.readers.append(Reader(self.bench.stream.cursor or 0, sink, subscription))

    async def _lose(self, reader: Reader) -> None:
        """The socket breaks; the last of what was sent on it may not have arrived."""
        if not reader.connected:
            return
        reader.connected = reader.live = False
        self.bench.hub.detach(reader.sink.connection, [reader.subscription])
        arrived = reader.sink.seqs()
        reader.taken += arrived[: max(0, len(arrived) - 2)]
        reader.sink.frames.clear()

    async def _resume(self, reader: Reader) -> None:
        if reader.connected:
            return
        connection = Sink(self.bench.loop, reader.sink.session.uid)
        connection.session = reader.sink.session
        connection.session.connection = connection.connection
        reader.sink, reader.connected = connection, True
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
        assert not reader.sink.seqs(), "nothing is pushed to a client that is catching up"
        reader.taken += [seq for seq, _ in entries]
        reader.live = self.bench.hub.catch_up(reader.subscription, last)

    async def finish(self) -> None:
        """Everybody comes back and reads to the end; what nobody was told of is found by the head check."""
        await self.bench.hub.check_heads()
        await self.bench.settle()
        for reader in self.readers:
            await self._resume(reader)
            for _ in range(len(self.entries)):
                await self._read(reader)
            assert reader.live
        for reader in self.readers:
            assert reader.seen == list(range(reader.start + 1, len(self.entries) + 1))


@settings(max_examples=150)
@given(st.lists(steps, max_size=40))
def test_rule_cursor_any_loss_repetition_and_order_of_news_gives_each_entry_once(
    script: list[tuple[str, object]],
) -> None:
    async def play() -> None:
        scene = Scene()
        await scene.take("join", None)
        for name, argument in script:
            await scene.take(name, argument)
        await scene.finish()

    asyncio.run(play())


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=6), max_size=20),
    st.lists(st.floats(0, 20), min_size=20, max_size=20),
)
def test_what_the_rings_are_said_to_hold_is_what_they_hold(groups: list[list[int]], pauses: list[float]) -> None:
    async def play() -> None:
        bench = HubBench()
        await bench.join()
        for sizes, pause_s in zip(groups, pauses, strict=False):
            bench.publish(*[bench.commit(body=f'"{"x" * size}"')[0] for size in sizes])
            await bench.pass_time(pause_s)
            bench.hub.rings.tick()
            stream = bench.stream
            assert stream.ring_chars == sum(len(text) for _, text in stream.ring)
            assert bench.hub.rings.chars == stream.ring_chars
        await bench.pass_time(2 * RING_S)
        bench.hub.rings.tick()
        assert not bench.stream.ring, "after half a minute of silence nothing recent is left"

    asyncio.run(play())
