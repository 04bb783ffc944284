from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from messaging.media.models import Media, MediaState, MediaUse
from messaging.media.services import UPLOAD_LIFE
from messaging.messages import MEDIA_EVENTS
from messaging.models import READABLE_FLAGS, Entry, Stream
from realtime.streams import INBOX, inbox_name


def media_of(project_id: int, media_id: str, now: datetime) -> Media | None:
    """A file that is there to be fetched, whoever may."""
    return Media.objects.filter(
        project_id=project_id, media_id=media_id, state=MediaState.READY, expires_at__gt=now
    ).first()


def readable_media(project_id: int, uid: str, streams: Collection[str], media_id: str, now: datetime) -> Media | None:
    """A file that a user may fetch. `streams`: those whose messages they may read besides their inbox."""
    media = media_of(project_id, media_id, now)
    return media if media is not None and may_read(media, uid, streams) else None


def may_read(media: Media, uid: str, streams: Collection[str]) -> bool:
    """Whether it is the user's own, or in a message that the user may read, or has sent to another user."""
    if media.uid == uid:
        return True
    names = {*streams, inbox_name(uid)}
    read = Stream.objects.filter(project_id=media.project_id, name__in=names).values_list("pk", flat=True)
    return uses_in(media.pk, list(read)).exists() or uses_to_peers(media.pk, uid).exists()


def uses_in(media_pk: int, streams: Collection[int]) -> "QuerySet[MediaUse]":
    """Messages in these streams that have the file."""
    return _readable(media_pk).filter(stream_id__in=streams)


def uses_to_peers(media_pk: int, sender: str) -> "QuerySet[MediaUse]":
    """Messages of this user to others that have the file."""
    return _readable(media_pk).filter(sender=sender, stream__name__startswith=INBOX)


def _readable(media_pk: int) -> "QuerySet[MediaUse]":
    """Those whose entry is there, and not withdrawn, or kept for the history all the same."""
    entry = Entry.objects.filter(
        message_id=OuterRef("message_id"),
        sender=OuterRef("sender"),
        stream_id=OuterRef("stream_id"),
        event__in=MEDIA_EVENTS,
        flags__in=READABLE_FLAGS,
    )
    return MediaUse.objects.filter(Exists(entry), media_id=media_pk)


def expired_media(now: datetime) -> "QuerySet[Media]":
    """Whatever has outlived its time, and so has its form: nobody would find what is posted later. Nothing is checked
    so late (`services.claim`)."""
    return formless_media(now).filter(expires_at__lte=now)


def formless_media(now: datetime) -> "QuerySet[Media]":
    """What nothing can be posted to any more."""
    return Media.objects.filter(created_at__lte=now - UPLOAD_LIFE)
