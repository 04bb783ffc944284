"""What else `manage.py purge_expired` deletes: higher apps add what they keep for a time only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from projects.models import Project
from projects.selectors import ended_removals
from projects.services import purge_removals


@dataclass(frozen=True, slots=True)
class Purge:
    """`what`: its name in the plural. Both take a project's id and the time. `delete` works in short transactions, each
    of which yields how many it deleted."""

    what: str
    count: Callable[[int, datetime], int]
    delete: Callable[[int, datetime], Iterator[int]]


def kept_since(project_id: int, now: datetime) -> datetime:
    """Of what is kept as long as the project keeps its messages."""
    return now - timedelta(days=Project.objects.values_list("retention_days", flat=True).get(pk=project_id))


def _count_removals(project_id: int, now: datetime) -> int:
    return ended_removals(project_id, kept_since(project_id, now)).count()


def _purge_removals(project_id: int, now: datetime) -> Iterator[int]:
    return purge_removals(project_id=project_id, before=kept_since(project_id, now))


_purges: list[Purge] = [Purge("kicks and bans that have ended", _count_removals, _purge_removals)]
"""The first is of the app below, which cannot add it."""


def add_purge(purge: Purge) -> None:
    """Registers it; called when Django's apps are ready."""
    _purges.append(purge)


def purges() -> Sequence[Purge]:
    return _purges
