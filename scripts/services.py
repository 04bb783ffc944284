"""Private PostgreSQL and Redis servers, for tests, benchmarks and the cluster on one machine.

Each listens on a free port of 127.0.0.1 with a password of its own, keeps its files in its own folder, and
ends with the process that started it, even one that is killed:

    with PrivatePostgres() as postgres, PrivateRedis() as redis:
        use(postgres.url, redis.url)
        postgres.restart()      # the same port and data
        redis.kill()            # as a crash does; start() brings it back, empty

All methods block; from a coroutine call them with `asyncio.to_thread`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import psycopg
import redis

from scripts.guard import Guard
from scripts.system import postgresql_bin, redis_server

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PrivateServer(ABC):
    """A server process of our own. `directory`: where its files stay; without it a temporary one, removed at
    the end."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    user: ClassVar[str | None] = None

    def __init__(self, directory: Path | None = None) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"rostrum-{self.name}-"))
        self.log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    # What each kind of server is

    @property
    @abstractmethod
    def url(self) -> str:
        """What goes into DATABASE_URL or REDIS_URL."""

    @abstractmethod
    def _prepare(self) -> None:
        """Before each start: makes the folder's files where they are missing."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments; it stays in the foreground."""

    def _input(self) -> bytes:
        """What the program reads on its standard input."""
        return b""

    @abstractmethod
    def _probe(self) -> None:
        """Returns once the server answers; raises OSError, psycopg.Error or redis.RedisError before."""

    # The process

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not stopped or killed since."""
        return self._process is not None

    def start(self) -> None:
        """Starts the server on its port and waits until it answers."""
        assert self._process is None, f"{self.name} is running already"
        self._prepare()
        self._process = self._popen(self._command())
        assert self._process.stdin is not None
        self._process.stdin.write(self._input())
        self._process.stdin.close()
        if self._guard is None:
            self._guard = Guard(self.directory if self._temporary else None)
        self._guard.watch(self._process.pid)
        self._wait_ready()

    def stop(self) -> None:
        """Stops the server as an administrator does; its clients' connections are closed."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Ends the server as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stops and starts again, same port, same files."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stops the server if it runs, and removes its temporary folder."""
        if self._process is not None:
            self.stop()
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Starts a program in the server's folder, as the server's user, away from the terminal's Ctrl-C."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, f"{self.name} is not running"
        children = _children(self._process.pid) if how is signal.SIGKILL else []
        self._process.send_signal(how)
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process = None

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                self._probe()
                return
            except (OSError, psycopg.Error, redis.RedisError) as error:
                ended = self._process.poll()
                if ended is not None or time.monotonic() > deadline_s:
                    said = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.name} did not start ({ended=}, {error}):\n{said}") from error
                time.sleep(0.02)


class PrivatePostgres(PrivateServer):
    """PostgreSQL with one empty database, `rostrum`, and fsync on as in earnest."""

    name = "postgresql"
    stop_signal = signal.SIGINT  # "fast": rolls back, closes, checkpoints
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root

    @property
    def url(self) -> str:
        return self._url("rostrum")

    def _url(self, database: str) -> str:
        return f"postgres://rostrum:{self.password}@127.0.0.1:{self.port}/{database}"

    def _prepare(self) -> None:
        data, password = self.directory / "data", self.directory / "password"
        if (data / "PG_VERSION").exists():
            self.password = password.read_text()
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        password.touch(0o600)
        password.write_text(self.password)
        if self.user is not None:
            for path in (self.directory, password):
                shutil.chown(path, self.user, self.user)
        shutil.rmtree(data, ignore_errors=True)  # of an initdb that was cut off
        initdb = self._popen(
            [
                str(_postgresql_bin() / "initdb"),
                *("--pgdata", str(data), "--username", "rostrum", "--pwfile", str(password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ]
        )
        initdb.communicate()
        if initdb.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{self.log.read_text()[-2000:]}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "256MB",
        }
        return [
            str(_postgresql_bin() / "postgres"),
            *("-D", str(self.directory / "data")),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]

    def _probe(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'rostrum'").fetchone() is None:
                connection.execute("CREATE DATABASE rostrum")


class PrivateRedis(PrivateServer):
    """Redis that keeps nothing on the disk: after a restart it is empty."""

    name = "redis"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)

    def _command(self) -> list[str]:
        program = redis_server()
        assert program is not None, "redis-server is not installed: python -m scripts.system redis"
        return [str(program), "-"]

    def _input(self) -> bytes:
        settings: dict[str, Any] = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "save": '""',
            "appendonly": "no",
            "dir": self.directory,
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items()).encode()

    def _probe(self) -> None:
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            client.ping()


def _postgresql_bin() -> Path:
    folder = postgresql_bin()
    assert folder is not None, "PostgreSQL is not installed: python -m scripts.system postgresql"
    return folder


def _children(pid: int) -> list[int]:
    """The process ids of a process's children: PostgreSQL's backends outlive a killed postmaster for a
    moment, and the next one may not start beside them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]
            if int(parent) == pid:
                found.append(int(stat.parent.name))
    return found
