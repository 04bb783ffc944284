"""What a project's own server decides about a room."""

from datetime import datetime

from django.db import transaction

from messaging.services import ensure_stream
from rooms.models import Room, stream_name


@transaction.atomic
def set_media_days(*, project_id: int, room: str, days: int | None, now: datetime) -> None:
    """From now on a file that is sent to the room is kept for so many days from then on; None: for no longer than any.

    A room that has a setting counts as one of the project's. Raises RpcError `limit_exceeded` when its quota is used
    up.
    """
    if days is not None:
        Room.objects.get_or_create(project_id=project_id, name=room, defaults={"touched_at": now})
        ensure_stream(project_id=project_id, name=stream_name(room), creator=None, now=now)
    Room.objects.filter(project_id=project_id, name=room).update(media_days=days)
