"""Rooms of more than 512 members: no notices, fewer counts (docs/contract.md 3)."""

import asyncio
from collections.abc import Callable

import pytest

from projects.models import Project
from rooms.models import stream_name
from tests.support.clock import Lifetime
from tests.support.told import notices, people


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


async def crowd(lifetime: Lifetime, project: Project, count: int, room: str = "hall") -> list[str]:
    """So many members of a room, without sockets."""
    presence = lifetime.runtime.presence

    async def join(uid: str) -> None:
        outcome = await presence.login(project.pk, uid, None, uid)
        await presence.join(project.pk, uid, outcome.generation, stream_name(room))

    uids = [f"crowd-{number:03}" for number in range(count)]
    for uid in uids:
        await join(uid)
    return uids


async def test_notices_go_on_up_to_512_members_and_stop_above(lifetime: Lifetime, project: Project) -> None:
    await crowd(lifetime, project, 510)
    ann = await lifetime.enter(project.app_id, "ann", "hall")
    await lifetime.news(ann)
    people(ann)
    bob = await lifetime.enter(project.app_id, "bob", "hall")
    await lifetime.news(ann)
    assert people(ann) == ["joined bob"], "512 members"
    cal = await lifetime.enter(project.app_id, "cal", "hall")
    await lifetime.news(ann)
    assert people(ann) == [], "513 members"
    await lifetime.pass_time(3, ann, bob, cal)
    assert notices(ann) == ["counted 513"]
    await cal.call("room.leave", room="hall")
    await lifetime.pass_time(3.1, ann, bob, cal)
    assert notices(ann) == ["counted 512"], "a change that crosses the limit is a count"
    await bob.call("room.leave", room="hall")
    await lifetime.news(ann)
    assert people(ann) == ["left bob"], "from here on notices again"


async def test_above_512_members_the_count_is_told_at_most_once_in_three_seconds(
    lifetime: Lifetime, project: Project
) -> None:
    await crowd(lifetime, project, 520)
    ann = await lifetime.enter(project.app_id, "ann", "hall")
    await lifetime.news(ann)
    assert notices(ann) == ["counted 521"]
    clients = []
    for number in range(1, 6):
        clients.append(await lifetime.enter(project.app_id, f"late-{number}", "hall"))
        await lifetime.pass_time(0.5, ann, *clients)
        assert notices(ann) == []
    await lifetime.pass_time(0.5, ann, *clients)
    assert notices(ann) == ["counted 526"]
    await clients[0].call("room.leave", room="hall")
    await lifetime.pass_time(2.9, ann, *clients)
    assert notices(ann) == []
    await lifetime.pass_time(0.1, ann, *clients)
    assert notices(ann) == ["counted 525"]


async def test_the_first_512_members_are_listed_and_all_are_counted(lifetime: Lifetime, project: Project) -> None:
    uids = await crowd(lifetime, project, 512)
    ann = await lifetime.enter(project.app_id, "ann", "hall")
    listed = await ann.call("room.members", room="hall")
    assert listed == {"members": uids, "total": 513}
    counts = await ann.call("room.member_counts", rooms=["hall"])
    assert counts == {"counts": {"hall": 513}}


async def test_a_look_at_a_large_room_is_not_repeated_for_each_change(lifetime: Lifetime, project: Project) -> None:
    """A storm of joins costs one reading of the store in three seconds, not one in twenty milliseconds."""
    await crowd(lifetime, project, 520)
    ann = await lifetime.enter(project.app_id, "ann", "hall")
    await lifetime.news(ann)
    reads = 0
    members = lifetime.runtime.presence.members

    async def counted(*args: int | str) -> list[str]:
        nonlocal reads
        reads += 1
        return await members(*args)  # type: ignore[arg-type]

    lifetime.runtime.presence.members = counted  # type: ignore[method-assign, assignment]
    clients = await asyncio.gather(*(lifetime.enter(project.app_id, f"late-{n}", "hall") for n in range(20)))
    for _ in range(10):
        await lifetime.pass_time(0.25, ann, *clients)
    assert reads == 0
    await lifetime.pass_time(0.5, ann, *clients)
    assert reads == 1
