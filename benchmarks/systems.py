"""What is compared: how each system is prepared once and started anew, empty, for each measurement."""

import contextlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks import tokens
from benchmarks.processes import ServerProcess
from scripts.services import PrivatePostgres, PrivateRedis, free_port

ROOT = Path(__file__).resolve().parent.parent
SOCKETIO = ROOT / "benchmarks" / "peers" / "socketio"
COMMAND_LIMIT_S = 180.0


@dataclass
class Bench:
    """What a run of the benchmark has: its folder, its cores, and the private databases started so far."""

    directory: Path
    server_core: int
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _postgres: PrivatePostgres | None = None
    _redis: PrivateRedis | None = None
    _started: int = 0

    @property
    def postgres(self) -> PrivatePostgres:
        """PostgreSQL, with fsync on. Like everything but the servers it runs on the client's core."""
        if self._postgres is None:
            self._postgres = self.resources.enter_context(PrivatePostgres())
        return self._postgres

    @property
    def redis(self) -> PrivateRedis:
        if self._redis is None:
            self._redis = self.resources.enter_context(PrivateRedis())
        return self._redis

    def next_name(self) -> str:
        """A name for the folder or database of one start."""
        self._started += 1
        return f"start_{self._started}"

    def server(
        self,
        command: list[str],
        environment: dict[str, str],
        *,
        port: int,
        cwd: Path = ROOT,
        announcement: str = "",
    ) -> ServerProcess:
        """A server on the server's core, with nothing of this process's configuration in its environment."""
        return ServerProcess(
            command,
            port=port,
            core=self.server_core,
            cwd=cwd,
            env=clean_environment(environment),
            log=self.directory / "server.log",
            announcement=announcement,
        )


@dataclass(frozen=True)
class Running:
    """A system that is serving: how the load generator reaches it, and the Redis it uses, if any."""

    protocol: str
    server: ServerProcess
    redis_url: str | None = None
    checks_order: bool = False


class System(ABC):
    """`name` and `database` are those of the results' rows; `variant` is another way to run the same."""

    name: str
    database: str | None = None
    variant: str = ""

    @property
    def label(self) -> str:
        return " ".join(part for part in (self.name, self.database, self.variant) if part)

    @abstractmethod
    def prepare(self, bench: Bench) -> None:
        """What is needed once before the first start."""

    @abstractmethod
    def start(self, bench: Bench) -> contextlib.AbstractContextManager[Running]:
        """An empty system, serving while the block runs."""


class Rostrum(System):
    """`manage.py serve` with the demo project, whose rates alone are raised for the benchmark, and with one that wants
    tokens.

    `redis`: presence and layer in Redis instead of memory. `serve`: further arguments of `serve`.
    """

    name = "rostrum"

    def __init__(self, database: str, *, variant: str = "", redis: bool = False, serve: tuple[str, ...] = ()) -> None:
        self.database = database
        self.variant = variant
        self._redis = redis
        self._serve = serve

    def prepare(self, bench: Bench) -> None:
        template = bench.directory / f"template_{self.database}"
        if template.exists():  # another variant has made it
            return
        template.mkdir()
        environment = self._environment(bench, template, "rostrum")
        certified = ["--app-id", tokens.APP_ID, "--certificate", tokens.CERTIFICATE, "--enable-certificate"]
        for command in (
            ["migrate", "--no-input", "--verbosity", "0"],
            ["demo", "--benchmark"],
            ["create_project", "Tokens", *certified],
        ):
            run([sys.executable, "manage.py", *command], environment, cwd=ROOT)

    @contextlib.contextmanager
    def start(self, bench: Bench) -> Iterator[Running]:
        name = bench.next_name()
        data = bench.directory / name
        shutil.copytree(bench.directory / f"template_{self.database}", data)
        if self.database == "postgresql":
            copy_database(bench.postgres, "rostrum", name)
        port = free_port()
        command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)]
        environment = self._environment(bench, data, name)
        try:
            with bench.server([*command, *self._serve], environment, port=port, announcement="Listening on") as server:
                yield Running("rtm", server, environment.get("REDIS_URL"), checks_order=True)
        finally:
            shutil.rmtree(data, ignore_errors=True)
            if self.database == "postgresql":
                drop_database(bench.postgres, name)

    def _environment(self, bench: Bench, data: Path, database: str) -> dict[str, str]:
        environment = {"ROSTRUM_DATA": str(data), "HTTPS": "false"}  # SQLite's file is in there
        if self.database == "postgresql":
            server, _, _ = bench.postgres.url.rpartition("/")
            environment["DATABASE_URL"] = f"{server}/{database}"
        if self._redis:
            environment["REDIS_URL"] = bench.redis.url
        return environment


