"""A stream as a process sees it while somebody here listens: cursor, members, recent entries."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from realtime.capabilities import EVENT_AT, Entries, is_for_some, shown
from realtime.connection import Connection
from realtime.errors import OUT_OF_TURN, RpcError
from realtime.frames import utf8_size
from realtime.protocol import encode

if TYPE_CHECKING:
    from realtime.session import Session

StreamKey = tuple[int, str]
"""Project id and stream name, as in `(3, "room:math")`."""

INBOX: Final = "inbox:"
PAGE_BYTES: Final = 256 * 1024
"""Of entries that are read or answered at once."""
HOLD_CHARS: Final = 256 * 1024


def inbox_name(uid: str) -> str:
    """The name of a user's own stream."""
    return f"{INBOX}{uid}"


class StreamHead(NamedTuple):
    """A stream's row: `epoch` is random and changes when the database was restored. `acked`: of an inbox, the seq up to
    which its user has acknowledged."""

    id: int
    epoch: str
    head: int
    acked: int = 0


class StoredEntry(NamedTuple):
    """A committed entry; `ts` in ms since 1970, `body` JSON text. `hidden`: it has its place in the order and is given
    to no reader (any more)."""

    seq: int
    event: str
    sender: str
    message_id: str
    ts: int
    body: str
    hidden: bool = False


