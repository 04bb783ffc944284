"""Peer messages over logins: whose acknowledgement counts, and what one who comes back is given."""

from typing import Any

from messaging.engine import Messaging
from messaging.journal import Mark
from messaging.store import DatabaseStreamStore
from tests.peers.post import KEPT, Post, answered, committed, texts_in
from tests.support.client import Client


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


async def test_rule_peers_what_a_login_by_a_fast_clock_has_withdrawn_was_not_received(post: Post) -> None:
    """Two processes' clocks differ by more than they may: a message of a moment ago is too old for the login, which so
    says of it that it need not be delivered. Its sender does not take that for a receipt."""
    ann, bob = await post.ann(), await post.bob(reads_inbox=False)
    await bob.close()
    await post.lifetime.settle()
    first = await ann.start_send_to("bob", "withdrawn", "m1")
    await post.committed()
    store = post.lifetime.runtimes[post.place].recoveries._store
    assert isinstance(store, DatabaseStreamStore)
    store._clock_ms = lambda: post.lifetime.clock.now_ms() + 20_000
    again = post.lifetime.open_client(post.place)
    post.lifetime.clock.advance(1)
    assert texts_in(await again.login(post.app, "bob")) == []
    assert await ann.send_to("bob", "next", "m2") is True
    await post.seen()
    assert await answered(first) is False


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
