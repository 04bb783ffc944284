"""Messages of the past by time, as the vendor's history asks for them (docs/contract.md 10): those that were sent with
the history flag."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar

from django.db.models import Q, QuerySet

from messaging.models import Entry, Stream
from messaging.selectors import first_seq_since, from_ms, marked_for_history, to_ms
from messaging.time_limit import time_limit
from realtime.bridge import READERS
from realtime.counts import Counts
from realtime.pressure import overloaded
from realtime.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

READ_S: Final = 2.0
TURN_S: Final = 5.0
"""So long somebody waits for a turn."""
AT_ONCE: Final = READERS // 2
"""In a process: its other readers are left for what cannot wait."""
WAITING: Final = 16
"""Of a project's own server, and as many of its users."""
OF_USER: Final = 2
"""Reads of one user, whether they run or wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is asked for: messages into some streams or, None, into any, of one sender or, None, of any. Times are ms
    since 1970, both inclusive. `reader`: the user who asks; None: the project's server."""

    project_id: int
    reader: str | None
    streams: Collection[str] | None
    sender: str | None
    events: Collection[str]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class PastEntry:
    """`stream`: the name of the stream it is in; `ts` in ms since 1970."""

    stream: str
    sender: str
    event: str
    ts: int
    body: str


_Party = tuple[int, bool]
"""A project's own server (True), or its users."""


class PastReads:
    """A part of the runtime: reads of the past. They may take long, and all projects share the process's few readers:
    `AT_ONCE` run at a time, of each project one of its server's and one of its users'. Others wait for their turn."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._free = asyncio.Semaphore(AT_ONCE)
        self._turns: defaultdict[_Party, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._of_party = Counts[_Party]()
        self._of_reader = Counts[tuple[int, str | None]]()

    async def start(self) -> None:
        return

    async def drain(self) -> None:
        """Nothing here is to be finished."""

    async def stop(self) -> None:
        return

    async def read(
        self, function: Callable[Concatenate[Past, P], T], past: Past, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a selector of the past. Raises RpcError `limit_exceeded` when it takes more than `READ_S`, `overloaded`
        when too many wait already, or the turn does not come in `TURN_S`.

        Who is cancelled while waiting gives up the place; a query that runs has it until it has ended."""
        with ExitStack() as place:
            turn = self._enter(past)
            place.callback(self._leave, past)
            try:
                async with asyncio.timeout(TURN_S):
                    for awaited in (turn, self._free):
                        await awaited.acquire()
                        place.callback(awaited.release)
            except TimeoutError:
                raise overloaded() from None
            reading = self._runtime.loop.create_task(
                self._runtime.bridge.read(_bounded, function, past, *args, **kwargs)
            )
            reading.add_done_callback(partial(_close, place.pop_all()))
        return await asyncio.shield(reading)

    def _enter(self, past: Past) -> asyncio.Lock:
        """Whose turn is to be waited for. Raises RpcError `overloaded`."""
        party, reader = _party(past), (past.project_id, past.reader)
        if self._of_party[party] > WAITING or (past.reader is not None and self._of_reader[reader] >= OF_USER):
            raise overloaded()
        self._of_party.add(party, 1)
        self._of_reader.add(reader, 1)
        return self._turns[party]

    def _leave(self, past: Past) -> None:
        party = _party(past)
        self._of_party.add(party, -1)
        self._of_reader.add((past.project_id, past.reader), -1)
        if not self._of_party[party]:
            del self._turns[party]


def _party(past: Past) -> _Party:
    return (past.project_id, past.reader is None)


def _close(place: ExitStack, reading: asyncio.Task[Any]) -> None:
    place.close()


def _bounded(function: Callable[Concatenate[Past, P], T], past: Past, /, *args: P.args, **kwargs: P.kwargs) -> T:
    with time_limit(READ_S):
        return function(past, *args, **kwargs)


def past_entries(past: Past, *, offset: int, limit: int, order: Literal["asc", "desc"]) -> list[PastEntry]:
    """In order of time, without the first `offset`, at most `limit`."""
    keys = ("created_at", "pk") if order == "asc" else ("-created_at", "-pk")
    rows = _entries(past).order_by(*keys).values_list("stream__name", "sender", "event", "created_at", "body")
    return [
        PastEntry(stream, sender, event, to_ms(created_at), body)
        for stream, sender, event, created_at, body in rows[offset : offset + limit]
    ]


def count_past(past: Past) -> int:
    return _entries(past).count()


def _entries(past: Past) -> QuerySet[Entry]:
    entries = marked_for_history().filter(event__in=past.events)
    if past.sender is not None:
        entries = entries.filter(sender=past.sender)
    if past.streams is None:
        return entries.filter(
            stream__project_id=past.project_id,
            created_at__gte=from_ms(past.start_ms),
            created_at__lt=from_ms(past.end_ms + 1),
        )
    spans = Q(pk__in=())
    for stream_id in Stream.objects.filter(project_id=past.project_id, name__in=past.streams).values_list(
        "pk", flat=True
    ):
        first = first_seq_since(stream_id, 0, past.start_ms)
        if first is None:
            continue
        span = Q(stream_id=stream_id, seq__gte=first)
        beyond = first_seq_since(stream_id, first - 1, past.end_ms + 1)
        spans |= span if beyond is None else span & Q(seq__lt=beyond)
    return entries.filter(spans)
