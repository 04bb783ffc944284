"""What of an inbox is withdrawn, and that it is found without looking at all of the inbox (docs/contract.md 5)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging import sifting
from messaging.inbox import open_inbox, sift_inbox
from messaging.models import Entry, EntryFlag, Stream
from messaging.selectors import from_ms, kept_for_later, read_unread
from projects.models import Project
from realtime.streams import PAGE_BYTES
from tests.support.journals import NOW_MS, make_stream

KEPT, HIDDEN = EntryFlag.OFFLINE, EntryFlag.HISTORICAL | EntryFlag.WITHDRAWN
NOW = from_ms(NOW_MS)
LIFETIMES = {
    "peer.sent": timedelta(seconds=15),
    "peer.media_sent": timedelta(seconds=15),
    "invitation.changed": timedelta(seconds=120),
}
SPARED = timedelta(seconds=15)
SIFT_EVERY = 100
LIMIT = 4
inboxes = count(1)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


class Inbox:
    """An inbox, and by a model of it what of it is to be delivered."""

    def __init__(self, project: Project, limit: int = 200) -> None:
        self.stream = make_stream(project, f"inbox:u{next(inboxes)}")
        self.limit = limit
        self.now = NOW
        self.acked = 0
        self.entries: list[Entry] = []

    @property
    def row(self) -> Stream:
        return Stream.objects.get(pk=self.stream.pk)

    @property
    def head(self) -> int:
        return len(self.entries)

    def append(self, flags: int, number: int = 1, event: str = "peer.sent") -> None:
        new = [
            Entry(
                stream=self.stream,
                seq=self.head + place,
                sender="ann",
                message_id=f"m{self.head + place}",
                event=event,
                body='{"offline":true}',
                flags=flags,
                created_at=self.now,
            )
            for place in range(1, number + 1)
        ]
        Entry.objects.bulk_create(new)
        self.entries += new
        Stream.objects.filter(pk=self.stream.pk).update(head=self.head)

    def acknowledge(self, seq: int) -> None:
        self.acked = max(self.acked, seq)
        Stream.objects.filter(pk=self.stream.pk, acked__lt=seq).update(acked=seq)

    def sift(self, sent_before: datetime | None = None) -> None:
        while not sift_inbox(stream_id=self.stream.pk, sent_before=sent_before, now=self.now):
            pass

    def open(self) -> int:
        """The seq after which to deliver."""
        while True:
            opened = open_inbox(stream_id=self.stream.pk, generation=1, limit=self.limit, now=self.now)
            assert opened is not None
            if opened.is_sifted:
                return opened.after

    def to_deliver(self) -> list[int]:
        """As the contract has it, looking at every entry."""
        found: list[int] = []
        kept = 0
        for entry in reversed(self.entries[self.acked :]):
            is_kept = bool(entry.flags & EntryFlag.OFFLINE)
            lifetime = sifting.OFFLINE_KEPT if is_kept else LIFETIMES[entry.event]
            if entry.flags < EntryFlag.WITHDRAWN and self.now - entry.created_at <= lifetime and kept < self.limit:
                found.insert(0, entry.seq)
                kept += is_kept
            elif entry.flags < EntryFlag.WITHDRAWN and not is_kept and self.now - entry.created_at <= lifetime:
                found.insert(0, entry.seq)
        return found

    def delivered(self, after: int) -> list[int]:
        """What a reader is given."""
        rows = Entry.objects.filter(stream=self.stream, seq__gt=after, flags__lt=EntryFlag.WITHDRAWN)
        return list(rows.order_by("seq").values_list("seq", flat=True))

    def read(self, after: int, max_bytes: int = 1_000) -> list[int]:
        """The same as a reader is given it, in pages."""
        found: list[int] = []
        is_all = False
        while not is_all:
            entries, is_all = read_unread(self.stream.pk, found[-1] if found else after, max_bytes)
            found += [entry.seq for entry in entries]
        return found

    def kept_and_unread(self) -> int:
        return kept_for_later(self.stream.pk).filter(seq__gt=self.acked).count()


def test_the_newest_200_are_delivered_in_order_and_the_others_are_withdrawn(project: Project) -> None:
    inbox = Inbox(project)
    inbox.append(KEPT, 1_300)
    assert inbox.open() == 1_100
    assert inbox.delivered(0) == list(range(1_101, 1_301))
    withdrawn = Entry.objects.filter(stream=inbox.stream, flags=EntryFlag.OFFLINE | EntryFlag.WITHDRAWN)
    assert list(withdrawn.order_by("seq").values_list("seq", flat=True)) == list(range(1, 1_101))


def test_an_inbox_that_is_sifted_while_it_grows_holds_little_more_than_is_delivered(project: Project) -> None:
    inbox = Inbox(project)
    most = 0
    for _ in range(12):
        inbox.append(KEPT, SIFT_EVERY)
        most = max(most, inbox.kept_and_unread())
        inbox.sift()
        assert inbox.kept_and_unread() <= inbox.limit
    assert most == inbox.limit + SIFT_EVERY
    assert inbox.delivered(inbox.open()) == list(range(1_001, 1_201))


def test_what_was_sent_a_moment_ago_is_spared_if_its_user_may_acknowledge_it(project: Project) -> None:
    inbox = Inbox(project)
    inbox.append(KEPT, 150)
    inbox.now += timedelta(seconds=16)
    inbox.append(KEPT, 850)
    inbox.sift(inbox.now - SPARED)
    assert inbox.delivered(0) == list(range(151, 1_001))
    inbox.sift()
    assert inbox.delivered(0) == list(range(801, 1_001))


@pytest.mark.parametrize("event", LIFETIMES)
def test_what_is_not_kept_is_delivered_for_its_own_time(project: Project, event: str) -> None:
    inbox = Inbox(project)
    inbox.append(0, event=event)
    inbox.now += LIFETIMES[event]
    assert inbox.delivered(inbox.open()) == [1]
    inbox.now += timedelta(milliseconds=1)
    assert inbox.delivered(inbox.open()) == []
    assert inbox.delivered(0) == [], "it has not arrived"


# -- however long it is --------------------------------------------------------------------------------------


def grow(inbox: Inbox, entries: int) -> None:
    """Of each hundred half are kept, some are for the history alone, and of some the sender's process has died; sifted
    as it is while its user is away."""
    for _ in range(0, entries, SIFT_EVERY):
        part = min(SIFT_EVERY, entries)
        inbox.append(KEPT, part // 2)
        inbox.append(HIDDEN, part // 4)
        inbox.append(0, part - part // 2 - part // 4)
        inbox.now += timedelta(seconds=200)
        inbox.sift()


@pytest.mark.parametrize("entries", [10, 1_000, 8_000])
def test_sifting_and_opening_ask_as_much_of_a_long_inbox_as_of_a_short_one(project: Project, entries: int) -> None:
    inbox = Inbox(project)
    grow(inbox, entries)
    inbox.append(KEPT, SIFT_EVERY)
    with CaptureQueriesContext(connection) as asked:
        inbox.sift()
    assert len(own_queries(asked)) <= 6
    with CaptureQueriesContext(connection) as asked:
        after = inbox.open()
    assert len(own_queries(asked)) <= 9
    assert inbox.delivered(after) == inbox.to_deliver()


def test_reading_asks_as_much_whatever_lies_between(project: Project) -> None:
    """Sent for the history alone, while its reader was away."""
    inbox = Inbox(project)
    inbox.append(KEPT)
    for _ in range(50):
        inbox.append(HIDDEN, SIFT_EVERY)
        inbox.now += timedelta(seconds=200)
        inbox.sift()
    inbox.append(KEPT)
    after = inbox.open()
    with CaptureQueriesContext(connection) as asked:
        assert inbox.read(after, PAGE_BYTES) == [1, 5_002]
    assert len(own_queries(asked)) == 3


def own_queries(asked: CaptureQueriesContext) -> list[str]:
    sql = [query["sql"] for query in asked.captured_queries]
    return [one for one in sql if not one.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]


def test_nothing_is_sifted_of_an_inbox_that_is_read(project: Project) -> None:
    inbox = Inbox(project)
    inbox.append(KEPT, 1_000)
    inbox.acknowledge(900)
    with CaptureQueriesContext(connection) as asked:
        inbox.sift()
    assert len(own_queries(asked)) == 1


def test_what_was_never_sifted_is_opened_in_steps(project: Project) -> None:
    """Each is a short transaction of its own: other work comes between."""
    inbox = Inbox(project)
    inbox.append(KEPT, 8_000)
    steps = 0
    after = None
    while after is None:
        steps += 1
        before = len(inbox.delivered(0))
        with CaptureQueriesContext(connection) as asked:
            opened = open_inbox(stream_id=inbox.stream.pk, generation=1, limit=200, now=inbox.now)
        assert opened is not None
        assert len(own_queries(asked)) <= 9
        assert before - len(inbox.delivered(0)) <= sifting.STEP
        after = opened.after if opened.is_sifted else None
    assert steps == 7_800 // sifting.STEP + 1
    assert inbox.delivered(after) == list(range(7_801, 8_001))


def test_a_newer_login_ends_an_older_ones_opening(project: Project) -> None:
    inbox = Inbox(project)
    inbox.append(KEPT, 2_000)
    first = open_inbox(stream_id=inbox.stream.pk, generation=1, limit=200, now=inbox.now)
    assert first is not None
    assert not first.is_sifted
    assert inbox.row.acked == 0, "what is not withdrawn yet has not arrived"
    open_inbox(stream_id=inbox.stream.pk, generation=2, limit=200, now=inbox.now)
    assert open_inbox(stream_id=inbox.stream.pk, generation=1, limit=200, now=inbox.now) is None


def test_what_is_kept_is_found_by_its_index() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = kept_for_later(1).filter(seq__gt=7).order_by("seq").values_list("seq", "created_at").explain()
    assert "entry_kept" in plan, plan


# -- against the model ---------------------------------------------------------------------------------------

kinds = st.one_of(
    st.tuples(st.sampled_from([KEPT, KEPT | EntryFlag.HISTORICAL, HIDDEN]), st.just("peer.sent")),
    st.tuples(st.just(0), st.sampled_from(list(LIFETIMES))),
)
acts = st.one_of(
    st.tuples(st.just("append"), kinds, st.integers(1, 9)),
    st.tuples(st.just("append"), kinds, st.integers(1, 9)),
    st.tuples(st.just("pass"), st.sampled_from([1, 16, 121, 6 * 86_400])),
    st.tuples(st.just("acknowledge"), st.integers(0, 4)),
    st.tuples(st.just("sift"), st.booleans()),
    st.tuples(st.just("open")),
)


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sifting, "STEP", 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(acts, min_size=5, max_size=30))
def test_rule_peers_the_newest_are_delivered_whatever_was_sifted_before(
    make_project: Callable[..., Project], short_steps: None, story: list[tuple[str, ...]]
) -> None:
    inbox = Inbox(make_project(limits={"sizes": {"offline_messages": LIMIT}}), LIMIT)
    for act in [*story, ("open",)]:
        play(inbox, *act)


def play(inbox: Inbox, act: str, *details: object) -> None:
    match (act, *details):
        case ("append", (int(flags), str(event)), int(number)):
            inbox.append(flags, number, event)
        case ("pass", int(seconds)):
            inbox.now += timedelta(seconds=seconds)
        case ("acknowledge", int(left)):
            inbox.acknowledge(max(0, inbox.head - left))
        case ("sift", bool(is_there)):
            young = {entry.seq for entry in inbox.entries if inbox.now - entry.created_at < SPARED}
            before = set(inbox.delivered(inbox.acked))
            inbox.sift(inbox.now - SPARED if is_there else None)
            withdrawn = before.difference(inbox.delivered(inbox.acked))
            assert not withdrawn.intersection(inbox.to_deliver())
            assert not (is_there and withdrawn & young)
            assert is_there or inbox.head - inbox.acked <= LIMIT or inbox.kept_and_unread() <= LIMIT
        case _:
            arrived = [seq for seq in inbox.delivered(0) if seq <= inbox.acked]
            expected = inbox.to_deliver()
            after = inbox.open()
            assert after == (expected[0] - 1 if expected else inbox.head)
            assert inbox.delivered(inbox.acked) == expected, "and the others are withdrawn"
            assert [seq for seq in inbox.delivered(0) if seq <= inbox.acked] == arrived
            assert inbox.read(after) == expected
            inbox.acked = after


def test_rule_peers_a_page_of_an_inbox_is_of_one_moment(project: Project) -> None:
    """A message that is kept and, behind it, one that is not are committed between the two queries of a page."""
    inbox = Inbox(project)
    inbox.append(KEPT)

    def commit_between(execute: Any, sql: str, *arguments: Any) -> Any:
        found = execute(sql, *arguments)
        if Entry._meta.db_table in sql and sql.startswith("SELECT") and inbox.head == 1:
            inbox.append(KEPT)
            inbox.append(0)
        return found

    with connection.execute_wrapper(commit_between):
        entries, _ = read_unread(inbox.stream.pk, 0, PAGE_BYTES)
    assert inbox.head == 3
    assert [entry.seq for entry in entries] == [1]
    entries, is_all = read_unread(inbox.stream.pk, 1, PAGE_BYTES)
    assert ([entry.seq for entry in entries], is_all) == ([2, 3], True)
