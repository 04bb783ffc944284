"""A server process of a browser test, with data of its own, that can be killed and come back."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from django.conf import settings

from tests.support.lossy_network import inside

START_S = 30.0
STOP_S = 20.0


class ServerProcess:
    """`manage.py serve` on a free port, which it keeps over restarts. A context manager."""

    def __init__(
        self, data: Path, *, debug: bool = True, with_demo: bool = True, namespace: str = "", hosts: Sequence[str] = ()
    ) -> None:
        """`namespace`: the network namespace it serves in, on all its addresses, of which `hosts` are the names."""
        self._environment = os.environ | {
            "ROSTRUM_DATA": str(data),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "DEBUG": str(debug).lower(),
            "HTTPS": "false",
            "HOST": "0.0.0.0" if namespace else "127.0.0.1",
            "ALLOWED_HOSTS": ",".join(["127.0.0.1", "localhost", *hosts]),
        }
        self._data = data
        self.database = data / "rostrum.sqlite3"
        self._namespace = namespace
        self._debug = debug
        self._with_demo = with_demo
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self.url = ""
        """`http://127.0.0.1:port`"""

    def __enter__(self) -> "ServerProcess":
        shutil.copytree(prepared_data(with_demo=self._with_demo), self._data, dirs_exist_ok=True)
        if not self._debug:
            self.manage("collectstatic", "--no-input", "--verbosity=0")
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        """Returns when it serves."""
        command = self._command("serve", f"--port={self.port}")
        process = subprocess.Popen(
            inside(self._namespace, *command) if self._namespace else command,
            env=self._environment,
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = process
        assert process.stdout is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if not select.select([process.stdout], [], [], 0.2)[0]:
                continue
            line = process.stdout.readline()
            if not line:
                break
            if "http://" in line:
                self.url = line[line.index("http://") :].split()[0].rstrip("/")
                self.port = int(self.url.rsplit(":", 1)[1])
                return
        raise RuntimeError("the server did not start")

    def stop(self, how: signal.Signals) -> None:
        """Returns when it is gone. SIGTERM drains it, SIGKILL does not ask."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.wait(STOP_S)
        if process.stdout is not None:
            process.stdout.close()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "manage.py", *arguments]

    def manage(self, *arguments: str) -> str:
        """What a management command prints, on this server's data."""
        done = subprocess.run(
            self._command(*arguments),
            env=self._environment,
            cwd=settings.BASE_DIR,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


@cache
def prepared_data(*, with_demo: bool) -> Path:
    """The data of a server that was never started: made once, to be copied."""
    folder = Path(settings.DATA_DIR) / ("demo" if with_demo else "empty")
    server = ServerProcess(folder)
    if with_demo:
        shutil.copytree(prepared_data(with_demo=False), folder)
        server.manage("demo")
    else:
        server.manage("migrate", "--verbosity=0")
    return folder
