from collections.abc import Sequence
from datetime import datetime

from peers.models import UserAttributes, decode_attributes


def get_attributes(project_id: int, uid: str, session: str) -> dict[str, str]:
    """The attributes that a user has in a session."""
    rows = UserAttributes.objects.filter(project_id=project_id, uid=uid, session=session)
    text = rows.values_list("attributes", flat=True).first()
    return decode_attributes(text) if text is not None else {}


def untouched_attributes(before: datetime, after_id: int, limit: int) -> Sequence[UserAttributes]:
    """Rows that nobody has written to since `before`, in pages by id: what the clean-up looks through."""
    rows = UserAttributes.objects.filter(touched_at__lt=before, pk__gt=after_id).order_by("pk")
    return list(rows.defer("attributes")[:limit])
