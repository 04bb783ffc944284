"""Reads of the log. All run in the bridge's threads; times are ms since 1970."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any, Final, Literal

from django.db.models import Q, QuerySet

from messaging.models import FLEETING_FLAGS, HISTORICAL_FLAGS, KEPT_FLAGS, Entry, EntryFlag, Stream, inbox_name
from realtime.frames import utf8_size
from realtime.streams import StoredEntry, StreamHead, StreamKey

BATCH: Final = 50
ENVELOPE_BYTES: Final = 200
"""About what an entry has around its body."""
KEYS_PER_QUERY: Final = 500

_COLUMNS: Final = ("seq", "event", "sender", "message_id", "created_at", "body", "flags")


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What a message id was answered with when it was new."""

    stream_id: int
    seq: int
    ts: int
    event: str
    body: str


def to_ms(moment: datetime) -> int:
    """Rounded to the nearest ms, as a moment made of ms is not exact in binary."""
    return round(moment.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def find_streams(keys: Sequence[StreamKey]) -> dict[StreamKey, StreamHead]:
    """The streams that have a row, by project and name."""
    found = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        by_project: dict[int, list[str]] = {}
        for project, name in keys[start : start + KEYS_PER_QUERY]:
            by_project.setdefault(project, []).append(name)
        wanted = [Q(project_id=project, name__in=names) for project, names in by_project.items()]
        rows = Stream.objects.filter(reduce(or_, wanted)).values_list(
            "project_id", "name", "id", "epoch", "head", "acked"
        )
        for project, name, stream_id, epoch, head, acked in rows:
            found[project, name] = StreamHead(stream_id, epoch, head, acked)
    return found


def stream_heads(ids: Sequence[int]) -> dict[int, StreamHead]:
    heads = {}
    for start in range(0, len(ids), KEYS_PER_QUERY):
        part = ids[start : start + KEYS_PER_QUERY]
        for row in Stream.objects.filter(id__in=part).values_list("id", "epoch", "head", "acked"):
            heads[row[0]] = StreamHead._make(row)
    return heads


def read_entries(stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
    """Entries after seq `after`, ascending, as many as fit into `max_bytes`, at least one if there is one; hidden ones
    too."""
    entries: list[StoredEntry] = []
    size = 0
    while True:
        rows = list(
            Entry.objects.filter(stream_id=stream_id, seq__gt=after).order_by("seq").values_list(*_COLUMNS)[:BATCH]
        )
        for row in rows:
            size += utf8_size(row[5]) + ENVELOPE_BYTES
            if entries and size > max_bytes:
                return entries
            entries.append(_stored(*row))
        if len(rows) < BATCH:
            return entries
        after = rows[-1][0]


def read_unread(stream_id: int, after: int, max_bytes: int) -> tuple[list[StoredEntry], bool]:
    """The same of an inbox without what is withdrawn; and whether this is all there is. However much is withdrawn lies
    between, little of it is looked at.

    It is as of one moment, that of the head: what is committed between the two queries would else be in the second
    alone, and what is before it would be passed over.
    """
    head, sifted = Stream.objects.values_list("head", "sifted").get(pk=stream_id)
    entries: list[StoredEntry] = []
    size = 0
    while True:
        rows: list[Any] = []
        for unread, start in ((kept_for_later(stream_id), after), (fleeting(stream_id), max(after, sifted))):
            rows += unread.filter(seq__gt=start, seq__lte=head).order_by("seq").values_list(*_COLUMNS)[:BATCH]
        for row in sorted(rows)[:BATCH]:
            size += utf8_size(row[5]) + ENVELOPE_BYTES
            if entries and size > max_bytes:
                return entries, False
            entries.append(_stored(*row))
        if len(rows) < BATCH:
            return entries, True
        after = entries[-1].seq


def _stored(
    seq: int, event: str, sender: str, message_id: str, created_at: datetime, body: str, flags: int
) -> StoredEntry:
    return StoredEntry(seq, event, sender, message_id, to_ms(created_at), body, flags >= EntryFlag.WITHDRAWN)


def first_seq_since(stream_id: int, after: int, since_ms: int) -> int | None:
    """The first seq after `after` whose entry is not older than `since_ms`; None if there is none.

    Entries are in order of time, so that a search by halves over the seqs finds it in a few dozen look-ups
    however long the stream is; an index by time would cost every append.
    """
    entries = Entry.objects.filter(stream_id=stream_id)
    since = from_ms(since_ms)

    def at_or_after(seq: int) -> tuple[int, datetime] | None:
        return entries.filter(seq__gte=seq).order_by("seq").values_list("seq", "created_at").first()

    first = at_or_after(after + 1)
    if first is None or first[1] >= since:
        return _existing(first)
    last = entries.order_by("-seq").values_list("seq", "created_at").first()
    if last is None or last[1] < since:
        return None
    low, high = first[0], last[0]  # the entry at low is too old, the one at high is not
    while high - low > 1:
        middle = (low + high) // 2
        found = at_or_after(middle)  # retention may have deleted the one at middle
        assert found is not None
        if found[1] < since:
            low = found[0]
        else:
            high = middle
    return _existing(at_or_after(high))


def _existing(found: tuple[int, datetime] | None) -> int | None:
    return found[0] if found is not None else None


def find_answer(project_id: int, stream: str, sender: str, message_id: str) -> FirstAnswer | None:
    """The entry a sender has already appended under this message id."""
    row = (
        Entry.objects.filter(message_id=message_id, sender=sender, stream__project_id=project_id, stream__name=stream)
        .values_list("stream_id", "seq", "created_at", "event", "body")
        .first()
    )
    return FirstAnswer(row[0], row[1], to_ms(row[2]), row[3], row[4]) if row is not None else None


def has_arrived(stream_id: int, seq: int) -> bool | None:
    """Whether an entry of an inbox was acknowledged, or withdrawn; None if neither."""
    found = Entry.objects.filter(stream_id=stream_id, seq=seq).values_list("flags", "stream__acked").first()
    if found is None or found[0] >= EntryFlag.WITHDRAWN:
        return False
    return True if found[1] >= seq else None


def withdrawn_among(stream_id: int, seqs: Sequence[int]) -> set[int]:
    """Which of these entries of an inbox are withdrawn."""
    found: set[int] = set()
    for start in range(0, len(seqs), KEYS_PER_QUERY):
        part = seqs[start : start + KEYS_PER_QUERY]
        entries = Entry.objects.filter(stream_id=stream_id, seq__in=part, flags__gte=EntryFlag.WITHDRAWN)
        found.update(entries.values_list("seq", flat=True))
    return found


def history(
    project_id: int,
    stream: str,
    *,
    events: Collection[str],
    before: int | None,
    after: int | None,
    limit: int,
    max_bytes: int,
    order: Literal["asc", "desc"],
) -> tuple[list[StoredEntry], bool]:
    """Entries of some events between two seqs, both exclusive, as many as `limit` and `max_bytes` allow, at least
    one if there is one; and whether there are more that way."""
    entries = Entry.objects.filter(stream__project_id=project_id, stream__name=stream, event__in=events)
    found: list[StoredEntry] = []
    size = 0
    while True:
        rows = entries.order_by("seq" if order == "asc" else "-seq")
        if before is not None:
            rows = rows.filter(seq__lt=before)
        if after is not None:
            rows = rows.filter(seq__gt=after)
        batch = list(rows.values_list(*_COLUMNS)[:BATCH])
        for row in batch:
            size += utf8_size(row[5]) + ENVELOPE_BYTES
            if len(found) == limit or (found and size > max_bytes):
                return found, True
            found.append(_stored(*row))
        if len(batch) < BATCH:
            return found, False
        if order == "asc":
            after = batch[-1][0]
        else:
            before = batch[-1][0]


@dataclass(frozen=True, slots=True)
class PastMessage:
    """`position`: its place among all that two peers have said to each other; `ts` in ms."""

    position: int
    sender: str
    receiver: str
    message_id: str
    ts: int
    body: str


def marked_for_history() -> QuerySet[Entry]:
    """The entries that were sent with the history flag."""
    return _with_flags(HISTORICAL_FLAGS)


def kept_for_later(stream_id: int) -> QuerySet[Entry]:
    """The entries of an inbox with the offline flag that are not withdrawn, acknowledged or not."""
    return _with_flags(KEPT_FLAGS).filter(stream_id=stream_id)


def fleeting(stream_id: int) -> QuerySet[Entry]:
    """The other entries of an inbox that are not withdrawn: of no use to who was away for long."""
    return Entry.objects.filter(stream_id=stream_id, flags__in=FLEETING_FLAGS)


def _with_flags(values: Sequence[int]) -> QuerySet[Entry]:
    """By literals: SQLite takes a partial index only when it sees the index's condition."""
    return Entry.objects.extra(where=[f'"messaging_entry"."flags" IN ({", ".join(map(str, values))})'])


def peer_history(
    project_id: int,
    uid: str,
    peer: str,
    *,
    events: Collection[str],
    before: int | None,
    after: int | None,
    limit: int,
    max_bytes: int,
    order: Literal["asc", "desc"],
) -> tuple[list[PastMessage], bool]:
    """What two users have sent each other with the history flag, of some events, between two positions, both exclusive:
    as much as `limit` and `max_bytes` allow, at least one if there is one; and whether there is more that way."""
    rows: list[PastMessage] = []
    for sender, receiver in {(uid, peer), (peer, uid)}:
        entries = marked_for_history().filter(
            stream__project_id=project_id, stream__name=inbox_name(receiver), sender=sender, event__in=events
        )
        if before is not None:
            entries = entries.filter(pk__lt=before)
        if after is not None:
            entries = entries.filter(pk__gt=after)
        columns = entries.order_by("pk" if order == "asc" else "-pk").values_list(
            "pk", "message_id", "created_at", "body"
        )
        rows += [
            PastMessage(pk, sender, receiver, message_id, to_ms(created_at), body)
            for pk, message_id, created_at, body in columns[: limit + 1]
        ]
    rows.sort(key=lambda row: row.position, reverse=order == "desc")
    found: list[PastMessage] = []
    size = 0
    for row in rows:
        size += utf8_size(row.body) + ENVELOPE_BYTES
        if len(found) == limit or (found and size > max_bytes):
            return found, True
        found.append(row)
    return found, False
