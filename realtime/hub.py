"""The hub: one cursor per live stream; every source of entries passes it, so members see them in order.

Sources are local commits, services, hints from other processes and repairs. Hints may be lost: a gap is
read from the database after `GAP_S`, and every `HEAD_CHECK_S` the heads of all live streams are compared.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from realtime.close_codes import SESSION_LOST
from realtime.connection import Connection
from realtime.errors import NOT_AUTHORIZED, UNAVAILABLE, RpcError
from realtime.fanout import Fanout
from realtime.frames import SMALL_CHARS, Chunk, batches
from realtime.layer import Layer, stream_group
from realtime.protocol import notification_text
from realtime.streams import (
    RING_CHARS,
    RING_S,
    LiveStream,
    StoredEntry,
    StreamHead,
    StreamKey,
    StreamStore,
    Subscription,
    entries_size,
    entry_text,
)

if TYPE_CHECKING:
    from realtime.session import Session

logger = logging.getLogger(__name__)

GAP_S: Final = 0.05
HEAD_CHECK_S: Final = 2.0
PAGE_BYTES: Final = 256 * 1024
HELD_LIMIT: Final = 1_000
OPEN_BATCH: Final = 500
OPEN_PAUSE_S: Final = 0.005
"""Between two reads of heads for streams to open, so that those of a storm gather."""
INBOXES_CHECKED: Final = 5_000
"""In one head check; up to so many users are checked each time."""
LAYER_BYTES: Final = 256 * 1024
RINGS_CHARS: Final = 64 * 1024 * 1024
"""Budget of all rings together."""


class Page(NamedTuple):
    """Entries as pushed texts, and the seq up to which the reader has now seen everything."""

    entries: list[tuple[int, str]]
    last: int


def _pushed_text(stream: LiveStream, entry: StoredEntry) -> str:
    return "" if entry.hidden else entry_text(stream.json_name, entry)


@dataclass(slots=True)
class Recovery:
    """The answer to "I have seen stream S up to seq N": what was missed, first page."""

    recovered: bool
    epoch: str
    head: int
    entries: list[tuple[int, str]]
    last: int
    live: bool


class Hub:
    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        layer: Layer,
        store: StreamStore,
        node: str,
        clock_ms: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._layer = layer
        self._store = store
        self._node = node
        self._clock_ms = clock_ms
        self.fanout = Fanout(loop)
        self.live: dict[StreamKey, LiveStream] = {}
        self.shared = False
        """Whether other processes exist that want hints."""
        self.repaired = 0
        self._touched: list[LiveStream] = []
        self._to_open: list[LiveStream] = []
        self._is_opening = False
        self._inboxes_checked = 0
        self._rings_chars = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- entries -----------------------------------------------------------------------------------------

    def publish(self, stream: LiveStream, seq: int, text: str) -> None:
        """Passes one entry by the cursor; call `flush` after the last of a group. One without text is hidden: it has
        its place and is sent to nobody."""
        cursor = stream.cursor
        if cursor is not None and seq == cursor + 1:
            self._advance(stream, seq, text)
            if stream.held:
                self._drain_held(stream)
        elif cursor is None or seq > cursor:
            if len(stream.held) < HELD_LIMIT:
                stream.held[seq] = text
            if cursor is not None and stream.gap_timer is None and stream.repair is None:
                stream.gap_timer = self._loop.call_later(GAP_S, self._start_repair, stream)

    def _advance(self, stream: LiveStream, seq: int, text: str) -> None:
        stream.cursor = seq
        if not stream.is_touched:
            stream.is_touched = True
            self._touched.append(stream)
        if text:
            stream.ready.append((seq, text))

    def _drain_held(self, stream: LiveStream) -> None:
        held = stream.held
        assert stream.cursor is not None
        while (text := held.pop(stream.cursor + 1, None)) is not None:
            self._advance(stream, stream.cursor + 1, text)
        for seq in [seq for seq in held if seq <= stream.cursor]:
            del held[seq]
        if not held and stream.gap_timer is not None:
            stream.gap_timer.cancel()
            stream.gap_timer = None

    def expect(self, stream: LiveStream, seq: int) -> None:
        """An entry is known to be committed: if it has not passed the cursor soon, it is read."""
        if stream.cursor is not None and seq > stream.cursor and stream.gap_timer is None:
            stream.gap_timer = self._loop.call_later(GAP_S, self._start_repair, stream)

    def flush(self) -> None:
        """Sends what has passed the cursors: one chunk per stream to all its members, one frame each as
        long as it is small."""
        touched, self._touched = self._touched, []
        now_s = self._loop.time()
        for stream in touched:
            stream.is_touched = False
            if stream.waiters:
                self._wake(stream)
            if not stream.ready:
                continue  # all of it hidden, or reset meanwhile
            ready, stream.ready = stream.ready, []
            text = ready[0][1] if len(ready) == 1 else ",".join([text for _, text in ready])
            if not stream.is_inbox:
                self._remember(stream, ready, len(text) - len(ready) + 1, now_s)
            for subscription in list(stream.holds):
                subscription.keep(ready)
            if stream.members:
                if len(text) <= SMALL_CHARS:
                    self.fanout.broadcast(stream.members, Chunk(text, len(ready)))
                else:
                    self._broadcast_large(stream, ready)
        self.fanout.pump()

    def _broadcast_large(self, stream: LiveStream, entries: list[tuple[int, str]]) -> None:
        """In frames below the cap, each still encoded once: one leaves before the next is made."""
        for batch in batches(text for _, text in entries):
            self.fanout.broadcast(stream.members, Chunk(",".join(batch), len(batch)))
            self.fanout.pump()

    def _remember(self, stream: LiveStream, entries: list[tuple[int, str]], chars: int, now_s: float) -> None:
        ring = stream.ring
        ring.extend(entries)
        stream.ring_chars += chars
        self._rings_chars += chars
        if not stream.marks or now_s - stream.marks[-1][0] > 1.0:
            stream.marks.append((now_s, entries[-1][0]))
            self._age_ring(stream, now_s)
        else:
            stream.marks[-1] = (stream.marks[-1][0], entries[-1][0])
        if stream.ring_chars > RING_CHARS or self._rings_chars > RINGS_CHARS:
            target = RING_CHARS if self._rings_chars <= RINGS_CHARS else 0
            freed = 0
            while ring and stream.ring_chars > target:
                freed += stream.forget_ring(1)
            self._rings_chars -= freed

    def _age_ring(self, stream: LiveStream, now_s: float) -> None:
        """Forgets what is older than RING_S: a mark says that entries up to its seq came in the second from its
        time on."""
        limit = None
        while stream.marks and stream.marks[0][0] < now_s - RING_S:
            limit = stream.marks.popleft()[1]
        if limit is not None:
            count = sum(1 for seq, _ in stream.ring if seq <= limit)
            self._rings_chars -= stream.forget_ring(count)

    def _wake(self, stream: LiveStream) -> None:
        cursor = stream.cursor or 0
        for seq, waiter in stream.waiters:
            if seq <= cursor and not waiter.done():
                waiter.set_result(None)
        stream.waiters = [(seq, waiter) for seq, waiter in stream.waiters if seq > cursor]

    def _start_repair(self, stream: LiveStream) -> None:
        stream.gap_timer = None
        if stream.repair is not None:
            stream.repair_again = True
        elif self.live.get(stream.key) is stream:
            stream.repair = self.spawn(self._repair(stream))

    async def _repair(self, stream: LiveStream) -> None:
        """The single-flight read of a gap. What retention has deleted is stepped over."""
        try:
            if stream.id is None:
                found = (await self._store.find([stream.key])).get(stream.key)
                if found is not None:
                    self.identify(stream, found)
            while stream.id is not None and stream.cursor is not None:
                life = (stream.id, stream.epoch)
                entries = await self._store.read(stream.id, stream.cursor, PAGE_BYTES)
                if life != (stream.id, stream.epoch):
                    continue  # reset meanwhile: what was read is of the lost time
                for entry in entries:
                    if entry.seq > stream.cursor:
                        self._advance(stream, entry.seq, _pushed_text(stream, entry))
                        self.repaired += 1
                self._drain_held(stream)
                self.flush()
                if not entries and not stream.repair_again:
                    return
                stream.repair_again = False
        except RpcError:
            logger.warning("stream %s: a gap could not be read yet", stream.key)
        finally:
            stream.repair = None
            stream.repair_again = False
            if stream.held and stream.gap_timer is None and self.live.get(stream.key) is stream:
                stream.gap_timer = self._loop.call_later(GAP_S * 4, self._start_repair, stream)

    def identify(self, stream: LiveStream, head: StreamHead) -> None:
        """The stream has got its row, or another one: a restored database has other epochs."""
        if stream.id == head.id and stream.epoch == head.epoch:
            return
        first = stream.id is None
        stream.id = head.id
        stream.epoch = head.epoch
        if not first and stream.cursor is not None:
            self._reset(stream, head)

    def _reset(self, stream: LiveStream, head: StreamHead) -> None:
        """Cursors of another epoch mean nothing: members are told and go on from the head."""
        stream.cursor = head.head
        stream.acked = head.acked
        stream.held.clear()
        stream.ready.clear()
        stream.marks.clear()
        self._rings_chars -= stream.forget_ring(len(stream.ring))
        params = {"stream": stream.key[1], "epoch": head.epoch, "head": head.head}
        self.fanout.broadcast(stream.members, Chunk(notification_text("stream.reset", params), 1))
        self._wake(stream)

    # -- other processes ---------------------------------------------------------------------------------

    def announce(self, key: StreamKey, head: StreamHead, entries: Sequence[tuple[int, str]]) -> None:
        """One layer message for a stream's part of a group; the cost grows with processes, not members."""
        if not self.shared:
            return
        message: dict[str, Any] = {
            "kind": "entries",
            "node": self._node,
            "project": key[0],
            "stream": key[1],
            "id": head.id,
            "epoch": head.epoch,
            "head": entries[-1][0],
        }
        if entries_size(entries) <= LAYER_BYTES:
            message["entries"] = [[seq, text] for seq, text in entries]
        self._layer.send(stream_group(key), message)

    def receive_hint(self, message: Mapping[str, Any]) -> None:
        """Entries that another process committed, or (when they were too large) that there are some."""
        stream = self.live.get((message["project"], message["stream"]))
        if stream is None or message["node"] == self._node:
            return
        head = StreamHead(message["id"], message["epoch"], message["head"])
        if stream.is_inbox:
            stream.origins[message["node"]] = head.head
        if not head.epoch:  # the sender has nobody in the stream and does not know
            self._start_repair(stream)
            return
        if stream.id is None:
            self.identify(stream, head)
        elif stream.epoch != head.epoch:
            return  # an old hint, or the first news of a restored database: the head check tells which
        for seq, text in message.get("entries", ()):
            self.publish(stream, seq, text)
        self.flush()
        if stream.cursor is not None and head.head > stream.cursor and "entries" not in message:
            self._start_repair(stream)

    async def check_heads(self) -> None:
        """The head check: an entry whose publisher died, or that a command wrote, is never stuck."""
        due = self._due_for_check()
        with_row = {stream.id: (stream, stream.cursor) for stream in due if stream.id is not None}
        without = [stream for stream in due if stream.id is None and stream.cursor is not None]
        heads = await self._store.heads(list(with_row)) if with_row else {}
        for stream_id, (stream, passed) in with_row.items():
            if (head := heads.get(stream_id)) is not None:
                self._check(stream, head, passed or 0)
            elif self.live.get(stream.key) is stream:
                self._lose_row(stream)
        found = await self._store.find([stream.key for stream in without]) if without else {}
        for stream in without:
            if (head := found.get(stream.key)) is not None:
                self._check(stream, head)

    def _due_for_check(self) -> list[LiveStream]:
        """Every room, and inboxes in turn: of those there are as many as users."""
        rooms = [stream for stream in self.live.values() if not stream.is_inbox]
        inboxes = [stream for stream in self.live.values() if stream.is_inbox]
        if len(inboxes) > INBOXES_CHECKED:
            start = self._inboxes_checked % len(inboxes)
            inboxes = (inboxes[start:] + inboxes[:start])[:INBOXES_CHECKED]
            self._inboxes_checked = start + INBOXES_CHECKED
        return rooms + inboxes

    def _lose_row(self, stream: LiveStream) -> None:
        stream.id = None
        stream.epoch = ""
        self._reset(stream, StreamHead(0, "", 0))
        self.fanout.pump()

    def _check(self, stream: LiveStream, head: StreamHead, passed: int = 0) -> None:
        """`passed`: the cursor before the head was read. All of it had been committed, so that a lower head is
        that of a copy which took over and lacks the last commits: their seqs will be used again."""
        if self.live.get(stream.key) is not stream or stream.cursor is None:
            return
        if stream.id == head.id and stream.epoch == head.epoch and head.head < passed <= stream.cursor:
            self._reset(stream, head)
        self.identify(stream, head)
        if head.head > stream.cursor:
            self._start_repair(stream)

    # -- subscriptions -----------------------------------------------------------------------------------

    async def subscribe(self, session: "Session", name: str) -> Subscription:
        """A session's subscription to a stream, opened here if it is the first. It starts catching up."""
        key = (session.project.id, name)
        stream = self.live.get(key)
        if stream is None:
            stream = self.live[key] = LiveStream(key)
            stream.opened = self._loop.create_future()
            self._to_open.append(stream)
            if not self._is_opening:
                self._is_opening = True
                self.spawn(self._open_gathered())
        subscription = stream.subscriptions.get(session)
        if subscription is None:
            subscription = stream.subscriptions[session] = Subscription(stream, session)
        if stream.opened is not None:
            try:
                await asyncio.shield(stream.opened)
            except RpcError:
                self.unsubscribe(subscription)
                raise
        return subscription

    async def _open_gathered(self) -> None:
        """Opens streams: the first at once, in a storm of logins all that gathered meanwhile with one read."""
        try:
            while self._to_open:
                streams, self._to_open = self._to_open[:OPEN_BATCH], self._to_open[OPEN_BATCH:]
                await self._open(streams)
                if self._to_open:
                    await asyncio.sleep(OPEN_PAUSE_S)
        finally:
            self._is_opening = False

    async def _open(self, streams: Sequence[LiveStream]) -> None:
        try:
            if self.shared:
                await asyncio.gather(*[self._layer.subscribe(stream_group(stream.key)) for stream in streams])
            heads = await self._store.find([stream.key for stream in streams])
        except Exception as error:
            if not isinstance(error, RpcError):
                logger.exception("opening of %d streams failed", len(streams))
                error = RpcError(UNAVAILABLE)
            for stream in streams:
                self._fail_to_open(stream, error)
            return
        for stream in streams:
            self._opened(stream, heads.get(stream.key))
        self.flush()

    def _fail_to_open(self, stream: LiveStream, error: RpcError) -> None:
        assert stream.opened is not None
        if self.live.get(stream.key) is stream:
            del self.live[stream.key]
        stream.opened.set_exception(error)
        stream.opened.exception()  # nobody may be waiting any more
        if self.shared:
            self.spawn(self._layer_leave(stream.key))

    def _opened(self, stream: LiveStream, head: StreamHead | None) -> None:
        """It has been listened to since before the head was read: what came between is held."""
        opened = stream.opened
        assert opened is not None
        if head is not None:
            stream.id, stream.epoch, stream.acked = head.id, head.epoch, head.acked
        stream.cursor = head.head if head is not None else 0
        self._drain_held(stream)
        if stream.held:
            stream.gap_timer = self._loop.call_later(GAP_S, self._start_repair, stream)
        stream.opened = None
        opened.set_result(None)
        if not stream.subscriptions:
            self._close(stream)

    def unsubscribe(self, subscription: Subscription) -> None:
        stream = subscription.stream
        subscription.end_hold()
        if stream.subscriptions.get(subscription.session) is subscription:
            del stream.subscriptions[subscription.session]
        connection = subscription.session.connection
        if connection is not None:
            stream.members.pop(connection, None)
        if not stream.subscriptions and stream.opened is None:
            self._close(stream)

    def _close(self, stream: LiveStream) -> None:
        if self.live.get(stream.key) is not stream:
            return
        del self.live[stream.key]
        self._rings_chars -= stream.forget_ring(len(stream.ring))
        if stream.gap_timer is not None:
            stream.gap_timer.cancel()
        for _, waiter in stream.waiters:
            if not waiter.done():
                waiter.set_exception(RpcError(UNAVAILABLE))
        if self.shared:
            self.spawn(self._layer_leave(stream.key))

    async def _layer_leave(self, key: StreamKey) -> None:
        if key not in self.live:
            await self._layer.unsubscribe(stream_group(key))
            if key in self.live:  # opened again meanwhile
                await self._layer.subscribe(stream_group(key))

    def go_live(self, subscription: Subscription) -> None:
        """From now on the session gets pushes: everything after the stream's cursor."""
        subscription.catching_up = False
        connection = subscription.session.connection
        if connection is not None and connection.closed is None:
            subscription.stream.members[connection] = None

    def catch_up(self, subscription: Subscription, last: int) -> bool:
        """A reader has been given everything up to `last`: live if that meets the cursor. In the same step
        as its reply, so that nothing comes between."""
        if last >= (subscription.stream.cursor or 0):
            self.go_live(subscription)
        return not subscription.catching_up

    def detach(self, connection: Connection, subscriptions: Iterable[Subscription]) -> None:
        """The connection is gone; the session stays subscribed and catches up when it is back."""
        for subscription in subscriptions:
            subscription.stream.members.pop(connection, None)
            subscription.catching_up = True

    async def reach(self, stream: LiveStream, seq: int) -> None:
        """Waits until the cursor has passed `seq`, which is known to be committed."""
        if stream.cursor is None or stream.cursor >= seq:
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        stream.waiters.append((seq, waiter))
        self._start_repair(stream)
        try:
            async with asyncio.timeout(4):
                await waiter
        except TimeoutError:
            raise RpcError(UNAVAILABLE) from None

    async def go_on(self, subscription: Subscription, last: int) -> None:
        """Pushes what came after `last` until the subscription is live again: for a member whose new join failed."""
        stream, connection = subscription.stream, subscription.session.connection
        life = (stream.id, stream.epoch)
        try:
            while connection is not None and connection.closed is None:
                page = await self.page(stream, last)
                if subscription.session.connection is not connection or not subscription.is_open:
                    return
                if life != (stream.id, stream.epoch):
                    break
                last = page.last
                for _, text in page.entries:
                    self.fanout.enqueue(connection, text)
                if self.catch_up(subscription, last):
                    return
        except RpcError:
            logger.warning("stream %s: a member has to come back for what it missed", stream.key)
        if connection is not None:
            connection.close(SESSION_LOST)

    # -- recovery ----------------------------------------------------------------------------------------

    async def page(self, stream: LiveStream, after: int, max_bytes: int = PAGE_BYTES) -> Page:
        """What follows seq `after`: from the ring if it reaches back, else from the database, and then on
        from the ring, so that a reader meets the cursor however fast the stream grows."""
        cursor = stream.cursor or 0
        if after >= cursor:
            return Page([], after)
        recent = stream.ring_page(after, max_bytes)
        if recent is not None:
            return Page(recent, recent[-1][0] if recent else cursor)
        if stream.id is None:
            return Page([], cursor)
        life = (stream.id, stream.epoch)
        last = after
        while True:
            stored = await self._store.read(stream.id, last, max_bytes)
            if life != (stream.id, stream.epoch):  # reset meanwhile: what was read is of the lost time
                return Page([], stream.cursor or 0)
            if not stored:
                return Page([], cursor)  # retention has deleted it; what came meanwhile is another page
            passed = [entry for entry in stored if entry.seq <= (stream.cursor or 0)]
            entries = [(entry.seq, entry_text(stream.json_name, entry)) for entry in passed if not entry.hidden]
            last = passed[-1].seq if passed else last
            if entries or not passed or last >= cursor:
                break  # else all of it is hidden: its reader would ask for the same again and again
        left = max_bytes - entries_size(entries)
        if left > 0 and len(passed) == len(stored):
            more = stream.ring_page(last, left)
            if more and entries_size(more) <= left:
                entries += more
                last = more[-1][0]
        return Page(entries, last)

    async def recover(
        self, stream: LiveStream, after: int, epoch: str, window_ms: int, max_bytes: int = PAGE_BYTES
    ) -> Recovery:
        """The first page of what a client missed after `after`, which it saw in `epoch`.

        Not recovered: another epoch, a cursor past the head, or a gap that began before the window or that
        retention has cut. Then the entries of the window come all the same, and history has the rest: the client
        goes on at the first of `entries`, or at `head` if there are none. An empty epoch is believed: a member since
        before the first entry learns it only from its first page. `max_bytes` 0: no entries, all is to be pulled.
        """
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
        page = await self.page(stream, start, max_bytes) if max_bytes else Page([], start)
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
        if stream.id is not None and (self.shared or stream.acked < last):
            limit = session.project.limits.sizes.offline_messages
            after = await self._store.open_inbox(stream.id, session.generation, limit)
            if after is None:
                raise RpcError(NOT_AUTHORIZED, "A newer login of this uid came first.")
            stream.acked = max(stream.acked, after)
            last = min(after, last)
        page = await self.page(stream, last, max_bytes)
        head = stream.cursor or 0
        return Recovery(True, stream.epoch, head, page.entries, page.last, live=page.last >= head)

    async def _meet(self, stream: LiveStream, after: int) -> None:
        """Before a cursor is disbelieved: the process that told it may have been ahead of this one."""
        head = (await self._store.find([stream.key])).get(stream.key)
        if head is None or self.live.get(stream.key) is not stream:
            return
        self.identify(stream, head)
        await self.reach(stream, min(after, head.head))

    # -- housekeeping ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Every few seconds: forgets what is old in the rings of quiet streams."""
        now_s = self._loop.time()
        for stream in self.live.values():
            if stream.marks and stream.marks[0][0] < now_s - RING_S:
                self._age_ring(stream, now_s)

    def spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        """A task that is kept until done and whose failure is logged."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._reap_task)
        return task

    def _reap_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)

    async def settle(self, timeout_s: float) -> None:
        """Waits for the background tasks that are under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
