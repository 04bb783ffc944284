"""Messages to a peer whose client does not take them: refused while it is there, skipped when it comes later."""

from typing import Any

import pytest

from messaging.messages import PEER_MEDIA_SENT
from messaging.models import Entry
from messaging.selectors import from_ms
from tests.peers.post import KEPT, Post
from tests.support.client import TAKES_MEDIA, CallFailed, Client
from tests.support.media import ready_media
from tests.support.runtimes import elsewhere


async def mine(post: Post) -> str:
    """A file of ann's."""
    return await ready_media(post.app, "ann", now=from_ms(post.lifetime.clock.now_ms()))


async def send_file(ann: Client, media: str, message_id: str, **params: Any) -> bool:
    """Ann sends bob a file; whether it was received."""
    message = {"type": "FILE", "media": media}
    sent = await ann.call("peer.send", peer="bob", message_id=message_id, message=message, **params)
    received: bool = sent["received"]
    return received


async def bob(post: Post, **login: Any) -> Client:
    client = post.lifetime.open_client(post.place)
    post.lifetime.clock.advance(1)
    await client.login(post.app, "bob", **login)
    return client


async def is_incompatible(ann: Client, media: str, message_id: str, **params: Any) -> bool:
    with pytest.raises(CallFailed) as refused:
        await send_file(ann, media, message_id, **params)
    return refused.value.name == "incompatible_message"


async def test_a_file_for_a_client_that_takes_none_is_refused_and_not_stored(post: Post) -> None:
    ann, client = await post.ann(), await bob(post)
    media = await mine(post)
    for number, params in enumerate(({}, KEPT, {"historical": True})):
        assert await is_incompatible(ann, media, f"m{number}", **params)
    assert not await elsewhere(Entry.objects.filter(stream__project__app_id=post.app).exists)
    await client.expect_nothing("stream.skipped")
    assert await ann.send_to("bob", "a text", "m9") is True


async def test_what_a_client_takes_is_what_its_last_login_said(post: Post) -> None:
    ann, first = await post.ann(), await bob(post, **TAKES_MEDIA)
    media = await mine(post)
    assert await send_file(ann, media, "m1") is True
    assert (await first.expect(PEER_MEDIA_SENT))["body"]["message"]["media"] == media
    session = await post.session_of("bob")
    await bob(post, session=session)
    assert await is_incompatible(ann, media, "m2")
    assert await send_file(ann, media, "m1") is True, "a repeated message has its first answer"
    await bob(post, session=session, **TAKES_MEDIA)
    assert await send_file(ann, media, "m2") is True


async def test_a_file_kept_for_a_user_who_is_away_is_skipped_by_a_client_that_takes_none(post: Post) -> None:
    ann = await post.ann()
    assert await send_file(ann, await mine(post), "m1", **KEPT) is False
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
    ann, able = await post.ann(), await bob(post, **TAKES_MEDIA)
    assert await send_file(ann, await mine(post), "m1", historical=True) is True
    assert await ann.send_to("bob", "a text", "m2", historical=True) is True
    for client, peer, wanted in ((able, "ann", ["m2", "m1"]), (ann, "bob", ["m2"])):
        page = await client.call("peer.history", peer=peer)
        assert [one["message_id"] for one in page["messages"]] == wanted
