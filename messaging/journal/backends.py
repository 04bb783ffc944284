"""How a group is written: one transaction, its SQL built from the model's fields. A test compares the rows
with those of an ORM insert."""

import contextlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg
from django.db import connection
from django.db.utils import DatabaseErrorWrapper

from messaging.journal.append import Append
from messaging.journal.mark import Mark
from messaging.models import Entry, Stream

_FIELDS: Final = ("stream", "seq", "sender", "message_id", "event", "body", "flags", "created_at")


def entry_columns() -> tuple[str, ...]:
    """The columns of an entry, the key left to the database."""
    columns = {
        field.name: field.column
        for field in Entry._meta.concrete_fields
        if field.column is not None and not field.primary_key
    }
    assert set(columns) == set(_FIELDS)
    return tuple(columns[name] for name in _FIELDS)


class Backend(Protocol):
    """Runs in one thread, on its Django connection. Raises Django's database errors."""

    def write(
        self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
    ) -> list[Append]:
        """Appends the group in one transaction and sets each `seq`. Returns those whose stream's head was
        locked by somebody else: nothing of them is written. All rows are written, or none.

        `marks` are written too, and say so; those of a locked stream are left."""


def backend_for(vendor: str) -> Backend:
    return SQLiteBackend() if vendor == "sqlite" else PostgreSQLBackend()


