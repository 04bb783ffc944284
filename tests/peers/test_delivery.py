"""Peer messages: what "received" means, and what becomes of what was not (docs/contract.md 5)."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from messaging.engine import Messaging
from messaging.journal import Append, Mark
from peers.delivery import PeerMessages
from projects.models import Project
from tests.peers.post import Post, committed, texts_in
from tests.support.client import CallFailed, Client
from tests.support.doubles import until

KEPT = {"offline": True}


async def answered(answer: "asyncio.Future[Any]") -> bool:
    received: bool = (await asyncio.wait_for(answer, 10))["received"]
    return received


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


# -- kept for who is away ------------------------------------------------------------------------------------


async def test_a_kept_message_waits_for_the_login(post: Post) -> None:
    ann = await post.ann()
    for number in range(3):
        assert await ann.send_to("bob", str(number), f"m{number}", **KEPT) is False
    login = await post.bob_again()
    assert texts_in(login) == ["0", "1", "2"]
    assert (login["resumed"], login["inbox"]["live"]) == (False, True)
    await post.look()
    assert texts_in(await post.bob_again()) == []


async def test_what_was_not_acknowledged_comes_again_whatever_device_logs_in(post: Post) -> None:
    ann = await post.ann()
    await ann.send_to("bob", "kept", "m1", **KEPT)
    assert texts_in(await post.bob_again(reads_inbox=False)) == ["kept"]
    assert texts_in(await post.bob_again(reads_inbox=False)) == ["kept"]


async def test_200_are_kept_and_the_newest_push_out_the_oldest(post: Post) -> None:
    ann = await post.ann()
    answers = []
    for number in range(201):
        answers.append(await ann.start_send_to("bob", str(number), f"m{number}", **KEPT))
        if number % 60 == 59:
            await post.pass_time(3, ann)
    assert [await answered(answer) for answer in answers] == [False] * 201
    assert texts_in(await post.bob_again()) == [str(number) for number in range(1, 201)]


@pytest.fixture
def keeping_two(make_project: Callable[..., Project]) -> str:
    """The App ID of a project that keeps two messages for a user who is away."""
    return make_project(limits={"sizes": {"offline_messages": 2}}).app_id


async def test_rule_peers_what_was_pushed_out_was_not_received(post: Post, keeping_two: str) -> None:
    """Its sender still waits, for a peer that dropped a moment ago, when the newest two come to the peer's login."""
    post.app = keeping_two
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    await bob.close()
    await post.lifetime.settle()
    answers = [await ann.start_send_to("bob", str(number), f"m{number}", **KEPT) for number in range(3)]
    await post.committed()
    assert texts_in(await post.bob_again()) == ["1", "2"]
    await post.seen()
    assert [await answered(answer) for answer in answers] == [False, True, True]


async def test_they_are_kept_for_7_days(post: Post) -> None:
    ann = await post.ann()
    await ann.send_to("bob", "old", "m1", **KEPT)
    await post.pass_time(1, ann)
    await ann.send_to("bob", "young", "m2", **KEPT)
    post.lifetime.clock.advance(7 * 86_400 - 2.5)
    await post.pass_time(1)
    assert texts_in(await post.bob_again()) == ["young"]


async def test_rule_pages_a_full_inbox_is_pulled_in_pages(post: Post) -> None:
    ann = await post.ann()
    text = "x" * 30_000
    for number in range(20):
        await ann.send_to("bob", f"{number} {text}", f"m{number}", **KEPT)
    bob = post.lifetime.open_client(post.place)
    login = await bob.login(post.app, "bob")
    found = texts_in(login)
    assert login["inbox"]["live"] is False
    assert 0 < len(found) < 20
    seq = login["inbox"]["entries"][-1]["seq"]
    answer = await ann.start_send_to("bob", "meanwhile", "m20")
    live = False
    while not live:
        page = await bob.call("stream.read", stream="inbox:bob", after=seq)
        found += [entry["body"]["message"]["text"] for entry in page["entries"]]
        live, seq = page["live"], page["entries"][-1]["seq"] if page["entries"] else seq
    await bob.notify("inbox.ack", seq=seq)
    if "meanwhile" not in found:
        found.append((await bob.expect("peer.sent"))["body"]["message"]["text"])
    await post.seen()
    assert await answered(answer) is True
    assert [text.split()[0] for text in found] == [*(str(number) for number in range(20)), "meanwhile"]


