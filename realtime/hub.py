"""The hub: one cursor per live stream; every source of entries passes it, so members see them in order.

Sources are local commits, services, hints from other processes (`realtime.hints`) and repairs. Hints may be lost: a
gap is read from the database (`realtime.repairs`), and the heads of all live streams are compared (`realtime.heads`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from realtime.capabilities import Entries
from realtime.connection import Connection
from realtime.errors import UNAVAILABLE, RpcError
from realtime.fanout import Fanout
from realtime.frames import SMALL_CHARS, Chunk, batches
from realtime.heads import HeadCheck
from realtime.hints import Hints
from realtime.layer import Layer
from realtime.openings import Openings
from realtime.protocol import notification_text
from realtime.recovery import Recoveries
from realtime.redaction import deleted_seqs, redact
from realtime.repairs import Repairs
from realtime.rings import Rings
from realtime.streams import LiveStream, StreamHead, StreamKey, StreamStore, Subscription
from realtime.tasks import cancel_all

if TYPE_CHECKING:
    from realtime.session import Session

logger = logging.getLogger(__name__)

HELD_LIMIT: Final = 1_000


def _joined(entries: Entries) -> str:
    return entries[0][1] if len(entries) == 1 else ",".join([text for _, text in entries])


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
        self.fanout = Fanout(loop)
        self.live: dict[StreamKey, LiveStream] = {}
        self.rings = Rings(loop, self.live)
        self.shared = False
        """Whether other processes exist that want hints."""
        self._touched: list[LiveStream] = []
        self.hints = Hints(self, layer=layer, node=node, clock_ms=clock_ms)
        self.recoveries = Recoveries(self, store, clock_ms)
        self.repairs = Repairs(self, loop=loop, store=store, clock_ms=clock_ms)
        self._heads = HeadCheck(self, store)
        self._openings = Openings(self, loop=loop, layer=layer, store=store)
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- entries -----------------------------------------------------------------------------------------

    def publish(self, stream: LiveStream, seq: int, text: str) -> None:
        """Passes one entry by the cursor; call `flush` after the last of a group. One without text is hidden: it has
        its place and is sent to nobody."""
        cursor = stream.cursor
        if cursor is not None and seq == cursor + 1:
            self.advance(stream, seq, text)
            if stream.held:
                self.drain_held(stream)
        elif cursor is None or seq > cursor:
            if len(stream.held) < HELD_LIMIT:
                stream.held[seq] = text
            if cursor is not None and stream.repair is None:
                self.repairs.soon(stream)

    def advance(self, stream: LiveStream, seq: int, text: str) -> None:
        stream.cursor = seq
        if not stream.is_touched:
            stream.is_touched = True
            self._touched.append(stream)
        if text:
            stream.ready.append((seq, text))

    def drain_held(self, stream: LiveStream) -> None:
        held = stream.held
        assert stream.cursor is not None
        while (text := held.pop(stream.cursor + 1, None)) is not None:
            self.advance(stream, stream.cursor + 1, text)
        for seq in [seq for seq in held if seq <= stream.cursor]:
            del held[seq]
        if not held and stream.gap_timer is not None:
            stream.gap_timer.cancel()
            stream.gap_timer = None

    def expect(self, stream: LiveStream, seq: int) -> None:
        """An entry is known to be committed: if it has not passed the cursor soon, it is read."""
        if stream.cursor is not None and seq > stream.cursor:
            self.repairs.soon(stream)

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
            text = _joined(ready)
            if not stream.is_inbox:
                self.rings.remember(stream, ready, len(text) - len(ready) + 1, now_s)
            for subscription in list(stream.holds):
                subscription.keep(ready)
            if deleted := deleted_seqs(ready):
                self._redact(stream, deleted)
            if stream.members:
                if stream.is_inbox and (len(text) > SMALL_CHARS or any(reader.is_behind for reader in stream.members)):
                    self.recoveries.put_off(stream, ready[0][0] - 1)
                else:
                    for members, entries in stream.audiences(ready):
                        self._broadcast(members, entries, text if entries is ready else _joined(entries))
        self.fanout.pump()

    def _redact(self, stream: LiveStream, seqs: frozenset[int]) -> None:
        """Deletions have passed the cursor, so the messages have as well: members have seen both in order, and nobody
        who comes later is given a message."""
        self.rings.redact(stream, seqs)
        for subscription in stream.holds:
            if subscription.hold is not None:
                subscription.hold_chars += redact(subscription.hold, seqs)

    def _broadcast(self, members: Iterable[Connection], entries: Entries, text: str) -> None:
        """`text`: that of all the entries. A large one goes in frames below the cap, each still encoded once: one
        leaves before the next is made."""
        if len(text) <= SMALL_CHARS:
            self.fanout.broadcast(members, Chunk(text, len(entries)))
            return
        for batch in batches(text for _, text in entries):
            self.fanout.broadcast(members, Chunk(",".join(batch), len(batch)))
            self.fanout.pump()

    def _wake(self, stream: LiveStream) -> None:
        cursor = stream.cursor or 0
        for seq, waiter in stream.waiters:
            if seq <= cursor and not waiter.done():
                waiter.set_result(None)
        stream.waiters = [(seq, waiter) for seq, waiter in stream.waiters if seq > cursor]

    def identify(self, stream: LiveStream, head: StreamHead) -> None:
        """The stream has got its row, or another one: a restored database has other epochs."""
        if stream.id == head.id and stream.epoch == head.epoch:
            return
        first = stream.id is None
        stream.id = head.id
        stream.epoch = head.epoch
        if not first and stream.cursor is not None:
            self.reset(stream, head)

    def reset(self, stream: LiveStream, head: StreamHead) -> None:
        """Cursors of another epoch mean nothing: members are told and go on from the head."""
        stream.cursor = head.head
        stream.acked = head.acked
        stream.held.clear()
        stream.ready.clear()
        stream.marks.clear()
        self.rings.forget(stream)
        params = {"stream": stream.key[1], "epoch": head.epoch, "head": head.head}
        self.fanout.broadcast(stream.members, Chunk(notification_text("stream.reset", params), 1))
        self._wake(stream)

    async def check_heads(self) -> None:
        """Has everything read that was committed and has not come. Raises RpcError `unavailable`."""
        await self._heads.check()

    # -- subscriptions -----------------------------------------------------------------------------------

    async def subscribe(self, session: "Session", name: str) -> Subscription:
        """A session's subscription to a stream, opened here if it is the first. It starts catching up."""
        key = (session.project.id, name)
        stream = self.live.get(key)
        if stream is None:
            stream = self.live[key] = LiveStream(key)
            self._openings.begin(stream)
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

    def start(self, stream: LiveStream, head: StreamHead | None) -> None:
        """A stream that was opened gets its cursor. It has been listened to since before the head was read: what came
        between is held."""
        if head is not None:
            stream.id, stream.epoch, stream.acked = head.id, head.epoch, head.acked
        stream.cursor = head.head if head is not None else 0
        if not stream.is_inbox:  # of an inbox it is read, as it may have been held for long
            self.drain_held(stream)
        if stream.held:
            self.repairs.soon(stream)

    def unsubscribe(self, subscription: Subscription) -> None:
        stream = subscription.stream
        subscription.end_hold()
        if stream.subscriptions.get(subscription.session) is subscription:
            del stream.subscriptions[subscription.session]
        connection = subscription.session.connection
        if connection is not None:
            stream.dismiss(connection)
        if not stream.subscriptions and stream.opened is None:
            self.close(stream)

    def close(self, stream: LiveStream) -> None:
        """Nobody here is subscribed to it any more."""
        if self.live.get(stream.key) is not stream:
            return
        del self.live[stream.key]
        self.rings.forget(stream)
        if stream.gap_timer is not None:
            stream.gap_timer.cancel()
        for _, waiter in stream.waiters:
            if not waiter.done():
                waiter.set_exception(RpcError(UNAVAILABLE))
        self._openings.close(stream.key)

    def go_live(self, subscription: Subscription) -> None:
        """From now on the session gets pushes: everything after the stream's cursor."""
        subscription.catching_up = False
        session = subscription.session
        if session.connection is not None and session.connection.closed is None:
            subscription.stream.admit(session.connection, session.withheld)

    def catch_up(self, subscription: Subscription, last: int) -> bool:
        """A reader has been given everything up to `last`: live if that meets the cursor. In the same step
        as its reply, so that nothing comes between."""
        if last >= (subscription.stream.cursor or 0):
            self.go_live(subscription)
        return not subscription.catching_up

    def detach(self, connection: Connection, subscriptions: Iterable[Subscription]) -> None:
        """The connection is gone; the session stays subscribed and catches up when it is back."""
        for subscription in subscriptions:
            subscription.stream.dismiss(connection)
            subscription.catching_up = True

    async def reach(self, stream: LiveStream, seq: int) -> None:
        """Waits until the cursor has passed `seq`, which is known to be committed."""
        if stream.cursor is None or stream.cursor >= seq:
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        stream.waiters.append((seq, waiter))
        self.repairs.start(stream)
        try:
            async with asyncio.timeout(4):
                await waiter
        except TimeoutError:
            raise RpcError(UNAVAILABLE) from None

    # -- housekeeping ------------------------------------------------------------------------------------

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
        await cancel_all(self._tasks)
