"""The vendor's calls that send (docs/contract.md 10): paths, bodies, codes, and that everybody sees it live."""

import asyncio
from collections.abc import Callable
from typing import Any

from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.rest import Api

PEER = {"destination": "bob", "payload": "hello"}
PEER_PATH = "rtm/users/ann/peer_messages"
ROOM = {"channel_name": "math", "payload": "hello"}
ROOM_PATH = "rtm/users/ann/channel_messages"


async def enter(open_client: Callable[..., Client], app: str, uid: str, *rooms: str, **options: Any) -> Client:
    client = open_client(**options)
    await client.login(app, uid)
    for room in rooms:
        await client.call("room.join", room=room)
    return client


async def test_a_room_message_is_seen_by_everybody_without_its_sender_being_there(
    api: Api, open_client: Callable[..., Client]
) -> None:
    bob = await enter(open_client, api.app, "bob", "math")
    sent = await api.vendor("POST", ROOM_PATH, ROOM)
    assert sent.status == 200
    assert sent.json["result"] == "success"
    assert sent.json["code"] == "message_sent"
    pushed = await bob.expect("room.sent")
    assert (pushed["sender"], pushed["seq"], pushed["body"]) == ("ann", 1, {"type": "TEXT", "text": "hello"})
    assert pushed["message_id"] == sent.json["request_id"]


async def test_a_peer_message_is_sent_at_once_and_delivered(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", reads_inbox=False)
    sent = await api.vendor("POST", PEER_PATH, PEER)
    assert (sent.status, sent.json["code"]) == (200, "message_sent")
    pushed = await bob.expect("peer.sent")
    assert (pushed["sender"], pushed["body"]) == ("ann", {"message": {"type": "TEXT", "text": "hello"}})


async def test_waiting_for_the_receipt(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", reads_inbox=False)
    answer = asyncio.create_task(api.vendor("POST", PEER_PATH + "?wait_for_ack=true", PEER))
    pushed = await bob.expect("peer.sent")
    assert not answer.done()
    await bob.notify("inbox.ack", seq=pushed["seq"])
    assert ((await answer).status, (await answer).json["code"]) == (200, "message_delivered")


async def test_a_peer_who_is_away(api: Api, runtime: Runtime) -> None:
    for wait in ("true", "false"):
        answer = await api.vendor("POST", f"{PEER_PATH}?wait_for_ack={wait}", PEER)
        assert (answer.status, answer.json["code"]) == (200, "peer_offline")


async def test_an_offline_message_comes_at_the_next_login(api: Api, open_client: Callable[..., Client]) -> None:
    answer = await api.vendor("POST", PEER_PATH, {**PEER, "enable_offline_messaging": True})
    assert answer.json["code"] == "peer_offline"
    login = await open_client().login(api.app, "bob")
    (entry,) = login["inbox"]["entries"]
    assert entry["body"] == {"message": {"type": "TEXT", "text": "hello"}, "offline": True}


async def test_the_same_key_again_is_one_message(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", "math")
    for _ in range(2):
        answer = await api.vendor("POST", ROOM_PATH, ROOM, idempotency_key="k")
        assert answer.json["request_id"] == "k"
        answer = await api.vendor("POST", PEER_PATH, PEER, idempotency_key="k")
        assert (answer.json["request_id"], answer.json["code"]) == ("k", "message_sent")
    await bob.call("session.ping")
    texts = bob.texts()
    assert texts == ["hello"] * 2


async def test_the_same_key_with_another_body_gets_the_first_answer(
    api: Api, open_client: Callable[..., Client]
) -> None:
    """And is not sent: its text is not looked at."""
    bob = await enter(open_client, api.app, "bob", "math")
    first = await api.vendor("POST", ROOM_PATH, ROOM, idempotency_key="k")
    other = await api.vendor("POST", ROOM_PATH, {**ROOM, "payload": "other"}, idempotency_key="k")
    assert (other.status, other.json) == (200, first.json)
    elsewhere = {**ROOM, "channel_name": "art", "payload": "in another channel"}
    assert (await api.vendor("POST", ROOM_PATH, elsewhere, idempotency_key="k")).status == 200
    another = await api.vendor("POST", "rtm/users/eve/channel_messages", ROOM, idempotency_key="k")
    assert another.status == 200
    await bob.call("session.ping")
    assert bob.texts() == ["hello", "hello"], "eve's is one of her own"
    changed = await api.v1("PUT", "rooms/math/attributes", {"uid": "ann", "attributes": {}}, idempotency_key="k")
    assert (changed.status, changed.json["error"]["code"]) == (400, "invalid_params")


async def test_what_a_proxy_calls_a_request_is_no_key(api: Api, open_client: Callable[..., Client]) -> None:
    bob = await enter(open_client, api.app, "bob", "math")
    for path, body in ((ROOM_PATH, ROOM), (PEER_PATH, PEER)):
        ids = {(await api.vendor("POST", path, body, x_request_id="r1")).json["request_id"] for _ in range(2)}
        assert len(ids - {"r1"}) == 2
    await bob.call("session.ping")
    assert bob.texts() == ["hello"] * 4
