"""Services append as their last act, tell after the commit, and nothing of what was rolled back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from messaging import services
from messaging.models import Entry, Stream
from messaging.services import Committed, append_entry, ensure_stream
from projects.models import Project
from realtime.streams import StoredEntry, StreamHead
from tests.support.client import CallFailed
from tests.support.journals import answers, make_append, make_committer, make_stream, rows
from tests.support.runtimes import clients, runtimes, seqs

NOW = datetime(2024, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


@pytest.fixture
def told() -> Iterator[list[tuple[object, Committed]]]:
    """What is published, and for which runtime."""
    found: list[tuple[object, Committed]] = []

    def publish(runtime: object, committed: Committed) -> None:
        found.append((runtime, committed))

    services.on_committed(publish)
    yield found
    services._publishers.remove(publish)


def append(stream: Stream, message_id: str) -> int:
    return append_entry(
        stream_id=stream.pk, event="room.sent", sender="ann", message_id=message_id, body='"x"', now=NOW
    )


def test_an_entry_is_told_after_the_commit_and_not_before(
    project: Project, told: list[tuple[object, Committed]]
) -> None:
    stream = make_stream(project)
    with transaction.atomic():
        assert append(stream, "m1") == 1
        assert append(stream, "m2") == 2
        assert told == []
    assert [committed.entry.seq for _, committed in told] == [1, 2]
    (runtime, committed), _ = told
    assert runtime is None, "a command has none"
    assert committed.key == (project.pk, "room:math")
    assert committed.head == StreamHead(stream.pk, stream.epoch, 1)
    assert committed.entry == StoredEntry(1, "room.sent", "ann", "m1", int(NOW.timestamp() * 1000), '"x"')


def test_what_was_rolled_back_was_never_there(project: Project, told: list[tuple[object, Committed]]) -> None:
    stream = make_stream(project)
    with transaction.atomic():
        append(stream, "m1")
        transaction.set_rollback(True)
    assert (told, rows(stream)) == ([], [])
    with transaction.atomic():
        assert append(stream, "m1") == 1, "its seq is used by the next"


def test_rule_locks_an_entry_is_appended_in_its_services_transaction_only(project: Project) -> None:
    with pytest.raises(AssertionError):
        append(make_stream(project), "m1")


def test_rule_locks_the_head_is_locked_before_it_is_read(project: Project, shape: str) -> None:
    stream = make_stream(project)
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        append(stream, "m1")
    assert len(queries) == 3
    if shape == "cluster":
        assert queries[0]["sql"].endswith("FOR UPDATE")
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            ensure_stream(project_id=project.pk, name=stream.name, creator="ann", now=NOW)
        assert not any("FOR UPDATE" in query["sql"] for query in queries), "looking it up locks nothing"


def test_a_message_id_is_used_once_by_services_and_journal_together(project: Project) -> None:
    stream = make_stream(project)
    with transaction.atomic():
        append(stream, "m1")
    again = make_append(stream, "m1")
    other = make_append(stream, "m2")
    make_committer().commit([again, other])
    assert answers([again, other]) == [1, 2]
    with pytest.raises(IntegrityError), transaction.atomic():
        append(stream, "m2")
    assert len(rows(stream)) == 2
    stream.refresh_from_db()
    assert stream.head == 2


async def test_a_service_and_messages_in_one_room_share_one_order(app: str) -> None:
    async with runtimes(2) as (here, there), clients(app, "math", ann=here, bob=there) as client:
        for number in range(5):
            change = {"room": "math", "message_id": f"a{number}", "attributes": {"k": str(number)}}
            message = {"room": "math", "message_id": f"m{number}", "message": {"type": "TEXT", "text": "x"}}
            both = [
                await client("ann").start("room.set_attributes", **change),
                await client("ann").start("room.send", **message),
                await client("bob").start("room.send", **message),
            ]
            for answer in both:
                await answer
        for runtime in (here, there):
            await runtime.hub.check_heads()
            await runtime.hub.settle(10)
        for uid in ("ann", "bob"):
            await client(uid).call("session.ping")
            assert seqs(client(uid)) == list(range(1, 16))


async def test_a_change_that_is_refused_leaves_no_entry(app: str) -> None:
    async with runtimes(1) as (here,), clients(app, "math", ann=here) as client:
        change = {"room": "math", "attributes": {"k": "v"}}
        await client("ann").call("room.set_attributes", message_id="a1", **change)
        with pytest.raises(CallFailed) as failed:
            await client("ann").call("room.set_attributes", message_id="a2", revision=7, **change)
        assert failed.value.name == "revision_conflict"
        await client("ann").send("math", "x", "m1")
        await client("ann").call("session.ping")
        assert seqs(client("ann")) == [1, 2]


def test_constraints_live_in_the_database(project: Project) -> None:
    stream = make_stream(project)
    fields = {"stream": stream, "sender": "ann", "event": "room.sent", "body": "1", "created_at": NOW}
    Entry.objects.create(seq=1, message_id="m1", **fields)
    for seq, message_id in ((1, "m2"), (2, "m1")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Entry.objects.create(seq=seq, message_id=message_id, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_stream(project)
