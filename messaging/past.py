"""Messages of the past by time, as the vendor's history asks for them (docs/contract.md 10): those that were sent with
the history flag."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from django.db.models import Q, QuerySet

from messaging.models import Entry, Stream
from messaging.selectors import first_seq_since, from_ms, marked_for_history, to_ms
from messaging.time_limit import time_limit
from realtime.pressure import overloaded
from realtime.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

READ_S: Final = 2.0
WAITING: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is asked for: messages into some streams or, None, into any, of one sender or, None, of any. Times are ms
    since 1970, both inclusive."""

    project_id: int
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


@dataclass(slots=True)
class _Turns:
    """Of a project: who reads has the lock, and is one of the readers."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    readers: int = 0


class PastReads:
    """A part of the runtime: reads of the past. They may take long, and all projects share the process's few readers,
    so that of each project one runs at a time, and others wait for their turn."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._turns: defaultdict[int, _Turns] = defaultdict(_Turns)

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
        when `WAITING` others of the project wait already."""
        turns = self._turns[past.project_id]
        if turns.readers > WAITING:
            raise overloaded()
        turns.readers += 1
        try:
            async with turns.lock:
                return await self._runtime.bridge.read(_bounded, function, past, *args, **kwargs)
        finally:
            turns.readers -= 1
            if not turns.readers:
                del self._turns[past.project_id]


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
