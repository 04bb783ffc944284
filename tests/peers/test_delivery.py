"""Peer messages: what "received" means, and what becomes of what was not (docs/contract.md 5)."""

from unittest import mock

import pytest
from django.db import DatabaseError

from messaging.engine import Messaging
from messaging.journal import Append
from peers.delivery import PeerMessages
from tests.peers.post import Post, answered, committed, texts_in
from tests.support.client import CallFailed
from tests.support.doubles import until


async def test_a_message_arrives_and_its_sender_is_told(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    assert await ann.send_to("bob", "hello", "m1") is True
    pushed = await bob.expect("peer.sent")
    assert (pushed["stream"], pushed["sender"], pushed["message_id"]) == ("inbox:bob", "ann", "m1")
    assert pushed["body"] == {"message": {"type": "TEXT", "text": "hello"}}
    await ann.expect_nothing("peer.sent")


async def test_rule_peers_received_means_acknowledged_by_the_receiver(post: Post) -> None:
    """Not that it was sent to him: as long as he has not acknowledged, the sender waits."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "hello", "m1")
    pushed = await committed(answer, bob)
    await post.pass_time(5, ann, bob)
    assert not answer.done()
    await bob.notify("inbox.ack", seq=pushed["seq"])
    assert await answered(answer) is True


async def test_rule_peers_what_was_answered_false_is_never_delivered_later(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "lost", "m1")
    await committed(answer, bob)
    await bob.close()
    await post.pass_time(7, ann)
    assert await answered(answer) is False
    assert await ann.send_to("bob", "lost too", "m2") is False
    again = await post.bob_again()
    assert texts_in(again) == []
    assert await ann.send_to("bob", "back", "m3") is True


async def test_rule_peers_a_first_attempt_that_comes_late_changes_no_answer(post: Post) -> None:
    """Ann's first process had it in work when she lost it, and commits it after the second has answered."""
    ann, bob = await post.ann(), await post.bob()
    messaging, held = post.lifetime.runtime.part(Messaging), list[Append]()
    with mock.patch.object(messaging, "append", held.append):
        await ann.start_send_to("bob", "once", "m1")
        await until(lambda: bool(held))
    await ann.close()
    await bob.call("session.logout")
    await post.pass_time(2)
    again = await post.lifetime.enter(post.app, "ann", place=1)
    assert await again.send_to("bob", "once", "m1") is False
    for append in held:
        messaging.append(append)
    await post.committed()
    assert texts_in(await post.bob_again()) == []
    await post.seen()
    assert await again.send_to("bob", "once", "m1") is False


@pytest.mark.parametrize(("after_s", "texts"), [(13, ["unanswered"]), (15, [])])
async def test_rule_peers_what_nobody_answers_for_is_delivered_for_15_s(
    post: Post, after_s: float, texts: list[str]
) -> None:
    """The sender's process died before it could withdraw it, and the sender does not ask again."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    for runtime in post.lifetime.runtimes:
        await runtime.part(PeerMessages).stop()  # nobody looks by himself
    with mock.patch.object(PeerMessages, "look"):
        answer = await ann.start_send_to("bob", "unanswered", "m1")
        await committed(answer, bob)
        await bob.close()
        await post.pass_time(after_s, ann)
        assert not answer.done()
        assert texts_in(await post.bob_again(reads_inbox=False)) == texts


async def test_rule_peers_an_acknowledgement_of_later_ones_does_not_confirm_a_withdrawn_one(post: Post) -> None:
    """It is cumulative: the sender who asks again still hears that the first has not arrived."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "lost", "m1")
    await committed(answer, bob)
    await bob.close()
    await post.pass_time(7, ann)
    assert await answered(answer) is False
    await post.bob()
    assert await ann.send_to("bob", "later", "m2") is True
    assert await ann.send_to("bob", "lost", "m1") is False


async def test_a_peer_that_dropped_a_moment_ago_is_waited_for(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    await bob.close()
    await post.lifetime.settle()
    answer = await ann.start_send_to("bob", "wait for me", "m1")
    await post.committed()
    await post.pass_time(3, ann)
    assert not answer.done()
    login = await post.bob_again()
    assert texts_in(login) == ["wait for me"]
    await post.seen()
    assert await answered(answer) is True


async def test_a_peer_that_dropped_6_s_ago_is_not(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    await bob.close()
    await post.pass_time(7, ann)
    assert await ann.send_to("bob", "too late", "m1") is False
    assert texts_in(await post.bob_again()) == []


async def test_nobody_waits_for_more_than_9_s(post: Post) -> None:
    """The peer is there, as far as its heartbeats tell, and never acknowledges."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "hello", "m1")
    await committed(answer, bob)
    await post.pass_time(8, ann, bob)
    assert not answer.done()
    await post.pass_time(1.1, ann, bob)
    assert await answered(answer) is False


async def test_a_user_who_never_was_here_has_not_received(post: Post) -> None:
    ann = await post.ann()
    assert await ann.send_to("nobody", "hello", "m1") is False


async def test_a_message_to_oneself_arrives(post: Post) -> None:
    ann = await post.ann()
    assert await ann.send_to("ann", "note", "m1") is True
    assert (await ann.expect("peer.sent"))["sender"] == "ann"


async def test_messages_of_a_pair_arrive_in_order(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    answers = [await ann.start_send_to("bob", str(number), f"m{number}") for number in range(50)]
    assert [await answered(answer) for answer in answers] == [True] * 50
    assert bob.texts() == [str(number) for number in range(50)]


# -- repeated ------------------------------------------------------------------------------------------------


async def test_rule_idempotency_a_repeated_message_arrives_once_and_has_its_first_answer(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    assert await ann.send_to("bob", "once", "m1") is True
    assert await ann.send_to("bob", "once", "m1") is True
    await bob.close()
    await post.pass_time(7, ann)
    assert await ann.send_to("bob", "once", "m1") is True
    assert bob.texts() == ["once"]


async def test_rule_idempotency_both_attempts_wait_for_the_one_receipt(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answers = [await ann.start_send_to("bob", "once", "m1") for _ in range(2)]
    pushed = await bob.expect("peer.sent")
    await ann.call("session.ping")
    await post.look()
    await bob.notify("inbox.ack", seq=pushed["seq"])
    assert [await answered(answer) for answer in answers] == [True, True]
    await bob.expect_nothing("peer.sent")


async def test_rule_idempotency_a_message_id_serves_one_message_to_each_peer(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    carol = await post.lifetime.enter(post.app, "carol", place=post.place)
    assert await ann.send_to("bob", "one", "m1") is True
    assert await ann.send_to("carol", "another", "m1") is True
    assert (bob.texts(), carol.texts()) == (["one"], ["another"])


# -- failures ------------------------------------------------------------------------------------------------


async def test_a_failure_of_the_database_of_any_kind_is_an_answer_and_gives_the_place_back(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise DatabaseError("deadlock")

    monkeypatch.setattr("peers.delivery.settle_receipts", fail)
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "hello", "m1")
    await committed(answer, bob)
    part = post.lifetime.runtime.part(PeerMessages)
    (session,) = [session for session in post.lifetime.runtime.sessions.all() if session.uid == "ann"]
    assert part.waits.of_sender[session.project.id, "ann"] == 1
    await post.pass_time(9.1, ann, bob)
    with pytest.raises(CallFailed) as failed:
        await answered(answer)
    assert failed.value.name == "unavailable"
    assert part.waits.of_sender[session.project.id, "ann"] == 0
