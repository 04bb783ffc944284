"""The process's message engine: takes appends to the journal and what is committed to the hub."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.db import connection

from messaging.journal import Append, Journal, Mark
from messaging.journal.backends import backend_for
from messaging.journal.committer import Committer
from messaging.models import EntryFlag
from messaging.preparing import Preparations
from messaging.services import Committed, ensure_stream
from realtime.bridge import Pool
from realtime.errors import LIMIT_EXCEEDED, UNAVAILABLE, RpcError
from realtime.layer import node_group
from realtime.runtime import Runtime
from realtime.session import Session
from realtime.streams import LiveStream, StreamHead, StreamKey, entry_text

logger = logging.getLogger(__name__)

EXPIRY_S: Final = 8.0
"""A client waits 10 s for an answer; what is not begun after 8 is not done any more."""
ROWS_KEPT: Final = 20_000
ROWS_KEPT_S: Final = 60.0


class StreamRows:
    """Rows of streams that are not live here, as peers' inboxes: the least recently used are forgotten, and all after a
    minute, so that another epoch is learned."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rows: OrderedDict[StreamKey, tuple[float, StreamHead]] = OrderedDict()

    def get(self, key: StreamKey) -> StreamHead | None:
        found = self._rows.get(key)
        if found is None or self._loop.time() - found[0] > ROWS_KEPT_S:
            return None
        self._rows.move_to_end(key)
        return found[1]

    def keep(self, key: StreamKey, row: StreamHead) -> None:
        self._rows[key] = (self._loop.time(), row)
        self._rows.move_to_end(key)
        if len(self._rows) > ROWS_KEPT:
            self._rows.popitem(last=False)


