"""Doubles of what surrounds the engine, with which a test makes the very interleaving that it is about.

`Hints` is a layer between runtimes of one loop that loses, keeps back, repeats and reorders; `LogStore` a log in
memory; `ScriptedBackend` a database that fails at commit; gates hold back whoever comes by until the test says.
"""

import asyncio
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final

from django.db import OperationalError

from messaging.journal import Append, Mark
from messaging.journal.backends import Backend
from projects.limits import DEFAULT_LIMITS
from projects.selectors import Tenant
from realtime.connection import Connection
from realtime.layer import Message
from realtime.session import Session
from realtime.streams import StoredEntry, StreamHead, StreamKey

WAIT_S: Final = 20.0
"""Longer than anything under test takes."""


class Hints:
    """A layer that runtimes of one loop share. The test decides what becomes of hints of entries; whatever else
    is sent arrives."""

    def __init__(self) -> None:
        self.mode = "deliver"
        """Or "drop", or "keep": then `kept` has them, to be delivered by hand."""
        self.lost: set[str] = set()
        """Kinds of messages that arrive nowhere, whatever the mode."""
        self.kept: list[tuple[HintLayer, Message]] = []
        self.sent: list[Message] = []
        """Every message of any kind, once."""
        self.layers: list[HintLayer] = []

    def layer(self) -> "HintLayer":
        layer = HintLayer(self)
        self.layers.append(layer)
        return layer

    def entries(self) -> list[Message]:
        """The messages about entries that were sent so far."""
        return [message for message in self.sent if message["kind"] == "entries"]

    def deliver(self, *order: int) -> None:
        """Hands over what was kept: all of it, or by place, in any order and as often as named."""
        kept = self.kept
        for place in order or range(len(kept)):
            layer, message = kept[place]
            layer.hand_over(message)


class HintLayer:
    """One process's side (`realtime.layer.Layer`)."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self.groups: set[str] = set()
        self._on_message: Callable[[Message], None] | None = None
        self.reconnect: Callable[[], None] = lambda: None
        """Says that hints may have been missed."""

    async def start(self, on_message: Callable[[Message], None], on_reconnect: Callable[[], None]) -> None:
        self._on_message = on_message
        self.reconnect = on_reconnect

    async def stop(self) -> None:
        self._on_message = None

    async def subscribe(self, group: str) -> None:
        self.groups.add(group)

    async def unsubscribe(self, group: str) -> None:
        self.groups.discard(group)

    def send(self, group: str, message: Message) -> None:
        message = json.loads(json.dumps(message))
        hints = self._hints
        hints.sent.append(message)
        if message["kind"] in hints.lost:
            return
        for layer in hints.layers:
            if group not in layer.groups:
                continue
            if message["kind"] != "entries" or hints.mode == "deliver":
                asyncio.get_running_loop().call_soon(layer.hand_over, message)
            elif hints.mode == "keep" and layer is not self:
                hints.kept.append((layer, message))

    def hand_over(self, message: Message) -> None:
        if self._on_message is not None:
            self._on_message(message)


class Gate:
    """A place on the loop where whoever comes waits until it is opened."""

    def __init__(self) -> None:
        self._arrived = asyncio.Event()
        self._open = asyncio.Event()

    async def come(self) -> None:
        self._arrived.set()
        await self._open.wait()

    async def arrived(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self._arrived.wait()

    def open(self) -> None:
        self._open.set()


class ThreadGate:
    """The same for threads: `come` blocks, `arrived` is awaited by the test."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._open = threading.Event()

    def come(self) -> None:
        self._arrived.set()
        assert self._open.wait(WAIT_S), "nobody opened the gate"

    def wait_for_arrival(self) -> bool:
        return self._arrived.wait(WAIT_S)

    async def arrived(self) -> None:
        assert await asyncio.to_thread(self.wait_for_arrival), "nobody came to the gate"

    def open(self) -> None:
        self._open.set()


