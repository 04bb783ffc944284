"""Messages of the past by time, as the vendor's history asks for them (docs/contract.md 10): those that were sent with
the history flag."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from django.db.models import Q, QuerySet

from messaging.models import Entry, Stream
from messaging.selectors import first_seq_since, from_ms, marked_for_history, to_ms


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
