"""Messages to a peer whose client does not take them: refused while it is there, skipped when it comes later."""

import asyncio
from typing import Any

import pytest

from messaging.models import Entry, EntryFlag
from peers.delivery import MEDIA_SENT, PeerMessages
from peers.outgoing import Answer, PeerMessage
from realtime.errors import INCOMPATIBLE_MESSAGE, RpcError
from tests.peers.post import Post
from tests.support.client import TAKES_MEDIA, Client
from tests.support.runtimes import elsewhere

BODY = '{"message":{"type":"FILE"}}'


async def send_file(post: Post, message_id: str, flags: int = 0) -> bool:
    """Ann sends bob a file from the first process; whether it was received."""
    runtime = post.lifetime.runtime
    project = await runtime.tenants.get(post.app)
    assert project is not None
    answered: asyncio.Future[Answer | RpcError] = runtime.loop.create_future()
    runtime.part(PeerMessages).send(
        PeerMessage(
            project=project,
            sender="ann",
            peer="bob",
            event=MEDIA_SENT,
            message_id=message_id,
            body=BODY,
            flags=flags,
            began_s=runtime.loop.time(),
            answer=answered.set_result,
            committed=lambda ts: None,
        )
    )
    outcome = await asyncio.wait_for(answered, 10)
    if isinstance(outcome, RpcError):
        raise outcome
    return outcome.received


async def bob(post: Post, **login: Any) -> Client:
    client = post.lifetime.open_client(post.place)
    post.lifetime.clock.advance(1)
    await client.login(post.app, "bob", **login)
    return client


async def is_incompatible(post: Post, message_id: str, flags: int = 0) -> bool:
    with pytest.raises(RpcError) as refused:
        await send_file(post, message_id, flags)
    return refused.value.kind is INCOMPATIBLE_MESSAGE


async def test_a_file_for_a_client_that_takes_none_is_refused_and_not_stored(post: Post) -> None:
    client = await bob(post)
    for flags in (0, EntryFlag.OFFLINE, EntryFlag.HISTORICAL):
        assert await is_incompatible(post, f"m{flags}", flags)
    assert not await elsewhere(Entry.objects.filter(stream__project__app_id=post.app).exists)
    await client.expect_nothing("stream.skipped")
    ann = await post.ann()
    assert await ann.send_to("bob", "a text", "m9") is True


async def test_what_a_client_takes_is_what_its_last_login_said(post: Post) -> None:
    first = await bob(post, **TAKES_MEDIA)
    assert await send_file(post, "m1") is True
    assert (await first.expect(MEDIA_SENT))["body"] == {"message": {"type": "FILE"}}
    session = await post.session_of("bob")
    await bob(post, session=session)
    assert await is_incompatible(post, "m2")
    assert await send_file(post, "m1") is True, "a repeated message has its first answer"
    await bob(post, session=session, **TAKES_MEDIA)
    assert await send_file(post, "m2") is True


async def test_a_file_kept_for_a_user_who_is_away_is_skipped_by_a_client_that_takes_none(post: Post) -> None:
    ann = await post.ann()
    assert await send_file(post, "m1", EntryFlag.OFFLINE) is False
    assert await ann.send_to("bob", "a text", "m2", offline=True) is False
    kept = (await post.bob_again())["inbox"]["entries"]
    assert [(entry["event"], entry["sender"], entry["message_id"]) for entry in kept] == [
        ("stream.skipped", "ann", "m1"),
        ("peer.sent", "ann", "m2"),
    ]
    assert kept[0]["body"] == {}
    post.lifetime.clock.advance(1)
    able = post.lifetime.open_client(post.place)
    answer = await able.login(post.app, "bob", **TAKES_MEDIA)
    assert answer["inbox"]["entries"] == [], "what was skipped is acknowledged with the rest"


async def test_history_has_files_for_a_client_that_takes_them(post: Post) -> None:
    able = await bob(post, **TAKES_MEDIA)
    ann = await post.ann()
    assert await send_file(post, "m1", EntryFlag.HISTORICAL) is True
    assert await ann.send_to("bob", "a text", "m2", historical=True) is True
    for client, peer, wanted in ((able, "ann", ["m2", "m1"]), (ann, "bob", ["m2"])):
        page = await client.call("peer.history", peer=peer)
        assert [one["message_id"] for one in page["messages"]] == wanted
