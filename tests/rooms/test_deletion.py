"""`room.delete_message`: the place of a message stays, what it said goes, for everybody (docs/contract.md 4)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from messaging.models import Entry, EntryFlag, Stream
from messaging.redaction import delete_message
from messaging.selectors import from_ms
from realtime.redaction import TOMBSTONE
from rooms.deletion import DELETED
from tests.support.client import CallFailed, Client
from tests.support.doubles import Hints
from tests.support.rest import Api
from tests.support.runtimes import clients, runtimes

Enter = Callable[..., Awaitable[Client]]


async def refusal(client: Client, **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call("room.delete_message", room="math", **params)
    return refused.value.name


async def delete(client: Client, seq: int, **params: Any) -> None:
    assert await client.call("room.delete_message", room="math", seq=seq, **params) == {}


async def page_of(client: Client, after: int) -> list[tuple[int, str, Any]]:
    """What a recovery gives: seqs, events and bodies."""
    page = await client.call("stream.read", stream="room:math", after=after)
    return [(entry["seq"], entry["event"], entry["body"]) for entry in page["entries"]]


async def test_what_it_said_is_gone_and_the_members_are_told(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    message = {"type": "TEXT", "text": "a secret"}
    sent = await ann.call("room.send", room="math", message_id="m1", message=message, historical=True)
    await bob.send("math", "and on", "b1")
    await delete(ann, 1)
    for client in (ann, bob):
        told = await client.expect(DELETED)
        assert (told["seq"], told["sender"], told["body"]) == (3, "ann", {"seq": 1, "message_id": "m1"})
    entry = await Entry.objects.aget(stream__project__app_id=app, stream__name="room:math", seq=1)
    assert (entry.event, entry.body, entry.flags & EntryFlag.HISTORICAL) == (TOMBSTONE, "{}", 0)
    page = await bob.call("room.history", room="math", order="asc")
    assert [entry["seq"] for entry in page["entries"]] == [2]
    shown, other = (await bob.call("room.history", room="math", order="asc", tombstones=True))["entries"]
    assert other["event"] == "room.sent"
    assert shown == {
        "event": TOMBSTONE,
        "stream": "room:math",
        "seq": 1,
        "sender": "ann",
        "message_id": "m1",
        "ts": sent["ts"],
        "body": {},
    }


async def test_rule_idempotency_of_a_deletion(enter: Enter, app: str) -> None:
    """Also of two in flight, and after the sender has left. The message, sent again under its id, stays deleted."""
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    first = await ann.send("math", "once", "m1")
    both = [await ann.start("room.delete_message", room="math", seq=1) for _ in range(2)]
    assert await asyncio.gather(*both) == [{}, {}]
    await delete(ann, 1, message_id="m1")
    assert await ann.send("math", "once", "m1") == first
    assert await ann.send("math", "another text", "m1") == first
    await ann.call("room.leave", room="math")
    await delete(ann, 1)
    assert await ann.send("math", "once", "m1") == first
    assert await refusal(ann, seq=2) == "not_in_room"
    await bob.expect(DELETED)
    await bob.expect_nothing(DELETED)
    assert await page_of(bob, 0) == [(1, TOMBSTONE, {}), (2, DELETED, {"seq": 1, "message_id": "m1"})]


async def test_one_deletes_ones_own_messages_and_nothing_else(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann", "math"), await enter(app, "bob", "math")
    cal = await enter(app, "cal")
    await ann.send("math", "ann's", "m1")
    await ann.call("room.set_attributes", room="math", message_id="a1", attributes={"a": "1"})
    assert await refusal(bob, seq=1) == "not_authorized"
    assert await refusal(cal, seq=1) == "not_in_room"
    for seq in (0, 2, 3):
        assert await refusal(ann, seq=seq) == "message_not_found", "no message is there"
    assert await refusal(ann, seq=1, message_id="m2") == "message_not_found", "another one is there"
    assert len((await bob.call("room.history", room="math"))["entries"]) == 1
    await delete(ann, 1)
    assert await refusal(bob, seq=1) == "not_authorized"
    assert await refusal(ann, seq=3) == "message_not_found", "a deletion is none"


async def test_an_id_of_a_deleted_message_is_nothing_elses(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    await ann.send("math", "once", "m1")
    await delete(ann, 1)
    with pytest.raises(CallFailed) as refused:
        await ann.call("room.set_attributes", room="math", message_id="m1", attributes={"a": "1"})
    assert refused.value.name == "invalid_params"


async def test_who_comes_back_is_not_given_it_by_any_process(fast_app: str) -> None:
    """From the rings, which have had it, here and elsewhere, and from the database."""
    async with (
        runtimes(2) as (here, there),
        clients(fast_app, "math", ann=here, bob=here, cal=there) as client,
    ):
        for number in (1, 2):
            await client("ann").send("math", "a secret", f"m{number}")
        for uid in ("bob", "cal"):
            for _ in range(2):
                await client(uid).expect("room.sent")
        await delete(client("ann"), 2)
        for uid in ("ann", "bob", "cal"):
            await client(uid).expect(DELETED)
        expected = [(2, TOMBSTONE, {}), (3, DELETED, {"seq": 2, "message_id": "m2"})]
        for uid, runtime in (("bob", here), ("cal", there)):
            stream = next(live for key, live in runtime.hub.live.items() if key[1] == "room:math")
            assert [seq for seq, _ in stream.ring] == [1, 2, 3], "it is in the ring"
            assert await page_of(client(uid), 1) == expected
            runtime.hub.rings.forget(stream)
            assert await page_of(client(uid), 1) == expected


async def test_a_process_that_heard_of_neither_tells_a_tombstone_in_its_place(fast_app: str) -> None:
    """Order and cursor are as with any entry, so nothing is missed by who gets it."""
    hints = Hints()
    async with (
        runtimes(2, hints) as (here, there),
        clients(fast_app, "math", ann=here, cal=there) as client,
    ):
        hints.mode = "drop"
        await client("ann").send("math", "a secret", "m1")
        await delete(client("ann"), 1)
        await there.hub.check_heads()
        told = await client("cal").expect(TOMBSTONE)
        assert (told["seq"], told["sender"], told["message_id"], told["body"]) == (1, "ann", "m1", {})
        assert (await client("cal").expect(DELETED))["seq"] == 2
        assert not any("secret" in frame for frame in client("cal").frames)


async def test_the_projects_server_deletes_any_message(
    api: Api, as_user: Callable[..., Api], open_client: Callable[..., Client]
) -> None:
    """By its place, or by its sender and id; a user with a token their own, in a room they are in."""
    ann = open_client()
    await ann.login(api.app, "ann")
    await ann.call("room.join", room="math")
    for number in (1, 2, 3):
        await ann.send("math", str(number), f"m{number}")
    path = "rooms/math/messages"
    deleted = {"seq": 1, "sender": "ann", "message_id": "m1"}
    for _ in range(2):
        answer = await api.v1("DELETE", f"{path}/1?uid=teacher")
        assert (answer.status, answer.json) == (200, deleted)
    assert (await ann.expect(DELETED))["sender"] == "teacher"
    assert (await api.v1("DELETE", f"{path}?sender=ann&message_id=m2&uid=teacher")).json["seq"] == 2
    assert [one["seq"] for one in (await api.v1("GET", path)).json["messages"]] == [3]
    for query, status, code in [
        ("/9?uid=teacher", 404, "message_not_found"),
        ("?sender=bob&message_id=m3&uid=teacher", 404, "message_not_found"),
        ("/3", 403, "not_authorized"),
        ("?message_id=m3&uid=teacher", 400, "invalid_params"),
    ]:
        refused = await api.v1("DELETE", path + query)
        assert (refused.status, refused.json["error"]["code"]) == (status, code), query
    users = {uid: await sync_to_async(as_user)(api, uid) for uid in ("ann", "bob")}
    assert (await users["bob"].v1("DELETE", f"{path}/3")).json["error"]["code"] == "not_in_room"
    bob = open_client()
    await bob.login(api.app, "bob")
    await bob.call("room.join", room="math")
    assert (await users["bob"].v1("DELETE", f"{path}/3")).json["error"]["code"] == "not_authorized"
    assert (await users["ann"].v1("DELETE", f"{path}/3")).status == 200


async def test_a_message_that_retention_has_deleted_meanwhile_is_left(enter: Enter, app: str) -> None:
    """It was looked up before: nothing is told of it then."""
    ann = await enter(app, "ann", "math")
    await ann.send("math", "old", "m1")

    def purge_and_delete() -> int:
        stream = Stream.objects.get(project__app_id=app, name="room:math")
        Entry.objects.filter(stream=stream).delete()
        delete_message(stream_id=stream.pk, seq=1, event=DELETED, deleted_by="ann", now=from_ms(0))
        stream.refresh_from_db()
        return stream.head

    assert await sync_to_async(purge_and_delete)() == 1
