"""Queries that may look through more than anybody foresaw end after a time."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction

from realtime.errors import LIMIT_EXCEEDED, RpcError

STEPS: Final = 10_000
"""Of SQLite's machine between two looks at the clock: well under a millisecond."""
QUERY_CANCELED: Final = "57014"
"""PostgreSQL's SQLSTATE."""


def time_limit(seconds: float) -> AbstractContextManager[None]:
    """For reads in a thread of the bridge. Raises RpcError `limit_exceeded` when a query takes longer."""
    return _postgresql(seconds) if connection.vendor == "postgresql" else _sqlite(seconds)


def _exceeded() -> RpcError:
    return RpcError(LIMIT_EXCEEDED, "That is too much to look through: ask for a shorter time.")


@contextmanager
def _postgresql(seconds: float) -> Iterator[None]:
    """For each query."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED:
            raise _exceeded() from error
        raise


@contextmanager
def _sqlite(seconds: float) -> Iterator[None]:
    """For all of them together, without a transaction: that would keep writers out."""
    ends_s = time.monotonic() + seconds
    is_over = False

    def look() -> bool:
        nonlocal is_over
        is_over = time.monotonic() > ends_s
        return is_over

    connection.ensure_connection()
    opened = connection.connection
    opened.set_progress_handler(look, STEPS)
    try:
        yield
    except OperationalError as error:
        if is_over:
            raise _exceeded() from error
        raise
    finally:
        opened.set_progress_handler(None, STEPS)
