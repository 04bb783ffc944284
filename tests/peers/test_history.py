"""What two peers read back of what they sent each other."""

from typing import Any

from tests.peers.post import Post


async def test_two_peers_read_back_what_was_sent_with_the_flag(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    await ann.send_to("bob", "one", "m1", historical=True)
    await bob.send_to("ann", "two", "m1", historical=True)
    await ann.send_to("bob", "not this", "m2")
    await ann.send_to("carol", "nor this", "m3", historical=True)
    await ann.send_to("bob", "three", "m4", historical=True, offline=True)
    expected = [("bob", "ann", "three"), ("ann", "bob", "two"), ("bob", "ann", "one")]
    for client, peer in ((ann, "bob"), (bob, "ann")):
        page = await client.call("peer.history", peer=peer)
        messages = [(one["receiver"], one["sender"], one["body"]["message"]["text"]) for one in page["messages"]]
        assert messages == expected
        assert page["more"] is False
    carol = await post.lifetime.enter(post.app, "carol")
    assert (await carol.call("peer.history", peer="bob"))["messages"] == []


async def test_history_goes_on_where_it_was_left_either_way(post: Post) -> None:
    ann = await post.ann()
    await post.bob()
    for number in range(5):
        await ann.send_to("bob", str(number), f"m{number}", historical=True)
    page = await ann.call("peer.history", peer="bob", limit=2)
    positions = [one["position"] for one in page["messages"]]
    assert (texts_of(page), page["more"]) == (["4", "3"], True)
    page = await ann.call("peer.history", peer="bob", limit=5, before=positions[-1])
    assert (texts_of(page), page["more"]) == (["2", "1", "0"], False)
    page = await ann.call("peer.history", peer="bob", after=page["messages"][-1]["position"], order="asc", limit=2)
    assert (texts_of(page), page["more"]) == (["1", "2"], True)


def texts_of(page: dict[str, Any]) -> list[str]:
    return [one["body"]["message"]["text"] for one in page["messages"]]
