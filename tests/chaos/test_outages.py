"""One outage at a time, while people talk: Redis, PostgreSQL, a server that is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest

from projects.models import Project
from realtime.close_codes import SERVER_RESTART
from realtime.presence import PresenceState, RedisPresence
from tests.chaos.crowd import TALK, Crowd, talking
from tests.chaos.projects import make_project
from tests.support.client import CallFailed, Client, connect
from tests.support.cluster import Cluster
from tests.support.resuming import ResumingClient
from tests.support.services import PrivatePostgres, PrivateRedis

AWAY_S: Final = 3.0
CHECKED_S: Final = 2.0
"""How often a process compares its streams' heads with the database."""
RESTORED_S: Final = 5.0
"""A lease is renewed every 4 s; a process that has lost it names its users again."""
NOISE_S: Final = 4.0
"""For a machine that has other things to do, too."""


@pytest.fixture(scope="module")
def redis(postgres: PrivatePostgres) -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(postgres: PrivatePostgres, redis: PrivateRedis) -> Iterator[Cluster]:
    with Cluster("one", "two", postgres=postgres, redis=redis) as cluster:
        yield cluster


@pytest.fixture
def project(cluster: Cluster) -> Project:
    return make_project(cluster)


@pytest.fixture
def crowd(cluster: Cluster, project: Project, seed: int) -> Crowd:
    """Sixteen who talk in four rooms, and leave nothing and nobody."""
    return Crowd(app=project.app_id, ports=cluster.ports, seed=seed, stayers=16, wanderers=0, rooms=4, acts=TALK)


@contextlib.asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[Client]:
    """One that repeats nothing by itself."""
    client = await connect(port)
    try:
        yield client
    finally:
        await client.close()


async def delivery_s(sender: ResumingClient, receiver: ResumingClient, room: str) -> float:
    """How long a message takes from one to the other."""
    started_s = time.monotonic()
    message_id = sender.rooms[room].send("hello")
    stay = receiver.rooms[room].stay
    assert stay is not None
    while all(delivery.message_id != message_id for delivery in stay.deliveries[-1000:]):
        assert time.monotonic() - started_s < 30, "it was not delivered"
        await asyncio.sleep(0.02)
    return time.monotonic() - started_s


async def test_chat_goes_on_across_processes_while_redis_is_away(
    cluster: Cluster, redis: PrivateRedis, project: Project, crowd: Crowd
) -> None:
    """What one process commits, the other finds by comparing heads. Everybody stays where they are, and is
    present again as soon as Redis is."""
    async with talking(crowd, cluster, project.pk):
        by_port = {client.port: client for client in crowd.clients}
        one, two = (by_port[port] for port in cluster.ports())
        (shared, *_) = [name for name in crowd.rooms if name in one.rooms and name in two.rooms]
        await asyncio.to_thread(redis.kill)
        gone_s = time.monotonic()
        assert await delivery_s(one, two, shared) < CHECKED_S + NOISE_S
        assert await delivery_s(two, one, shared) < CHECKED_S + NOISE_S
        await asyncio.sleep(max(0, gone_s + AWAY_S - time.monotonic()))
        await asyncio.to_thread(redis.start)
        await asyncio.sleep(RESTORED_S + NOISE_S)

        presence = RedisPresence(redis.url)
        uids = [client.uid for client in crowd.clients]
        states = await presence.sessions(project.pk, uids)
        assert [uid for uid, state in zip(uids, states, strict=True) if state is None] == []
        assert {state.state for state in states if state is not None} == {PresenceState.ONLINE}
        for room in crowd.rooms:
            members = await presence.members(project.pk, f"room:{room}", 100)
            assert set(members) == {client.uid for client in crowd.clients if room in client.rooms}
        await presence.close()
    assert sum(len(client.endings) for client in crowd.clients) == len(crowd.clients), "somebody was disconnected"


async def test_messages_are_answered_or_can_be_repeated_while_postgresql_is_away(
    cluster: Cluster, postgres: PrivatePostgres, project: Project, crowd: Crowd
) -> None:
    """No answer is final but a commit, and the same message id later gets one."""
    async with talking(crowd, cluster, project.pk), raw_client(cluster.ports()[0]) as client:
        await client.login(project.app_id, "raw")
        await client.call("room.join", room="of-one")
        crowd.burst()
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(CallFailed) as failed:
            await client.send("of-one", "while it is away", "message-1")
        assert failed.value.data["retryable"]
        await asyncio.to_thread(postgres.start)
        crowd.burst()
        for _ in range(2):
            answer = await client.send("of-one", "while it is away", "message-1")
            assert answer["seq"] == 1
        await asyncio.sleep(1)


async def test_a_server_told_to_stop_answers_what_it_took_and_sends_everybody_elsewhere(
    cluster: Cluster, project: Project, crowd: Crowd
) -> None:
    """SIGTERM amid talk: 1012 with a delay, sessions go on at the other process, nobody is said to have left."""
    async with talking(crowd, cluster, project.pk):
        await asyncio.sleep(1)
        port = cluster["one"].port
        there = {client: len(client.endings) for client in crowd.clients if client.port == port}
        assert there
        crowd.burst()
        assert await asyncio.to_thread(cluster["one"].terminate) == 0
        await asyncio.sleep(NOISE_S)
        for client, before in there.items():
            assert len(client.endings) == before + 1, "\n".join(client.ledger.life)
            ending = client.endings[-1]
            assert ending.code == SERVER_RESTART.code
            assert ending.notice is not None
            assert ending.notice["name"] == "server_restart"
            assert ending.notice["reconnect"]
            assert ending.notice["delay_ms"] >= 0
            assert client.online.is_set()
            assert client.ledger.resumed == 1
        await asyncio.to_thread(cluster["one"].start)