def count_by_stream(group: Sequence[Append]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for append in group:
        counts[append.stream_id] = counts.get(append.stream_id, 0) + 1
    return counts


class MissingStream(Exception):
    """A stream's row has been deleted under a process that knew its id."""


class SQLiteBackend:
    """Plain sqlite3 statements: the writer thread is the only writer of this process."""

    def __init__(self) -> None:
        stream = Stream._meta.db_table
        self._one = f"UPDATE {stream} SET head=head+? WHERE id=? RETURNING id, head"
        self._many = (
            "WITH wanted(id, n) AS (VALUES {rows}) "
            f"UPDATE {stream} SET head=head+wanted.n FROM wanted WHERE {stream}.id=wanted.id "
            f"RETURNING {stream}.id, head"
        )
        columns = entry_columns()
        self._insert = (
            f"INSERT INTO {Entry._meta.db_table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"
        )
        self._mark = f"UPDATE {stream} SET acked=max(acked, ?), reader_generation=? WHERE id=? AND reader_generation<=?"

    def write(
        self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
    ) -> list[Append]:
        connection.ensure_connection()
        raw: sqlite3.Connection = connection.connection
        with DatabaseErrorWrapper(connection):
            raw.execute("BEGIN IMMEDIATE")
            try:
                for mark in marks:
                    values = (mark.acked, mark.generation, mark.stream_id, mark.generation)
                    mark.counts = raw.execute(self._mark, values).rowcount == 1
                if group:
                    self._write(raw, group, str(connection.ops.adapt_datetimefield_value(now)))
                raw.execute("COMMIT")
            except BaseException:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
                raise
        for mark in marks:
            mark.written = True
        return []

    def _write(self, raw: sqlite3.Connection, group: Sequence[Append], created_at: str) -> None:
        counts = count_by_stream(group)
        parameters: list[int] = []
        if len(counts) == 1:
            ((stream_id, count),) = counts.items()
            heads = raw.execute(self._one, (count, stream_id)).fetchall()
        else:
            for stream_id, count in counts.items():
                parameters += (stream_id, count)
            rows = ",".join(["(?,?)"] * len(counts))
            heads = raw.execute(self._many.format(rows=rows), parameters).fetchall()
        if len(heads) != len(counts):
            raise MissingStream
        next_seq = {stream_id: head - counts[stream_id] for stream_id, head in heads}
        rows_written = []
        for append in group:
            seq = next_seq[append.stream_id] = next_seq[append.stream_id] + 1
            append.seq = seq
            rows_written.append(
                (
                    append.stream_id,
                    seq,
                    append.sender,
                    append.message_id,
                    append.event,
                    append.body,
                    append.flags,
                    created_at,
                )
            )
        written = raw.executemany(self._insert, rows_written).rowcount
        if written != len(group):
            raise RuntimeError(f"{written} rows written for {len(group)} appends")


class PostgreSQLBackend:
    """One statement, so one round trip and one implicit transaction: heads are locked in id order, rows
    inserted, heads returned."""

    def __init__(self) -> None:
        stream = Stream._meta.db_table
        columns = entry_columns()
        self._sql = (
            "WITH locked AS ("
            f"SELECT s.id, v.n FROM {stream} s JOIN unnest(%s::bigint[], %s::bigint[]) v(id, n) ON v.id = s.id "
            "ORDER BY s.id FOR UPDATE OF s{skip}), "
            "heads AS ("
            f"UPDATE {stream} s SET head = s.head + locked.n FROM locked WHERE s.id = locked.id "
            "RETURNING s.id, s.head - locked.n AS base), "
            "written AS ("
            f"INSERT INTO {Entry._meta.db_table} ({', '.join(columns)}) "
            "SELECT heads.id, heads.base + e.n, e.sender, e.message_id, e.event, e.body, e.flags, %s::timestamptz "
            "FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[]) "
            "e(stream_id, n, sender, message_id, event, body, flags) JOIN heads ON heads.id = e.stream_id RETURNING 1) "
            "SELECT id, base, (SELECT count(*) FROM written) FROM heads"
        )
        self._mark_sql = (
            "WITH locked AS ("
            f"SELECT s.id, v.acked, v.generation FROM {stream} s "
            "JOIN unnest(%s::bigint[], %s::bigint[], %s::bigint[]) v(id, acked, generation) ON v.id = s.id "
            "ORDER BY s.id FOR UPDATE OF s SKIP LOCKED), "
            "marked AS ("
            f"UPDATE {stream} s SET acked = greatest(s.acked, locked.acked), reader_generation = locked.generation "
            "FROM locked WHERE s.id = locked.id AND s.reader_generation <= locked.generation RETURNING s.id) "
            "SELECT locked.id, marked.id IS NOT NULL FROM locked LEFT JOIN marked ON marked.id = locked.id"
        )

    def write(
        self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
    ) -> list[Append]:
        connection.ensure_connection()
        raw: psycopg.Connection[Any] = connection.connection
        with DatabaseErrorWrapper(connection), psycopg.Cursor(raw) as marking, psycopg.Cursor(raw) as appending:
            # Sent together: one implicit transaction, and one trip there and back.
            with raw.pipeline() if marks and group else contextlib.nullcontext():
                if marks:
                    self._send_marks(marking, marks)
                if group:
                    self._send_group(appending, group, now, skip_locked=skip_locked)
            locked: dict[int, bool] = dict(marking.fetchall()) if marks else {}
            heads = appending.fetchall() if group else []
        for mark in marks:
            mark.written = mark.stream_id in locked
            mark.counts = locked.get(mark.stream_id, False)
        return self._take_heads(group, heads, skip_locked=skip_locked) if group else []

    def _send_marks(self, cursor: psycopg.Cursor[Any], marks: Sequence[Mark]) -> None:
        parameters = (
            [mark.stream_id for mark in marks],
            [mark.acked for mark in marks],
            [mark.generation for mark in marks],
        )
        cursor.execute(self._mark_sql, parameters, prepare=True)

    def _send_group(
        self, cursor: psycopg.Cursor[Any], group: Sequence[Append], now: datetime, *, skip_locked: bool
    ) -> None:
        counts = count_by_stream(group)
        offsets: list[int] = []
        seen: dict[int, int] = {}
        for append in group:
            offset = seen[append.stream_id] = seen.get(append.stream_id, 0) + 1
            offsets.append(offset)
        parameters = (
            list(counts),
            list(counts.values()),
            now,
            [append.stream_id for append in group],
            offsets,
            [append.sender for append in group],
            [append.message_id for append in group],
            [append.event for append in group],
            [append.body for append in group],
            [append.flags for append in group],
        )
        sql = self._sql.replace("{skip}", " SKIP LOCKED" if skip_locked else "")
        cursor.execute(sql, parameters, prepare=True)

    def _take_heads(
        self, group: Sequence[Append], heads: Sequence[tuple[int, int, int]], *, skip_locked: bool
    ) -> list[Append]:
        """Gives each append its seq; returns those whose stream was locked."""
        last = {stream_id: base for stream_id, base, _ in heads}
        skipped = []
        for append in group:
            before = last.get(append.stream_id)
            if before is None:
                skipped.append(append)
            else:
                last[append.stream_id] = append.seq = before + 1
        if heads and heads[0][2] != len(group) - len(skipped):
            raise RuntimeError(f"{heads[0][2]} rows written for {len(group) - len(skipped)} appends")
        if skipped and not skip_locked:
            raise MissingStream
        return skipped
