"""`manage.py serve`: the service on uvicorn or Daphne, in one process or several."""

import asyncio
import gc
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from socket import socket
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils.autoreload import get_child_arguments

from realtime import runtime
from realtime.server.lifecycle import Lifecycle
from realtime.server.listener import open_listener, raise_file_limit, url_of
from realtime.server.supervisor import Supervisor, adopt

APPLICATION: Final = "config.asgi:application"


class Command(BaseCommand):
    """Prints one line with its address once it serves. SIGTERM and SIGINT drain it; a second one kills it."""

    help = "Serves the pages, the API and the WebSocket."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (HOST; %(default)s)")
        parser.add_argument(
            "--port", type=int, default=settings.PORT, help="port, 0 for a free one (PORT; %(default)s)"
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            help="processes that share the port; more than one need PostgreSQL and Redis",
        )
        parser.add_argument(
            "--server",
            choices=("uvicorn", "daphne"),
            default=settings.SERVER,
            help="ASGI server (SERVER; %(default)s)",
        )
        parser.add_argument(
            "--stock",
            action="store_true",
            help="uvicorn without the fast path: to compare, or to find a fault",
        )
        parser.add_argument("--worker", help=SUPPRESS)  # set by the parent process only

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        workers: int,
        server: str,
        stock: bool,
        worker: str | None,
        **options: Any,
    ) -> None:
        if worker is not None:
            listener, on_ready = adopt(worker)
            serve(listener, on_ready, server=server, stock=stock, patient=True)
            return
        check(port, workers, server=server, stock=stock)
        raise_file_limit()
        try:
            listener = open_listener(host, port)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host} port {port}: {error}") from None
        address = url_of(listener)

        def announce() -> None:
            self.stdout.write(f"Listening on {address}")
            self.stdout.flush()

        if workers == 1:
            serve(listener, announce, server=server, stock=stock)
        else:
            sys.exit(asyncio.run(supervise(workers, listener, announce)))


def check(port: int, workers: int, *, server: str, stock: bool) -> None:
    """CommandError for what cannot work."""
    if not 0 <= port <= 65535:
        raise CommandError(f"A port is 0 to 65535, not {port}.")
    if server not in ("uvicorn", "daphne"):
        raise CommandError(f"SERVER is uvicorn or daphne, not {server!r}.")
    if stock and server != "uvicorn":
        raise CommandError("--stock is about uvicorn.")
    if workers < 1:
        raise CommandError("--workers is 1 or more.")
    if workers > 1 and (connection.vendor != "postgresql" or not settings.REDIS_URL):
        raise CommandError(
            "Several workers need what they share: a PostgreSQL DATABASE_URL and a REDIS_URL. "
            "With SQLite or without Redis, run one."
        )


def tune_garbage_collection() -> None:
    """A server's objects live as long as their connections, and those leave no cycles: looking through all of them
    after each 700 new ones, as Python does by itself, took a fifth of the time of a login."""
    gc.freeze()  # what the start has made stays
    gc.set_threshold(50_000, 50, 100)


def serve(listener: socket, on_ready: Callable[[], None], *, server: str, stock: bool, patient: bool = False) -> None:
    """Runs the application in this process until a signal."""
    tune_garbage_collection()
    lifecycle = Lifecycle(drain=runtime.drain, shutdown=runtime.shutdown, patient=patient)
    if server == "daphne":
        from realtime.server.daphne_server import run_daphne  # installs a Twisted reactor

        run_daphne(APPLICATION, listener, lifecycle=lifecycle, on_ready=on_ready)
    else:
        from realtime.server.uvicorn_server import run_uvicorn

        run_uvicorn(APPLICATION, listener, lifecycle=lifecycle, on_ready=on_ready, stock=stock)


async def supervise(workers: int, listener: socket, on_ready: Callable[[], None]) -> int:
    """This same command as worker processes; the exit code."""
    return await Supervisor(get_child_arguments(), workers, listener, on_ready).run()
