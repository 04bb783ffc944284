"""Sending peer messages: their limits, and to many at once."""

import pytest

from tests.peers.post import Post, answered
from tests.support.client import CallFailed


async def test_a_peer_message_has_at_most_32_kib(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    assert await ann.send_to("bob", "x" * 32_768, "m1") is True
    with pytest.raises(CallFailed) as refused:
        await ann.send_to("bob", "x" * 32_769, "m2")
    assert refused.value.name == "size_overflow"
    assert len(bob.texts()) == 1


async def test_peer_and_room_messages_share_180_in_3_s(post: Post) -> None:
    ann = await post.ann()
    await ann.call("room.join", room="math")
    answers = [await ann.start_send_to("nobody", "x", f"m{number}") for number in range(179)]
    await ann.send("math", "x", "r1")
    with pytest.raises(CallFailed) as refused:
        await ann.send_to("nobody", "x", "m180")
    assert refused.value.name == "too_often"
    assert [await answered(answer) for answer in answers] == [False] * 179


# -- to many -------------------------------------------------------------------------------------------------


async def test_one_call_sends_to_many_and_tells_of_each(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    message = {"type": "TEXT", "text": "to all"}
    params = {"peers": ["bob", "ann", "nobody", "bob"], "message_id": "m1", "message": message}
    answer = await ann.call("peer.send_many", **params)
    assert answer == {"received": {"bob": True, "ann": True, "nobody": False}, "failed": {}}
    assert bob.texts() == ["to all"]


async def test_one_call_reaches_100_and_counts_as_so_many(post: Post) -> None:
    ann = await post.ann()
    message = {"type": "TEXT", "text": "to all"}
    many = [f"u{number}" for number in range(101)]
    with pytest.raises(CallFailed) as refused:
        await ann.call("peer.send_many", peers=many, message_id="m1", message=message)
    assert refused.value.name == "limit_exceeded"
    answer = await ann.call("peer.send_many", peers=many[:100], message_id="m1", message=message)
    assert answer["received"] == dict.fromkeys(many[:100], False)
    with pytest.raises(CallFailed) as spent:
        await ann.call("peer.send_many", peers=many[:81], message_id="m2", message=message)
    assert spent.value.name == "too_often"