class StreamStore(Protocol):
    """How the hub reads the log; registered by the floor that keeps it. Reads come from the primary.

    All raise `RpcError` `unavailable` while the database is out of reach.
    """

    async def find(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, StreamHead]:
        """The streams that have a row."""

    async def heads(self, ids: Sequence[int]) -> Mapping[int, StreamHead]: ...

    async def read(self, stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
        """Entries after seq `after`, ascending: as many as fit, at least one if there is one."""

    async def read_unread(self, stream_id: int, after: int, max_bytes: int) -> tuple[list[StoredEntry], bool]:
        """The same of an inbox without what is hidden; and whether this is all there is."""

    async def first_since(self, stream_id: int, after: int, since_ms: int) -> int | None:
        """The first seq after `after` that is not older than `since_ms`; None if there is none."""

    async def open_inbox(self, stream_id: int, generation: int, limit: int) -> int | None:
        """For a login of this generation: settles what of the inbox is still to be delivered, of messages kept for
        later the newest `limit`. Returns the seq after which to read; None when a newer login was first."""


def entry_text(stream_json: str, entry: StoredEntry) -> str:
    """The notification an entry is pushed as. The body is spliced in, never parsed and encoded again."""
    return (
        f'{{"jsonrpc":"2.0","method":"{entry.event}","params":{{"stream":{stream_json},"seq":{entry.seq},'
        f'"sender":{encode(entry.sender)},"message_id":{encode(entry.message_id)},'
        f'"ts":{entry.ts},"body":{entry.body}}}}}'
    )


def entry_item(text: str) -> str:
    """A pushed entry's text as an item of a page: the same params, with the event's name inside."""
    end = text.index('"', EVENT_AT)
    params = text.index("{", end)
    return f'{{"event":"{text[EVENT_AT:end]}",{text[params + 1 : -1]}'


def entries_size(entries: Iterable[tuple[int, str]]) -> int:
    """The UTF-8 bytes of entries' texts."""
    return sum(utf8_size(text) for _, text in entries)


class Run:
    """Messages of one sender to one stream, sent without waiting for answers. `last`: the id of the last that was
    taken. `is_broken`: one of them was not written after all, so that those behind it are not either."""

    __slots__ = ("is_broken", "last")

    def __init__(self) -> None:
        self.is_broken = False
        self.last = ""


class Subscription:
    """A session's place in a stream.

    `catching_up`: gets no pushes until it joins or a page meets the cursor. `hold`: entries that came while a join was
    reading its snapshot; None when not joining.
    """

    __slots__ = ("catching_up", "hold", "hold_chars", "run", "session", "stream")

    def __init__(self, stream: "LiveStream", session: "Session") -> None:
        self.stream = stream
        self.session = session
        self.catching_up = True
        self.hold: Entries | None = None
        self.hold_chars = 0
        self.run: Run | None = None

    def take_turn(self, message_id: str, follows: str | None) -> Run:
        """The run that a message goes with: that of the message which it follows, or a new one. RpcError `out_of_turn`
        when that message was refused."""
        run = self.run
        if follows is None:
            run = self.run = Run()
        elif run is None or run.is_broken or run.last != follows:
            raise RpcError(OUT_OF_TURN)
        run.last = message_id
        return run

    @property
    def is_open(self) -> bool:
        """False once it was ended, though somebody who was waiting may still have it in hand."""
        return self.stream.subscriptions.get(self.session) is self

    def start_hold(self) -> None:
        """From here on entries are kept and not pushed, also to a member who joins again."""
        self.hold = []
        self.hold_chars = 0
        self.stream.holds[self] = None
        self.catching_up = True
        if self.session.connection is not None:
            self.stream.dismiss(self.session.connection)

    def keep(self, entries: Iterable[tuple[int, str]]) -> None:
        if self.hold is None:
            return
        for entry in entries:
            self.hold_chars += len(entry[1])
            self.hold.append(entry)
        if self.hold_chars > HOLD_CHARS:
            self.end_hold()

    def end_hold(self) -> Entries | None:
        """What was held, as its client is told it; None when it was too much: the client reads it in pages."""
        hold, self.hold = self.hold, None
        self.stream.holds.pop(self, None)
        return self.shown(hold) if hold is not None else None

    def shown(self, entries: Entries) -> Entries:
        """The entries as its client is told them."""
        return shown(entries, self.session.withheld)


class LiveStream:
    """A stream with subscriptions in this process. `cursor` is the seq up to which members have been sent
    everything; None while the stream is being opened.

    `lacking`: of the members those who lack a capability, with the events that they are not given.

    An inbox keeps no ring: what its one reader may still get is decided in the database. `acked` is what is known
    here of its acknowledgements; `origins`: the nodes that wait for one, each with the last seq it wrote.
    """

    __slots__ = (
        "acked",
        "cursor",
        "epoch",
        "gap_timer",
        "held",
        "holds",
        "id",
        "is_inbox",
        "is_touched",
        "json_name",
        "key",
        "lacking",
        "marks",
        "members",
        "opened",
        "origins",
        "prefixes",
        "ready",
        "repair",
        "repair_again",
        "ring",
        "ring_chars",
        "subscriptions",
        "waiters",
    )

    def __init__(self, key: StreamKey) -> None:
        self.key = key
        self.json_name = encode(key[1])
        self.id: int | None = None
        self.epoch = ""
        self.cursor: int | None = None
        self.is_inbox = key[1].startswith(INBOX)
        self.is_touched = False
        self.acked = 0
        self.origins: dict[str, int] = {}
        self.members: dict[Connection, None] = {}
        self.lacking: dict[Connection, frozenset[str]] = {}
        self.subscriptions: dict[Session, Subscription] = {}
        self.holds: dict[Subscription, None] = {}
        self.held: dict[int, str] = {}
        self.ready: Entries = []
        self.ring: deque[tuple[int, str]] = deque()
        self.ring_chars = 0
        self.marks: deque[tuple[float, int]] = deque()
        self.gap_timer: asyncio.TimerHandle | None = None
        self.repair: asyncio.Task[None] | None = None
        self.repair_again = False
        """There is news that the read under way may not have seen."""
        self.opened: asyncio.Future[None] | None = None
        self.waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.prefixes: dict[str, str] = {}

    def prefix(self, event: str) -> str:
        """The part of an entry's text that all entries of an event share."""
        prefix = self.prefixes.get(event)
        if prefix is None:
            prefix = self.prefixes[event] = (
                f'{{"jsonrpc":"2.0","method":"{event}","params":{{"stream":{self.json_name},"seq":'
            )
        return prefix

    def admit(self, connection: Connection, withheld: frozenset[str]) -> None:
        """From now on the connection gets pushes."""
        self.members[connection] = None
        if withheld:
            self.lacking[connection] = withheld

    def dismiss(self, connection: Connection) -> None:
        """From now on it gets none."""
        self.members.pop(connection, None)
        self.lacking.pop(connection, None)

    def audiences(self, entries: Entries) -> list[tuple[Iterable[Connection], Entries]]:
        """The members, each with what it is told of the entries; mostly that is the same for all."""
        if not self.lacking or not is_for_some(entries):
            return [(self.members, entries)]
        alike: dict[frozenset[str], list[Connection]] = {}
        for connection in self.members:
            alike.setdefault(self.lacking.get(connection, frozenset()), []).append(connection)
        return [(connections, shown(entries, withheld)) for withheld, connections in alike.items()]

    def ring_page(self, after: int, max_bytes: int) -> Entries | None:
        """Recent entries after seq `after`, as many as fit; None when the ring does not reach back so far."""
        ring = self.ring
        if not ring or ring[0][0] > after + 1:
            return None
        page: Entries = []
        size = 0
        for seq, text in ring:
            if seq <= after:
                continue
            size += utf8_size(text)
            if page and size > max_bytes:
                break
            page.append((seq, text))
        return page

    def forget_ring(self, count: int) -> int:
        """Drops the `count` oldest entries of the ring; returns their characters."""
        freed = 0
        for _ in range(min(count, len(self.ring))):
            freed += len(self.ring.popleft()[1])
        self.ring_chars -= freed
        return freed
