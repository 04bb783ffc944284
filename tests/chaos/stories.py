"""What can be seen of users from outside while something happens to a process: in the store, and by a member
on another process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from projects.models import Project
from realtime.presence import RedisPresence
from tests.chaos.projects import make_project
from tests.support.cluster import Cluster
from tests.support.resuming import ResumingClient
from tests.support.services import PrivatePostgres, PrivateRedis

ROOM: Final = "presence"
LOOK_S: Final = 0.1
"""Between two looks into the store."""
OFFLINE: Final = "OFFLINE"


class Look(NamedTuple):
    """A user was seen so first at `at_s`, and otherwise last at `before_s`: the change was between."""

    before_s: float
    at_s: float
    state: str
    is_member: bool


@dataclass
class Story:
    """What was seen, each with its seconds since the blow. `looks`: changes of each uid; `left`: of whom the
    witness was told that they left; `told`: which changes of each uid's state it was told of; `wrong`: discrepancies
    with the database at the end."""

    looks: dict[str, list[Look]] = field(default_factory=dict)
    left: list[tuple[float, str]] = field(default_factory=list)
    told: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    resumed: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def first(self, uid: str, state: str) -> Look:
        """When a state was first seen."""
        return next(look for look in self.looks[uid] if look.state == state)

    def states(self, uid: str) -> list[str]:
        return [look.state for look in self.looks[uid]]


class Stage:
    """Two processes, `first` and `second`, with a Redis of their own, and a project."""

    def __init__(self, postgres: PrivatePostgres) -> None:
        self.redis = PrivateRedis()
        self._postgres = postgres
        self._resources = contextlib.ExitStack()
        self.cluster: Cluster
        self.project: Project

    def __enter__(self) -> "Stage":
        with contextlib.ExitStack() as resources:
            resources.enter_context(self.redis)
            self.cluster = resources.enter_context(
                Cluster("first", "second", postgres=self._postgres, redis=self.redis)
            )
            self.project = make_project(self.cluster)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    def client(self, uid: str, *servers: str) -> ResumingClient:
        """A client that knows these processes only; not logged in yet."""
        return ResumingClient(self.project.app_id, uid, lambda: self.ports(*servers))

    def ports(self, *servers: str) -> list[int]:
        ports = [self.cluster[name].port for name in servers]
        return [port for port in ports if port is not None]

    @contextlib.asynccontextmanager
    async def watched(self, story: Story, witness: ResumingClient, uids: Sequence[str]) -> AsyncIterator[float]:
        """Its beginning is the blow: what happens inside is written into the story. Meanwhile the witness says
        something every half second, and is subscribed to the states of the uids."""
        story.told = {uid: [] for uid in uids}
        await witness.call("presence.subscribe", uids=list(uids))
        blow_s = time.monotonic()
        told = len(witness.pushes)
        tasks = [asyncio.create_task(self._watch(story, uids, blow_s)), asyncio.create_task(_chat(witness))]
        try:
            yield blow_s
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            story.left = [
                (round(at_s - blow_s, 2), params["uid"])
                for at_s, method, params in witness.pushes[told:]
                if method == "room.left"
            ]
            for at_s, method, params in witness.pushes[told:]:
                if method == "presence.changed":
                    for uid, state in params["states"].items():
                        story.told[uid].append((round(at_s - blow_s, 2), state))

    async def _watch(self, story: Story, uids: Sequence[str], blow_s: float) -> None:
        presence = RedisPresence(self.redis.url)
        before_s = 0.0
        try:
            while True:
                asked_s = round(time.monotonic() - blow_s, 2)
                sessions = await presence.sessions(self.project.pk, uids)
                members = await presence.members(self.project.pk, f"room:{ROOM}", 1000)
                if await presence.sessions(self.project.pk, uids) != sessions:
                    continue  # it changed between the two answers, which do not fit each other
                at_s = round(time.monotonic() - blow_s, 2)
                for uid, session in zip(uids, sessions, strict=True):
                    look = Look(before_s, at_s, OFFLINE if session is None else str(session.state), uid in members)
                    looks = story.looks.setdefault(uid, [])
                    if not looks or looks[-1][2:] != look[2:]:
                        looks.append(look)
                before_s = asked_s
                await asyncio.sleep(LOOK_S)
        finally:
            await presence.close()


async def _chat(witness: ResumingClient) -> None:
    number = 0
    while True:
        number += 1
        witness.rooms[ROOM].send(f"number {number}")
        await asyncio.sleep(0.5)
