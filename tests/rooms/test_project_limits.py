"""A project's own sizes hold in place of the defaults, at the limit and one past it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from projects.limits import RATES, Sizes
from projects.models import Project
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime

Enter = Callable[..., Awaitable[Client]]
LIMIT = 3

Try = Callable[[Client, int], Awaitable[Any]]


async def message_bytes(client: Client, size: int) -> None:
    await client.send("math", "x" * size, f"m{size}")


async def rooms_per_session(client: Client, size: int) -> None:
    for number in range(1, size):  # "math" is the first
        await client.call("room.join", room=f"room-{number}")


async def member_count_rooms(client: Client, size: int) -> None:
    await client.call("room.member_counts", rooms=[f"room-{number}" for number in range(size)])


async def put(client: Client, attributes: dict[str, str]) -> None:
    await client.call("room.set_attributes", room="math", message_id=f"m{id(attributes)}", attributes=attributes)


async def attribute_key_bytes(client: Client, size: int) -> None:
    await put(client, {"k" * size: "v"})


async def attribute_value_bytes(client: Client, size: int) -> None:
    await put(client, {"k": "v" * size})


async def room_attributes_bytes(client: Client, size: int) -> None:
    await put(client, {"k": "v" * (size - 1)})


async def room_attributes(client: Client, size: int) -> None:
    await put(client, {str(number): "v" for number in range(size)})


async def peers_messaged(client: Client, size: int) -> None:
    peers = [f"u{number}" for number in range(size)]
    message = {"type": "TEXT", "text": "to all"}
    await client.call("peer.send_many", peers=peers, message_id=f"m{size}", message=message)


async def user_attributes_bytes(client: Client, size: int) -> None:
    await client.call("user.set_attributes", attributes={"k": "v" * (size - 1)})


async def user_attributes(client: Client, size: int) -> None:
    await client.call("user.set_attributes", attributes={str(number): "v" for number in range(size)})


async def peers_queried(client: Client, size: int) -> None:
    await client.call("presence.query", uids=[f"u{number}" for number in range(size)])


async def peers_subscribed(client: Client, size: int) -> None:
    await client.call("presence.subscribe", uids=[f"u{number}" for number in range(size)])


async def invitation_bytes(client: Client, size: int) -> None:
    await client.call("invitation.send", invitation=f"i{size}", peer="eve", content="x" * size)


async def media_bytes(client: Client, size: int) -> None:
    await client.call("media.start", kind="FILE", name="file", size=size)


async def media_uploads(client: Client, size: int) -> None:
    for _ in range(size):
        await client.call("media.start", kind="FILE", name="file", size=1)


REFUSED: dict[str, tuple[Try, str]] = {
    "message_bytes": (message_bytes, "size_overflow"),
    "rooms_per_session": (rooms_per_session, "limit_exceeded"),
    "member_count_rooms": (member_count_rooms, "limit_exceeded"),
    "attribute_key_bytes": (attribute_key_bytes, "size_overflow"),
    "attribute_value_bytes": (attribute_value_bytes, "size_overflow"),
    "room_attributes_bytes": (room_attributes_bytes, "size_overflow"),
    "room_attributes": (room_attributes, "size_overflow"),
    "peers_messaged": (peers_messaged, "limit_exceeded"),
    "user_attributes_bytes": (user_attributes_bytes, "size_overflow"),
    "user_attributes": (user_attributes, "size_overflow"),
    "peers_queried": (peers_queried, "limit_exceeded"),
    "peers_subscribed": (peers_subscribed, "limit_exceeded"),
    "invitation_bytes": (invitation_bytes, "size_overflow"),
    "media_bytes": (media_bytes, "size_overflow"),
    "media_uploads": (media_uploads, "too_many_uploads"),
}
CUT = {"listed_members", "history_page", "offline_messages"}
"""What is over these is not refused: the answer holds that many."""
ELSEWHERE = {"open_invitations", "receipts_awaited"}
"""With a test of its own below, or in tests/rest/test_waiting_for_receipts.py."""


def test_every_size_is_tried_here() -> None:
    assert set(REFUSED) | CUT | ELSEWHERE == {field.name for field in fields(Sizes)}


@pytest.mark.shapeless
@pytest.mark.parametrize("name", REFUSED)
async def test_a_projects_own_size_holds(enter: Enter, make_project: Callable[..., Project], name: str) -> None:
    project = await sync_to_async(make_project)(limits={"sizes": {name: LIMIT}})
    attempt, error = REFUSED[name]
    ann = await enter(project.app_id, "ann", "math")
    with pytest.raises(CallFailed) as refused:
        await attempt(ann, LIMIT + 1)
    assert refused.value.name == error
    bob = await enter(project.app_id, "bob", "math")
    await attempt(bob, LIMIT)


async def test_a_projects_own_size_of_a_history_page_holds(enter: Enter, make_project: Callable[..., Project]) -> None:
    project = await sync_to_async(make_project)(limits={"sizes": {"history_page": LIMIT}})
    ann = await enter(project.app_id, "ann", "math")
    for number in range(LIMIT + 1):
        await ann.send("math", "x", f"m{number}")
    page = await ann.call("room.history", room="math", limit=100)
    assert ([entry["seq"] for entry in page["entries"]], page["more"]) == ([4, 3, 2], True)


async def test_a_projects_own_number_of_kept_messages_holds(enter: Enter, make_project: Callable[..., Project]) -> None:
    project = await sync_to_async(make_project)(limits={"sizes": {"offline_messages": LIMIT}})
    ann = await enter(project.app_id, "ann")
    for number in range(LIMIT + 1):
        assert await ann.send_to("bob", str(number), f"m{number}", offline=True) is False
    bob = await enter(project.app_id, "bob")
    (login,) = [json.loads(frame)["result"] for frame in bob.frames if '"inbox"' in frame]
    assert [entry["body"]["message"]["text"] for entry in login["inbox"]["entries"]] == ["1", "2", "3"]


async def test_a_projects_own_size_of_the_list_of_members_holds(
    enter: Enter, make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(limits={"sizes": {"listed_members": LIMIT}})
    for number in range(LIMIT + 1):
        last = await enter(project.app_id, f"u{number}", "math")
    assert await last.call("room.members", room="math") == {"members": ["u0", "u1", "u2"], "total": 4}


async def test_a_projects_own_number_of_open_invitations_holds(
    enter: Enter, make_project: Callable[..., Project]
) -> None:
    project = await sync_to_async(make_project)(limits={"sizes": {"open_invitations": LIMIT}})
    ann, _ = await enter(project.app_id, "ann"), await enter(project.app_id, "bob")
    for number in range(LIMIT):
        await ann.call("invitation.send", invitation=f"i{number}", peer="bob")
    with pytest.raises(CallFailed) as refused:
        await ann.call("invitation.send", invitation="one-more", peer="bob")
    assert refused.value.name == "limit_exceeded"


async def test_a_projects_own_rate_holds(lifetime: Lifetime, make_project: Callable[..., Project]) -> None:
    project = await sync_to_async(make_project)(limits={"rates": {"get_room_attributes": [LIMIT, 60_000]}})
    ann = await lifetime.enter(project.app_id, "ann")
    for _ in range(LIMIT):
        await ann.call("room.get_attributes", room="math")
    with pytest.raises(CallFailed) as refused:
        await ann.call("room.get_attributes", room="math")
    assert (refused.value.name, refused.value.data["retry_after_ms"]) == ("too_often", 60_000 / LIMIT)
    for number in range(RATES["join"].calls):
        assert number == 0 or await ann.call("room.leave", room=f"room-{number - 1}") == {}
        await ann.call("room.join", room=f"room-{number}")


async def test_a_projects_own_rate_of_logins_holds(lifetime: Lifetime, make_project: Callable[..., Project]) -> None:
    """Two at a time, as often as the rate says."""
    project = await sync_to_async(make_project)(limits={"rates": {"login": [8, 1_000]}})
    for _ in range(3):
        for _ in range(2):
            assert await lifetime.open_client().login(project.app_id, "ann")
        with pytest.raises(CallFailed) as refused:
            await lifetime.open_client().login(project.app_id, "ann")
        assert (refused.value.name, refused.value.data["retry_after_ms"]) == ("too_often", 250)
        lifetime.clock.advance(0.25)


async def test_a_project_may_take_any_number_of_logins(
    make_project: Callable[..., Project], open_client: Callable[..., Client]
) -> None:
    project = await sync_to_async(make_project)(limits={"rates": {"login": [1_000_000, 1_000]}})
    for _ in range(5):
        assert (await open_client().login(project.app_id, "ann"))["resumed"] is False