async def test_rule_pages_a_page_of_hidden_entries_holds_nobody_up(post: Post) -> None:
    """Between what was kept for bob are more bytes than a page has, all of them for the history alone."""
    ann = await post.ann()
    await ann.send_to("bob", "first", "m0", **KEPT)
    for number in range(1, 20):
        await ann.send_to("bob", "x" * 30_000, f"m{number}", historical=True)
    await ann.send_to("bob", "last", "m20", **KEPT)
    bob = post.lifetime.open_client(post.place)
    login = await bob.login(post.app, "bob")
    found, live = texts_in(login), login["inbox"]["live"]
    for _ in range(2):
        if not live:
            page = await bob.call("stream.read", stream="inbox:bob", after=1)
            found += [entry["body"]["message"]["text"] for entry in page["entries"]]
            live = page["live"]
    assert (found, live) == (["first", "last"], True)


async def test_a_message_for_the_history_alone_is_not_delivered_to_who_was_away(post: Post) -> None:
    ann = await post.ann()
    assert await ann.send_to("bob", "for the record", "m1", historical=True) is False
    assert texts_in(await post.bob_again()) == []


# -- sessions ------------------------------------------------------------------------------------------------


async def test_rule_generation_an_acknowledgement_of_an_older_login_does_not_count(post: Post) -> None:
    """Bob's old process has not heard yet that he is at another one: what only the old one's client has read is not
    lost for the new one."""
    ann = await post.ann()
    await ann.send_to("bob", "first", "m0", **KEPT)
    old = post.lifetime.open_client(0, reads_inbox=False)
    await old.login(post.app, "bob")
    session = post.lifetime.runtimes[0].sessions.get(*key_of(post, "bob"))
    assert session is not None
    new = post.lifetime.open_client(1, reads_inbox=False)
    await new.login(post.app, "bob")
    await session_acknowledges(post, old, session, seq=1)
    assert texts_in(await post.bob_again()) == ["first"]


async def test_rule_generation_a_refused_acknowledgement_does_not_stand_in_for_the_right_one(post: Post) -> None:
    """It waits for its group while bob logs in anew: it changes nothing, and what he acknowledges then is committed."""
    ann = await post.ann()
    await ann.send_to("bob", "kept", "m1", **KEPT)
    old = await post.bob(reads_inbox=False)
    runtime = post.lifetime.runtimes[post.place]
    messaging = runtime.part(Messaging)
    (key,) = [session.key for session in runtime.sessions.all() if session.uid == "bob"]
    before = runtime.sessions.get(*key)
    assert before is not None
    assert before.inbox is not None
    stream_id = before.inbox.stream.id
    assert stream_id is not None
    new = post.lifetime.open_client(post.place, reads_inbox=False)
    post.lifetime.clock.advance(1)
    assert texts_in(await new.login(post.app, "bob")) == ["kept"]
    await old.expect_close()
    messaging.journal.mark(Mark((key[0], "inbox:bob"), stream_id, 1, before.generation))
    await post.committed()
    await new.notify("inbox.ack", seq=1)
    await new.call("session.ping")
    await post.committed()
    assert texts_in(await post.bob_again()) == []


def key_of(post: Post, uid: str) -> tuple[int, str]:
    runtime = post.lifetime.runtimes[0]
    return next(session.key for session in runtime.sessions.all() if session.uid == uid)


async def session_acknowledges(post: Post, client: Client, session: Any, seq: int) -> None:
    """As if its frame had been read before the eviction."""
    messaging = post.lifetime.runtimes[0].part(Messaging)
    messaging.acknowledge(session, seq)
    await messaging.journal.idle()


async def test_one_who_resumes_gets_what_came_meanwhile(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob()
    session = await post.session_of("bob")
    await bob.close()
    await post.lifetime.settle()
    answer = await ann.start_send_to("bob", "meanwhile", "m1")
    await post.committed()
    again = post.lifetime.open_client(1)
    login = await again.login(post.app, "bob", session=session)
    assert (login["resumed"], texts_in(login)) == (True, ["meanwhile"])
    await post.seen()
    assert await answered(answer) is True


async def test_an_acknowledgement_of_what_is_not_there_yet_counts_for_what_is(post: Post) -> None:
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    answer = await ann.start_send_to("bob", "one", "m1")
    await committed(answer, bob)
    await bob.notify("inbox.ack", seq=2**53 - 1)
    assert await answered(answer) is True
    second = await ann.start_send_to("bob", "two", "m2")
    await committed(second, bob)
    await bob.notify("inbox.ack", seq=2)
    assert await answered(second) is True


# -- limits --------------------------------------------------------------------------------------------------


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


# -- history -------------------------------------------------------------------------------------------------


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
