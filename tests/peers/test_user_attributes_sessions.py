"""User attributes belong to a session: a resume keeps them, its end ends them, and what comes late changes nothing
(docs/contract.md 7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from messaging.attributes import Operation
from peers.cleanup import UNTOUCHED_FOR, Cleanup
from peers.models import UserAttributes
from peers.services.attributes import change_attributes
from projects.limits import DEFAULT_LIMITS, RATES
from projects.models import Project
from realtime.errors import RpcError
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime

NAME = {"name": "Ann"}
PLACES = pytest.mark.parametrize("places", [(0, 0), (0, 1)], ids=["same process", "other process"])


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(limits={"rates": {name: [1_000_000, 1_000] for name in RATES}})


async def enter(
    lifetime: Lifetime, project: Project, uid: str, place: int = 0, session: str = ""
) -> tuple[Client, Any]:
    client = lifetime.open_client(place)
    login = await client.login(project.app_id, uid, session=session)
    lifetime.clock.advance(1)  # a login elsewhere begins with empty rate buckets
    return client, login


async def values(client: Client, uid: str = "ann") -> Any:
    """The attributes of a user; None: not found."""
    try:
        return (await client.call("user.get_attributes", uid=uid))["attributes"]
    except CallFailed as failed:
        if failed.name != "user_not_found":
            raise
        return None


@sync_to_async
def rows(project: Project) -> list[str]:
    """Whose attributes the database holds, seen or not."""
    return sorted(UserAttributes.objects.filter(project=project).values_list("uid", flat=True))


@PLACES
async def test_a_resumed_session_keeps_them(two_places: Lifetime, project: Project, places: tuple[int, int]) -> None:
    bob, _ = await enter(two_places, project, "bob")
    ann, login = await enter(two_places, project, "ann", places[0])
    await ann.call("user.set_attributes", attributes=NAME)
    await ann.close()
    await two_places.pass_time(20, bob)
    assert await values(bob) == NAME, "who may come back is still there"
    ann, again = await enter(two_places, project, "ann", places[1], login["session"])
    assert again["resumed"]
    assert await values(bob) == NAME
    await ann.call("user.update_attributes", attributes={"hand": "up"})
    for client in (ann, bob):
        assert await values(client) == {**NAME, "hand": "up"}


@PLACES
async def test_a_logout_ends_them(two_places: Lifetime, project: Project, places: tuple[int, int]) -> None:
    bob, _ = await enter(two_places, project, "bob")
    ann, _ = await enter(two_places, project, "ann", places[0])
    await ann.call("user.set_attributes", attributes=NAME)
    await ann.call("session.logout")
    assert await values(bob) is None
    ann, _ = await enter(two_places, project, "ann", places[1])
    for client in (ann, bob):
        assert await values(client) == {}
    await ann.call("user.update_attributes", attributes={"hand": "up"})
    assert await values(bob) == {"hand": "up"}


@PLACES
async def test_a_login_that_takes_over_ends_them(
    two_places: Lifetime, project: Project, places: tuple[int, int]
) -> None:
    bob, _ = await enter(two_places, project, "bob")
    ann, _ = await enter(two_places, project, "ann", places[0])
    await ann.call("user.set_attributes", attributes=NAME)
    ann, _ = await enter(two_places, project, "ann", places[1])
    for client in (ann, bob):
        assert await values(client) == {}


async def test_the_removal_ends_them(two_places: Lifetime, project: Project) -> None:
    bob, _ = await enter(two_places, project, "bob")
    ann, login = await enter(two_places, project, "ann", 1)
    await ann.call("user.set_attributes", attributes=NAME)
    await ann.close()
    await two_places.pass_time(36, bob)
    assert await values(bob) is None
    _, again = await enter(two_places, project, "ann", 0, login["session"])
    assert not again["resumed"]
    assert await values(bob) == {}


async def test_an_emptied_presence_store_takes_none(two_places: Lifetime, project: Project) -> None:
    bob, _ = await enter(two_places, project, "bob")
    ann, _ = await enter(two_places, project, "ann", 1)
    await ann.call("user.set_attributes", attributes=NAME)
    two_places.empty_store()
    assert await values(ann) == NAME
    await two_places.pass_time(6, ann, bob)
    assert await values(bob) == NAME


@pytest.mark.parametrize("session", ["s1", "s0"], ids=["same session", "session before"])
def test_a_late_write_of_an_older_login_changes_nothing(project: Project, session: str) -> None:
    def change(session: str, generation: int, key: str) -> None:
        change_attributes(
            project_id=project.pk,
            uid="ann",
            session=session,
            generation=generation,
            operation=Operation.UPDATE,
            attributes={key: "1"},
            keys=(),
            sizes=DEFAULT_LIMITS.sizes,
            now=datetime.now(UTC),
        )

    change(session, 5, "first")
    change("s1", 7, "second")
    before = UserAttributes.objects.filter(project=project).values().get()
    with pytest.raises(RpcError) as refused:
        change(session, 5, "late")
    assert refused.value.kind.name == "unavailable"
    assert UserAttributes.objects.filter(project=project).values().get() == before


async def test_a_late_write_after_a_takeover_is_not_seen(two_places: Lifetime, project: Project) -> None:
    """The later login has not written yet, so that nothing refuses the write."""
    bob, _ = await enter(two_places, project, "bob")
    _, login = await enter(two_places, project, "ann")
    ann, again = await enter(two_places, project, "ann", 1)
    await two_places.runtime.bridge.write(
        change_attributes,
        project_id=project.pk,
        uid="ann",
        session=login["session"],
        generation=login["generation"],
        operation=Operation.SET,
        attributes=NAME,
        keys=(),
        sizes=DEFAULT_LIMITS.sizes,
        now=datetime.now(UTC),
    )
    assert again["generation"] > login["generation"]
    for client in (ann, bob):
        assert await values(client) == {}
    await ann.call("user.update_attributes", attributes={"hand": "up"})
    assert await values(bob) == {"hand": "up"}


# Rows


async def test_what_has_ended_is_deleted(two_places: Lifetime, project: Project) -> None:
    for place, uid in enumerate(("ann", "bob")):
        client, _ = await enter(two_places, project, uid, place)
        await client.call("user.set_attributes", attributes=NAME)
        if uid == "ann":
            await client.call("session.logout")
        else:
            await client.close()
    cal, _ = await enter(two_places, project, "cal")
    await cal.call("user.set_attributes", attributes=NAME)
    await two_places.runtime.part(Cleanup).flush()
    assert await rows(project) == ["bob", "cal"]
    await two_places.pass_time(36, cal)
    for runtime in two_places.runtimes:
        await runtime.part(Cleanup).flush()
    assert await rows(project) == ["cal"]


async def test_a_deletion_that_comes_late_leaves_what_a_new_login_has_written(
    two_places: Lifetime, project: Project
) -> None:
    ann, _ = await enter(two_places, project, "ann")
    await ann.call("user.set_attributes", attributes=NAME)
    gone = two_places.runtime.part(Cleanup)
    await ann.call("session.logout")
    ann, _ = await enter(two_places, project, "ann", 1)
    await ann.call("user.set_attributes", attributes={"hand": "up"})
    await gone.flush()
    assert await values(ann) == {"hand": "up"}


async def left_over(lifetime: Lifetime, project: Project, uid: str, age: timedelta, session: str = "over") -> None:
    now = datetime.fromtimestamp(lifetime.clock.now_ms() / 1000, UTC)
    await sync_to_async(UserAttributes.objects.create)(
        project=project, uid=uid, session=session, generation=1, touched_at=now - age
    )


async def test_the_sweep_deletes_what_nobody_can_see_and_has_not_touched_for_an_hour(
    two_places: Lifetime, project: Project
) -> None:
    _, login = await enter(two_places, project, "ann")
    await enter(two_places, project, "bob", 1)
    longer = UNTOUCHED_FOR + timedelta(seconds=1)
    await left_over(two_places, project, "ann", longer, login["session"])
    await left_over(two_places, project, "bob", longer)
    await left_over(two_places, project, "cal", longer)
    await left_over(two_places, project, "dan", UNTOUCHED_FOR)
    await two_places.runtime.part(Cleanup).sweep()
    assert await rows(project) == ["ann", "dan"]


async def test_the_sweep_deletes_nothing_while_a_store_is_being_filled(two_places: Lifetime, project: Project) -> None:
    ann, login = await enter(two_places, project, "ann")
    await left_over(two_places, project, "ann", 2 * UNTOUCHED_FOR, login["session"])
    two_places.empty_store()
    await two_places.runtime.part(Cleanup).sweep()
    assert await rows(project) == ["ann"]
    await two_places.pass_time(33, ann)
    await two_places.runtime.part(Cleanup).sweep()
    assert await rows(project) == ["ann"]


async def test_the_sweep_looks_through_all_pages(
    two_places: Lifetime, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peers.cleanup.BATCH", 2)
    _, login = await enter(two_places, project, "ann")
    await left_over(two_places, project, "ann", 2 * UNTOUCHED_FOR, login["session"])
    for number in range(5):
        await left_over(two_places, project, f"u{number}", 2 * UNTOUCHED_FOR)
    await two_places.runtime.part(Cleanup).sweep()
    assert await rows(project) == ["ann"]
