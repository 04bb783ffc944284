"""Peer messages that are kept for a user who is away (docs/contract.md 5)."""

from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from messaging.models import Stream
from messaging.selectors import kept_for_later
from projects.models import Project
from tests.peers.post import KEPT, Post, answered, texts_in


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


# -- more than are kept --------------------------------------------------------------------------------------


@pytest.fixture
def without_rates(make_project: Callable[..., Project]) -> str:
    """The App ID of a project where one may send as much as one likes."""
    return make_project(limits={"rates": {"message": [1_000_000, 1_000]}}).app_id


async def test_rule_peers_what_is_pushed_out_is_withdrawn_while_its_user_is_away(
    post: Post, without_rates: str
) -> None:
    """So that his login finds little to do, whatever was sent to him."""
    post.app = without_rates
    ann = await post.ann()
    answers = [await ann.start_send_to("bob", str(number), f"m{number}", **KEPT) for number in range(1_050)]
    assert [await answered(answer) for answer in answers] == [False] * 1_050
    await post.committed()
    unread = await sync_to_async(unread_of)(post.app, "bob")
    assert unread == list(range(1_051 - len(unread), 1_051))
    assert 200 <= len(unread) <= 250, "the newest 200 when the 1,000th came, and what has come since"
    login = await post.bob_again()
    assert texts_in(login) == [str(number) for number in range(850, 1_050)]
    assert all(entry["body"]["offline"] for entry in login["inbox"]["entries"])


async def test_rule_peers_who_is_there_and_slow_to_acknowledge_loses_nothing(post: Post) -> None:
    bob = await post.bob(reads_inbox=False)
    senders = [await post.lifetime.enter(post.app, f"u{number}") for number in range(9)]
    answers = [
        await sender.start_send_to("bob", "hello", f"m{number}", **KEPT) for sender in senders for number in range(50)
    ]
    for _ in answers:
        pushed = await bob.expect("peer.sent")
    await post.committed()
    await bob.notify("inbox.ack", seq=pushed["seq"])
    await bob.call("session.ping")
    await post.seen()
    assert [await answered(answer) for answer in answers] == [True] * 450


def unread_of(app: str, uid: str) -> list[int]:
    """The seqs of what a user has still to be given."""
    stream = Stream.objects.get(project__app_id=app, name=f"inbox:{uid}")
    return list(kept_for_later(stream.pk).filter(seq__gt=stream.acked).order_by("seq").values_list("seq", flat=True))
