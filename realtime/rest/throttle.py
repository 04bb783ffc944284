from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from realtime.rest.callers import caller_of
from realtime.rest.state import Rest


class ProjectRate(BaseThrottle):
    """Spends one of the caller's rates; the answer above it is 429 with Retry-After."""

    def __init__(self, name: str) -> None:
        self.name = name

    def allow_request(self, request: HttpRequest) -> bool:
        """Raises RpcError `too_often`."""
        caller = caller_of(request)
        caller.runtime.part(Rest).buckets.spend(caller.tenant, caller.uid, self.name)
        return True
