import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from realtime.errors import UNAVAILABLE, RpcError
from realtime.rest.credentials import Credentials
from realtime.rest.rates import CallBuckets
from realtime.rest.slots import Slots

if TYPE_CHECKING:
    from realtime.runtime import Runtime

T = TypeVar("T")


def restarting() -> RpcError:
    """For what may be under way, and cannot be waited for."""
    return RpcError(
        UNAVAILABLE, "The server restarts: the same key, tried again, finds what came of it.", retry_after_ms=1_000
    )


class Rest:
    """A part of the runtime: what the process keeps for the REST interface."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._awaited = set[asyncio.Future[Any]]()
        self.credentials = Credentials(runtime)
        self.buckets = CallBuckets(runtime)
        self.slots = Slots(runtime.pressure)

    async def outcome(self, answered: "asyncio.Future[T]") -> T:
        """Awaits what somebody else's client decides. Raises RpcError `unavailable` as soon as the process drains."""
        if self._runtime.draining:
            raise restarting()
        self._awaited.add(answered)
        try:
            return await answered
        finally:
            self._awaited.discard(answered)

    async def start(self) -> None:
        return

    async def drain(self) -> None:
        """Who only waits is sent elsewhere. The server finishes the other requests that it has begun."""
        for answered in self._awaited:
            if not answered.done():
                answered.set_exception(restarting())

    async def stop(self) -> None:
        return
