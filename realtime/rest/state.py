from typing import TYPE_CHECKING

from realtime.rest.credentials import Credentials
from realtime.rest.rates import CallBuckets
from realtime.rest.slots import Slots

if TYPE_CHECKING:
    from realtime.runtime import Runtime


class Rest:
    """A part of the runtime: what the process keeps for the REST interface."""

    def __init__(self, runtime: "Runtime") -> None:
        self.credentials = Credentials(runtime)
        self.buckets = CallBuckets(runtime)
        self.slots = Slots(runtime.pressure)

    async def start(self) -> None:
        return

    async def drain(self) -> None:
        """The server finishes the requests that it has begun."""

    async def stop(self) -> None:
        return
