"""What happens to files and images that users send: one transaction each. Their bytes are not touched here."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Sum

from messaging.media.checks import Checked
from messaging.media.models import Media, MediaKind, MediaState
from messaging.media.names import clean_name
from projects.limits import Sizes
from projects.models import Project
from realtime.errors import (
    LIMIT_EXCEEDED,
    MEDIA_BUSY,
    MEDIA_NOT_FOUND,
    MEDIA_REFUSED,
    SIZE_OVERFLOW,
    TOO_MANY_UPLOADS,
    RpcError,
)

FORM_LIFE: Final = timedelta(minutes=15)
"""For sending a file. Afterwards it is not counted as being sent."""
UPLOAD_LIFE: Final = timedelta(hours=1)
"""Of what was begun, and not finished. No form is used any more by then."""
CLAIM_LIFE: Final = timedelta(minutes=2)
"""For a check. Who has not ended by then may be dead."""
MEDIA_LIFE: Final = timedelta(days=7)
"""docs/contract.md 4."""

UNDER_WAY: Final = (MediaState.STARTED, MediaState.CHECKING)


@transaction.atomic
def start(
    *,
    project_id: int,
    uid: str,
    kind: MediaKind,
    name: str,
    size: int,
    sizes: Sizes,
    now: datetime,
    session_since: datetime | None = None,
) -> Media:
    """A new upload, counted against the quotas from now until its row is deleted. Those under way are the ones that
    were begun in the user's session: what a page had begun that was closed or reloaded is not sent any more.

    Raises RpcError `size_overflow`, `too_many_uploads`, `limit_exceeded`.
    """
    if not 0 < size <= sizes.media_bytes:
        raise RpcError(SIZE_OVERFLOW, f"A file has 1 to {sizes.media_bytes} bytes.")
    # First, as it locks the project's row: what is counted below does not change until the commit.
    counted = Project.objects.filter(pk=project_id, media_quota__gte=F("media_bytes") + size).update(
        media_bytes=F("media_bytes") + size
    )
    if not counted:
        raise RpcError(LIMIT_EXCEEDED, "The project's quota of files is used up.")
    theirs = Media.objects.filter(project_id=project_id, uid=uid)
    begun_after = max(now - FORM_LIFE, session_since or now - FORM_LIFE)
    if theirs.filter(state__in=UNDER_WAY, created_at__gte=begun_after).count() >= sizes.media_uploads:
        raise RpcError(TOO_MANY_UPLOADS)
    held = theirs.aggregate(total=Sum("size"))["total"] or 0
    if held + size > Project.objects.values_list("user_media_quota", flat=True).get(pk=project_id):
        raise RpcError(LIMIT_EXCEEDED, "Your quota of files is used up.")
    return Media.objects.create(
        project_id=project_id,
        uid=uid,
        kind=kind,
        name=clean_name(name),
        size=size,
        created_at=now,
        expires_at=now + UPLOAD_LIFE,
    )


@transaction.atomic
def claim(*, project_id: int, uid: str, media_id: str, now: datetime) -> Media:
    """Takes a finished upload for a check; one that was checked before is answered as it is.

    Raises RpcError `media_not_found`, `media_refused`, `media_busy`.
    """
    media = _locked(project_id, uid, media_id)
    if media.expires_at <= now:
        raise RpcError(MEDIA_NOT_FOUND)
    if media.state == MediaState.READY:
        return media
    if media.state == MediaState.REFUSED:
        raise RpcError(MEDIA_REFUSED, reason=media.refusal)
    if _is_claimed(media, now):
        raise RpcError(MEDIA_BUSY)
    if media.expires_at <= now + CLAIM_LIFE:
        raise RpcError(MEDIA_NOT_FOUND)
    media.state = MediaState.CHECKING
    media.claim = secrets.token_hex(16)
    media.claimed_until = now + CLAIM_LIFE
    media.save(update_fields=["state", "claim", "claimed_until"])
    return media


def accept(*, media: Media, checked: Checked, now: datetime) -> Media:
    """After a check. Raises RpcError `media_not_found` for who came too late: another has claimed it, or it is gone."""
    changed = {
        "state": MediaState.READY,
        "content_type": checked.content_type,
        "sha256": checked.sha256,
        "width": checked.picture.width,
        "height": checked.picture.height,
        "thumbnail_width": checked.picture.thumbnail_width,
        "thumbnail_height": checked.picture.thumbnail_height,
        "expires_at": now + MEDIA_LIFE,
    }
    if not Media.objects.filter(pk=media.pk, claim=media.claim, state=MediaState.CHECKING).update(**changed):
        raise RpcError(MEDIA_NOT_FOUND)
    for name, value in changed.items():
        setattr(media, name, value)
    return media


def refuse(*, media: Media, reason: str) -> None:
    """After a check, unless another has claimed it meanwhile. It goes on counting until it is purged: its form can
    still be used."""
    claimed = Media.objects.filter(pk=media.pk, claim=media.claim, state=MediaState.CHECKING)
    claimed.update(state=MediaState.REFUSED, refusal=reason)


def release(*, media: Media) -> None:
    """The check could not be done: it may be claimed again at once."""
    claimed = Media.objects.filter(pk=media.pk, claim=media.claim, state=MediaState.CHECKING)
    claimed.update(state=MediaState.STARTED)


@transaction.atomic
def abandon(*, project_id: int, uid: str, media_id: str, now: datetime) -> Media:
    """Its sender gives an upload up, which goes on counting like a refused one. Again is no error.

    Raises RpcError `media_not_found`, also for what is ready; `media_busy`.
    """
    media = _locked(project_id, uid, media_id)
    if media.state == MediaState.READY:
        raise RpcError(MEDIA_NOT_FOUND, "The upload is finished.")
    if _is_claimed(media, now):
        raise RpcError(MEDIA_BUSY)
    if media.state != MediaState.REFUSED:
        media.state = MediaState.REFUSED
        media.refusal = "abandoned"
        media.save(update_fields=["state", "refusal"])
    return media


@transaction.atomic
def delete(*, pk: int) -> bool:
    """A row whose bytes are gone. Returns whether it was there."""
    media = Media.objects.select_for_update().filter(pk=pk).first()
    if media is None:
        return False
    Project.objects.filter(pk=media.project_id).update(media_bytes=F("media_bytes") - media.size)
    media.delete()
    return True


def _locked(project_id: int, uid: str, media_id: str) -> Media:
    found = Media.objects.select_for_update().filter(project_id=project_id, media_id=media_id, uid=uid).first()
    if found is None:
        raise RpcError(MEDIA_NOT_FOUND)
    return found


def _is_claimed(media: Media, now: datetime) -> bool:
    return media.state == MediaState.CHECKING and media.claimed_until is not None and media.claimed_until > now
