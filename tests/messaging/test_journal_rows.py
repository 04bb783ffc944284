"""What a group writes: the rows an ORM insert would make, by as many statements however large it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import psycopg
import pytest
from django.db import connection, models

from messaging.journal import Append
from messaging.journal.backends import entry_columns
from messaging.models import Entry
from projects.models import Project
from tests.support.journals import NOW_MS, answers, make_append, make_committer, make_stream, rows


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


class Counted:
    """A sqlite3 connection that notes what it is asked to execute; an `executemany` is one statement."""

    def __init__(self, raw: Any, statements: list[str]) -> None:
        self._raw = raw
        self._statements = statements

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def execute(self, sql: str, *args: Any) -> Any:
        self._statements.append(sql)
        return self._raw.execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        self._statements.append(sql)
        return self._raw.executemany(sql, *args)


@contextmanager
def statements_of_the_journal() -> Iterator[list[str]]:
    """The SQL that the journal's backend sends; it goes past Django's cursors."""
    statements: list[str] = []
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        counted = Counted(connection.connection, statements)
        with mock.patch.object(connection, "connection", counted):
            yield statements
        return
    execute = psycopg.Cursor.execute

    def counting(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(str(query))
        return execute(self, query, *args, **kwargs)

    with mock.patch.object(psycopg.Cursor, "execute", counting):
        yield statements


def test_the_journal_writes_what_an_orm_insert_writes(project: Project) -> None:
    """In all columns, as the database stores them: also text that looks like something else."""
    stream = make_stream(project)
    body = '{"type":"TEXT","text":"\\u0000 ünï 学校 \\" \'; -- 😀"}'
    append = make_append(stream, "m-1_Z", body=body, sender="a b!#$")
    make_committer().commit([append])
    by_orm = Entry.objects.create(
        stream=stream,
        seq=2,
        sender="a b!#$",
        message_id="m-2_Z",
        event="room.sent",
        body=body,
        created_at=datetime.fromtimestamp(NOW_MS / 1000, UTC),
    )
    by_journal = Entry.objects.get(stream=stream, seq=1)
    differing = {"id", "seq", "message_id"}
    for field in Entry._meta.concrete_fields:
        if field.name not in differing:
            assert getattr(by_journal, field.attname) == getattr(by_orm, field.attname), field.name
    raw = {row[1]: row[2:] for row in _stored(stream.pk)}
    assert raw[1] == raw[2], "also before Django converts anything"
    assert (append.seq, append.ts) == (1, NOW_MS)


def _stored(stream_id: int) -> list[tuple[Any, ...]]:
    alike = ("stream_id", "seq", "sender", "event", "body", "created_at")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(alike)} FROM {Entry._meta.db_table} WHERE stream_id = %s ORDER BY seq", [stream_id]
        )
        return list(cursor.fetchall())


def test_the_insert_names_every_column_of_the_model() -> None:
    columns = [field.column for field in Entry._meta.concrete_fields if not field.primary_key]
    assert sorted(entry_columns()) == sorted(map(str, columns))


def test_a_column_the_journal_does_not_know_is_an_error() -> None:
    class Wider(Entry):
        note = models.TextField()

        class Meta:
            app_label = "messaging"
            abstract = True

    assert {field.name for field in Wider._meta.local_fields} >= {"note"}
    fields = [*Entry._meta.concrete_fields, Wider._meta.get_field("note")]
    with mock.patch.object(Entry._meta, "concrete_fields", fields), pytest.raises(AssertionError):
        entry_columns()


def groups_of(project: Project, sizes: list[int], streams: int) -> Iterator[list[Append]]:
    made = [make_stream(project, f"room:{number}") for number in range(streams)]
    for size in sizes:
        yield [make_append(made[place % streams], f"g{size}-{place}") for place in range(size)]


@pytest.mark.parametrize("streams", [1, 7])
def test_the_number_of_statements_does_not_grow_with_the_group(project: Project, streams: int) -> None:
    committer = make_committer()
    counts = []
    for group in groups_of(project, [7, 70, 700], streams):
        with statements_of_the_journal() as statements:
            committer.commit(group)
        counts.append(len(statements))
        assert [append.error for append in group] == [None] * len(group)
    assert counts == [4, 4, 4] if connection.vendor == "sqlite" else counts == [1, 1, 1]


def test_seqs_have_no_gaps_and_follow_the_order_of_the_group(project: Project) -> None:
    one, two = make_stream(project, "room:1"), make_stream(project, "room:2")
    committer = make_committer()
    first = [make_append(stream, f"a{n}") for n, stream in enumerate([one, two, one, one, two])]
    second = [make_append(stream, f"b{n}") for n, stream in enumerate([two, one])]
    committer.commit(first)
    committer.commit(second)
    assert answers(first) == [1, 1, 2, 3, 2]
    assert answers(second) == [3, 4]
    assert rows(one) == [(1, "ann", "a0"), (2, "ann", "a2"), (3, "ann", "a3"), (4, "ann", "b1")]
    for stream in (one, two):
        stream.refresh_from_db()
    assert (one.head, two.head) == (4, 3)
