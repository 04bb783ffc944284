"""How far the log may be read by key (`Entry.pk`) without anything coming later below that.

SQLite has one writer at a time: keys are in the order of commits. On PostgreSQL a key is taken before its commit, so
that an entry may show up below one that was there before. What makes a key safe there:

1. whoever appends has its transaction id before it takes a key, since the stream's head is locked first;
2. a key is taken from a sequence without a cache, so that every key below one that can be seen was taken earlier;
3. so every transaction that holds a key up to the newest visible one has a transaction id below one that is taken
   after looking;
4. when all transactions below that one have ended, what will ever be at those keys is there.

The xmax of a snapshot would not do for step 3: transactions that are under way may have larger ids.
"""

from dataclasses import dataclass

from django.db import connection, transaction

from activity.models import newest_entry


@dataclass(frozen=True, slots=True)
class _Mark:
    """All entries up to key `entry` were written by transactions before `transaction`."""

    entry: int
    transaction: int


class Horizon:
    """One reader's knowledge. `advance` is called by one thread at a time."""

    def __init__(self) -> None:
        self.settled = 0
        """No entry will appear at or below this key that is not there now."""
        self._mark: _Mark | None = None

    def advance(self) -> int:
        """Looks once more; returns `settled`. Never waits for a transaction."""
        if connection.vendor == "sqlite":
            self.settled = newest_entry()
            return self.settled
        if self._mark is None:
            self._mark = _take_mark(self.settled)
        if self._mark is not None and _oldest_running() >= self._mark.transaction:
            self.settled = self._mark.entry
            self._mark = None
        return self.settled


def _take_mark(settled: int) -> _Mark | None:
    """None when there is nothing new: no transaction id is spent for that."""
    with transaction.atomic():
        newest = newest_entry()
        if newest <= settled:
            return None
        return _Mark(newest, _query("SELECT pg_current_xact_id()::text::bigint"))


def _oldest_running() -> int:
    """Every transaction with a smaller id has ended."""
    return _query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def _query(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (value,) = cursor.fetchone()
    return int(value)
