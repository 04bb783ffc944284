"""Two projects with the same room ids, user ids and message ids never see each other: for every method."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from activity.models import BusinessId
from projects.models import Project
from realtime.registry import METHODS
from tests.support.client import CallFailed, Client, Json
from tests.support.clock import Lifetime, clocked_runtimes
from tests.support.media import give_media

TEXT = {"type": "TEXT", "text": "theirs"}


@dataclass
class World:
    """`theirs` and `other` are ann and bob of one project, in "math", where ann has sent "m1", set attributes
    as "m2", invited bob as "i1" and sent a file. Both have attributes of their own, and ann has subscribed to bob and
    cal. `ours` is ann of another project, logged in and nowhere."""

    lifetime: Lifetime
    app: str
    theirs: Client
    other: Client
    ours: Client
    session: str
    epoch: str
    place: int
    media: str

    async def theirs_is(self) -> Json:
        """All that their project can tell of itself."""
        return {
            "members": await self.theirs.call("room.members", room="math"),
            "history": await self.theirs.call("room.history", room="math"),
            "attributes": await self.theirs.call("room.get_attributes", room="math"),
            "stream": await self.theirs.call("stream.read", stream="room:math", after=0),
            "states": await self.theirs.call("presence.query", uids=["ann", "bob", "cal"]),
            "subscriptions": await self.theirs.call("presence.subscriptions"),
            "users": [await self.theirs.call("user.get_attributes", uid=uid) for uid in ("ann", "bob")],
            "invitations": await self.theirs.call("invitation.list"),
            "media": await self.theirs.call("media.finish", media=self.media),
        }

    async def told_theirs(self) -> list[Any]:
        """What has been pushed to their project since the last call."""
        await self.lifetime.news(self.theirs, self.other)
        await self.lifetime.pass_time(3, self.theirs, self.other, self.ours)
        told = []
        for client in (self.theirs, self.other):
            while not client.pushes.empty():
                told.append(client.pushes.get_nowait())
        return told


@pytest.fixture(params=[0, 1], ids=["same process", "other process"])
async def world(make_project: Callable[..., Project], request: pytest.FixtureRequest) -> AsyncIterator[World]:
    there, here = [await sync_to_async(make_project)() for _ in range(2)]
    async with clocked_runtimes(2) as lifetime:
        theirs, other = lifetime.open_client(), lifetime.open_client()
        session = (await theirs.login(there.app_id, "ann"))["session"]
        await other.login(there.app_id, "bob")
        for client in (theirs, other):
            await client.call("room.join", room="math")
        await theirs.call("room.send", room="math", message_id="m1", message=TEXT)
        await theirs.call("room.set_attributes", room="math", message_id="m2", attributes={"theirs": "1"})
        await theirs.call("presence.subscribe", uids=["bob", "cal"])
        for client in (theirs, other):
            await client.call("user.set_attributes", attributes={"theirs": "1"})
        await theirs.call("invitation.send", invitation="i1", peer="bob", content="theirs")
        epoch = (await theirs.call("stream.read", stream="room:math", after=0))["epoch"]
        ours = lifetime.open_client(request.param)
        await ours.login(here.app_id, "ann")
        media = await give_media(there.app_id, "ann", secrets.token_hex(16), b"theirs")
        await theirs.call("media.finish", media=media)
        world = World(lifetime, here.app_id, theirs, other, ours, session, epoch, request.param, media)
        await world.told_theirs()
        yield world


Case = Callable[[World], Awaitable[None]]
CASES: dict[str, Case] = {}


def isolates(method: str) -> Callable[[Case], Case]:
    """Declares what shows that a method stays in its project."""

    def declare(case: Case) -> Case:
        CASES[method] = case
        return case

    return declare


async def refusal(client: Client, method: str, **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call(method, **params)
    return refused.value.name


@isolates("session.login")
async def login(world: World) -> None:
    """The same uid is another user; their session and their cursor mean nothing here."""
    client = world.lifetime.open_client(world.place)
    streams = {"room:math": {"seq": 0, "epoch": world.epoch}}
    answer = await client.login(world.app, "ann", session=world.session, streams=streams)
    assert (answer["resumed"], answer["streams"]) == (False, {})
    assert answer["session"] != world.session
    assert await world.ours.expect_close() == 4003
    world.ours = client


@isolates("session.logout")
async def logout(world: World) -> None:
    await world.ours.call("room.join", room="math")
    await world.ours.call("session.logout")
    world.ours = world.lifetime.open_client(world.place)


@isolates("session.renew_token")
async def renew_token(world: World) -> None:
    """Whose tokens are good for whom: tests/realtime/test_tokens.py."""
    assert await world.ours.call("session.renew_token", token="any while the certificate is off") == {}


@isolates("session.ping")
async def ping(world: World) -> None:
    assert await world.ours.call("session.ping", received=world.ours.received) == {}


@isolates("session.ack")
async def ack(world: World) -> None:
    await world.ours.notify("session.ack", received=world.ours.received)


@isolates("session.set_business_id")
async def set_business_id(world: World) -> None:
    business_id = f"of-{world.app}"
    assert await world.ours.call("session.set_business_id", business_id=business_id) == {}
    named = BusinessId.objects.filter(business_id=business_id).values_list("project__app_id", "uid")
    assert [row async for row in named] == [(world.app, "ann")]


@isolates("room.join")
async def join(world: World) -> None:
    joined = await world.ours.call("room.join", room="math", after={"seq": 0, "epoch": world.epoch})
    assert (joined["head"], joined["epoch"], joined["entries"]) == (0, "", [])
    assert (joined["member_count"], joined["attributes"], joined["revision"]) == (1, {}, 0)
    assert joined["recovered"] is False


@isolates("room.leave")
async def leave(world: World) -> None:
    assert await refusal(world.ours, "room.leave", room="math") == "not_in_room"
    await world.ours.call("room.join", room="math")
    await world.ours.call("room.leave", room="math")


@isolates("room.send")
async def send(world: World) -> None:
    assert await refusal(world.ours, "room.send", room="math", message_id="m1", message=TEXT) == "not_in_room"
    await world.ours.call("room.join", room="math")
    message = {"type": "TEXT", "text": "ours"}
    assert (await world.ours.call("room.send", room="math", message_id="m1", message=message))["seq"] == 1
    assert (await world.ours.expect("room.sent"))["body"] == message
    (entry,) = (await world.ours.call("room.history", room="math"))["entries"]
    assert (entry["message_id"], entry["body"]) == ("m1", message)


@isolates("room.members")
async def members(world: World) -> None:
    await world.ours.call("room.join", room="math")
    assert await world.ours.call("room.members", room="math") == {"members": ["ann"], "total": 1}


@isolates("room.member_counts")
async def member_counts(world: World) -> None:
    assert (await world.ours.call("room.member_counts", rooms=["math"]))["counts"] == {"math": 0}


@isolates("room.get_attributes")
async def get_attributes(world: World) -> None:
    found = await world.ours.call("room.get_attributes", room="math")
    assert found == {"attributes": {}, "revision": 0}
    found = await world.ours.call("room.get_attributes", room="math", keys=["theirs"])
    assert found == {"attributes": {}, "revision": 0}


@isolates("room.set_attributes")
async def set_attributes(world: World) -> None:
    await changes(world, "room.set_attributes", attributes={"ours": "1"})


@isolates("room.update_attributes")
async def update_attributes(world: World) -> None:
    await changes(world, "room.update_attributes", attributes={"ours": "1"})


@isolates("room.delete_attributes")
async def delete_attributes(world: World) -> None:
    await changes(world, "room.delete_attributes", keys=["theirs"])


@isolates("room.clear_attributes")
async def clear_attributes(world: World) -> None:
    await changes(world, "room.clear_attributes")


async def changes(world: World, method: str, **params: Any) -> None:
    """With the revision that theirs would not have, under a message id that they have used."""
    changed = await world.ours.call(method, room="math", message_id="m2", revision=0, **params)
    assert changed == {"seq": 1, "revision": 1}
    found = (await world.ours.call("room.get_attributes", room="math"))["attributes"]
    assert {key: item["value"] for key, item in found.items()} == params.get("attributes", {})


@isolates("room.history")
async def history(world: World) -> None:
    assert await refusal(world.ours, "room.history", room="math") == "not_in_room"
    await world.ours.call("room.join", room="math")
    assert await world.ours.call("room.history", room="math") == {"entries": [], "more": False}


@isolates("room.delete_message")
async def delete_message(world: World) -> None:
    """What stands in their room under the same names is another message."""
    assert await refusal(world.ours, "room.delete_message", room="math", seq=1) == "not_in_room"
    await world.ours.call("room.join", room="math")
    assert await refusal(world.ours, "room.delete_message", room="math", seq=1) == "message_not_found"


@isolates("stream.read")
async def read(world: World) -> None:
    assert await refusal(world.ours, "stream.read", stream="room:math", after=0) == "not_in_room"
    await world.ours.call("room.join", room="math")
    page = await world.ours.call("stream.read", stream="room:math", after=0)
    assert page == {"entries": [], "epoch": "", "head": 0, "live": True}


@isolates("inbox.ack")
async def inbox_ack(world: World) -> None:
    """It counts for one's own inbox, where the same seqs are others."""
    await world.theirs.send_to("bob", "theirs", "p1", offline=True)
    await world.ours.notify("inbox.ack", seq=1)
    assert await world.ours.send_to("bob", "ours", "p1") is False
    assert world.other.texts() == ["theirs"]


