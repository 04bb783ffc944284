"""What else `manage.py purge_expired` deletes: higher apps add what they keep for a time only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Purge:
    """`what`: its name in the plural. Both take a project's id and the time. `delete` works in short transactions, each
    of which yields how many it deleted."""

    what: str
    count: Callable[[int, datetime], int]
    delete: Callable[[int, datetime], Iterator[int]]


_purges: list[Purge] = []


def add_purge(purge: Purge) -> None:
    """Registers it; called when Django's apps are ready."""
    _purges.append(purge)


def purges() -> Sequence[Purge]:
    return _purges
