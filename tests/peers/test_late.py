"""A message that was answered "not received" never comes later, however late its push is (docs/contract.md 5)."""

import asyncio

import pytest

from messaging.engine import Messaging
from messaging.journal.committer import Committer
from messaging.store import DatabaseStreamStore
from peers.delivery import PeerMessages
from realtime.streams import StoredEntry
from tests.peers.post import Post, answered, committed, texts_in
from tests.support.client import Client, InProcess
from tests.support.clock import Lifetime
from tests.support.doubles import Gate


@pytest.fixture
def afar(two_places: Lifetime, app: str) -> Post:
    """Peers are at the other process."""
    return Post(two_places, app, 1)


async def test_rule_peers_a_hint_that_comes_after_the_answer_is_not_pushed(afar: Post) -> None:
    """As after a process stood still with its sockets open."""
    ann, bob = await afar.ann(), await afar.bob()
    afar.lifetime.hints.mode = "keep"
    answer = await ann.start_send_to("bob", "withdrawn", "m1")
    await afar.committed()
    await afar.pass_time(9.1, ann, bob)
    assert await answered(answer) is False
    afar.lifetime.hints.deliver()
    await afar.committed()
    await bob.call("session.ping")
    assert bob.texts() == []
    afar.lifetime.hints.mode = "deliver"
    assert await ann.send_to("bob", "next", "m2") is True
    assert bob.texts() == ["next"]


async def test_a_hint_that_is_late_for_a_message_that_is_waited_for_has_it_read(afar: Post) -> None:
    ann, bob = await afar.ann(), await afar.bob()
    afar.lifetime.hints.mode = "keep"
    answer = await ann.start_send_to("bob", "late", "m1")
    await afar.committed()
    await afar.pass_time(5, ann, bob)
    afar.lifetime.hints.deliver()
    assert (await bob.expect("peer.sent"))["body"]["message"]["text"] == "late"
    await bob.call("session.ping")
    await afar.seen()
    assert await answered(answer) is True


async def test_rule_peers_none_is_given_up_while_its_hint_may_be_pushed(afar: Post) -> None:
    """Bob is silent, so that he is unreachable soon, on a connection that is open all the same."""
    ann, bob = await afar.ann(), await afar.bob(reads_inbox=False)
    await afar.pass_time(5.5, ann)
    afar.lifetime.hints.mode = "keep"
    answer = await ann.start_send_to("bob", "hello", "m1")
    await afar.committed()
    await afar.pass_time(1.5, ann)
    assert not answer.done()
    afar.lifetime.hints.deliver()
    pushed = await committed(answer, bob)
    await bob.notify("inbox.ack", seq=pushed["seq"])
    await bob.call("session.ping")
    await afar.seen()
    assert await answered(answer) is True


async def test_rule_peers_what_waits_for_a_slow_reader_may_be_withdrawn(post: Post) -> None:
    """Bob pings and does not read: the message does not wait in a buffer of ours."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    transport = transport_of(bob)
    transport.writable.clear()
    first = await ann.start_send_to("bob", "on its way", "m0")
    await post.committed()
    second = await ann.start_send_to("bob", "withdrawn", "m1")
    await post.committed()
    await post.pass_time(3, ann)
    await bob.notify("session.ping")
    await post.pass_time(3, ann)
    await bob.notify("session.ping")
    await post.pass_time(3.1, ann)
    assert [await answered(first), await answered(second)] == [False, False]
    third = await ann.start_send_to("bob", "in time", "m2")
    await post.committed()
    transport.writable.set()
    pushed = [await bob.expect("peer.sent") for _ in range(2)]
    assert [push["body"]["message"]["text"] for push in pushed] == ["on its way", "in time"]
    await bob.notify("inbox.ack", seq=pushed[1]["seq"])
    await bob.call("session.ping")
    await post.seen()
    assert await answered(third) is True


async def test_rule_peers_what_a_slow_reader_asks_for_is_read_when_it_can_be_sent(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    transport = transport_of(bob)
    transport.writable.clear()
    answers = []
    for number, text in enumerate(["on its way", "withdrawn"]):
        answers.append(await ann.start_send_to("bob", text, f"m{number}"))
        await post.committed()
    page = await bob.start("stream.read", stream="inbox:bob", after=1)
    await give_up_waiting(post, ann, bob)
    assert [await answered(answer) for answer in answers] == [False, False]
    transport.writable.set()
    assert (await page)["entries"] == []


async def test_rule_peers_what_a_login_has_read_is_read_again_when_that_took_long(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    await bob.close()
    await post.lifetime.settle()
    answer = await ann.start_send_to("bob", "withdrawn", "m1")
    await post.committed()
    gate = Gate()
    read_unread = DatabaseStreamStore.read_unread

    async def slow(
        self: DatabaseStreamStore, stream_id: int, after: int, max_bytes: int
    ) -> tuple[list[StoredEntry], bool]:
        found = await read_unread(self, stream_id, after, max_bytes)
        await gate.come()
        return found

    monkeypatch.setattr(DatabaseStreamStore, "read_unread", slow)
    again = post.lifetime.open_client(post.place)
    post.lifetime.clock.advance(1)
    login = asyncio.create_task(again.login(post.app, "bob"))
    await gate.arrived()
    await give_up_waiting(post, ann)
    assert await answered(answer) is False
    gate.open()
    assert texts_in(await login) == []


async def test_what_was_committed_long_ago_is_read_also_where_it_was_committed(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop was late to hear of it: a second attempt at another process may have been answered meanwhile."""
    ann, bob = await post.ann(), await post.bob()
    assert await ann.send_to("bob", "first", "m0") is True
    assert bob.texts() == ["first"]
    read: list[int] = []
    real = DatabaseStreamStore.read

    async def noted(self: DatabaseStreamStore, stream_id: int, after: int, max_bytes: int) -> list[StoredEntry]:
        read.append(after)
        return await real(self, stream_id, after, max_bytes)

    monkeypatch.setattr(DatabaseStreamStore, "read", noted)
    committer: Committer = post.lifetime.runtime.part(Messaging).journal._committer
    monkeypatch.setattr(committer, "_clock_ms", lambda: post.lifetime.clock.now_ms() - 2_001)
    answer = await ann.start_send_to("bob", "late", "m1")
    assert (await bob.expect("peer.sent"))["body"]["message"]["text"] == "late"
    assert read
    await bob.call("session.ping")
    await post.seen()
    assert await answered(answer) is True


async def test_a_long_batch_of_messages_is_pushed_in_order(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    texts = [f"{number} {'x' * 20_000}" for number in range(8)]
    answers = [await ann.start_send_to("bob", text, f"m{number}") for number, text in enumerate(texts)]
    pushed = [await bob.expect("peer.sent") for _ in texts]
    await bob.call("session.ping")
    await post.seen()
    assert [await answered(answer) for answer in answers] == [True] * 8
    assert [push["body"]["message"]["text"] for push in pushed] == texts


async def give_up_waiting(post: Post, ann: Client, *alive: Client) -> None:
    """So much time passes, while something of the processes is held up."""
    for _ in range(4):
        post.lifetime.clock.advance(3)
        for client in alive:
            await client.notify("session.ping")
        await ann.call("session.ping")
        for runtime in post.lifetime.runtimes:
            await runtime.part(PeerMessages).look()


def transport_of(client: Client) -> InProcess:
    transport = client._transport
    assert isinstance(transport, InProcess)
    return transport
