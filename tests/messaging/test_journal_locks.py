"""Locks (PostgreSQL): a service that holds a room's head delays this room only, and changes no order."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import InternalError, connection, transaction

from messaging.journal.backends import backend_for
from messaging.models import Stream
from messaging.services import append_entry
from projects.models import Project
from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.doubles import ScriptedBackend, ThreadGate
from tests.support.journals import answers, make_append, make_committer, make_stream, rows
from tests.support.runtimes import elsewhere, entries

pytestmark = pytest.mark.usefixtures("_postgresql")


@pytest.fixture
def _postgresql(shape: str) -> None:
    if shape != "cluster":
        pytest.skip("SQLite has one writer at a time: there are no locks of rows")


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def slow_service(stream_id: int, gate: ThreadGate, idle_limit_ms: int = 60_000) -> None:
    """Appends an entry, and takes its time before it commits."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {idle_limit_ms}")
        append_entry(
            stream_id=stream_id,
            event="room.sent",
            sender="service",
            message_id="s1",
            body='{"type":"TEXT","text":"by a service"}',
            now=datetime.now(UTC),
        )
        gate.come()


async def room_of(client: Client, app: str, uid: str, *rooms: str) -> None:
    await client.login(app, uid)
    for room in rooms:
        await client.call("room.join", room=room)
        await client.send(room, "first", f"{room}-0")


async def test_rule_locks_a_slow_service_delays_its_own_room_only(
    runtime: Runtime, open_client: Callable[..., Client], project: Project
) -> None:
    ann = open_client()
    await room_of(ann, project.app_id, "ann", "slow", "quick")
    gate = ThreadGate()
    slow = runtime.hub.live[project.pk, "room:slow"]
    assert slow.id is not None
    service = runtime.hub.spawn(elsewhere(slow_service, slow.id, gate))
    await gate.arrived()
    delayed = [
        await ann.start("room.send", room="slow", message_id=f"d{n}", message={"type": "TEXT", "text": str(n)})
        for n in range(3)
    ]
    for number in range(5):
        await ann.send("quick", "not delayed", f"q{number}")
    delayed.append(await ann.start("room.send", room="slow", message_id="d3", message={"type": "TEXT", "text": "3"}))
    await ann.send("quick", "not delayed", "q5")
    assert not any(answer.done() for answer in delayed)
    gate.open()
    await service
    assert [(await answer)["seq"] for answer in delayed] == [3, 4, 5, 6]
    await ann.send("slow", "after", "d4")
    await runtime.hub.check_heads()
    await runtime.hub.settle(10)
    await ann.call("session.ping")
    slow_ones = [entry for entry in entries(ann) if entry["stream"] == "room:slow"]
    assert [(entry["seq"], entry["message_id"]) for entry in slow_ones] == [
        (1, "slow-0"),
        (2, "s1"),
        (3, "d0"),
        (4, "d1"),
        (5, "d2"),
        (6, "d3"),
        (7, "d4"),
    ]


def held_by(stream: Stream, gate: ThreadGate, idle_limit_ms: int = 60_000) -> threading.Thread:
    """A thread in which a slow service holds the stream's head until the gate is opened."""

    def run() -> None:
        try:
            slow_service(stream.pk, gate, idle_limit_ms)
        except InternalError:  # "terminating connection due to idle-in-transaction timeout"
            assert idle_limit_ms < 60_000
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert gate.wait_for_arrival()
    return thread


def test_rule_locks_a_locked_head_is_skipped_and_the_others_are_written(project: Project) -> None:
    locked, free = make_stream(project, "room:locked"), make_stream(project, "room:free")
    gate = ThreadGate()
    service = held_by(locked, gate)
    group = [make_append(locked, "m1"), make_append(free, "m2"), make_append(locked, "m3"), make_append(free, "m4")]
    committer = make_committer()
    assert committer.commit(group) == [group[0], group[2]]
    assert answers(group) == [0, 1, 0, 2]
    gate.open()
    assert committer.commit([group[0], group[2]], skip_locked=False) == []
    service.join()
    assert answers(group) == [2, 1, 3, 2]
    assert [message_id for _, _, message_id in rows(locked)] == ["s1", "m1", "m3"]


def test_rule_locks_a_repeated_id_does_not_make_the_journal_wait_for_another_rooms_service(
    project: Project,
) -> None:
    locked, free = make_stream(project, "room:locked"), make_stream(project, "room:free")
    gate = ThreadGate()
    service = held_by(locked, gate)
    backend = ScriptedBackend(backend_for(connection.vendor))
    group = [make_append(free, "m1"), make_append(locked, "m2"), make_append(free, "m1"), make_append(locked, "m2")]
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
        try:
            skipped = make_committer(backend).commit(group)
        finally:
            cursor.execute("RESET lock_timeout")
    assert skipped == [group[1], group[3]]
    assert answers(group) == [1, 0, 1, 0]
    gate.open()
    assert make_committer().commit(skipped, skip_locked=False) == []
    service.join()
    assert answers(group) == [1, 2, 1, 2]


def test_rule_locks_a_service_that_hangs_is_ended_by_the_database(project: Project) -> None:
    stream = make_stream(project)
    gate = ThreadGate()
    service = held_by(stream, gate, idle_limit_ms=50)
    append = make_append(stream, "m1")
    assert make_committer().commit([append], skip_locked=False) == []
    gate.open()
    service.join()
    assert answers([append]) == [1]
    assert rows(stream) == [(1, "ann", "m1")]


def test_rule_locks_every_connection_ends_hanging_transactions_after_two_seconds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("2s",)


def test_rule_locks_heads_are_taken_in_one_order_whatever_the_groups(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes whose groups name the same rooms in opposite orders never wait for each other in a circle."""
    streams = [make_stream(project, f"room:{number}") for number in range(6)]
    failures: list[object] = []

    def process(name: str, order: list[Stream]) -> None:
        try:
            committer = make_committer()
            for turn in range(40):
                group = [make_append(stream, f"{name}{turn}", sender=name) for stream in order]
                committer.commit(group, skip_locked=False)
                failures.extend(append.error for append in group if append.error is not None)
        finally:
            connection.close()

    orders = {"up": streams, "down": streams[::-1], "mixed": streams[3:] + streams[:3]}
    threads = [threading.Thread(target=process, args=item) for item in orders.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert "not committed" not in caplog.text, "nor was a deadlock ended by the database"
    for stream in streams:
        assert [seq for seq, *_ in rows(stream)] == list(range(1, 121))
