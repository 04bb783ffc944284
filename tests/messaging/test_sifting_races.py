"""An inbox that several processes sift at once, or whose sifter is killed between two steps."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, connections

from messaging import sifting
from messaging.inbox import Opened, open_inbox, sift_inbox
from messaging.models import Entry, EntryFlag, Stream
from messaging.selectors import from_ms, read_unread
from projects.models import Project
from realtime.streams import PAGE_BYTES
from tests.support.journals import NOW_MS, make_stream

NOW = from_ms(NOW_MS)
LIMIT = 4
FLAGS = [0, EntryFlag.OFFLINE, EntryFlag.HISTORICAL, EntryFlag.OFFLINE | EntryFlag.HISTORICAL]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sifting, "STEP", 3)


@pytest.fixture
def inbox(make_project: Callable[..., Project]) -> Stream:
    """40 entries of 20 s ago, every other one with the offline flag."""
    stream = make_stream(make_project(limits={"sizes": {"offline_messages": LIMIT}}), "inbox:bob")
    Entry.objects.bulk_create(
        Entry(
            stream=stream,
            seq=seq,
            sender="ann",
            message_id=f"m{seq}",
            event="peer.sent",
            body="{}",
            flags=FLAGS[seq % 4],
            created_at=NOW - timedelta(seconds=20),
        )
        for seq in range(1, 41)
    )
    Stream.objects.filter(pk=stream.pk).update(head=40)
    return stream


def unread(inbox: Stream, after: int) -> list[int]:
    return [entry.seq for entry in read_unread(inbox.pk, after, PAGE_BYTES)[0]]


def open_to_the_end(inbox: Stream, generation: int) -> Opened | None:
    while True:
        opened = open_inbox(stream_id=inbox.pk, generation=generation, limit=LIMIT, now=NOW)
        if opened is None or opened.is_sifted:
            return opened


@pytest.mark.parametrize("steps", range(8))
def test_who_comes_after_one_that_was_killed_finds_the_same(inbox: Stream, steps: int) -> None:
    """A step is one transaction: what a process had not committed is done by the next login."""
    for _ in range(steps):
        sift_inbox(stream_id=inbox.pk, sent_before=NOW, now=NOW)
        open_inbox(stream_id=inbox.pk, generation=1, limit=LIMIT, now=NOW)
    opened = open_to_the_end(inbox, 2)
    assert opened is not None
    assert unread(inbox, opened.after) == [33, 35, 37, 39]


def test_many_that_sift_at_once_leave_what_one_would(inbox: Stream) -> None:
    """Two logins, the older of which is told so at the latest at its last step, and two processes that make room."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    opened: dict[int, Opened | None] = {}
    together = threading.Barrier(4)

    def run(work: Callable[[], None]) -> None:
        try:
            together.wait(10)
            work()
        finally:
            connections.close_all()

    def sift() -> None:
        while not sift_inbox(stream_id=inbox.pk, sent_before=NOW, now=NOW):
            pass

    def log_in(generation: int) -> None:
        opened[generation] = open_to_the_end(inbox, generation)

    works: list[Callable[[], None]] = [sift, sift, lambda: log_in(1), lambda: log_in(2)]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    last = opened[2]
    assert last is not None
    assert unread(inbox, last.after) == [33, 35, 37, 39]
    row = Stream.objects.get(pk=inbox.pk)
    assert (row.acked, row.reader_generation) == (32, 2)
