"""`serve --workers 2`: several processes behind one port."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from projects.models import Project
from tests.chaos.crowd import Crowd, talking
from tests.chaos.projects import make_project
from tests.support.cluster import Cluster, ServerProcess
from tests.support.services import PrivatePostgres, PrivateRedis

REPLACED_WITHIN_S = 60.0


async def replaced(server: ServerProcess, killed: int) -> None:
    """Waits until another process has the place of a killed one."""
    deadline_s = time.monotonic() + REPLACED_WITHIN_S
    while killed in (workers := server.workers()) or len(workers) < 2:
        assert time.monotonic() < deadline_s, f"workers {workers}, {killed} was killed"
        await asyncio.sleep(0.1)


@pytest.fixture
def cluster(postgres: PrivatePostgres) -> Iterator[Cluster]:
    with (
        PrivateRedis() as redis,
        Cluster("pool", postgres=postgres, redis=redis, arguments=("--workers", "2")) as cluster,
    ):
        yield cluster


@pytest.fixture
def project(cluster: Cluster) -> Project:
    return make_project(cluster)


async def test_a_killed_worker_is_replaced_and_its_clients_go_on(cluster: Cluster, project: Project, seed: int) -> None:
    pool = cluster["pool"]
    crowd = Crowd(app=project.app_id, ports=cluster.ports, seed=seed, stayers=15, wanderers=5, rooms=5)
    async with talking(crowd, cluster, project.pk):
        for _ in range(3):
            await asyncio.sleep(1)
            victim = crowd.chance.choice(pool.workers())
            crowd.burst()
            os.kill(victim, signal.SIGKILL)
            await replaced(pool, victim)
    workers = pool.workers()
    assert await asyncio.to_thread(pool.terminate) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]  # noqa: ASYNC240
