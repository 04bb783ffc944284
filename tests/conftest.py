"""The test session: which shape it runs on, its private servers, its database.

`--shape=embedded` (default; or the variable TEST_SHAPE) is SQLite and memory, `--shape=cluster` a PostgreSQL
and a Redis of the session's own. The choice is made in environment variables before Django is set up, so
server processes that a test starts with `os.environ` share the session's database. Tests marked `shapeless` touch
nothing of what differs and run on the embedded shape alone.

The database is migrated once and never flushed. A test isolates itself by making its own project: every row
belongs to one. There are no transactions around tests, since the engine's threads would not see into them.
"""

import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import hypothesis
import pytest
import pytest_asyncio
import redis.utils
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.management import call_command
from django.db import close_old_connections, connection, connections
from pytest_django import DjangoDbBlocker

from tests.support.services import PrivatePostgres, PrivateRedis

if TYPE_CHECKING:
    from projects.models import Project
    from realtime.runtime import Runtime
    from tests.support.client import Client
    from tests.support.rest import Api

SHAPES = ("embedded", "cluster")
# A slow moment of the machine is no failure of a property.
hypothesis.settings.register_profile("rostrum", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("rostrum")

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 1024**3

session_resources = pytest.StashKey[contextlib.ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shape",
        choices=SHAPES,
        default=os.environ.get("TEST_SHAPE", "embedded"),
        help="embedded: SQLite and memory; cluster: private PostgreSQL and Redis",
    )


def pytest_configure(config: pytest.Config) -> None:
    if settings.configured:
        raise pytest.UsageError("Django is configured already: run pytest without DJANGO_SETTINGS_MODULE")
    keep_files_in_memory()
    resources = config.stash[session_resources] = contextlib.ExitStack()
    data = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="rostrum-tests-")))
    shape = {"DATABASE_URL": "", "REDIS_URL": ""}
    if config.getoption("shape") == "cluster":
        shape["DATABASE_URL"] = resources.enter_context(PrivatePostgres()).url
        shape["REDIS_URL"] = resources.enter_context(PrivateRedis()).url
    os.environ.update(
        shape,
        DJANGO_SETTINGS_MODULE="config.settings",
        ROSTRUM_DATA=str(data),
        DEBUG="true",  # servers that tests start serve static/ as it is; pytest-django turns it off here
        HTTPS="false",
        SECRET_KEY="a-key-of-nobodys-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz",
    )
    django.setup()


def keep_files_in_memory() -> None:
    """Temporary ones, of this process and those it starts, where there is room and nobody has said where: what is
    synced to a disk at each commit is worth nothing when the session ends, and disks are slow."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return
    if shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test that is the same on both shapes one run is enough."""
    if config.getoption("shape") == "embedded":
        return
    chosen = [item for item in items if "shapeless" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "shapeless" in item.keywords])
    items[:] = chosen


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    if resources := config.stash.get(session_resources, None):
        resources.close()


def pytest_report_header(config: pytest.Config) -> list[str]:
    from tests.support.s3 import which_s3

    return [f"shape: {config.getoption('shape')}", which_s3()]


@pytest.fixture(scope="session")
def shape(pytestconfig: pytest.Config) -> str:
    """The session's shape: "embedded" or "cluster"."""
    chosen: str = pytestconfig.getoption("shape")
    return chosen


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The session's own database, not one of pytest-django's `test_` copies: other processes open it too."""
    from tests.support.recycling import recycled_connections

    with django_db_blocker.unblock(), recycled_connections():
        call_command("migrate", interactive=False, verbosity=0)
        yield
        connections.close_all()


@pytest.fixture(scope="session", autouse=True)
def _database(django_db_setup: None) -> None:
    """Every test may use the database, from any thread."""


@pytest.fixture(scope="session", autouse=True)
def _activity_on_demand() -> Iterator[None]:
    """What is written down of activity, and what goes to webhooks, is a test's to say: nothing by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for period in ("recorder.FLUSH_S", "recorder.SWEEP_S", "pump.PUMP_S", "sender.LOOK_S"):
            patch.setattr(f"activity.{period}", 3_600.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _redis_version_once() -> Iterator[None]:
    """Each connection tells its library's version, and reads it from a file that takes 5 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redis.utils.get_lib_version", cache(redis.utils.get_lib_version))
        yield


@pytest.fixture(autouse=True)
def _usable_connection(_database: None) -> None:
    """A connection that a test broke, by restarting its server or ending its session there, is not the next test's:
    neither this thread's, nor that of the thread in which `sync_to_async` runs what tests ask of it."""
    drop_unusable_connection()
    SyncToAsync.single_thread_executor.submit(drop_unusable_connection).result()


def drop_unusable_connection() -> None:
    close_old_connections()
    if connection.connection is not None and not connection.is_usable():
        connection.close()


@pytest.fixture
def make_project(_database: None) -> "Callable[..., Project]":
    """Makes a tenant of the test's own; keyword arguments are the model's fields."""

    from projects.models import Project

    def make(**fields: Any) -> Project:
        return Project.objects.create(name="test", **fields)

    return make


@pytest.fixture
def app(make_project: "Callable[..., Project]") -> str:
    """The App ID of a fresh project with the contract's limits."""
    return make_project().app_id


@pytest.fixture
def fast_app(make_project: "Callable[..., Project]") -> str:
    """The App ID of a fresh project whose rates are no concern of the test."""
    from projects.limits import RATES

    return make_project(limits={"rates": {name: [1_000_000, 1_000] for name in RATES}}).app_id


@pytest.fixture
def make_api(make_project: "Callable[..., Project]") -> "Callable[..., Api]":
    """Makes the server of a fresh project, with a credential; keyword arguments are the project's fields."""
    from projects.credentials import create_credential
    from tests.support.rest import Api, basic

    def make(**fields: Any) -> "Api":
        project = make_project(**fields)
        made = create_credential(project=project)
        return Api(project.app_id, basic(made.credential.customer_id, made.secret))

    return make


@pytest.fixture
def api(make_api: "Callable[..., Api]") -> "Api":
    """The server of a fresh project with the contract's limits."""
    return make_api()


@pytest.fixture
def as_user(_database: None) -> "Callable[..., Api]":
    """Makes a user of an API's project, with a token that holds from `now` on."""
    from projects.models import Project
    from projects.services import issue_token
    from tests.support.rest import Api

    def make(api: "Api", uid: str, *, now: datetime | None = None, valid_s: int = 3600) -> "Api":
        project = Project.objects.get(app_id=api.app)
        issued = issue_token(project=project, uid=uid, now=now or datetime.now(UTC), valid_s=valid_s)
        return Api(api.app, {"x-agora-token": issued.token, "x-agora-uid": uid})

    return make


@pytest_asyncio.fixture
async def runtime(_database: None) -> "AsyncIterator[Runtime]":
    """A started runtime in the test's own loop."""
    from realtime.runtime import Runtime
    from tests.support.runtimes import stopped

    runtime = Runtime()
    await runtime.start()
    yield runtime
    await stopped(runtime)


@pytest_asyncio.fixture
async def open_client(runtime: "Runtime") -> "AsyncIterator[Callable[..., Client]]":
    """Opens clients of the gateway in this process, not logged in; closed at the end."""
    from tests.support.client import Client, InProcess

    clients: list[Client] = []

    def open_one(at: "Runtime | None" = None, **options: Any) -> Client:
        client = Client(InProcess(at if at is not None else runtime), **options)
        clients.append(client)
        return client

    yield open_one
    for client in clients:
        await client.close()
