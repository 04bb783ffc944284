"""Rates of sessions that have ended here, kept for a moment: a new login does not refill them at once."""

from typing import TYPE_CHECKING, Final, NamedTuple

from realtime.presence import LoginOutcome
from realtime.rates import RateBuckets

if TYPE_CHECKING:
    from realtime.runtime import Runtime
    from realtime.session import Session

BUCKETS_KEPT_S: Final = 10.0
"""As long as the presence store remembers a uid's last login."""


class _Ended(NamedTuple):
    """`at_s` on the loop's clock."""

    at_s: float
    buckets: RateBuckets


class EndedRates:
    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._ended: dict[tuple[int, str], _Ended] = {}

    def keep(self, session: "Session") -> None:
        """The session has ended here."""
        self._ended[session.key] = _Ended(self._runtime.loop.time(), session.buckets)

    def restore(self, session: "Session", outcome: LoginOutcome) -> None:
        """Rate buckets move with the session, and a new login does not refill them at once: they are those of the
        uid's last session here, or their levels are known from elsewhere, or they are taken for spent."""
        now_s = self._runtime.loop.time()
        ended = self._ended.pop(session.key, None)
        was_here = outcome.previous is None or outcome.previous.node == self._runtime.node
        if ended is not None and was_here and ended.buckets.are_of(session.project.limits.rates):
            session.buckets = ended.buckets
            return
        # Levels saved before the last login say nothing about what was spent since.
        since_login_ms = max(0, outcome.now_ms - (outcome.previous_login_ms or 0))
        if outcome.levels and outcome.levels_age_ms <= since_login_ms:
            session.buckets.restore(outcome.levels, outcome.levels_age_ms / 1000, now_s)
        elif outcome.previous_login_ms is not None:
            session.buckets.limit_to_elapsed(since_login_ms / 1000, now_s)

    def tick(self, now_s: float) -> None:
        """Once a second: forgets those that no login can ask for any more."""
        for key in [key for key, ended in self._ended.items() if now_s - ended.at_s > BUCKETS_KEPT_S]:
            del self._ended[key]
