"""A hub alone: its log in memory, its time in the test's hands."""

import asyncio
from typing import cast

from realtime.hub import Hub
from realtime.streams import LiveStream, StoredEntry, StreamKey, Subscription, entry_text
from tests.support.clock import Clock
from tests.support.doubles import Hints, LogStore, Sink

KEY: StreamKey = (1, "room:math")


class HubBench:
    """One hub and its stream `KEY`."""

    def __init__(self, store: LogStore | None = None, hints: Hints | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = Clock(self.loop)
        self.store = store or LogStore()
        self.store.now_ms = self.clock.now_ms
        self.hub = Hub(
            loop=cast(asyncio.AbstractEventLoop, self.clock),
            layer=(hints or Hints()).layer(),
            store=self.store,
            node="here",
            clock_ms=self.clock.now_ms,
        )
        self.hub.shared = True
        self.recoveries = self.hub.recoveries

    @property
    def stream(self) -> LiveStream:
        return self.hub.live[KEY]

    @property
    def reader(self) -> Subscription:
        """The first of those that the stream has."""
        return next(iter(self.stream.subscriptions.values()))

    async def join(self, uid: str = "ann") -> Sink:
        """A member: live from the head on."""
        sink = Sink(self.loop, uid)
        self.hub.go_live(await self.subscribe(sink))
        return sink

    async def subscribe(self, sink: Sink) -> Subscription:
        subscription = await self.hub.subscribe(sink.session, KEY[1])
        sink.session.subscriptions[KEY[1]] = subscription
        return subscription

    def publish(self, *entries: StoredEntry) -> None:
        """As a commit of this process does: the stream's row is known then."""
        if self.stream.id is None:
            self.hub.identify(self.stream, self.store.heads_of[KEY]._replace(head=0))
        for entry in entries:
            self.hub.publish(self.stream, entry.seq, self.text(entry))
        self.hub.flush()

    def hint(self, *entries: StoredEntry, head: int = 0) -> None:
        """As another process's layer message does; with `head` alone: look at the head."""
        row = self.store.heads_of[KEY]
        message = {"kind": "entries", "node": "there", "project": KEY[0], "stream": KEY[1], "id": row.id}
        message |= {"ts": self.clock.now_ms(), "epoch": row.epoch, "head": entries[-1].seq if entries else head}
        if entries:
            message["entries"] = [[entry.seq, self.text(entry)] for entry in entries]
        self.hub.hints.receive(message)

    def text(self, entry: StoredEntry) -> str:
        return entry_text(self.stream.json_name, entry)

    def commit(self, count: int = 1, body: str = "{}", event: str = "room.sent") -> list[StoredEntry]:
        """Entries in the log that nobody has been told of."""
        return [self.store.commit(KEY, body, event)[1] for _ in range(count)]

    async def pass_time(self, seconds: float) -> None:
        """Timers fire and what they start comes to its end."""
        self.clock.advance(seconds)
        await self.settle()

    async def settle(self) -> None:
        await self.hub.settle(10)
        for _ in range(3):  # a pump, and a send that suspended
            await asyncio.sleep(0)
