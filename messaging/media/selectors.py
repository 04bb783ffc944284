from collections.abc import Collection, Iterable
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
    return media in readable_among([media], uid, streams)


def readable_among(files: Collection[Media], uid: str, streams: Collection[str]) -> list[Media]:
    """Those of a project's files that `may_read` is true of, in two queries however many there are."""
    others = {media.pk: media.project_id for media in files if media.uid != uid}
    if not others:
        return list(files)
    names = {*streams, inbox_name(uid)}
    read = Stream.objects.filter(project_id__in=set(others.values()), name__in=names).values_list("pk", flat=True)
    found = set(shown_media(others, uid, list(read)).values_list("pk", flat=True))
    return [media for media in files if media.uid == uid or media.pk in found]


def shown_media(media: Iterable[int], uid: str, streams: Collection[int]) -> "QuerySet[Media]":
    """Those that are in a message of these streams, or in one of this user to another."""
    readable = _readable().filter(media=OuterRef("pk"))
    in_streams = readable.filter(stream_id__in=streams)
    to_peers = readable.filter(sender=uid, stream__name__startswith=INBOX)
    return Media.objects.filter(Exists(in_streams) | Exists(to_peers), pk__in=list(media))


def _readable() -> "QuerySet[MediaUse]":
    """Those whose entry is there, and not withdrawn, or kept for the history all the same."""
    entry = Entry.objects.filter(
        message_id=OuterRef("message_id"),
        sender=OuterRef("sender"),
        stream_id=OuterRef("stream_id"),
        event__in=MEDIA_EVENTS,
        flags__in=READABLE_FLAGS,
    )
    return MediaUse.objects.filter(Exists(entry))


def expired_media(now: datetime) -> "QuerySet[Media]":
    """Whatever has outlived its time, and so has its form: nobody would find what is posted later. Nothing is checked
    so late (`services.claim`)."""
    return formless_media(now).filter(expires_at__lte=now)


def formless_media(now: datetime) -> "QuerySet[Media]":
    """What nothing can be posted to any more."""
    return Media.objects.filter(created_at__lte=now - UPLOAD_LIFE)
