"""Files and images to users (docs/contract.md 4 and 5)."""

from typing import Any

import pytest

from messaging.media.models import MediaUse
from messaging.selectors import from_ms
from tests.peers.post import KEPT, Post, answered
from tests.support.client import TAKES_MEDIA, CallFailed, Client
from tests.support.media import IMAGE, ready_media


@pytest.fixture
def post(post: Post) -> Post:
    """Of clients that take files and images."""
    post.params = TAKES_MEDIA
    return post


async def mine(post: Post, **fields: Any) -> str:
    """A file of ann's."""
    return await ready_media(post.app, "ann", now=from_ms(post.lifetime.clock.now_ms()), **fields)


def file(media: str) -> dict[str, Any]:
    return {"type": "FILE", "media": media}


async def start(ann: Client, media: str, message_id: str = "m1", **params: Any) -> Any:
    return await ann.start("peer.send", peer="bob", message_id=message_id, message=file(media), **params)


async def test_a_file_reaches_a_peer_who_may_fetch_it(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    media = await mine(post, **IMAGE)
    image = {"type": "IMAGE", "media": media}
    answer = await ann.start("peer.send", peer="bob", message_id="m1", message=image, historical=True)
    text = await ann.start_send_to("bob", "what do you say?", "m2")
    pushed = await bob.expect("peer.media_sent")
    assert (pushed["stream"], pushed["sender"], pushed["message_id"]) == ("inbox:bob", "ann", "m1")
    said = {"type": "IMAGE", "media": media, "name": "board.png", "description": "", "size": 3_000}
    said |= {key: IMAGE[key] for key in ("content_type", "width", "height", "thumbnail_width", "thumbnail_height")}
    assert pushed["body"] == {"message": said, "historical": True}
    assert (await bob.expect("peer.sent"))["message_id"] == "m2", "in the order of sending"
    await post.seen()
    assert await answered(answer)
    assert await answered(text)
    assert await bob.call("media.url", media=media)
    for client, peer in ((ann, "bob"), (bob, "ann")):
        (past,) = (await client.call("peer.history", peer=peer))["messages"]
        assert (past["message_id"], past["body"]) == ("m1", pushed["body"])


async def test_a_file_is_kept_for_a_peer_who_is_away(post: Post) -> None:
    ann = await post.ann()
    media = await mine(post)
    for number in range(2):
        assert not await answered(await start(ann, media, f"m{number}", **KEPT))
    login = await post.bob_again()
    found = login["inbox"]["entries"]
    assert [(entry["event"], entry["message_id"]) for entry in found] == [
        ("peer.media_sent", "m0"),
        ("peer.media_sent", "m1"),
    ]
    assert found[0]["body"]["offline"] is True
    assert await MediaUse.objects.filter(media__media_id=media).acount() == 2


async def test_a_file_to_nobody_that_is_not_kept_leaves_no_trace(post: Post) -> None:
    ann = await post.ann()
    media = await mine(post)
    await post.pass_time(21, ann)  # it cannot be a second attempt
    assert not await answered(await start(ann, media))
    assert not await MediaUse.objects.filter(media__media_id=media).aexists()
    assert (await post.bob_again())["inbox"]["entries"] == []


async def test_a_file_to_many(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    media = await mine(post)
    params = {"peers": ["bob", "carol"], "message_id": "m1", "offline": True}
    waiting = await ann.start("peer.send_many", message=file(media), **params)
    assert (await bob.expect("peer.media_sent"))["body"]["message"]["media"] == media
    await post.seen()
    assert await waiting == {"received": {"bob": True, "carol": False}, "failed": {}}
    assert await MediaUse.objects.filter(media__media_id=media).acount() == 2
    failed = await ann.call("peer.send_many", message=file("0" * 32), **params | {"message_id": "m2"})
    assert failed == {"received": {}, "failed": {"bob": "media_not_found", "carol": "media_not_found"}}


async def test_rule_idempotency_of_a_file_to_a_peer(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    media = await mine(post)
    waiting = [await start(ann, media) for _ in range(2)]
    await bob.expect("peer.media_sent")
    await post.seen()
    assert [await answered(answer) for answer in waiting] == [True, True]
    await bob.expect_nothing("peer.media_sent")
    assert await MediaUse.objects.filter(media__media_id=media).acount() == 1
    await bob.call("session.logout")
    await post.pass_time(21, ann)
    assert await answered(await start(ann, media)), "as it was received then"
    with pytest.raises(CallFailed) as refused:
        await ann.send_to("bob", "text", "m1")
    assert refused.value.name == "invalid_params"
