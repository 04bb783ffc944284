"""Queries that may look through more than anybody foresaw end after a time."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any, Final

from django.db import OperationalError, connection, transaction

from realtime.errors import LIMIT_EXCEEDED, RpcError

STEPS: Final = 10_000
"""Of SQLite's machine between two looks at the clock: well under a millisecond."""
QUERY_CANCELED: Final = "57014"
"""PostgreSQL's SQLSTATE."""


def time_limit(seconds: float) -> AbstractContextManager[None]:
    """For reads in a thread of the bridge. Raises RpcError `limit_exceeded` when all queries together take longer."""
    ends_s = monotonic() + seconds
    return _postgresql(ends_s) if connection.vendor == "postgresql" else _sqlite(ends_s)


def _exceeded() -> RpcError:
    return RpcError(LIMIT_EXCEEDED, "That is too much to look through: ask for a shorter time.")


@contextmanager
def _postgresql(ends_s: float) -> Iterator[None]:
    """Each query may take what the others have left."""

    def limited(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        left_ms = math.ceil((ends_s - monotonic()) * 1000)
        if left_ms <= 0:
            raise _exceeded()
        connection.connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{left_ms}ms"])
        return execute(sql, params, many, context)

    try:
        with transaction.atomic(), connection.execute_wrapper(limited):
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED:
            raise _exceeded() from error
        raise


@contextmanager
def _sqlite(ends_s: float) -> Iterator[None]:
    """Without a transaction: that would keep writers out."""
    is_over = False

    def look() -> bool:
        nonlocal is_over
        is_over = monotonic() > ends_s
        return is_over

    def limited(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if look():  # a short query may end before its machine looks
            raise _exceeded()
        return execute(sql, params, many, context)

    connection.ensure_connection()
    opened = connection.connection
    opened.set_progress_handler(look, STEPS)
    try:
        with connection.execute_wrapper(limited):
            yield
    except OperationalError as error:
        if is_over:
            raise _exceeded() from error
        raise
    finally:
        opened.set_progress_handler(None, STEPS)
