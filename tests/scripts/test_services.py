"""Private servers: back on the same port after a stop and a crash, and gone with whoever started them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from scripts.services import free_port
from tests.support.services import PrivatePostgres, PrivateRedis

WAIT_S = 20.0

OWNER = """
import sys, time
from scripts.services import PrivateRedis
server = PrivateRedis()
server.start()
print(server.pid, server.directory, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _cluster_only(shape: str) -> None:
    if shape != "cluster":
        pytest.skip("the embedded shape needs no servers")


def wait_until(true: Callable[[], bool]) -> None:
    """Waits for something another process does."""
    deadline_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


def test_postgresql_keeps_what_was_committed_through_a_crash() -> None:
    with PrivatePostgres() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (value int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        url = server.url
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        server.restart()
        assert server.url == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchall() == [(7,)]
    assert not server.directory.exists()


def test_redis_is_empty_after_a_restart() -> None:
    with PrivateRedis() as server, redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.restart()
        assert client.get("key") is None
    assert not server.directory.exists()


def test_servers_end_with_a_killed_owner() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, directory = owner.stdout.readline().split()
        os.kill(int(pid), 0)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(directory).exists())


def is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_cluster_whose_script_is_killed_leaves_nobody_on_the_port(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "PORT": str(port), "ROSTRUM_DATA": str(tmp_path), "DEBUG": "true"}
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.cluster"], cwd=settings.BASE_DIR, env=env, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout is not None
        while (line := script.stdout.readline()) and not line.startswith("Listening on"):
            pass
        served = is_served(port)
        script.send_signal(signal.SIGKILL)
        script.stdout.read()  # until the last of its servers has ended
    assert served
    assert not is_served(port)
