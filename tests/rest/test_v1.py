"""Our own interface (docs/rest.md): rooms, members, attributes, messages, tokens, kicks and bans."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async

from projects.limits import Sizes
from realtime.close_codes import BANNED, KICKED
from realtime.errors import ERRORS
from realtime.rest.errors import STATUSES, V1_FAILURES, VENDOR_FAILURES, VENDOR_STATUSES, status_of
from realtime.rest.ids import fresh_id
from realtime.runtime import Runtime
from tests.support.client import TAKES_MEDIA, Client
from tests.support.media import IMAGE, ready_media
from tests.support.rest import Api, path_of

TEXT = {"type": "TEXT", "text": "hello"}


async def enter(open_client: Callable[..., Client], app: str, uid: str, *rooms: str, **params: Any) -> Client:
    client = open_client()
    await client.login(app, uid, **params)
    for room in rooms:
        await client.call("room.join", room=room)
    return client


async def send(api: Api, room: str, uid: str = "ann", message: Any = None, **headers: str) -> Any:
    answer = await api.v1("POST", f"rooms/{room}/messages", {"uid": uid, "message": message or TEXT}, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_rooms_come_in_pages(api: Api, open_client: Callable[..., Client]) -> None:
    await enter(open_client, api.app, "bob", "b")
    for room in ("a", "b", "c"):
        await send(api, room)
    await send(api, "b")
    first = (await api.v1("GET", "rooms?limit=2")).json
    assert [(one["room"], one["head"], one["member_count"]) for one in first["rooms"]] == [("a", 1, 0), ("b", 2, 1)]
    last = (await api.v1("GET", f"rooms?limit=2&after={first['next']}")).json
    assert [one["room"] for one in last["rooms"]] == ["c"]
    assert last["next"] is None


async def test_messages_of_a_room_by_cursor(api: Api, runtime: Runtime) -> None:
    for number in range(5):
        assert (await send(api, "math", message={"type": "TEXT", "text": str(number)}))["seq"] == number + 1
    page = (await api.v1("GET", "rooms/math/messages?limit=2")).json
    assert ([one["body"]["text"] for one in page["messages"]], page["more"]) == (["4", "3"], True)
    page = (await api.v1("GET", f"rooms/math/messages?limit=10&before={page['messages'][-1]['seq']}&order=asc")).json
    assert ([one["seq"] for one in page["messages"]], page["more"]) == ([1, 2, 3], False)
    page = (await api.v1("GET", "rooms/math/messages?after=3&order=asc")).json
    assert [one["seq"] for one in page["messages"]] == [4, 5]


async def test_a_message_is_seen_live_and_once_for_its_key(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", "a b/c".replace("/", ";"))
    room = path_of("a b;c")[1:]
    raw = {"type": "RAW", "raw": "AAEC", "description": "bytes"}
    first = await send(api, room, message=raw, idempotency_key="k1")
    assert await send(api, room, message=raw, idempotency_key="k1") == first
    pushed = await bob.expect("room.sent")
    assert (pushed["body"], pushed["message_id"], pushed["seq"]) == (raw, "k1", first["seq"])
    await bob.expect_nothing("room.sent")
    assert (
        await api.v1("POST", f"rooms/{room}/messages", {"uid": "a", "message": {"type": "RAW", "raw": "?"}})
    ).status == 400


async def test_members_and_counts(api: Api, open_client: Callable[..., Client]) -> None:
    await enter(open_client, api.app, "ann", "math", "art")
    await enter(open_client, api.app, "bob", "math")
    assert (await api.v1("GET", "rooms/math/members")).json == {"members": ["ann", "bob"], "total": 2}
    assert (await api.v1("GET", "member_counts?room=math&room=art&room=none")).json == {
        "counts": {"math": 2, "art": 1, "none": 0}
    }
    rooms = [f"room=r{number}" for number in range(Sizes().member_count_rooms + 1)]
    assert (await api.v1("GET", "member_counts?" + "&".join(rooms[:-1]))).status == 200
    past = await api.v1("GET", "member_counts?" + "&".join(rooms))
    assert (past.status, past.json["error"]["code"]) == (409, "limit_exceeded")


async def test_attributes_with_their_revision(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", "math")
    path = "rooms/math/attributes"
    put = {"uid": "ann", "attributes": {"a": "1", "b": "2"}, "notify": True}
    assert (await api.v1("PUT", path, put)).json == {"seq": 1, "revision": 1}
    pushed = await bob.expect("room.attributes_changed")
    assert (pushed["sender"], pushed["body"]["set"], pushed["body"]["notify"]) == ("ann", {"a": "1", "b": "2"}, True)
    patch = {"uid": "bob", "attributes": {"a": "3"}, "revision": 1}
    assert (await api.v1("PATCH", path, patch)).json == {"seq": 2, "revision": 2}
    conflict = await api.v1("PATCH", path, patch)
    assert (conflict.status, conflict.json["error"]["code"], conflict.json["error"]["revision"]) == (
        409,
        "revision_conflict",
        2,
    )
    read = (await api.v1("GET", path)).json
    assert read["revision"] == 2
    assert {key: (one["value"], one["updated_by"]) for key, one in read["attributes"].items()} == {
        "a": ("3", "bob"),
        "b": ("2", "ann"),
    }
    assert (await api.v1("DELETE", f"{path}?uid=ann&key=a&key=none&revision=2")).json["revision"] == 3
    assert list((await api.v1("GET", path)).json["attributes"]) == ["b"]
    assert (await api.v1("DELETE", f"{path}?uid=ann")).json["revision"] == 4
    assert (await api.v1("GET", path)).json == {"attributes": {}, "revision": 4}
    assert (await api.v1("PUT", path, {"attributes": {"a": "1"}})).status == 403  # as whom?


async def test_peer_messages_and_what_two_have_said(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob")
    path = "users/ann/peers/bob/messages"
    sent = await api.v1("POST", path, {"message": TEXT, "historical": True, "wait": True})
    assert (sent.status, sent.json["received"]) == (200, True)
    assert (await bob.expect("peer.sent"))["message_id"] == sent.json["message_id"]
    back = await api.v1("POST", "users/bob/peers/ann/messages", {"message": TEXT, "historical": True})
    assert back.json["received"] is False
    page = (await api.v1("GET", f"{path}?limit=1")).json
    assert [(one["sender"], one["receiver"]) for one in page["messages"]] == [("bob", "ann")]
    page = (await api.v1("GET", f"{path}?before={page['messages'][0]['position']}")).json
    assert [(one["sender"], one["body"]["message"]) for one in page["messages"]] == [("ann", TEXT)]
    assert page["more"] is False


async def test_what_a_file_is_and_where_it_is(api: Api, as_user: Callable[..., Api], open_client: Any) -> None:
    """For the project's server, whoever has sent it; in the histories it is named as it was sent."""
    ann = await enter(open_client, api.app, "ann", "math", **TAKES_MEDIA)
    media = await ready_media(api.app, "ann", **IMAGE)
    message = {"type": "IMAGE", "media": media, "description": "page 12"}
    await ann.call("room.send", room="math", message_id="m1", message=message)
    pushed = await ann.expect("room.media_sent")
    await ann.call("peer.send", peer="bob", message_id="m2", message=message, historical=True)
    found = (await api.v1("GET", f"media/{media}")).json
    assert (found["uid"], found["kind"], found["type"]) == ("ann", "IMAGE", "image/png")
    assert {key: found[key] for key in IMAGE if key != "content_type"} == {
        key: value for key, value in IMAGE.items() if key != "content_type"
    }
    assert found["url"].startswith("/rtm/media/file?")
    assert found["url_expires_at"] < found["expires_at"]
    (past,) = (await api.v1("GET", "rooms/math/messages")).json["messages"]
    assert past["body"] == pushed["body"]
    (past,) = (await api.v1("GET", "users/ann/peers/bob/messages")).json["messages"]
    assert past["body"] == {"message": pushed["body"], "historical": True}
    assert (await api.v1("GET", f"media/{'0' * 32}")).status == 404
    assert (await api.v1("GET", "media/x")).status == 400
    user = await sync_to_async(as_user)(api, "ann")
    assert (await user.v1("GET", f"media/{media}")).status == 403


