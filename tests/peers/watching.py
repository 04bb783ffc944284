"""What tests of watches need: subscribing, looking again, and what a process asks of the presence store."""

from collections.abc import Sequence
from typing import Any

from asgiref.sync import sync_to_async

from peers.watches import Watches
from projects.models import Project
from realtime.presence import PresenceUnavailable
from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.clock import Lifetime
from tests.support.doubles import Gate


async def subscribe(client: Client, *uids: str) -> Any:
    return (await client.call("presence.subscribe", uids=list(uids)))["states"]


def watches(lifetime: Lifetime, place: int = 0) -> Watches:
    return lifetime.runtimes[place].part(Watches)


async def recheck(lifetime: Lifetime, *alive: Client, place: int = 0) -> None:
    await watches(lifetime, place).recheck()
    await lifetime.news(*alive)


def groups(lifetime: Lifetime) -> set[str]:
    """The layer groups for watched uids that the first process is in."""
    return {group for group in lifetime.hints.layers[0].groups if group.startswith("watch.")}


async def project_of(app: str) -> int:
    return (await sync_to_async(Project.objects.get)(app_id=app)).pk


class Reads:
    """Counts a process's questions for states; `gate` holds back the next answer, `broken` refuses all."""

    def __init__(self, runtime: Runtime) -> None:
        self.asked: list[list[str]] = []
        self.gate: Gate | None = None
        self.broken = False
        self._sessions = runtime.presence.sessions
        runtime.presence.sessions = self._read  # type: ignore[method-assign]

    async def _read(self, project: int, uids: Sequence[str]) -> Any:
        self.asked.append(list(uids))
        if self.broken:
            raise PresenceUnavailable
        found = await self._sessions(project, uids)
        gate, self.gate = self.gate, None
        if gate is not None:
            await gate.come()
        return found
