"""The one bridge from the loop to threads: Django's ORM is synchronous, and a transaction is one function.

Each thread keeps its database connection. Writes on SQLite run on a single writer thread, in turn with the
journal's groups, so that nobody meets a locked database; on PostgreSQL they run side by side.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

from realtime.errors import OVERLOADED, UNAVAILABLE, RpcError

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

QUEUE_LIMIT: Final = 2_000
READERS: Final = 4
WRITERS: Final = 8

_origin = threading.local()


def origin() -> Any:
    """The runtime for which the current thread runs a function; None outside the bridge."""
    return getattr(_origin, "runtime", None)


class Pool:
    """Threads that take jobs in order. `submit` never blocks."""

    def __init__(self, name: str, threads: int, runtime: object) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._runtime = runtime
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    def _run(self) -> None:
        _origin.runtime = self._runtime
        try:
            while (job := self._jobs.get()) is not None:
                try:
                    job()
                except Exception:
                    logger.exception("%s: a job failed", self._name)
        finally:
            connection.close()

    def stop(self) -> None:
        """Lets the threads end after the jobs that are queued; waits for them, bounded."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout=5)


class Bridge:
    def __init__(self, loop: asyncio.AbstractEventLoop, runtime: object) -> None:
        self._loop = loop
        serial = connection.vendor == "sqlite"
        self.writers = Pool("writer", 1 if serial else WRITERS, runtime)
        self.readers = Pool("reader", READERS, runtime)

    async def write(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a service. Raises what it raises; `unavailable` for a database out of reach."""
        return await self._run(self.writers, partial(function, *args, **kwargs))

    async def read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a selector, with the same errors."""
        return await self._run(self.readers, partial(function, *args, **kwargs))

    async def _run(self, pool: Pool, call: Callable[[], T]) -> T:
        if pool.waiting > QUEUE_LIMIT:
            raise RpcError(OVERLOADED)
        future: asyncio.Future[T] = self._loop.create_future()
        pool.submit(partial(self._job, call, future))
        return await future

    def _job(self, call: Callable[[], T], future: "asyncio.Future[T]") -> None:
        if future.cancelled():
            return
        try:
            result = _call(call)
        except RpcError as error:
            self._settle(future, None, error)
        except (OperationalError, InterfaceError) as error:
            logger.warning("database out of reach: %s", error)
            drop_broken_connection()
            self._settle(future, None, RpcError(UNAVAILABLE))
        except DatabaseError as error:
            drop_broken_connection()
            self._settle(future, None, error)
        except Exception as error:
            self._settle(future, None, error)
        else:
            self._settle(future, result, None)

    def _settle(self, future: "asyncio.Future[T]", result: Any, error: Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, future, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def stop(self) -> None:
        self.writers.stop()
        self.readers.stop()


def _call(call: Callable[[], T]) -> T:
    """A connection that broke while nobody used it, as when the database was restarted, costs nobody an error: the
    function runs once more, on a new one. Each may run twice, as its message id or its nature has it."""
    was_open = connection.connection is not None
    try:
        return call()
    except (OperationalError, InterfaceError):
        drop_broken_connection()
        if not was_open or connection.connection is not None:
            raise  # there is no connection to be had, or another would not help
        return call()


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def drop_broken_connection() -> None:
    """Forgets this thread's connection if it is unusable; the next query opens a new one."""
    if connection.connection is not None and not connection.in_atomic_block:
        connection.errors_occurred = True
        close_old_connections()
