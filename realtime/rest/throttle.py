from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from realtime.rest.callers import caller_of
from realtime.rest.state import Rest


class ProjectRate(BaseThrottle):
    """Spends one of the caller's rates; the answer above it is 429 with Retry-After."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._wait_s = 0.0

    def allow_request(self, request: HttpRequest) -> bool:
        caller = caller_of(request)
        self._wait_s = caller.runtime.part(Rest).buckets.spend(caller.tenant, caller.uid, self.name) / 1000
        return not self._wait_s

    def wait(self) -> float:
        """Of the call that was refused just now: nothing runs between the two."""
        return self._wait_s