@isolates("peer.send")
async def peer_send(world: World) -> None:
    """Their bob is here, ours is not; the same message id is another message."""
    assert await world.theirs.send_to("bob", "theirs", "p1") is True
    assert world.other.texts() == ["theirs"]
    assert await world.ours.send_to("bob", "ours", "p1", offline=True) is False
    assert await world.ours.send_to("ann", "ours", "p2") is True


@isolates("peer.send_many")
async def peer_send_many(world: World) -> None:
    answer = await world.ours.call("peer.send_many", peers=["ann", "bob"], message_id="p1", message=TEXT)
    assert answer == {"received": {"ann": True, "bob": False}, "failed": {}}


@isolates("peer.history")
async def peer_history(world: World) -> None:
    await world.theirs.send_to("bob", "theirs", "p1", historical=True)
    assert world.other.texts() == ["theirs"]
    assert await world.ours.call("peer.history", peer="bob") == {"messages": [], "more": False}


@isolates("presence.query")
async def query(world: World) -> None:
    found = await world.ours.call("presence.query", uids=["ann", "bob"])
    assert found["states"] == {"ann": "ONLINE", "bob": "OFFLINE"}


@isolates("presence.subscribe")
async def subscribe(world: World) -> None:
    """A user of ours comes and goes whom theirs watch under the same id."""
    found = await world.ours.call("presence.subscribe", uids=["bob", "cal"])
    assert found["states"] == {"bob": "OFFLINE", "cal": "OFFLINE"}
    cal = world.lifetime.open_client(world.place)
    await cal.login(world.app, "cal")
    await world.lifetime.news(world.ours)
    assert await world.ours.expect("presence.changed") == {"states": {"cal": "ONLINE"}}
    await cal.call("session.logout")
    await world.lifetime.news(world.ours)
    assert await world.ours.expect("presence.changed") == {"states": {"cal": "OFFLINE"}}


