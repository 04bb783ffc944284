"""Reading the log: pages, windows and history agree with a model of it, whatever retention has deleted."""

from collections.abc import Callable
from itertools import accumulate, count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.models import Entry, Stream
from messaging.selectors import ENVELOPE_BYTES, find_answer, first_seq_since, from_ms, history, read_entries, to_ms
from projects.models import Project
from tests.support.journals import NOW_MS, make_stream

names = count(1)
slow = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def filled(project: Project, entries: list[tuple[int, str, int, bool]]) -> tuple[Stream, list[Entry]]:
    """A stream of these (ms since the last, event, size, kept); those that are kept."""
    stream = make_stream(project, f"room:{next(names)}")
    moments = accumulate((step for step, *_ in entries), initial=NOW_MS)
    rows = [
        Entry(
            stream=stream,
            seq=seq,
            sender="ann",
            message_id=f"m{seq}",
            event=event,
            body="x" * size,
            created_at=from_ms(moment),
        )
        for seq, ((_, event, size, _), moment) in enumerate(zip(entries, list(moments)[1:], strict=True), 1)
    ]
    kept = [row for row, (*_, is_kept) in zip(rows, entries, strict=True) if is_kept]
    Entry.objects.bulk_create(kept)
    Stream.objects.filter(pk=stream.pk).update(head=len(rows))
    return stream, kept


logs = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1_000]),
        st.sampled_from(["room.sent", "room.sent", "room.attributes_changed"]),
        st.sampled_from([1, 100, 3_000]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=40,
)


@slow
@given(log=logs, after=st.integers(0, 45), max_bytes=st.integers(1, 20_000))
def test_a_page_is_as_much_as_fits_and_at_least_one(
    project: Project, log: list[tuple[int, str, int, bool]], after: int, max_bytes: int
) -> None:
    stream, kept = filled(project, log)
    expected: list[int] = []
    size = 0
    for row in kept:
        if row.seq > after:
            size += len(row.body) + ENVELOPE_BYTES
            if expected and size > max_bytes:
                break
            expected.append(row.seq)
    assert [entry.seq for entry in read_entries(stream.pk, after, max_bytes)] == expected


@slow
@given(log=logs, after=st.integers(0, 45), ago_ms=st.integers(-10, 20_000))
def test_the_first_of_a_window_is_found(
    project: Project, log: list[tuple[int, str, int, bool]], after: int, ago_ms: int
) -> None:
    stream, kept = filled(project, log)
    since_ms = NOW_MS + ago_ms
    expected = [row.seq for row in kept if row.seq > after and to_ms(row.created_at) >= since_ms]
    assert first_seq_since(stream.pk, after, since_ms) == (expected[0] if expected else None)


def test_the_first_of_a_window_is_found_by_few_look_ups(project: Project) -> None:
    stream, _ = filled(project, [(1, "room.sent", 1, True)] * 1_000)
    with CaptureQueriesContext(connection) as queries:
        assert first_seq_since(stream.pk, 0, NOW_MS + 700) == 700
    assert len(queries) <= 15


@slow
@given(
    log=logs,
    before=st.one_of(st.none(), st.integers(0, 45)),
    after=st.one_of(st.none(), st.integers(0, 45)),
    limit=st.integers(1, 60),
    max_bytes=st.integers(1, 100_000),
    order=st.sampled_from(["asc", "desc"]),
)
def test_history_is_a_part_of_the_log_and_says_whether_there_is_more(
    project: Project,
    log: list[tuple[int, str, int, bool]],
    before: int | None,
    after: int | None,
    limit: int,
    max_bytes: int,
    order: str,
) -> None:
    stream, kept = filled(project, log)
    rows = [row for row in kept if row.event == "room.sent"]
    rows = [row for row in rows if (before is None or row.seq < before) and (after is None or row.seq > after)]
    rows = rows if order == "asc" else rows[::-1]
    found, more = history(
        project.pk,
        stream.name,
        events=("room.sent",),
        before=before,
        after=after,
        limit=limit,
        max_bytes=max_bytes,
        order="asc" if order == "asc" else "desc",
    )
    assert [entry.seq for entry in found] == [row.seq for row in rows[: len(found)]]
    assert more == (len(found) < len(rows))
    assert len(found) <= limit
    assert found or not rows
    size = sum(len(entry.body) + ENVELOPE_BYTES for entry in found)
    assert size <= max_bytes or len(found) == 1
    if more and len(found) < limit:
        assert size + len(rows[len(found)].body) + ENVELOPE_BYTES > max_bytes, "nothing was held back that fitted"


def test_a_first_answer_is_found_by_sender_stream_and_id(project: Project) -> None:
    stream, (row,) = filled(project, [(5, "room.sent", 3, True)])
    first = find_answer(project.pk, stream.name, "ann", "m1")
    assert first is not None
    assert (first.seq, first.ts, first.event, first.body) == (1, to_ms(row.created_at), "room.sent", "xxx")
    for other in (
        (project.pk + 1, stream.name, "ann", "m1"),
        (project.pk, "room:other", "ann", "m1"),
        (project.pk, stream.name, "bob", "m1"),
        (project.pk, stream.name, "ann", "m2"),
    ):
        assert find_answer(*other) is None


@given(st.integers(0, 4_000_000_000_000))
def test_a_moment_in_ms_is_kept_to_the_ms(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
