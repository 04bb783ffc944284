"""Runs the small application of `server_app` as `manage.py serve` runs the real one, and prints its address.

python -m tests.support.server_main uvicorn|stock|daphne [--workers N] [--request-s SECONDS]
"""

import argparse
import asyncio
import sys
from unittest.mock import patch

from realtime.server.listener import open_listener, url_of
from realtime.server.supervisor import Supervisor, adopt
from tests.support import server_app

APPLICATION = "tests.support.server_app:application"


def limit_requests(server: str, request_s: float) -> None:
    protocol = "realtime.server.daphne_http" if server == "daphne" else "realtime.server.http"
    for module in (protocol, "config.body"):
        patch(f"{module}.REQUEST_S", request_s).start()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=("uvicorn", "stock", "daphne"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker")
    parser.add_argument("--request-s", type=float, help="instead of REQUEST_S")
    options = parser.parse_args()
    if options.request_s is not None:
        limit_requests(options.server, options.request_s)
    if options.worker is not None:
        listener, on_ready = adopt(options.worker)
    else:
        listener = open_listener("127.0.0.1", 0)
        url = url_of(listener)

        def on_ready() -> None:
            server_app.say(url)

        if options.workers > 1:
            command = [sys.executable, "-m", "tests.support.server_main", options.server]
            sys.exit(asyncio.run(Supervisor(command, options.workers, listener, on_ready).run()))
    lifecycle = server_app.lifecycle(patient=options.worker is not None)
    if options.server == "daphne":
        from realtime.server.daphne_server import run_daphne

        run_daphne(APPLICATION, listener, lifecycle=lifecycle, on_ready=on_ready)
    else:
        from realtime.server.uvicorn_server import run_uvicorn

        stock = options.server == "stock"
        run_uvicorn(APPLICATION, listener, lifecycle=lifecycle, on_ready=on_ready, stock=stock)


if __name__ == "__main__":
    main()
