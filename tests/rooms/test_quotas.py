"""How many rooms a project and a user of it may be the first to write into."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from messaging.models import Stream
from projects.limits import RATES
from projects.models import Project
from realtime.runtime import Runtime
from rooms.models import Room
from tests.support.client import CallFailed, Client
from tests.support.rest import Api

Enter = Callable[..., Awaitable[Client]]
FAST = {"rates": {name: [1_000_000, 1_000] for name in RATES}}


async def put(client: Client, room: str) -> Any:
    return await client.call("room.set_attributes", room=room, message_id=f"put-{room}", attributes={"a": "1"})


async def send(client: Client, room: str) -> Any:
    return await client.send(room, "hello", f"send-{room}")


@pytest.fixture(params=[put, send])
def write(request: pytest.FixtureRequest) -> Callable[[Client, str], Awaitable[Any]]:
    """Both ways of writing into a room."""
    way: Callable[[Client, str], Awaitable[Any]] = request.param
    return way


async def refusal(writing: Awaitable[Any]) -> str:
    with pytest.raises(CallFailed) as refused:
        await writing
    return refused.value.name


@sync_to_async
def rows(project: Project) -> tuple[int, int, int]:
    """Streams, rooms with attributes, and the streams that the project counts."""
    return (
        Stream.objects.filter(project=project).count(),
        Room.objects.filter(project=project).count(),
        Project.objects.get(pk=project.pk).stream_count,
    )


async def test_a_user_opens_as_many_rooms_a_day_as_the_quota_says(
    enter: Enter, make_project: Callable[..., Project], write: Callable[[Client, str], Awaitable[Any]]
) -> None:
    project = await sync_to_async(make_project)(user_stream_quota=3, limits=FAST)
    rooms = [f"room-{number}" for number in range(5)]
    ann, bob = await enter(project.app_id, "ann", *rooms), await enter(project.app_id, "bob", *rooms)
    for room in rooms[:3]:
        await write(ann, room)
    assert await refusal(write(ann, rooms[3])) == "limit_exceeded"
    assert (await rows(project))[0] == 3
    await write(ann, rooms[0])  # opened already
    await write(bob, rooms[3])  # everybody has a quota of their own
    await send(ann, rooms[3])  # opened by another
    await sync_to_async(age)(project, timedelta(days=1, minutes=1))
    await write(ann, rooms[4])


def age(project: Project, by: timedelta) -> None:
    Stream.objects.filter(project=project).update(created_at=timezone.now() - by)


async def test_a_project_has_as_many_rooms_as_its_quota_says(
    enter: Enter, make_project: Callable[..., Project], write: Callable[[Client, str], Awaitable[Any]]
) -> None:
    project = await sync_to_async(make_project)(stream_quota=3, limits=FAST)
    rooms = [f"room-{number}" for number in range(4)]
    ann, bob = await enter(project.app_id, "ann", *rooms), await enter(project.app_id, "bob", *rooms)
    for room in rooms[:3]:
        await write(ann, room)
    for client in (ann, bob):
        assert await refusal(write(client, rooms[3])) == "limit_exceeded"
    await write(bob, rooms[0])
    assert (await rows(project))[2] == 3


async def test_what_a_quota_refuses_is_not_half_made(enter: Enter, make_project: Callable[..., Project]) -> None:
    for quota in ({"stream_quota": 1}, {"user_stream_quota": 1}):
        project = await sync_to_async(make_project)(limits=FAST, **quota)
        ann = await enter(project.app_id, "ann", "math", "art")
        await put(ann, "math")
        before = await rows(project)
        assert before == (1, 1, 1)
        assert await refusal(put(ann, "art")) == "limit_exceeded"
        assert await refusal(send(ann, "art")) == "limit_exceeded"
        assert await rows(project) == before
        assert (await ann.call("room.get_attributes", room="art")) == {"attributes": {}, "revision": 0}
        await ann.expect("room.attributes_changed")
        await ann.expect_nothing("room.sent")
        await send(ann, "math")
        assert (await ann.expect("room.sent"))["seq"] == 2


async def test_a_message_that_a_quota_refused_is_taken_when_there_is_room_again(
    enter: Enter, make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(stream_quota=0, limits=FAST)
    ann = await enter(project.app_id, "ann", "math")
    assert await refusal(send(ann, "math")) == "limit_exceeded"
    await sync_to_async(Project.objects.filter(pk=project.pk).update)(stream_quota=1)
    assert (await send(ann, "math"))["seq"] == 1


async def test_quotas_of_one_project_are_not_spent_by_another(
    enter: Enter, make_project: Callable[..., Project]
) -> None:
    projects = [await sync_to_async(make_project)(stream_quota=1, user_stream_quota=1) for _ in range(2)]
    for project in projects:
        ann = await enter(project.app_id, "ann", "math")
        assert (await send(ann, "math"))["seq"] == 1


async def test_a_projects_own_server_has_the_projects_quota_only(
    make_api: Callable[..., Api], runtime: Runtime
) -> None:
    """It writes to all the project's users and rooms, in one name; users with a token have theirs."""
    api = await sync_to_async(make_api)(user_stream_quota=1, stream_quota=6)
    told = {"message": {"type": "TEXT", "text": "hello"}, "offline": True}
    put = {"uid": "desk", "attributes": {"a": "1"}}
    for number in range(2):
        assert (await api.v1("POST", f"users/desk/peers/u{number}/messages", told)).status == 200
        said = {"uid": "desk", "message": told["message"]}
        assert (await api.v1("POST", f"rooms/r{number}/messages", said)).status == 200
        assert (await api.v1("PUT", f"rooms/a{number}/attributes", put)).status == 200
    full = await api.v1("POST", "users/desk/peers/last/messages", told)
    assert (full.status, full.json["error"]["message"]) == (409, "The project's quota of rooms and inboxes is used up.")


async def test_a_user_writes_to_as_many_new_users_a_day_as_into_new_rooms(
    make_api: Callable[..., Api], as_user: Callable[..., Api], runtime: Runtime
) -> None:
    api = await sync_to_async(make_api)(user_stream_quota=1)
    ann = await sync_to_async(as_user)(api, "ann")
    text = {"type": "TEXT", "text": "hello"}
    for path, body, what in (
        ("users/ann/peers/{}/messages", {"message": text, "offline": True}, "to too many new users"),
        ("rooms/{}/messages", {"uid": "ann", "message": text}, "into too many new rooms"),
    ):
        assert (await ann.v1("POST", path.format("one"), body)).status == 200
        refused = await ann.v1("POST", path.format("two"), body)
        assert (refused.status, refused.json["error"]["message"]) == (409, f"You have written {what} today.")
        assert (await ann.v1("POST", path.format("one"), body)).status == 200