class Messaging:
    """A part of the runtime: `append` in, acknowledgements and pushes out."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._hub = runtime.hub
        self._own_pool: Pool | None = None
        if connection.vendor == "sqlite":
            pool = runtime.bridge.writers
        else:
            pool = self._own_pool = Pool("journal", 1, runtime)
        self.journal = Journal(
            loop=runtime.loop,
            committer=Committer(backend_for(connection.vendor), clock_ms=runtime.clock_ms),
            pool=pool,
            lanes=runtime.bridge.writers,
            committed=self._committed,
            marked=self._marked,
            gather_s=self._hub.fanout.gather_s,
        )
        self._preparations = Preparations(runtime, submit=self.journal.submit, answered=self._committed)
        self._in_line = self._preparations.lines
        self._unborn: dict[StreamKey, list[Append]] = {}
        """Appends whose stream is getting its row."""
        self._births: set[asyncio.Task[None]] = set()
        self._rows = StreamRows(runtime.loop)
        self.on_acknowledged: list[Callable[[StreamKey, int, int], None]] = []
        """Called with an inbox and the seq up to which its user has everything, once that is committed; and with the
        generation of the login that acknowledged here, 0 for one elsewhere."""

    async def start(self) -> None:
        self._runtime.hints["acked"] = self._receive_acked

    async def drain(self) -> None:
        while under_way := self._births | self._preparations.tasks:
            await asyncio.wait(under_way)
        await self.journal.idle()

    async def stop(self) -> None:
        if self._own_pool is not None:
            self._own_pool.stop()

    def expiry(self) -> float:
        """For an append that comes now (monotonic clock)."""
        return time.monotonic() + EXPIRY_S

    def append(self, append: Append) -> None:
        """Appends to a stream. Its row is made first if it has none, or looked up if it is not live here; then the file
        of the message is looked at, if it has one."""
        waiting = self._unborn.get(append.key) if self._unborn else None
        if waiting is not None:
            waiting.append(append)
            return
        stream = self._hub.live.get(append.key)
        if stream is not None and stream.id is not None:
            append.stream_id = stream.id
        elif (row := self._rows.get(append.key)) is not None:
            append.stream_id = row.id
        else:
            self._unborn[append.key] = [append]
            birth = self._hub.spawn(self._give_birth(append.key, append.creator))
            self._births.add(birth)
            birth.add_done_callback(self._births.discard)
            return
        if append.file is None and not self._in_line:
            self.journal.submit(append)
        else:
            self._preparations.line_up(append)

    async def _give_birth(self, key: StreamKey, creator: str | None) -> None:
        """Makes the stream's row, then hands over what came meanwhile, in order. A quota that the creator has used up
        is nobody else's: others try anew."""
        now = datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)
        failure: RpcError | None = None
        head: StreamHead | None = None
        try:
            head = await self._runtime.bridge.write(
                ensure_stream, project_id=key[0], name=key[1], creator=creator, now=now
            )
        except RpcError as error:
            failure = error
        except Exception:
            logger.exception("stream %s: its row could not be made", key)
            failure = RpcError(UNAVAILABLE)
        waiting = self._unborn.pop(key)
        if head is None:
            failure = failure or RpcError(UNAVAILABLE)
            refused = []
            for append in waiting:
                if failure.kind is LIMIT_EXCEEDED and append.creator != creator:
                    self.append(append)
                else:
                    append.fail(failure)
                    refused.append(append)
            self._committed(refused)
            return
        live = self._hub.live.get(key)  # another one, if the last member left and came back
        if live is None:
            self._rows.keep(key, head)
        elif live.id is None:
            self._hub.identify(live, StreamHead(head.id, head.epoch, 0))
        for append in waiting:
            append.stream_id = head.id
            self._preparations.line_up(append)

    def _committed(self, group: list[Append]) -> None:
        """A group has its answers: acknowledgements and entries leave together, one frame per connection."""
        by_stream: dict[StreamKey, list[Append]] = {}
        for append in group:
            if append.error is not None:
                if append.call is not None:
                    append.call.fail(append.error)
            else:
                if append.call is not None:
                    append.call.reply_text(f'{{"seq":{append.seq},"ts":{append.ts}}}')
                appends = by_stream.get(append.key)
                if appends is None:
                    by_stream[append.key] = [append]
                else:
                    appends.append(append)
            if append.done is not None:
                append.done(append)
        for key, appends in by_stream.items():
            self._publish(key, appends)
        self._hub.flush()

    def acknowledge(self, session: Session, seq: int) -> None:
        """The user's client has everything up to `seq` of the inbox; committed with the next group."""
        stream = session.inbox.stream if session.inbox is not None else None
        if stream is None or stream.id is None:
            return
        seq = min(seq, stream.cursor or 0)  # nobody has what is not there yet
        if seq > stream.acked:
            self.journal.mark(Mark(stream.key, stream.id, seq, session.generation))

    def _marked(self, marks: list[Mark]) -> None:
        for mark in marks:
            stream = self._hub.live.get(mark.key)
            if stream is not None and stream.id == mark.stream_id and mark.acked > stream.acked:
                stream.acked = mark.acked
                self._tell_origins(stream)
            for listener in self.on_acknowledged:
                listener(mark.key, mark.acked, mark.generation)

    def _tell_origins(self, stream: LiveStream) -> None:
        """A hint to the processes whose senders wait."""
        for node, last in list(stream.origins.items()):
            if last <= stream.acked:
                del stream.origins[node]
            message = {"kind": "acked", "project": stream.key[0], "stream": stream.key[1], "seq": stream.acked}
            self._runtime.layer.send(node_group(node), message)

    def _receive_acked(self, message: Mapping[str, Any]) -> None:
        for listener in self.on_acknowledged:
            listener((message["project"], message["stream"]), message["seq"], 0)

    def _publish(self, key: StreamKey, appends: list[Append]) -> None:
        hub = self._hub
        stream = hub.live.get(key)
        entries = []
        is_inbox = stream is not None and stream.is_inbox
        prefixes: dict[str, str] = {}
        for append in appends:
            if append.duplicate:
                # Its body may differ from the first one's; if that has not been seen here yet, it is read.
                if stream is not None:
                    hub.expect(stream, append.seq)
                continue
            prefix = prefixes.get(append.event)
            if prefix is None:
                prefix = prefixes[append.event] = (stream or LiveStream(key)).prefix(append.event)
            text = (
                ""  # hidden: it has its place, and is given to nobody
                if append.flags >= EntryFlag.WITHDRAWN
                else f'{prefix}{append.seq},"sender":{append.json_sender},"message_id":"{append.message_id}",'
                f'"ts":{append.ts},"body":{append.body}}}}}'
            )
            entries.append((append.seq, text))
            if stream is not None:
                if is_inbox and hub.hints.is_late(append.ts):
                    hub.expect(stream, append.seq)
                else:
                    hub.publish(stream, append.seq, text)
        if entries and hub.shared:
            row = stream if stream is not None else self._rows.get(key)
            epoch = row.epoch if row is not None else ""
            ts = next(append.ts for append in appends if not append.duplicate)
            hub.hints.announce(key, StreamHead(appends[0].stream_id, epoch, entries[-1][0]), entries, ts)


def publish_committed(runtime: object, committed: Committed) -> None:
    """A service has appended an entry, in a thread of `runtime` or in a command, where processes learn of it
    by comparing heads."""
    if isinstance(runtime, Runtime):
        runtime.loop.call_soon_threadsafe(partial(_publish_entry, runtime, committed))


def _publish_entry(runtime: Runtime, committed: Committed) -> None:
    hub = runtime.hub
    stream = hub.live.get(committed.key)
    text = entry_text((stream or LiveStream(committed.key)).json_name, committed.entry)
    if stream is not None:
        if stream.id is None:
            hub.identify(stream, StreamHead(committed.head.id, committed.head.epoch, 0))
        hub.publish(stream, committed.entry.seq, text)
    hub.hints.announce(committed.key, committed.head, [(committed.entry.seq, text)], committed.entry.ts)
    hub.flush()