class SocketIO(System):
    """Socket.IO 4 on Node, rooms in its own memory, nothing stored."""

    name = "socket.io"

    def prepare(self, bench: Bench) -> None:
        if not (SOCKETIO / "node_modules").exists():
            run(["npm", "ci", "--no-audit", "--no-fund"], {}, cwd=SOCKETIO)

    @contextlib.contextmanager
    def start(self, bench: Bench) -> Iterator[Running]:
        port = free_port()
        with bench.server(["node", "server.js", str(port)], {}, port=port, cwd=SOCKETIO) as server:
            yield Running("socketio", server)


class Channels(System):
    """The chat of Channels' tutorial: a group per room on channels_redis, served by Daphne as `runserver`
    does, or by uvicorn (`--system channels-uvicorn`)."""

    name = "channels"

    def __init__(self, server: str = "daphne") -> None:
        self.variant = "" if server == "daphne" else server
        self._server = server

    def prepare(self, bench: Bench) -> None:
        pass

    @contextlib.contextmanager
    def start(self, bench: Bench) -> Iterator[Running]:
        port = free_port()
        application = "benchmarks.peers.channels_chat.asgi:application"
        command = {
            "daphne": ["daphne", "--bind", "127.0.0.1", "--port", str(port), application],
            "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", str(port), application],
        }[self._server]
        quiet = {"daphne": ["--verbosity", "0"], "uvicorn": ["--log-level", "warning"]}[self._server]
        with bench.server(
            [sys.executable, "-m", command[0], *quiet, *command[1:]],
            {"REDIS_URL": bench.redis.url},
            port=port,
        ) as server:
            yield Running("channels", server, bench.redis.url)


def clean_environment(additions: dict[str, str]) -> dict[str, str]:
    """This process's environment without what configures Rostrum or Django, and with `additions`."""
    configuring = {
        "ALLOWED_HOSTS", "DATABASE_URL", "DEBUG", "DJANGO_SETTINGS_MODULE", "HOST", "PORT", "REDIS_URL",
        "ROSTRUM_DATA", "SECRET_KEY", "SERVER",
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name not in configuring}
    return {**kept, **additions}


def run(command: list[str], environment: dict[str, str], *, cwd: Path) -> str:
    """Runs a command to its end and returns what it printed. Raises RuntimeError when it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"[-3000:])
    return done.stdout


def copy_database(postgres: PrivatePostgres, template: str, name: str) -> None:
    _administer(postgres, sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)


def drop_database(postgres: PrivatePostgres, name: str) -> None:
    _administer(postgres, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)


def _administer(postgres: PrivatePostgres, statement: sql.SQL, *names: str) -> None:
    server, _, _ = postgres.url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=10) as connection:
        connection.execute(statement.format(*map(sql.Identifier, names)))


def versions() -> dict[str, str]:
    """Of everything that takes part, as far as it is installed."""
    found = {"python": sys.version.split()[0]}
    packages = ("django", "channels", "channels-redis", "daphne", "uvicorn", "uvloop", "msgspec", "psycopg")
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    manifest = SOCKETIO / "node_modules" / "socket.io" / "package.json"
    if manifest.exists():
        found["socket.io"] = json.loads(manifest.read_text())["version"]
        found["node"] = run(["node", "--version"], {}, cwd=SOCKETIO).strip().removeprefix("v")
    return found
