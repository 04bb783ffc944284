"""The journal against a model: any groups, any failures of the database, the same log and the same answers."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.journal import Append
from messaging.journal.backends import backend_for
from messaging.models import Stream
from projects.models import Project
from tests.support.doubles import ScriptedBackend
from tests.support.journals import answers, make_append, make_committer, make_stream, rows

rooms = count(1)

appends = st.tuples(
    st.integers(0, 2),  # the stream
    st.sampled_from(["ann", "bob"]),
    st.integers(1, 12),  # the message id: few, so that they are used again
    st.sampled_from(["", "", "", "", "poisoned", "expired"]),
)
groups = st.tuples(
    st.lists(appends, min_size=1, max_size=12),
    st.lists(st.sampled_from(["refuse", "forget", "write"]), max_size=5),
)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


class Model:
    """What the log must be: entries by stream, and the seq of each message id."""

    def __init__(self, streams: list[Stream]) -> None:
        self.streams = streams
        self.entries: dict[int, list[tuple[int, str, str]]] = {stream.pk: [] for stream in streams}
        self.known: dict[tuple[str, str, int], int] = {}

    def expected(self, group: list[tuple[Append, str]]) -> list[int | str]:
        """The answers to a group, which is then part of the log."""
        found: list[int | str] = []
        for append, kind in group:
            key = (append.message_id, append.sender, append.stream_id)
            if kind == "expired":
                found.append("expired")
            elif kind == "poisoned":
                found.append("rejected")
            else:
                if key not in self.known:
                    entries = self.entries[append.stream_id]
                    self.known[key] = len(entries) + 1
                    entries.append((len(entries) + 1, append.sender, append.message_id))
                found.append(self.known[key])
        return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(groups, max_size=6))
def test_the_journal_does_what_its_model_says(
    project: Project, script: list[tuple[list[tuple[int, str, int, str]], list[str]]]
) -> None:
    streams = [make_stream(project, f"room:{next(rooms)}") for _ in range(3)]
    model = Model(streams)
    backend = ScriptedBackend(backend_for(connection.vendor))
    committer = make_committer(backend, monotonic_s=lambda: 100.0)
    for number, (made, failures) in enumerate(script):
        group = [(_append(streams, fields, number, place), fields[3]) for place, fields in enumerate(made)]
        backend.script.extend(None if failure == "write" else failure for failure in failures)
        assert committer.commit([append for append, _ in group]) == []
        assert answers([append for append, _ in group]) == model.expected(group)
        backend.script.clear()
        for stream in streams:
            assert rows(stream) == model.entries[stream.pk]
            stream.refresh_from_db()
            assert stream.head == len(model.entries[stream.pk])


def _append(streams: list[Stream], fields: tuple[int, str, int, str], group: int, place: int) -> Append:
    stream, sender, message_id, kind = fields
    options: dict[str, Any] = {"sender": sender, "expires_s": 99.0 if kind == "expired" else 101.0}
    if kind == "poisoned":
        append = make_append(streams[stream], f"p{group}-{place}", **options)
        append.body = '"\ud800"'  # there is no such UTF-8
        return append
    return make_append(streams[stream], f"m{message_id}", **options)