async def test_a_room_has_settings(api: Api, as_user: Callable[..., Api], runtime: Runtime) -> None:
    path = "rooms/math/settings"
    assert (await api.v1("GET", path)).json == {"media_days": None}
    assert (await api.v1("PUT", path, {"media_days": None})).json == {"media_days": None}
    assert (await api.v1("GET", "rooms")).json["rooms"] == []
    for days in (1, 3650):
        assert (await api.v1("PUT", path, {"media_days": days})).json == {"media_days": days}
        assert (await api.v1("GET", path)).json == {"media_days": days}
    assert [room["room"] for room in (await api.v1("GET", "rooms")).json["rooms"]] == ["math"]
    for wrong in ({}, {"media_days": 0}, {"media_days": 3651}, {"media_days": "1"}, {"media_days": 1, "other": 1}):
        assert (await api.v1("PUT", path, wrong)).status == 400
    await api.v1("PUT", path, {"media_days": None})
    assert (await api.v1("GET", path)).json == {"media_days": None}
    user = await sync_to_async(as_user)(api, "ann")
    for call in (user.v1("GET", path), user.v1("PUT", path, {"media_days": 1})):
        assert (await call).status == 403


async def test_rooms_with_settings_count_against_the_projects_quota(
    make_api: Callable[..., Api], runtime: Runtime
) -> None:
    api = await sync_to_async(make_api)(stream_quota=1)
    assert (await api.v1("PUT", "rooms/a/settings", {"media_days": 1})).status == 200
    assert (await api.v1("PUT", "rooms/b/settings", {"media_days": 1})).status == 409
    assert (await api.v1("GET", "rooms/b/settings")).json == {"media_days": None}


