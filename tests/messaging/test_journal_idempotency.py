"""Idempotency: a message id is appended once and answered the same, whatever becomes of the commit."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from messaging.journal import Append
from messaging.journal.backends import backend_for
from messaging.journal.committer import RETRY_S, Committer
from projects.models import Project
from tests.support.doubles import ScriptedBackend
from tests.support.journals import NOW_MS, answers, make_append, make_committer, make_stream, rows


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


def scripted(*script: str) -> tuple[ScriptedBackend, Committer]:
    backend = ScriptedBackend(backend_for(connection.vendor), *script)
    return backend, make_committer(backend)


def test_rule_idempotency_twice_in_one_group(project: Project) -> None:
    stream, other = make_stream(project), make_stream(project, "room:other")
    group = [
        make_append(stream, "m1", body='"first"'),
        make_append(stream, "m1", body='"second"'),
        make_append(other, "m1"),
        make_append(stream, "m1", sender="bob"),
        make_append(stream, "m2"),
        make_append(stream, "m1", body='"third"'),
    ]
    make_committer().commit(group)
    assert answers(group) == [1, 1, 1, 2, 3, 1]
    assert [append.duplicate for append in group] == [False, True, False, False, False, True]
    assert {append.ts for append in group} == {NOW_MS}
    assert rows(stream) == [(1, "ann", "m1"), (2, "bob", "m1"), (3, "ann", "m2")]
    assert stream.entries.get(seq=1).body == '"first"'


def test_rule_idempotency_again_later_gets_the_first_answer(project: Project) -> None:
    stream = make_stream(project)
    now_ms = [NOW_MS]
    committer = make_committer(clock_ms=lambda: now_ms[0])
    first = make_append(stream, "m1")
    committer.commit([first])
    now_ms[0] += 5_000
    again = [make_append(stream, "m0"), make_append(stream, "m1", body='"other"'), make_append(stream, "m2")]
    committer.commit(again)
    assert answers(again) == [2, 1, 3]
    assert (again[1].ts, again[1].duplicate) == (NOW_MS, True)
    assert again[2].ts == NOW_MS + 5_000


def test_rule_idempotency_an_id_used_for_another_event_is_refused(project: Project) -> None:
    """Its first answer would be an answer to something else."""
    stream = make_stream(project)
    committer = make_committer()
    committer.commit([make_append(stream, "m1", event="room.attributes_changed")])
    message = make_append(stream, "m1")
    committer.commit([message])
    assert answers([message]) == ["invalid_params"]


@pytest.mark.parametrize("script", [["forget"], ["refuse"], ["refuse", "forget", "refuse", "forget"]])
def test_rule_idempotency_an_unknown_outcome_is_resubmitted_and_written_once(
    project: Project, script: list[str]
) -> None:
    stream, other = make_stream(project), make_stream(project, "room:other")
    backend, committer = scripted(*script)
    group = [make_append(other if place % 2 else stream, f"m{place}") for place in range(6)]
    committer.commit(group)
    assert answers(group) == [1, 1, 2, 2, 3, 3]
    assert not backend.script
    assert len(rows(stream)) == len(rows(other)) == 3


def test_rule_idempotency_an_unknown_outcome_in_a_group_that_repeats_itself(project: Project) -> None:
    stream = make_stream(project)
    _, committer = scripted("forget")
    group = [make_append(stream, "m1"), make_append(stream, "m2"), make_append(stream, "m1")]
    committer.commit(group)
    assert answers(group) == [1, 2, 1]
    assert len(rows(stream)) == 2


def test_rule_idempotency_a_database_that_stays_away_is_no_for_now(project: Project) -> None:
    stream = make_stream(project)
    _, committer = scripted(*["refuse"] * (len(RETRY_S) + 1))
    append = make_append(stream, "m1")
    committer.commit([append])
    assert append.error is not None
    assert (append.error.kind.name, append.error.kind.retryable) == ("unavailable", True)
    assert rows(stream) == []


def test_rule_idempotency_a_queued_append_expires_before_its_client_gives_up(project: Project) -> None:
    stream = make_stream(project)
    committer = make_committer(monotonic_s=lambda: 100.0)
    group = [make_append(stream, "m1", expires_s=99.9), make_append(stream, "m2", expires_s=100.1)]
    committer.commit(group)
    assert answers(group) == ["expired", 1]
    assert rows(stream) == [(1, "ann", "m2")]


def test_rule_idempotency_what_may_have_been_committed_is_not_called_undone(project: Project) -> None:
    """Expired means: not done, and not done later. After an unknown outcome nobody may say so."""
    stream = make_stream(project)
    now_s = [100.0]

    def sleep(_seconds: float) -> None:
        now_s[0] += 10.0

    backend = ScriptedBackend(backend_for(connection.vendor), "forget")
    committer = make_committer(backend, monotonic_s=lambda: now_s[0], sleep=sleep)
    append = make_append(stream, "m1", expires_s=105.0)
    committer.commit([append])
    assert rows(stream) == [(1, "ann", "m1")]
    assert answers([append]) in ([1], ["unavailable"])


def test_rule_idempotency_in_flight_twice_in_two_processes(project: Project) -> None:
    stream = make_stream(project)
    ids = [f"m{number}" for number in range(30)]
    results: list[list[Append]] = []

    def process(order: list[str]) -> None:
        """Groups of three, in an order of its own."""
        try:
            committer = make_committer()
            appends = [make_append(stream, message_id) for message_id in order]
            for start in range(0, len(appends), 3):
                barrier.wait(10)
                skipped = committer.commit(appends[start : start + 3])
                committer.commit(skipped, skip_locked=False)
            results.append(sorted(appends, key=lambda append: append.message_id))
        finally:
            connection.close()

    orders = [ids, ids[1:] + ids[:1], ids[::-1]]
    barrier = threading.Barrier(len(orders))
    threads = [threading.Thread(target=process, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(orders)
    seqs = [answers(appends) for appends in results]
    assert seqs[0] == seqs[1] == seqs[2]
    assert sorted(map(int, seqs[0])) == list(range(1, len(ids) + 1))
    written = [[append.duplicate for append in appends].count(False) for appends in results]
    assert sum(written) == len(ids), "each was new to one of them"
    assert len(rows(stream)) == len(ids)
