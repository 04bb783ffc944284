"""Parts of the runtime: what higher floors add to a process, and what most of them do: look again and again."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from realtime.errors import RpcError
from realtime.presence import PresenceUnavailable
from realtime.tasks import cancel_all

if TYPE_CHECKING:
    from realtime.runtime import Runtime

logger = logging.getLogger(__name__)


class Part(Protocol):
    """What a higher floor adds to a runtime."""

    async def start(self) -> None: ...

    async def drain(self) -> None:
        """Finishes what is acknowledged or in work; bounded in time."""

    async def stop(self) -> None: ...


class Round(NamedTuple):
    """What is done again and again, so long after the last time. `what`: as the log and the task call it."""

    what: str
    period_s: float
    action: Callable[[], Awaitable[object]]


async def attempt(what: str, action: Callable[[], Awaitable[object]]) -> None:
    """Does it, and logs what it fails of."""
    try:
        await action()
    except (RpcError, PresenceUnavailable):
        logger.warning("%s: put off, as storage is out of reach", what)
    except Exception:
        logger.exception("%s: failed", what)


async def go_round(one: Round) -> None:
    """Until it is cancelled. When one time fails, the next one comes all the same."""
    while True:
        await asyncio.sleep(one.period_s)
        await attempt(one.what, one.action)


class RecurringPart(ABC):
    """Base of a part whose rounds go on from its start to its stop, each in a task of its own."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._tasks: list[asyncio.Task[None]] = []

    @abstractmethod
    def rounds(self) -> Sequence[Round]: ...

    async def start(self) -> None:
        self._tasks = [self._runtime.loop.create_task(go_round(one), name=one.what) for one in self.rounds()]

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        await cancel_all(self._tasks)
