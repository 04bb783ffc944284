"""`Sessions.on_change`: told of each session that has ended for good, once (docs/contract.md 6)."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from projects.models import Project
from realtime.session import ENDINGS, Change
from tests.support.clock import Lifetime, clocked_runtimes

Gone = list[tuple[int, int, str]]


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def listen(lifetime: Lifetime) -> Gone:
    """At which runtime it is told, and of whom."""
    gone: Gone = []

    def note(place: int, project: int, uid: str, change: Change, streams: Sequence[str]) -> None:
        if change in ENDINGS:
            gone.append((place, project, uid))

    for place, runtime in enumerate(lifetime.runtimes):
        runtime.sessions.on_change.append(partial(note, place))
    return gone


@pytest.mark.parametrize("place", [0, 1], ids=["same process", "other process"])
async def test_it_tells_of_a_login_that_takes_over(project: Project, place: int) -> None:
    async with clocked_runtimes(2) as lifetime:
        gone = listen(lifetime)
        await lifetime.enter(project.app_id, "ann")
        assert gone == []
        await lifetime.enter(project.app_id, "ann", place=place)
        assert gone == [(place, project.pk, "ann")]


async def test_it_tells_of_a_logout(project: Project) -> None:
    async with clocked_runtimes() as lifetime:
        gone = listen(lifetime)
        ann = await lifetime.enter(project.app_id, "ann")
        await ann.call("session.logout")
        assert gone == [(0, project.pk, "ann")]


async def test_it_tells_once_of_a_removal_and_not_of_a_return(project: Project) -> None:
    async with clocked_runtimes(2) as lifetime:
        gone = listen(lifetime)
        ann = lifetime.open_client()
        session = (await ann.login(project.app_id, "ann"))["session"]
        await ann.close()
        await lifetime.pass_time(29)
        back = lifetime.open_client(1)
        assert (await back.login(project.app_id, "ann", session=session))["resumed"]
        assert gone == []
        await back.close()
        await lifetime.pass_time(36)
        assert [told[1:] for told in gone] == [(project.pk, "ann")]


async def test_it_tells_of_a_kick(project: Project) -> None:
    async with clocked_runtimes(2) as lifetime:
        gone = listen(lifetime)
        await lifetime.enter(project.app_id, "ann")
        assert await lifetime.runtimes[1].sessions.evict(project.pk, "ann", "kicked")
        assert gone == [(1, project.pk, "ann")]