class LogStore:
    """A log in memory, as the hub reads it (`realtime.streams.StreamStore`)."""

    def __init__(self, *, page_entries: int | None = None) -> None:
        self.heads_of: dict[StreamKey, StreamHead] = {}
        self.rows: dict[int, list[StoredEntry]] = defaultdict(list)
        self.reads = 0
        self.gate: Gate | None = None
        """Where the next read of entries, or look for the first of a window, waits with what it has found."""
        self.error: Exception | None = None
        """What every call raises."""
        self.now_ms: Callable[[], int] = lambda: 0
        self._page_entries = page_entries

    def commit(self, key: StreamKey, body: str = "{}", event: str = "room.sent") -> tuple[int, StoredEntry]:
        """Appends an entry; returns the stream's id with it."""
        head = self.heads_of.get(key) or StreamHead(len(self.heads_of) + 1, "first", 0)
        self.heads_of[key] = head = head._replace(head=head.head + 1)
        entry = StoredEntry(head.head, event, "ann", f"m{head.head}", self.now_ms(), body)
        self.rows[head.id].append(entry)
        return head.id, entry

    async def find(self, keys: Sequence[StreamKey]) -> Mapping[StreamKey, StreamHead]:
        self._fail()
        return {key: self.heads_of[key] for key in keys if key in self.heads_of}

    async def heads(self, ids: Sequence[int]) -> Mapping[int, StreamHead]:
        self._fail()
        return {head.id: head for head in self.heads_of.values() if head.id in ids}

    async def open_inbox(self, stream_id: int, generation: int, limit: int) -> int | None:
        self._fail()
        return next(head.acked for head in self.heads_of.values() if head.id == stream_id)

    async def read(self, stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
        self._fail()
        self.reads += 1
        found: list[StoredEntry] = []
        size = 0
        for entry in self.rows[stream_id]:
            if entry.seq > after:
                size += len(entry.body)
                if found and (size > max_bytes or len(found) == self._page_entries):
                    break
                found.append(entry)
        await self._pass_gate()
        return found

    async def read_unread(self, stream_id: int, after: int, max_bytes: int) -> tuple[list[StoredEntry], bool]:
        found = await self.read(stream_id, after, max_bytes)
        return found, not found or found[-1] is self.rows[stream_id][-1]

    async def first_since(self, stream_id: int, after: int, since_ms: int) -> int | None:
        self._fail()
        found = next((row.seq for row in self.rows[stream_id] if row.seq > after and row.ts >= since_ms), None)
        await self._pass_gate()
        return found

    async def _pass_gate(self) -> None:
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.come()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class ScriptedBackend:
    """A journal backend that does what the script says, call by call, and after it as it should.

    "refuse": the database is out of reach. "forget": the group is committed, but the answer is lost. A gate:
    waits there before it writes. None: writes.
    """

    def __init__(self, backend: Backend, *script: "str | ThreadGate | None") -> None:
        self._backend = backend
        self.script: deque[str | ThreadGate | None] = deque(script)
        self.groups: list[list[Append]] = []
        """What it was asked to write, call by call."""

    def write(
        self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
    ) -> list[Append]:
        self.groups.append(list(group))
        step = self.script.popleft() if self.script else None
        if step == "refuse":
            raise OperationalError("the database is out of reach")
        if isinstance(step, ThreadGate):
            step.come()
        skipped = self._backend.write(group, now, skip_locked=skip_locked, marks=marks)
        if step == "forget":
            for append in group:
                append.seq = 0
            raise OperationalError("the connection was lost at the commit")
        return skipped


class Sink:
    """A connection of a session, and the messages that were sent on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, uid: str = "ann", *, project: int = 1) -> None:
        self.frames: list[str] = []
        self.closed: int | None = None
        self.connection = Connection(self._take, loop)
        tenant = Tenant(project, "0" * 32, False, frozenset(), DEFAULT_LIMITS, 600_000)
        self.session = Session(tenant, uid, uid, 1, 0)
        self.session.connection = self.connection
        self.connection.session = self.session

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.closed = message["code"]
        else:
            self.frames.append(message["text"])

    def messages(self) -> list[dict[str, Any]]:
        found = []
        for frame in self.frames:
            decoded = json.loads(frame)
            found += decoded if isinstance(decoded, list) else [decoded]
        return found

    def seqs(self) -> list[int]:
        """Of the entries that were pushed, in the order they came."""
        return [message["params"]["seq"] for message in self.messages() if "seq" in message.get("params", {})]


def held_at(gate: ThreadGate, function: Callable[..., Any], *, before: bool = False) -> Callable[..., Any]:
    """The function, whose first call waits at the gate: with its result in hand, or before it begins."""
    calls = count()

    def held(*args: Any, **kwargs: Any) -> Any:
        is_first = next(calls) == 0
        if is_first and before:
            gate.come()
        result = function(*args, **kwargs)
        if is_first and not before:
            gate.come()
        return result

    return held


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until something has happened that nothing else tells of."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)