@isolates("presence.unsubscribe")
async def unsubscribe(world: World) -> None:
    await world.ours.call("presence.subscribe", uids=["bob", "dan"])
    await world.ours.call("presence.unsubscribe", uids=["bob"])
    assert await world.ours.call("presence.subscriptions") == {"uids": ["dan"]}


@isolates("presence.subscriptions")
async def subscriptions(world: World) -> None:
    assert await world.ours.call("presence.subscriptions") == {"uids": []}


@isolates("user.get_attributes")
async def get_user_attributes(world: World) -> None:
    assert await world.ours.call("user.get_attributes", uid="ann") == {"attributes": {}}
    assert await refusal(world.ours, "user.get_attributes", uid="bob") == "user_not_found"


@isolates("user.set_attributes")
async def set_user_attributes(world: World) -> None:
    await changes_user(world, "user.set_attributes", attributes={"ours": "1"})


@isolates("user.update_attributes")
async def update_user_attributes(world: World) -> None:
    await changes_user(world, "user.update_attributes", attributes={"ours": "1"})


@isolates("user.delete_attributes")
async def delete_user_attributes(world: World) -> None:
    await changes_user(world, "user.delete_attributes", keys=["theirs"])


@isolates("user.clear_attributes")
async def clear_user_attributes(world: World) -> None:
    await changes_user(world, "user.clear_attributes")


