"""How webhooks' receivers have done, as far as this process has seen."""

from collections.abc import Callable
from typing import Final

PROBATION_S: Final = 600.0
"""So long after its last failure a receiver is not counted as one that works, whatever it has taken since."""


class Standing:
    """`clock`: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failing: dict[int, bool] = {}
        """Of webhooks that were tried: whether the last time failed."""
        self._failed_s: dict[int, float] = {}

    def note(self, webhook_id: int, *, failed: bool) -> None:
        self._failing[webhook_id] = failed
        if failed:
            self._failed_s[webhook_id] = self._clock()

    def is_failing(self, webhook_id: int) -> bool:
        """Whether its receiver failed last time."""
        return self._failing.get(webhook_id, False)

    def is_proven(self, webhook_id: int) -> bool:
        """Whether its receiver has taken something, and nothing has failed for a while."""
        if self._failing.get(webhook_id, True):
            return False
        failed_s = self._failed_s.get(webhook_id)
        return failed_s is None or self._clock() - failed_s >= PROBATION_S
