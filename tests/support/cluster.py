"""Server processes of a test's own: real `manage.py serve`, to kill, freeze, drain and start again.

All methods block; from a coroutine call them with `asyncio.to_thread`.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from environ import Env

from tests.support.services import PrivatePostgres, PrivateRedis

READY_WITHIN_S = 90.0
EXIT_WITHIN_S = 60.0

# Told a server's process id; when its input closes without it being killed first, its owner has died.
GUARD = 'read -r pid; read -r line; kill -KILL "$pid"'

_aliases = count(1)


class ServerProcess:
    """One place for a server: `start` fills it with a process on a free port, `kill` and `terminate` empty it.

    `log` has what all of its processes wrote.
    """

    def __init__(self, name: str, directory: Path, env: Mapping[str, str], *arguments: str) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._out = directory / f"{name}.out"
        self._env = dict(env)
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.port: int | None = None
        """None while no process serves."""

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    def workers(self) -> list[int]:
        """The process ids of the processes it has started itself."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return sorted(found)

    def start(self) -> None:
        """Starts a process and waits until it serves."""
        assert self._process is None, f"{self.name} is running already"
        command = [sys.executable, "manage.py", "serve", "--port", "0", *self._arguments]
        with self.log.open("ab") as log, self._out.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(["sh", "-c", GUARD], stdin=subprocess.PIPE, start_new_session=True)
        assert self._guard.stdin is not None
        self._guard.stdin.write(b"%d\n" % self._process.pid)
        self._guard.stdin.flush()
        self.port = self._wait_ready(self._process)

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> int:
        deadline_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline_s:
            found = re.search(r"^Listening on http://.*:(\d+)\s*$", self._out.read_text(), re.MULTILINE)
            if found is not None:
                return int(found[1])
            if process.poll() is not None:
                break
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """SIGKILL, as a crash or the machine's end."""
        self._signal(signal.SIGKILL)
        self._reap()

    def terminate(self) -> int:
        """SIGTERM: the process drains; its exit code."""
        self._signal(signal.SIGTERM)
        return self._reap()

    def freeze(self) -> None:
        """SIGSTOP: the process stands still with all its sockets open, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, signum: signal.Signals) -> None:
        assert self._process is not None, f"{self.name} is not running"
        if signum in (signal.SIGKILL, signal.SIGTERM):
            self.port = None
        self._process.send_signal(signum)

    def _reap(self) -> int:
        process, guard = self._process, self._guard
        assert process is not None
        try:
            code = process.wait(EXIT_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            self._process = self._guard = None
            if guard is not None:
                assert guard.stdin is not None
                guard.kill()
                guard.wait()
                guard.stdin.close()
        return code

    def close(self) -> None:
        if self._process is not None:
            self.kill()


class Cluster:
    """Server processes that share a database and, in the cluster shape, a Redis; migrated at the start.

    Without `postgres` and `redis` it is the embedded shape: one process on a SQLite file that outlives it.
    `database` is the alias under which this process reads the same database.
    """

    def __init__(
        self,
        *names: str,
        postgres: PrivatePostgres | None = None,
        redis: PrivateRedis | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.postgres = postgres
        self.redis = redis
        self._folder = tempfile.TemporaryDirectory(prefix="rostrum-chaos-", ignore_cleanup_errors=True)
        self.directory = Path(self._folder.name)
        self.env = {
            **os.environ,
            "DATABASE_URL": postgres.url if postgres is not None else "",
            "REDIS_URL": redis.url if redis is not None else "",
            "ROSTRUM_DATA": str(self.directory),
        }
        self.servers = [ServerProcess(name, self.directory, self.env, *arguments) for name in names]
        self._aliases = contextlib.ExitStack()
        self.database = ""

    def __enter__(self) -> Self:
        try:
            url = self.env["DATABASE_URL"] or f"sqlite:///{self.directory / 'rostrum.sqlite3'}"
            self.database = self._aliases.enter_context(database_alias(url))
            call_command("migrate", database=self.database, interactive=False, verbosity=0)
            for server in self.servers:
                server.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            print(self.troubles())
        self.close()

    def close(self) -> None:
        for server in self.servers:
            server.close()
        self._aliases.close()
        self._folder.cleanup()

    def ports(self) -> list[int]:
        """Of the processes that serve, as a balancer knows them."""
        return [server.port for server in self.servers if server.port is not None]

    def __getitem__(self, name: str) -> ServerProcess:
        (server,) = (server for server in self.servers if server.name == name)
        return server

    def troubles(self, limit: int = 150) -> str:
        """The last lines of the servers' logs, without the middle of tracebacks; printed when a test fails."""
        found = []
        for server in self.servers:
            if server.log.exists():
                lines = [line for line in server.log.read_text(errors="replace").splitlines() if line[:1].strip()]
                found.append(f"--- {server.name}: last {min(limit, len(lines))} of {len(lines)} lines")
                found += lines[-limit:]
        return "\n".join(found)


@contextlib.contextmanager
def database_alias(url: str) -> Iterator[str]:
    """An alias for `Model.objects.using` on a database that is not the session's."""
    alias = f"chaos-{next(_aliases)}"
    config: dict[str, Any] = Env.db_url_config(url)
    configured = connections.configure_settings({DEFAULT_DB_ALIAS: dict(settings.DATABASES["default"]), alias: config})
    connections.databases[alias] = configured[alias]
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections.databases[alias]
