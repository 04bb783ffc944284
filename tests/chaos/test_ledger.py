"""The ledger: whatever is killed, what was acknowledged is stored once and reaches every member once, in order."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from projects.models import Project
from tests.chaos.crowd import Crowd, talking
from tests.chaos.projects import make_project
from tests.support.cluster import Cluster, ServerProcess
from tests.support.services import PrivatePostgres, PrivateRedis, PrivateServer

KILLS: Final = 10
EMBEDDED_KILLS: Final = 6
EVERY_S: Final = 5.0
"""From one fault to the next."""
STILL_S: Final = 6.0

Fault = tuple[str, Callable[[], None]]
"""What is done, in words and in deed; it blocks."""


def kill_and_start(server: ServerProcess, dead_s: float) -> Fault:
    def fault() -> None:
        server.kill()
        time.sleep(dead_s)
        server.start()

    return f"kill {server.name}", fault


def stand_still(server: ServerProcess) -> Fault:
    """Longer than clients wait for a sign of life: they are elsewhere when it goes on."""

    def fault() -> None:
        server.freeze()
        time.sleep(STILL_S)
        server.thaw()

    return f"freeze {server.name}", fault


def crash(server: PrivateServer) -> Fault:
    def fault() -> None:
        server.kill()
        server.start()

    return f"crash {server.name}", fault


async def endure(crowd: Crowd, cluster: Cluster, project: Project, faults: Sequence[Fault]) -> None:
    """A crowd lives through the faults, one each `EVERY_S`, and is then compared with the database."""
    print(f"faults: {', '.join(name for name, _ in faults)}")
    async with talking(crowd, cluster, project.pk):
        clock = asyncio.get_running_loop().time
        for _, fault in faults:
            next_s = clock() + EVERY_S
            await asyncio.sleep(EVERY_S / 3)
            crowd.burst()
            await asyncio.sleep(crowd.chance.uniform(0, 0.1))
            await asyncio.to_thread(fault)
            await asyncio.sleep(max(0, next_s - clock()))


def test_ledger_of_two_processes_that_are_killed(postgres: PrivatePostgres, seed: int) -> None:
    """50 clients, 10 rooms; a process is killed ten times and one stands still, Redis and PostgreSQL are restarted."""
    chance = random.Random(seed)
    with PrivateRedis() as redis, Cluster("one", "two", postgres=postgres, redis=redis) as cluster:
        project = make_project(cluster)
        servers = chance.choices(cluster.servers, k=KILLS)
        faults = [kill_and_start(server, chance.uniform(0, 1.5)) for server in servers]
        others = [
            stand_still(chance.choice(cluster.servers)),
            chance.choice([("restart redis", redis.restart), crash(redis)]),
            chance.choice([("restart postgresql", postgres.restart), crash(postgres)]),
        ]
        for fault in others:
            faults.insert(chance.randrange(KILLS), fault)
        crowd = Crowd(app=project.app_id, ports=cluster.ports, seed=seed, absentees=4)
        asyncio.run(endure(crowd, cluster, project, faults))


def test_ledger_of_the_one_process_that_is_killed(shape: str, seed: int) -> None:
    """The same on one SQLite file: each time it is killed, all presence is gone with it."""
    if shape != "embedded":
        pytest.skip("about one process")
    chance = random.Random(seed)
    with Cluster("one") as cluster:
        project = make_project(cluster)
        faults = [kill_and_start(cluster["one"], chance.uniform(0, 1.5)) for _ in range(EMBEDDED_KILLS)]
        crowd = Crowd(app=project.app_id, ports=cluster.ports, seed=seed, absentees=4)
        asyncio.run(endure(crowd, cluster, project, faults))
