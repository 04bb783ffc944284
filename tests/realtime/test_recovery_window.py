"""How far back recovery reaches: ten minutes, and no further than retention has left (docs/contract.md 5)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.services import purge_entries
from projects.limits import RATES
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.runtimes import UNLIMITED_LOGINS, elsewhere, runtimes, seqs

MINUTE_MS = 60_000
UNLIMITED = {"rates": {name: [1_000_000, 1_000] for name in RATES}}


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(limits=UNLIMITED)


class Scene:
    """Bob talks in a room while ann is away; the time of day is the test's."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.now_ms = 1_700_000_000_000
        self.runtime: Runtime
        self.ann: Client
        self.bob: Client
        self.session = ""
        self.epoch = ""

    async def open(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.ann, self.bob = Client(InProcess(runtime)), Client(InProcess(runtime))
        self.session = (await self.ann.login(self.project.app_id, "ann"))["session"]
        await self.ann.call("room.join", room="math")
        await self.bob.login(self.project.app_id, "bob")
        await self.bob.call("room.join", room="math")
        await self.talk(1)
        self.epoch = runtime.hub.live[self.project.pk, "room:math"].epoch
        await self.ann.close()

    async def talk(self, count: int, later_ms: int = 0) -> None:
        self.now_ms += later_ms
        for _ in range(count):
            await self.bob.send("math", "while ann is away", f"m{self.now_ms}-{len(self.bob.frames)}")

    def forget_rings(self) -> None:
        for stream in self.runtime.hub.live.values():
            self.runtime.hub.rings.forget(stream)

    async def come_back(self, after: int = 1) -> dict[str, Any]:
        self.forget_rings()
        self.ann = Client(InProcess(self.runtime))
        cursor = {"room:math": {"seq": after, "epoch": self.epoch}}
        answer = await self.ann.login(self.project.app_id, "ann", session=self.session, streams=cursor)
        state: dict[str, Any] = answer["streams"]["room:math"]
        return state

    async def goes_on_at(self, seq: int) -> None:
        await self.bob.send("math", "and on", f"n{seq}")
        assert (await self.ann.expect("room.sent"))["seq"] == seq
        assert seqs(self.ann) == [seq]


@asynccontextmanager
async def scene(project: Project) -> AsyncIterator[Scene]:
    made = Scene(project)
    async with runtimes(1, timing=UNLIMITED_LOGINS, clock_ms=lambda: made.now_ms) as (runtime,):
        await made.open(runtime)
        yield made
        await made.ann.close()
        await made.bob.close()


def got(state: dict[str, Any]) -> list[int]:
    return [entry["seq"] for entry in state["entries"]]


async def test_a_gap_that_began_ten_minutes_ago_is_filled(project: Project) -> None:
    async with scene(project) as made:
        await made.talk(2)
        await made.talk(2, later_ms=10 * MINUTE_MS)
        state = await made.come_back()
        assert (state["recovered"], state["live"], got(state)) == (True, True, [2, 3, 4, 5])
        await made.goes_on_at(6)


async def test_of_an_older_gap_the_client_is_told_and_gets_what_is_in_the_window(project: Project) -> None:
    async with scene(project) as made:
        await made.talk(2)
        await made.talk(2, later_ms=10 * MINUTE_MS + 1)
        state = await made.come_back()
        assert (state["recovered"], state["live"], got(state)) == (False, True, [4, 5])
        assert state["epoch"] == made.epoch
        await made.goes_on_at(6)


async def test_when_everything_missed_is_older_the_client_goes_on_at_the_head(project: Project) -> None:
    async with scene(project) as made:
        await made.talk(3)
        made.now_ms += 11 * MINUTE_MS
        state = await made.come_back()
        assert (state["recovered"], state["live"], got(state), state["head"]) == (False, True, [], 4)
        await made.goes_on_at(5)


async def test_who_missed_nothing_has_recovered_after_any_time(project: Project) -> None:
    async with scene(project) as made:
        made.now_ms += 24 * 60 * MINUTE_MS
        state = await made.come_back()
        assert (state["recovered"], state["live"], got(state)) == (True, True, [])
        await made.goes_on_at(2)


async def test_a_project_may_have_another_window(make_project: Callable[..., Project]) -> None:
    project = await elsewhere(make_project, limits=UNLIMITED, recovery_window_s=60)
    async with scene(project) as made:
        await made.talk(1)
        await made.talk(1, later_ms=MINUTE_MS + 1)
        state = await made.come_back()
        assert (state["recovered"], got(state)) == (False, [3])


@pytest.mark.parametrize(("kept_from", "recovered"), [(2, True), (3, False), (6, False)])
async def test_a_gap_that_retention_has_cut_is_told(project: Project, kept_from: int, recovered: bool) -> None:
    async with scene(project) as made:
        moments = [made.now_ms]
        for _ in range(4):
            await made.talk(1, later_ms=1_000)
            moments.append(made.now_ms)
        before = datetime.fromtimestamp([*moments, made.now_ms + 1][kept_from - 1] / 1000, UTC)
        await elsewhere(lambda: list(purge_entries(project_id=project.pk, before=before, now=before)))
        state = await made.come_back()
        assert (state["recovered"], state["live"], got(state)) == (recovered, True, list(range(kept_from, 6)))
        await made.goes_on_at(6)


async def test_a_rejoin_recovers_as_a_resume_does(project: Project) -> None:
    """Ann's session was removed; her SDK joins again with the cursor it has."""
    async with scene(project) as made:
        await made.talk(2)
        await made.talk(2, later_ms=10 * MINUTE_MS + 1)
        made.forget_rings()
        ann = made.ann = Client(InProcess(made.runtime))
        await ann.login(project.app_id, "ann")
        for seq, expected in ((3, (True, [4, 5])), (1, (False, [4, 5])), (5, (True, [])), (9, (False, []))):
            after = {"seq": seq, "epoch": made.epoch}
            joined = await ann.call("room.join", room="math", after=after)
            assert (joined["recovered"], got(joined)) == expected
            assert (joined["live"], joined["head"]) == (True, 5)
            await ann.call("room.leave", room="math")
        await ann.call("room.join", room="math", after={"seq": 5, "epoch": made.epoch})
        await made.goes_on_at(6)


async def test_a_stream_that_the_client_names_no_cursor_of_begins_at_its_head(project: Project) -> None:
    async with scene(project) as made:
        await made.talk(2)
        ann = made.ann = Client(InProcess(made.runtime))
        cursors = {"room:unknown": {"seq": 3, "epoch": ""}, "nonsense": {"seq": 0, "epoch": "x"}}
        answer = await ann.login(project.app_id, "ann", session=made.session, streams=cursors)
        assert answer["streams"] == {
            "room:math": {"recovered": False, "epoch": made.epoch, "head": 3, "live": True, "entries": []}
        }
        await made.goes_on_at(4)
