"""Writes of the log by services: one transaction each, in the bridge's threads or in commands.

Messages go by the journal instead (`messaging.journal`), which commits them in groups.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from messaging.media.unused import drop_uses
from messaging.models import KEPT_FLAGS, Entry, MediaUse, Stream, make_epoch
from messaging.selectors import first_seq_since, to_ms
from messaging.sifting import OFFLINE_KEPT
from projects.models import Project
from realtime import bridge
from realtime.errors import LIMIT_EXCEEDED, RpcError
from realtime.streams import INBOX, StoredEntry, StreamHead, StreamKey

PURGE_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Committed:
    """An entry that a service has appended, for whoever publishes it."""

    key: StreamKey
    head: StreamHead
    entry: StoredEntry


_publishers: list[Callable[[object, Committed], None]] = []


def on_committed(publisher: Callable[[object, Committed], None]) -> None:
    """Registers who is told of entries after their commit, with the runtime in whose thread it ran."""
    _publishers.append(publisher)


@transaction.atomic
def ensure_stream(*, project_id: int, name: str, creator: str | None, now: datetime) -> StreamHead:
    """The stream's row, made if it is new and the quotas allow it. `creator` None: the project's own server, or the
    service; those have the project's quota only.

    Raises RpcError `limit_exceeded` when the project's quota or the creator's of the day is used up.
    """
    stream = Stream.objects.filter(project_id=project_id, name=name).first()
    if stream is None:
        stream = _create_stream(project_id, name, creator, now)
    return StreamHead(stream.pk, stream.epoch, stream.head)


def _create_stream(project_id: int, name: str, creator: str | None, now: datetime) -> Stream:
    if creator is not None:
        _check_quota(project_id, name, creator, now)
    try:
        with transaction.atomic():
            stream = Stream.objects.create(project_id=project_id, name=name, created_by=creator or "", created_at=now)
            counted = Project.objects.filter(pk=project_id, stream_count__lt=F("stream_quota")).update(
                stream_count=F("stream_count") + 1
            )
            if not counted:
                raise RpcError(LIMIT_EXCEEDED, "The project's quota of rooms and inboxes is used up.")
    except IntegrityError:  # another process was first
        stream = Stream.objects.get(project_id=project_id, name=name)
    return stream


def _check_quota(project_id: int, name: str, creator: str, now: datetime) -> None:
    """Of new rooms, and apart from them of new users written to, within a day."""
    quota = Project.objects.values_list("user_stream_quota", flat=True).get(pk=project_id)
    made_today = Stream.objects.filter(
        project_id=project_id, created_by=creator, created_at__gte=now - timedelta(days=1)
    )
    inboxes = Q(name__startswith=INBOX)
    is_inbox = name.startswith(INBOX)
    if made_today.filter(inboxes if is_inbox else ~inboxes).count() >= quota:
        what = "written to too many new users" if is_inbox else "written into too many new rooms"
        raise RpcError(LIMIT_EXCEEDED, f"You have {what} today.")


def append_entry(*, stream_id: int, event: str, sender: str, message_id: str, body: str, now: datetime) -> int:
    """Appends one entry inside the caller's transaction, as its last act before the commit: from here on the
    stream's head is locked. Returns the seq; the entry is published after the commit.

    Raises IntegrityError when the sender has used the message id in this stream before.
    """
    assert transaction.get_connection().in_atomic_block
    stream = Stream.objects.select_for_update().get(pk=stream_id)
    stream.head += 1
    stream.save(update_fields=["head"])
    Entry.objects.create(
        stream=stream,
        seq=stream.head,
        sender=sender,
        message_id=message_id,
        event=event,
        body=body,
        created_at=now,
    )
    committed = Committed(
        key=(stream.project_id, stream.name),
        head=StreamHead(stream.pk, stream.epoch, stream.head),
        entry=StoredEntry(stream.head, event, sender, message_id, to_ms(now), body),
    )
    transaction.on_commit(partial(_tell, bridge.origin(), committed))
    return stream.head


def _tell(runtime: object, committed: Committed) -> None:
    for publisher in _publishers:
        publisher(runtime, committed)


def expired_entries(*, before: datetime, now: datetime) -> QuerySet[Entry]:
    """Those from before a time, save what is kept for users who are away and may still be delivered."""
    expired = Entry.objects.filter(created_at__lt=before)
    unread_since = now - OFFLINE_KEPT
    if before <= unread_since:
        return expired
    return expired.exclude(flags__in=KEPT_FLAGS, seq__gt=F("stream__acked"), created_at__gte=unread_since)


def purge_entries(*, project_id: int, before: datetime, now: datetime, batch: int = PURGE_BATCH) -> Iterator[int]:
    """Deletes a project's expired entries, the oldest of each stream first. Each step is one short transaction of at
    most `batch` entries and yields how many it deleted, so that the caller may stop between two.

    The seqs of what is left do not change. An entry is never deleted early; one with an older one after it, as
    processes' clocks may leave it, may stay until a later call.
    """
    for stream_ids in _pages(Stream.objects.filter(project_id=project_id)):
        for stream_id in stream_ids:
            first_kept = first_seq_since(stream_id, 0, to_ms(before))
            expired = expired_entries(before=before, now=now).filter(stream_id=stream_id)
            if first_kept is not None:
                expired = expired.filter(seq__lt=first_kept)
            while ids := list(expired.order_by("seq").values_list("pk", flat=True)[:batch]):
                yield _delete_entries(stream_id, ids, now)


@transaction.atomic
def _delete_entries(stream_id: int, ids: Sequence[int], now: datetime) -> int:
    """Their files go with them, unless another message has them."""
    entries = Entry.objects.filter(pk__in=ids)
    messages: set[tuple[str, str]] = set()
    if MediaUse.objects.filter(stream_id=stream_id).exists():
        messages.update(entries.values_list("message_id", "sender"))
    deleted = entries.delete()[0]
    drop_uses(stream_id=stream_id, messages=messages, now=now)
    return deleted


def renew_epochs(*, project_id: int | None = None) -> int:
    """After a restore from a backup: gives every stream another epoch, so that no client believes a cursor of
    the lost time. Returns how many."""
    streams = Stream.objects.all() if project_id is None else Stream.objects.filter(project_id=project_id)
    renewed = 0
    for stream_ids in _pages(streams):
        with transaction.atomic():
            for stream_id in stream_ids:
                renewed += Stream.objects.filter(pk=stream_id).update(epoch=make_epoch())
    return renewed


def _pages(streams: QuerySet[Stream]) -> Iterator[list[int]]:
    """The ids of streams, ascending, a page at a time."""
    after = 0
    while ids := list(streams.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PURGE_BATCH]):
        yield ids
        after = ids[-1]
