"""What happens to a group in the journal's thread: written, or taken apart until each append has its answer."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError

from messaging.journal.append import Append
from messaging.journal.backends import Backend, MissingStream
from messaging.journal.mark import Mark
from messaging.models import Entry
from messaging.selectors import to_ms
from realtime.bridge import drop_broken_connection
from realtime.errors import EXPIRED, OUT_OF_TURN, REJECTED, UNAVAILABLE, ErrorKind, RpcError

logger = logging.getLogger(__name__)

RETRY_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
MISSING_STREAM: Final = "the stream's row is missing"


class Committer:
    """Commits groups. Afterwards every append has a seq or an error, save those returned as skipped."""

    def __init__(
        self,
        backend: Backend,
        *,
        clock_ms: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._backend = backend
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        self._sleep = sleep

    def commit(self, group: Sequence[Append], *, skip_locked: bool = True, marks: Sequence[Mark] = ()) -> list[Append]:
        """Returns the appends whose stream somebody else holds locked. Marks say themselves whether they are written;
        the others are to come again."""
        attempt = 0
        while True:
            # What may have been committed already must not be called undone.
            group = self._drop_expired(group, UNAVAILABLE if attempt else EXPIRED)
            if not group and not marks:
                return []
            try:
                return self._write(group, skip_locked, marks)
            except (OperationalError, InterfaceError) as error:
                # Whether it was committed may be unknown. The same ids again make it so, once.
                logger.warning("journal: %d appends not committed: %s", len(group), error)
                drop_broken_connection()
                if attempt >= len(RETRY_S):
                    self._fail(group, RpcError(UNAVAILABLE))
                    return []
                self._sleep(RETRY_S[attempt])
                attempt += 1

    def _drop_expired(self, group: Sequence[Append], kind: ErrorKind) -> list[Append]:
        """What its client has given up is not written any more: the client has sent it again, or will. Nor is what
        stood behind it in its run."""
        now_s = self._monotonic_s()
        kept = []
        for append in group:
            if append.expires_s < now_s:
                append.fail(RpcError(kind))
            elif append.run is not None and append.run.is_broken:
                append.fail(RpcError(OUT_OF_TURN))
            else:
                kept.append(append)
        return kept

    def _write(self, group: list[Append], skip_locked: bool, marks: Sequence[Mark] = ()) -> list[Append]:
        """Marks do not fail by themselves: when a group does, they go with the next attempt at it, or part of it."""
        ts = self._clock_ms()
        now = datetime.fromtimestamp(ts / 1000, UTC)
        try:
            skipped = self._backend.write(group, now, skip_locked=skip_locked, marks=marks)
        except IntegrityError:
            fresh, repeated = self._answer_known(group)
            if len(fresh) == len(group):
                return self._take_apart(group, skip_locked, marks)
            skipped = self._write(fresh, skip_locked, marks) if fresh or marks else []
            return skipped + self._answer_as_first(repeated, skipped)
        except (OperationalError, InterfaceError):
            raise
        except (DatabaseError, MissingStream, ValueError, OverflowError, RuntimeError) as error:
            logger.warning("journal: a group of %d was refused: %r", len(group), error)
            drop_broken_connection()
            return self._take_apart(group, skip_locked, marks, error)
        for append in group:
            append.ts = ts
        for append in skipped:
            append.ts = 0
        return skipped

    def _take_apart(
        self, group: list[Append], skip_locked: bool, marks: Sequence[Mark], error: Exception | None = None
    ) -> list[Append]:
        """By halves, until only the offender is left; it gets a permanent error."""
        if len(group) <= 1:
            if marks and group:
                self._write([], skip_locked, marks)
            if isinstance(error, MissingStream):
                self._fail(group, RpcError(UNAVAILABLE, MISSING_STREAM))
            else:
                self._fail(group, RpcError(REJECTED))
            return []
        middle = len(group) // 2
        return self._write(group[:middle], skip_locked, marks) + self._write(group[middle:], skip_locked)

    def _answer_known(self, group: Sequence[Append]) -> tuple[list[Append], list[tuple[Append, Append]]]:
        """Gives appends whose message id is known their first answer. Returns the others, and of those that repeat
        one of the group each with the first: it gets that one's answer. A message that was deleted is answered as
        before, and stays deleted."""
        rows = Entry.objects.filter(message_id__in={append.message_id for append in group}).values_list(
            "message_id", "sender", "stream_id", "seq", "created_at", "event"
        )
        known = {row[:3]: (row[3], to_ms(row[4]), row[5]) for row in rows}
        fresh: dict[tuple[str, str, int], Append] = {}
        repeated: list[tuple[Append, Append]] = []
        for append in group:
            key = (append.message_id, append.sender, append.stream_id)
            if key in known:
                append.repeat(*known[key])
            elif key in fresh:
                repeated.append((append, fresh[key]))
            else:
                fresh[key] = append
        return list(fresh.values()), repeated

    def _answer_as_first(self, repeated: Sequence[tuple[Append, Append]], skipped: Sequence[Append]) -> list[Append]:
        """Returns those whose first one was skipped: they wait behind it."""
        waiting = set(map(id, skipped))
        left = []
        for append, first in repeated:
            if id(first) in waiting:
                left.append(append)
            else:
                append.duplicate = True
                append.seq, append.ts, append.error = first.seq, first.ts, first.error
        return left

    def _fail(self, group: Sequence[Append], error: RpcError) -> None:
        for append in group:
            append.fail(error)
