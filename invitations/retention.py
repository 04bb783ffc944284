"""Ended invitations are kept as long as the project keeps its messages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from invitations.selectors import count_ended
from invitations.services import purge_invitations
from messaging.retention import Purge
from projects.models import Project


def _kept_since(project_id: int, now: datetime) -> datetime:
    return now - timedelta(days=Project.objects.values_list("retention_days", flat=True).get(pk=project_id))


def _count(project_id: int, now: datetime) -> int:
    return count_ended(project_id, _kept_since(project_id, now))


def _delete(project_id: int, now: datetime) -> Iterator[int]:
    return purge_invitations(project_id=project_id, before=_kept_since(project_id, now))


ENDED: Final = Purge("ended invitations", _count, _delete)