async def test_a_token_lets_its_user_log_in(
    make_api: Callable[..., Api], open_client: Callable[..., Client], runtime: Runtime
) -> None:
    api = await sync_to_async(make_api)(certificate_enabled=True)
    issued = (await api.v1("POST", "users/ann/tokens", {"valid_s": 60})).json
    assert abs(issued["expires_at"] - runtime.clock_ms() - 60_000) < 10_000
    await open_client().login(api.app, "ann", token=issued["token"])
    assert (await api.v1("POST", "users/ann/tokens", {"valid_s": 24 * 3600 + 1})).status == 400


async def test_kick_ban_and_lift(api: Api, open_client: Callable[..., Client]) -> None:
    ann = await enter(open_client, api.app, "ann")
    assert (await api.v1("POST", "users/ann/kick", {"reason": "late"})).status == 200
    assert await ann.expect_close() == KICKED.code
    bob = await enter(open_client, api.app, "bob")
    banned = (await api.v1("PUT", "users/bob/ban", {"for_s": 3600})).json
    assert banned["until"] is not None
    assert await bob.expect_close() == BANNED.code
    await api.v1("PUT", "users/carol/ban", {"reason": "spam"})
    first = (await api.v1("GET", "bans?limit=1")).json
    assert [(one["uid"], one["by"]) for one in first["bans"]] == [("bob", "REST")]
    last = (await api.v1("GET", f"bans?after={first['next']}")).json
    assert ([(one["uid"], one["until"], one["reason"]) for one in last["bans"]], last["next"]) == (
        [("carol", None, "spam")],
        None,
    )
    assert (await api.v1("DELETE", "users/bob/ban")).json == {"lifted": True}
    assert (await api.v1("DELETE", "users/bob/ban")).json == {"lifted": False}


def test_every_error_has_a_documented_status() -> None:
    for kind in ERRORS:
        assert status_of(kind) in V1_FAILURES
        assert VENDOR_STATUSES.get(status_of(kind), 400) in VENDOR_FAILURES
    assert set(STATUSES) <= set(ERRORS)


def test_fresh_ids_are_in_order_of_time() -> None:
    ids = [fresh_id(ms) for ms in (1, 2, 2**32, 1_768_467_600_000)]
    assert ids == sorted(ids)
    assert len({fresh_id(1) for _ in range(100)}) == 100
    assert all(len(one) == 36 for one in ids)
