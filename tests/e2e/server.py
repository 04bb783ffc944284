"""A server process of a browser test, with data of its own, that can be killed and come back."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

START_S = 30.0
STOP_S = 20.0


class ServerProcess:
    """`manage.py serve` on a free port, which it keeps over restarts. A context manager."""

    def __init__(self, data: Path, *, debug: bool = True, with_demo: bool = True) -> None:
        self._environment = os.environ | {
            "ROSTRUM_DATA": str(data),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "DEBUG": str(debug).lower(),
            "HTTPS": "false",
        }
        self._debug = debug
        self._with_demo = with_demo
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self.url = ""
        """`http://127.0.0.1:port`"""

    def __enter__(self) -> "ServerProcess":
        self._manage("migrate", "--verbosity=0")
        if self._with_demo:
            self._manage("demo")
        if not self._debug:
            self._manage("collectstatic", "--no-input", "--verbosity=0")
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        """Returns when it serves."""
        process = subprocess.Popen(
            self._command("serve", f"--port={self._port}"),
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
                self._port = int(self.url.rsplit(":", 1)[1])
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

    def _manage(self, *arguments: str) -> None:
        subprocess.run(
            self._command(*arguments),
            env=self._environment,
            cwd=settings.BASE_DIR,
            check=True,
            capture_output=True,
        )