async def changes_user(world: World, method: str, **params: Any) -> None:
    await world.ours.call(method, **params)
    found = await world.ours.call("user.get_attributes", uid="ann")
    assert found == {"attributes": params.get("attributes", {})}


@isolates("invitation.send")
async def invitation_send(world: World) -> None:
    """The same id is another invitation, and bob is not here to get it."""
    sent = await world.ours.call("invitation.send", invitation="i1", peer="bob", content="ours")
    assert (sent["state"], sent["reason"], sent["step"]) == ("FAILED", "PEER_OFFLINE", 1)


@isolates("invitation.confirm")
async def invitation_confirm(world: World) -> None:
    await answers(world, "invitation.confirm")


@isolates("invitation.accept")
async def invitation_accept(world: World) -> None:
    await answers(world, "invitation.accept", response="ours")


@isolates("invitation.refuse")
async def invitation_refuse(world: World) -> None:
    await answers(world, "invitation.refuse", response="ours")


async def answers(world: World, method: str, **params: Any) -> None:
    """A bob of ours is not the bob that theirs invited."""
    bob = await world.lifetime.enter(world.app, "bob", place=world.place)
    assert await refusal(bob, method, invitation="i1", caller="ann", **params) == "invitation_not_found"


@isolates("invitation.cancel")
async def invitation_cancel(world: World) -> None:
    assert await refusal(world.ours, "invitation.cancel", invitation="i1") == "invitation_not_found"


@isolates("invitation.list")
async def invitation_list(world: World) -> None:
    assert await world.ours.call("invitation.list") == {"invitations": [], "more": False}


@isolates("media.start")
async def media_start(world: World) -> None:
    """Theirs do not count against the quotas of ours."""
    started = await world.ours.call("media.start", kind="FILE", name="ours", size=1)
    ours = await Project.objects.aget(app_id=world.app)
    assert (started["media"] != world.media, ours.media_bytes) == (True, 1)


@isolates("media.finish")
async def media_finish(world: World) -> None:
    assert await refusal(world.ours, "media.finish", media=world.media) == "media_not_found"


@isolates("media.abandon")
async def media_abandon(world: World) -> None:
    assert await refusal(world.ours, "media.abandon", media=world.media) == "media_not_found"


@isolates("media.url")
async def media_url(world: World) -> None:
    """The same user id does not make it theirs."""
    assert await refusal(world.ours, "media.url", media=world.media) == "media_not_found"


def test_every_method_has_an_isolation_case() -> None:
    assert set(CASES) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
async def test_projects_do_not_see_each_other(world: World, method: str) -> None:
    before = await world.theirs_is()
    await CASES[method](world)
    assert await world.told_theirs() == []
    after = await world.theirs_is()
    assert after == before
    assert before["members"] == {"members": ["ann", "bob"], "total": 2}
    assert [entry["body"] for entry in before["history"]["entries"]] == [TEXT]
    assert list(before["attributes"]["attributes"]) == ["theirs"]
    assert before["states"]["states"] == {"ann": "ONLINE", "bob": "ONLINE", "cal": "OFFLINE"}
    assert before["subscriptions"] == {"uids": ["bob", "cal"]}
    assert before["users"] == [{"attributes": {"theirs": "1"}}] * 2
    assert [each["state"] for each in before["invitations"]["invitations"]] == ["SENT"]


async def test_what_one_project_does_is_not_told_to_the_other(world: World) -> None:
    """The other way round: with both in the room, what theirs do is heard by theirs alone."""
    await world.ours.call("room.join", room="math")
    await world.ours.call("presence.subscribe", uids=["ann", "bob"])
    await world.told_theirs()
    while not world.ours.pushes.empty():
        world.ours.pushes.get_nowait()
    await world.theirs.call("room.send", room="math", message_id="m3", message=TEXT)
    await world.theirs.call("room.clear_attributes", room="math", message_id="m4")
    await world.other.call("room.leave", room="math")
    await world.theirs.call("session.logout")
    await world.lifetime.news(world.ours)
    await world.lifetime.pass_time(3, world.ours)
    assert world.ours.pushes.empty()


async def test_what_one_project_spends_is_not_taken_from_the_other(world: World) -> None:
    for _ in range(5):
        await world.theirs.call("room.members", room="math")
    assert await refusal(world.theirs, "room.members", room="math") == "too_often"
    await world.ours.call("room.join", room="math")
    assert await world.ours.call("room.members", room="math")
