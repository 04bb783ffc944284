"""What is deleted when a project has kept it for its `retention_days`: entries, and what higher apps add."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from messaging.models import Entry
from messaging.services import purge_entries


class Purge(Protocol):
    """Deletes in short transactions, each of which yields how much it deleted."""

    def __call__(self, *, project_id: int, before: datetime) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind of things: how many are of before a time, and their deletion."""

    count: Callable[[int, datetime], int]
    purge: Purge


def _count_entries(project_id: int, before: datetime) -> int:
    return Entry.objects.filter(stream__project_id=project_id, created_at__lt=before).count()


_kinds: Final = [Kept(_count_entries, purge_entries)]


def add_kept(kept: Kept) -> None:
    """Registers a kind; called when Django's apps are ready."""
    _kinds.append(kept)


def kinds() -> Sequence[Kept]:
    return _kinds
