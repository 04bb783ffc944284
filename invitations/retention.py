"""Ended invitations are kept as long as the project keeps its messages."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from invitations.selectors import count_ended
from invitations.services import purge_invitations
from messaging.retention import Purge, kept_since


def _count(project_id: int, now: datetime) -> int:
    return count_ended(project_id, kept_since(project_id, now))


def _delete(project_id: int, now: datetime) -> Iterator[int]:
    return purge_invitations(project_id=project_id, before=kept_since(project_id, now))


ENDED: Final = Purge("ended invitations", _count, _delete)
