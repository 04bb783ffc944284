from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from messaging.media.models import Media, MediaState


def media_of(project_id: int, uid: str, media_id: str, now: datetime) -> Media | None:
    """A file of the user, who may fetch it."""
    return Media.objects.filter(
        project_id=project_id, uid=uid, media_id=media_id, state=MediaState.READY, expires_at__gt=now
    ).first()


def _expired(now: datetime) -> "QuerySet[Media]":
    """Whatever has outlived its time. Nothing is checked so late (`services.claim`)."""
    return Media.objects.filter(expires_at__lte=now)


def expired_media(now: datetime, after: int, limit: int) -> Sequence[Media]:
    """In pages by key."""
    return list(_expired(now).filter(pk__gt=after).order_by("pk")[:limit])


def count_expired(now: datetime) -> int:
    return _expired(now).count()
