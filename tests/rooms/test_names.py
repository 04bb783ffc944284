"""The characters and lengths of room ids, user ids and message ids (docs/contract.md 2 and 13)."""

import string
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.client import CallFailed, Client

ALLOWED = string.ascii_letters + string.digits + " !#$%&()+-:;<=.>?@[]^_{}|~," + "\t\n\u00a0"
REFUSED = [chr(code) for code in range(256) if chr(code) not in ALLOWED] + [
    "é",
    "ß",
    "你",
    "Ａ",  # fullwidth
    "а",  # Cyrillic
    "٣",  # a digit, not one of ours
    "\u200b",
    "\u2028",
    "\u3000",
    "\ufeff",
    "😀",
]

Enter = Callable[..., Awaitable[Client]]


async def error_name(client: Client, method: str, **params: object) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call(method, **params)
    return refused.value.name


@pytest.mark.parametrize("place", ["{}", "a{}", "{}a", "a{}a"])
async def test_every_allowed_character_may_stand_anywhere_in_a_room_id(enter: Enter, fast_app: str, place: str) -> None:
    rooms = [place.format(character) for character in ALLOWED]
    watcher = await enter(fast_app, "watcher")
    for start in range(0, len(rooms), 20):
        page = rooms[start : start + 20]
        await enter(fast_app, f"member-{start}", *page)
        assert (await watcher.call("room.member_counts", rooms=page))["counts"] == dict.fromkeys(page, 1)


async def test_rooms_whose_ids_differ_by_one_character_are_different(enter: Enter, fast_app: str) -> None:
    ids = ["room", "Room", "room ", " room", "room\n", "room\t", "room\u00a0", "room."]
    ann = await enter(fast_app, "ann", *ids)
    for number, room in enumerate(ids):
        assert (await ann.send(room, room, f"m{number}"))["seq"] == 1


@pytest.mark.parametrize("place", ["{}", "a{}", "{}a"])
async def test_every_other_character_is_refused_in_a_room_id(enter: Enter, fast_app: str, place: str) -> None:
    ann = await enter(fast_app, "ann")
    for character in REFUSED:
        assert await error_name(ann, "room.join", room=place.format(character)) == "invalid_params", character


async def test_every_allowed_character_may_stand_in_a_uid(open_client: Callable[..., Client], app: str) -> None:
    for character in ALLOWED:
        uid = f"{character}a{character}"
        client = open_client()
        await client.login(app, uid)
        await client.call("room.join", room="r")
        assert uid in (await client.call("room.members", room="r"))["members"]


async def test_every_other_character_is_refused_in_a_uid(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    for character in REFUSED:
        assert await error_name(client, "session.login", app=app, uid=f"a{character}") == "invalid_params", character
    assert await client.login(app, "a")


@pytest.mark.parametrize("name", ["x" * 64, "\u00a0" * 32, "\n" * 64, "x" * 62 + "\u00a0"])
async def test_64_bytes_are_allowed(open_client: Callable[..., Client], app: str, name: str) -> None:
    client = open_client()
    await client.login(app, name)
    assert (await client.call("room.join", room=name))["room"] == name
    assert (await client.send(name, "hello", "m1"))["seq"] == 1


@pytest.mark.parametrize("name", ["", "x" * 65, "\u00a0" * 33, "x" * 63 + "\u00a0"])
async def test_no_byte_and_65_bytes_are_refused(open_client: Callable[..., Client], app: str, name: str) -> None:
    client = open_client()
    assert await error_name(client, "session.login", app=app, uid=name) == "invalid_params"
    await client.login(app, "ann")
    calls: dict[str, dict[str, Any]] = {
        "room.join": {"room": name},
        "room.member_counts": {"rooms": [name]},
        "room.get_attributes": {"room": name},
        "room.set_attributes": {"room": name, "message_id": "m1", "attributes": {"k": "v"}},
    }
    for method, params in calls.items():
        assert await error_name(client, method, **params) == "invalid_params", method


async def test_null_is_no_uid_but_a_room(open_client: Callable[..., Client], app: str) -> None:
    client = open_client()
    assert await error_name(client, "session.login", app=app, uid="null") == "invalid_params"
    await client.login(app, "Null")
    assert (await client.call("room.join", room="null"))["room"] == "null"


@pytest.mark.parametrize("message_id", ["m", "A-z_0-9", "x" * 64])
async def test_message_ids_that_are_allowed(enter: Enter, app: str, message_id: str) -> None:
    ann = await enter(app, "ann", "math")
    assert (await ann.send("math", "hello", message_id))["seq"] == 1
    assert (await ann.expect("room.sent"))["message_id"] == message_id


@pytest.mark.parametrize("message_id", ["", "x" * 65, "m1\n", "\nm1", "m 1", "m.1", "mé", "m\u0000", None, 1])
async def test_message_ids_that_are_refused(enter: Enter, app: str, message_id: object) -> None:
    ann = await enter(app, "ann", "math")
    message = {"type": "TEXT", "text": "hello"}
    attributes = {"k": "v"}
    assert await error_name(ann, "room.send", room="math", message_id=message_id, message=message) == "invalid_params"
    assert (
        await error_name(ann, "room.set_attributes", room="math", message_id=message_id, attributes=attributes)
        == "invalid_params"
    )
    assert (await ann.call("room.history", room="math"))["entries"] == []


@pytest.mark.parametrize("app_id", ["", "a" * 31, "a" * 33, "a" * 32 + "\n", "a" * 31 + "-", "é" * 32, None])
async def test_app_ids_that_are_refused(open_client: Callable[..., Client], app_id: object) -> None:
    assert await error_name(open_client(), "session.login", app=app_id, uid="ann") == "invalid_params"
