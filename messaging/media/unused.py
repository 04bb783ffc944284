"""Files that no message has any more: nobody may fetch them, and their bytes are to go."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from messaging.media.models import Media, MediaUse
from messaging.models import Entry
from realtime.redaction import TOMBSTONE

ENTRY_COMES: Final = timedelta(hours=1)
"""A use is made before its message. So long it counts without one; after that none comes."""
BATCH: Final = 500


def drop_uses(*, stream_id: int, messages: Collection[tuple[str, str]], now: datetime) -> Sequence[Media]:
    """Inside the transaction that has deleted these messages of a stream, named by id and sender: they have no files
    any more. Files that had no other message expire; those are returned.

    From here on the rows of the files are locked, in the order of their keys.
    """
    assert transaction.get_connection().in_atomic_block
    named = MediaUse.objects.filter(stream_id=stream_id, message_id__in={message_id for message_id, _ in messages})
    dropped = [use for use in named if (use.message_id, use.sender) in messages]
    if not dropped:
        return []
    concerned = Media.objects.filter(pk__in={use.media_id for use in dropped}, expires_at__gt=now)
    locked = [media.pk for media in concerned.order_by("pk").select_for_update()]
    MediaUse.objects.filter(pk__in=[use.pk for use in dropped]).delete()
    used = MediaUse.objects.filter(_is_sent() | _may_come(now), media=OuterRef("pk"))
    unused = list(Media.objects.filter(~Exists(used), pk__in=locked))
    Media.objects.filter(pk__in=[media.pk for media in unused]).update(expires_at=now)
    return unused


def _entry_of_use() -> QuerySet[Entry]:
    return Entry.objects.filter(message_id=OuterRef("message_id"), sender=OuterRef("sender"), stream=OuterRef("stream"))


def _is_sent() -> Exists:
    """Of a use: its message is there."""
    return Exists(_entry_of_use().exclude(event=TOMBSTONE))


def _may_come(now: datetime) -> Q:
    return Q(~Exists(_entry_of_use()), created_at__gt=now - ENTRY_COMES)


def _idle_uses(now: datetime) -> "QuerySet[MediaUse]":
    return MediaUse.objects.filter(~_is_sent(), created_at__lte=now - ENTRY_COMES)


def count_idle_uses(now: datetime) -> int:
    return _idle_uses(now).count()


def purge_idle_uses(now: datetime) -> Iterator[int]:
    """Deletes the uses of messages that were never taken. Looks through all in pages by key, each a short transaction
    that yields how many it deleted."""
    after = 0
    while ids := list(MediaUse.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield _idle_uses(now).filter(pk__in=ids).delete()[0]
        after = ids[-1]
