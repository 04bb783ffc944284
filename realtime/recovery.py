"""Recovery: what a reader has missed, in pages that meet the hub's cursor."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from realtime.capabilities import Entries
from realtime.close_codes import SESSION_LOST
from realtime.errors import NOT_AUTHORIZED, UNAVAILABLE, RpcError
from realtime.frames import SMALL_CHARS
from realtime.rings import RING_S
from realtime.streams import PAGE_BYTES, LiveStream, StoredEntry, StreamStore, Subscription, entries_size, entry_text

if TYPE_CHECKING:
    from realtime.connection import Connection
    from realtime.hub import Hub
    from realtime.session import Session

logger = logging.getLogger(__name__)

READINGS: Final = 3
"""Of an inbox, when each took so long that something may have been withdrawn meanwhile."""


class Page(NamedTuple):
    """Entries as pushed texts, and the seq up to which the reader has now seen everything."""

    entries: Entries
    last: int


@dataclass(slots=True)
class Recovery:
    """The answer to "I have seen stream S up to seq N": what was missed, first page."""

    recovered: bool
    epoch: str
    head: int
    entries: Entries
    last: int
    live: bool


def _texts(stream: LiveStream, entries: Sequence[StoredEntry]) -> Entries:
    return [(entry.seq, entry_text(stream.json_name, entry)) for entry in entries]


class Recoveries:
    def __init__(self, hub: "Hub", store: StreamStore, clock_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._store = store
        self._clock_ms = clock_ms

    async def page(self, subscription: Subscription, after: int, max_bytes: int = PAGE_BYTES) -> Page:
        """What follows seq `after`, as the subscription's client is told it."""
        page = await self._page(subscription.stream, after, max_bytes)
        return Page(subscription.shown(page.entries), page.last)

    async def _page(self, stream: LiveStream, after: int, max_bytes: int) -> Page:
        """From the ring if it reaches back, else from the database, and then on from the ring, so that a reader meets
        the cursor however fast the stream grows."""
        cursor = stream.cursor or 0
        if after >= cursor:
            return Page([], after)
        if stream.is_inbox:
            return await self._unread(stream, after, max_bytes)
        recent = stream.ring_page(after, max_bytes)
        if recent is not None:
            return Page(recent, recent[-1][0] if recent else cursor)
        if stream.id is None:
            return Page([], cursor)
        life = (stream.id, stream.epoch)
        stored = await self._store.read(stream.id, after, max_bytes)
        if life != (stream.id, stream.epoch):  # reset meanwhile: what was read is of the lost time
            return Page([], stream.cursor or 0)
        if not stored:
            return Page([], cursor)  # retention has deleted it; what came meanwhile is another page
        passed = [entry for entry in stored if entry.seq <= (stream.cursor or 0)]
        entries = _texts(stream, passed)
        last = passed[-1].seq if passed else after
        left = max_bytes - entries_size(entries)
        if left > 0 and len(passed) == len(stored):
            more = stream.ring_page(last, left)
            if more and entries_size(more) <= left:
                entries += more
                last = more[-1][0]
        return Page(entries, last)

    async def _unread(self, stream: LiveStream, after: int, max_bytes: int) -> Page:
        """Of an inbox only what is not hidden is read, however much lies between: it has one reader, so no ring."""
        cursor = stream.cursor or 0
        if stream.id is None:
            return Page([], cursor)
        life = (stream.id, stream.epoch)
        for _ in range(READINGS):
            asked_ms = self._clock_ms()
            stored, is_all = await self._store.read_unread(stream.id, after, max_bytes)
            if life != (stream.id, stream.epoch):
                return Page([], stream.cursor or 0)
            if not self._hub.hints.is_late(asked_ms):
                break
        else:
            raise RpcError(UNAVAILABLE)
        passed = [entry for entry in stored if entry.seq <= (stream.cursor or 0)]
        last = passed[-1].seq if passed else after
        if is_all or len(passed) < len(stored):
            last = max(last, cursor)  # nothing else is there up to the cursor of before
        return Page(_texts(stream, passed), last)

    async def recover(
        self, subscription: Subscription, after: int, epoch: str, window_ms: int, max_bytes: int = PAGE_BYTES
    ) -> Recovery:
        """The first page of what a client missed after `after`, which it saw in `epoch`.

        Not recovered: another epoch, a cursor past the head, or a gap that began before the window or that
        retention has cut. Then the entries of the window come all the same, and history has the rest: the client
        goes on at the first of `entries`, or at `head` if there are none. An empty epoch is believed: a member since
        before the first entry learns it only from its first page. `max_bytes` 0: no entries, all is to be pulled.
        """
        stream = subscription.stream
        if after > (stream.cursor or 0) or (epoch and epoch != stream.epoch):
            await self._meet(stream, after)
        head = stream.cursor or 0
        if (epoch and epoch != stream.epoch) or after > head:
            return Recovery(False, stream.epoch, head, [], head, live=True)
        if after >= head:
            return Recovery(True, stream.epoch, head, [], head, live=True)
        start, life = after, (stream.id, stream.epoch)
        is_recent = window_ms >= RING_S * 1000 and stream.ring_page(after, 0) is not None
        if not is_recent and stream.id is not None:
            first = await self._store.first_since(stream.id, after, self._clock_ms() - window_ms)
            start = first - 1 if first is not None else head
        page = await self.page(subscription, start, max_bytes) if max_bytes else Page([], start)
        head = stream.cursor or 0
        if life != (stream.id, stream.epoch):  # reset meanwhile
            return Recovery(False, stream.epoch, head, [], head, live=True)
        return Recovery(
            recovered=start == after,
            epoch=stream.epoch,
            head=head if start == after or page.entries else start,
            entries=page.entries,
            last=page.last,
            live=page.last >= head,
        )

    async def open_inbox(self, session: "Session", max_bytes: int = PAGE_BYTES) -> Recovery:
        """What a user who logs in has not acknowledged: the first page. From then on older logins' acknowledgements
        count no more.

        Raises RpcError `not_authorized` when a newer login was first."""
        assert session.inbox is not None
        stream = session.inbox.stream
        last = stream.cursor or 0
        if stream.id is not None and (self._hub.shared or stream.acked < last):
            limit = session.project.limits.sizes.offline_messages
            after = await self._store.open_inbox(stream.id, session.generation, limit)
            if after is None:
                raise RpcError(NOT_AUTHORIZED, "A newer login of this uid came first.")
            stream.acked = max(stream.acked, after)
            last = min(after, last)
        page = await self.page(session.inbox, last, max_bytes)
        head = stream.cursor or 0
        return Recovery(True, stream.epoch, head, page.entries, page.last, live=page.last >= head)

    async def _meet(self, stream: LiveStream, after: int) -> None:
        """Before a cursor is disbelieved: the process that told it may have been ahead of this one."""
        head = (await self._store.find([stream.key])).get(stream.key)
        if head is None or self._hub.live.get(stream.key) is not stream:
            return
        self._hub.identify(stream, head)
        await self._hub.reach(stream, min(after, head.head))

    def put_off(self, stream: LiveStream, after: int) -> None:
        """An inbox's reader is behind, or much is there: what follows `after` is read when the reader has taken what is
        on its way, so that nothing waits in this process that may be withdrawn meanwhile."""
        for subscription in stream.subscriptions.values():
            connection = subscription.session.connection
            if connection is not None and connection in stream.members:
                stream.dismiss(connection)
                self._wait_for_reader(subscription, connection, after)

    def _wait_for_reader(self, subscription: Subscription, connection: "Connection", after: int) -> None:
        subscription.catching_up = True
        connection.when_drained(partial(self._read_on, subscription, connection, after))

    def _read_on(self, subscription: Subscription, connection: "Connection", after: int) -> None:
        if subscription.catching_up and subscription.session.connection is connection:
            self._hub.spawn(self.go_on(subscription, after))

    async def go_on(self, subscription: Subscription, last: int) -> None:
        """Pushes what came after `last` until the subscription is live again: for a member whose new join failed, and
        for one who was behind."""
        stream, connection = subscription.stream, subscription.session.connection
        life = (stream.id, stream.epoch)
        try:
            while connection is not None and connection.closed is None:
                if stream.is_inbox and connection.is_behind:
                    self._wait_for_reader(subscription, connection, last)
                    return
                page = await self.page(subscription, last, SMALL_CHARS if stream.is_inbox else PAGE_BYTES)
                if subscription.session.connection is not connection or not subscription.is_open:
                    return
                if life != (stream.id, stream.epoch):
                    break
                last = page.last
                for _, text in page.entries:
                    self._hub.fanout.enqueue(connection, text)
                if self._hub.catch_up(subscription, last):
                    return
        except RpcError:
            logger.warning("stream %s: a member has to come back for what it missed", stream.key)
        if connection is not None:
            connection.close(SESSION_LOST)
