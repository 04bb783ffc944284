from datetime import datetime

from django.db.models import QuerySet

from messaging.media.models import Media, MediaState
from messaging.media.services import UPLOAD_LIFE


def media_of(project_id: int, uid: str, media_id: str, now: datetime) -> Media | None:
    """A file of the user, who may fetch it."""
    return Media.objects.filter(
        project_id=project_id, uid=uid, media_id=media_id, state=MediaState.READY, expires_at__gt=now
    ).first()


def expired_media(now: datetime) -> "QuerySet[Media]":
    """Whatever has outlived its time, and so has its form: nobody would find what is posted later. Nothing is checked
    so late (`services.claim`)."""
    return formless_media(now).filter(expires_at__lte=now)


def formless_media(now: datetime) -> "QuerySet[Media]":
    """What nothing can be posted to any more."""
    return Media.objects.filter(created_at__lte=now - UPLOAD_LIFE)
