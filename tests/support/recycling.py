"""Database connections that are used again: opening one costs more than most tests do with it.

The threads of each runtime open connections of their own and close them at its end. Here a closed one, if nothing is
under way on it, waits for the next thread that opens one.
"""

import contextlib
import select
import sqlite3
from collections.abc import Iterator
from typing import Any
from unittest import mock

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

_waiting: list[Any] = []


@contextlib.contextmanager
def recycled_connections() -> Iterator[None]:
    """For the session's own database, in all threads."""
    wrapper: Any = type(connections[DEFAULT_DB_ALIAS])
    opens, closes = wrapper.get_new_connection, wrapper._close

    def get_new_connection(self: Any, params: dict[str, Any]) -> Any:
        while self.alias == DEFAULT_DB_ALIAS and (found := _take()) is not None:
            if _is_at_rest(found):
                return found
            found.close()
        return opens(self, params)

    def _close(self: Any) -> None:
        if self.alias == DEFAULT_DB_ALIAS and self.connection is not None and _is_at_rest(self.connection):
            _waiting.append(self.connection)
        else:
            closes(self)

    with mock.patch.multiple(wrapper, get_new_connection=get_new_connection, _close=_close):
        yield
    close_waiting()


def close_waiting() -> None:
    """For good: before a test ends sessions in the server, which takes a moment to tell."""
    while (found := _take()) is not None:
        found.close()


def _take() -> Any:
    try:
        return _waiting.pop()
    except IndexError:
        return None


def _is_at_rest(found: sqlite3.Connection | psycopg.Connection[Any]) -> bool:
    """Whether no transaction is open, and the server has not ended it: then there would be something to read."""
    if isinstance(found, sqlite3.Connection):
        return not found.in_transaction
    idle = psycopg.pq.TransactionStatus.IDLE
    return not found.closed and found.info.transaction_status == idle and not select.select([found], [], [], 0)[0]
