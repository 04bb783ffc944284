"""Turns: what was sent behind a message that is not written is not written either, so that the order stays."""

import time
from collections.abc import Callable

import pytest
from django.db import connection

from messaging.journal.backends import backend_for
from messaging.journal.committer import RETRY_S
from messaging.models import Stream
from projects.models import Project
from realtime.streams import Run
from tests.support.doubles import ScriptedBackend
from tests.support.journals import answers, make_append, make_committer, make_stream, rows


@pytest.fixture
def stream(make_project: Callable[..., Project]) -> Stream:
    return make_stream(make_project())


def test_rule_turns_who_stands_behind_an_expired_message_is_not_written(stream: Stream) -> None:
    run, late = Run(), time.monotonic() - 1
    group = [
        make_append(stream, "m0", run=run),
        make_append(stream, "m1", run=run, expires_s=late),
        make_append(stream, "other", sender="bob"),
        make_append(stream, "m2", run=run),
    ]
    committer = make_committer()
    committer.commit(group)
    assert answers(group) == [1, "expired", 2, "out_of_turn"]
    again = [make_append(stream, "m3", run=run)]  # was on its way
    committer.commit(again)
    assert answers(again) == ["out_of_turn"]
    run = Run()
    anew = [make_append(stream, f"m{number}", run=run) for number in (1, 2, 3)]
    committer.commit(anew)
    assert rows(stream) == [
        (1, "ann", "m0"),
        (2, "bob", "other"),
        *[(seq, "ann", f"m{seq - 2}") for seq in (3, 4, 5)],
    ]


def test_rule_turns_who_stands_behind_a_message_that_the_database_did_not_take_is_not_written(stream: Stream) -> None:
    backend = ScriptedBackend(backend_for(connection.vendor), *["refuse"] * (1 + len(RETRY_S)))
    committer, run = make_committer(backend), Run()
    groups = [[make_append(stream, f"m{number}", run=run)] for number in range(2)]
    alone = [make_append(stream, "alone")]
    for group in (*groups, alone):
        committer.commit(group)
    assert [answers(group) for group in (*groups, alone)] == [["unavailable"], ["out_of_turn"], [1]]


def test_rule_turns_a_message_that_is_refused_for_good_holds_nobody_up(stream: Stream) -> None:
    run = Run()
    committer = make_committer()
    committer.commit([make_append(stream, "m0", event="something else")])
    group = [make_append(stream, "m0", run=run), make_append(stream, "m1", run=run)]
    committer.commit(group)
    assert answers(group) == ["invalid_params", 2]
