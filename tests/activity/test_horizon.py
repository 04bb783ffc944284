"""The rule *settled*: webhooks read the log by key, and pass over no entry that is committed late."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction

from activity.horizon import Horizon
from activity.models import newest_entry
from messaging.journal.backends import backend_for
from messaging.models import Entry, Stream
from messaging.services import append_entry, ensure_stream
from projects.models import Project
from tests.support.activity import deliveries, make_webhook, pump
from tests.support.clock import Lifetime
from tests.support.doubles import WAIT_S, ThreadGate
from tests.support.journals import make_append, make_stream

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


@pytest.fixture
def _postgresql(shape: str) -> None:
    if shape != "cluster":
        pytest.skip("SQLite has one writer at a time: keys are in the order of commits")


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def append(
    project: Project, room: str, message_id: str, *, begun: ThreadGate | None = None, written: ThreadGate | None = None
) -> int:
    """Appends a message, and takes its time at gates: when it has its transaction id, and when only the commit is
    left; the entry's key."""
    stream = ensure_stream(project_id=project.pk, name=f"room:{room}", creator="ann", now=NOW)
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 60000")
                cursor.execute("SELECT pg_current_xact_id()")
        if begun is not None:
            begun.come()
        append_entry(
            stream_id=stream.id,
            event="room.sent",
            sender="ann",
            message_id=message_id,
            body=f'{{"type":"TEXT","text":"{message_id}"}}',
            now=NOW,
        )
        if written is not None:
            written.come()
    return Entry.objects.get(stream_id=stream.id, message_id=message_id).pk


class SlowAppend:
    """An append in a transaction of its own, held open at a gate until `commit`."""

    def __init__(self, project: Project, room: str, *, before_key: bool = False) -> None:
        self._gate = ThreadGate()
        gates = {"begun" if before_key else "written": self._gate}
        self._thread = threading.Thread(target=self._run, args=(project, room, gates))
        self._thread.start()
        assert self._gate.wait_for_arrival()

    def _run(self, project: Project, room: str, gates: dict[str, ThreadGate]) -> None:
        try:
            self.key = append(project, room, "slow", **gates)
        finally:
            connection.close()

    def commit(self) -> int:
        """The entry's key."""
        self._gate.open()
        self._thread.join()
        return self.key


def test_rule_settled_is_the_newest_entry_when_nobody_writes(project: Project) -> None:
    horizon = Horizon()
    key = append(project, "math", "m1")
    assert horizon.advance() == key
    assert horizon.advance() == key
    assert horizon.advance() == newest_entry()


@pytest.mark.usefixtures("_postgresql")
def test_rule_settled_waits_for_an_older_transaction_and_no_younger_one(project: Project) -> None:
    horizon = Horizon()
    before = append(project, "before", "m0")
    assert horizon.advance() == before
    slow = SlowAppend(project, "slow")
    try:
        after = append(project, "quick", "m1")
        assert [horizon.advance() for _ in range(3)] == [before] * 3, "an entry below it is not committed yet"
        younger = SlowAppend(project, "younger")
    finally:
        key = slow.commit()
    try:
        assert before < key < after, "the keys are out of the order of commits"
        assert horizon.advance() == after, "whoever began later cannot write below it"
        assert horizon.advance() == after
    finally:
        last = younger.commit()
    assert horizon.advance() == last


@pytest.mark.usefixtures("_postgresql")
def test_rule_settled_does_not_take_the_youngest_transaction_for_ended(project: Project) -> None:
    """Who began last has taken its key first: no transaction that has ended is younger, so that it is above the xmax
    of a snapshot."""
    horizon = Horizon()
    before = append(project, "before", "m0")
    assert horizon.advance() == before
    elder = SlowAppend(project, "elder", before_key=True)
    youngest = SlowAppend(project, "youngest")
    after = elder.commit()
    try:
        assert horizon.advance() == before, "the youngest has a key below"
    finally:
        key = youngest.commit()
    assert before < key < after
    assert horizon.advance() == after


@pytest.mark.usefixtures("_postgresql")
@pytest.mark.parametrize("way", ["journal", "service"])
def test_rule_settled_rests_on_writers_that_take_the_head_before_a_key(project: Project, way: str) -> None:
    """While the head is somebody else's, whoever waits for it has taken no key: it gets its transaction's id first."""
    append(project, "art", "m0")  # from now on the sequence's last value is a key
    stream = make_stream(project)

    def write() -> None:
        try:
            if way == "journal":
                backend_for("postgresql").write([make_append(stream, "m1")], NOW, skip_locked=False)
            else:
                append(project, "math", "m1")
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    with transaction.atomic():
        Stream.objects.select_for_update().get(pk=stream.pk)
        key = last_key()
        writer.start()
        wait_for_a_blocked_writer()
        assert last_key() == key
    writer.join()
    assert last_key() == key + 1 == Entry.objects.get(stream=stream).pk


def last_key() -> int:
    """The last key that was taken, committed or not."""
    return query("SELECT last_value FROM messaging_entry_id_seq")


def wait_for_a_blocked_writer() -> None:
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        if query("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"):
            return
    pytest.fail("nobody waits for the head")


def query(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("_postgresql")
async def test_rule_settled_brings_an_entry_that_was_committed_late(lifetime: Lifetime, project: Project) -> None:
    webhook = await make_webhook(project.app_id)
    slow = await sync_to_async(SlowAppend)(project, "slow")
    try:
        await sync_to_async(append)(project, "quick", "m1")
        await pump(lifetime.runtime)
        assert await deliveries(webhook) == [], "nothing above a key that may still be filled"
    finally:
        await sync_to_async(slow.commit)()
    await pump(lifetime.runtime)
    rooms = ["slow" in delivery.payload for delivery in await deliveries(webhook)]
    assert rooms == [True, False], "both, in the order of their keys"
