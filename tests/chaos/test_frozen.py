"""A real server that stands still with its sockets open, while a message to a user of it is given up elsewhere."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos.projects import make_project
from tests.support.client import Client, connect
from tests.support.cluster import Cluster
from tests.support.services import PrivatePostgres, PrivateRedis

HEARTBEAT_S = 2.0


@pytest.fixture
def cluster(postgres: PrivatePostgres) -> Iterator[Cluster]:
    with PrivateRedis() as redis, Cluster("first", "second", postgres=postgres, redis=redis) as cluster:
        yield cluster


@pytest.fixture
def app(cluster: Cluster) -> str:
    return make_project(cluster).app_id


async def enter(cluster: Cluster, place: str, app: str, uid: str) -> Client:
    port = cluster[place].port
    assert port is not None
    client = await connect(port)
    await client.login(app, uid)
    return client


async def keep_alive(client: Client) -> None:
    while True:
        await client.call("session.ping")
        await asyncio.sleep(HEARTBEAT_S)


async def test_rule_peers_a_server_that_stood_still_does_not_push_what_was_given_up(cluster: Cluster, app: str) -> None:
    bob = await enter(cluster, "first", app, "bob")
    ann = await enter(cluster, "second", app, "ann")
    assert await ann.send_to("bob", "before", "m0") is True
    alive = asyncio.create_task(keep_alive(ann))
    cluster["first"].freeze()
    try:
        answer = await asyncio.wait_for(await ann.start_send_to("bob", "withdrawn", "m1"), 20)
    finally:
        cluster["first"].thaw()
    assert answer["received"] is False
    await bob.call("session.ping")
    received = await asyncio.wait_for(await ann.start_send_to("bob", "after", "m2"), 20)
    assert received["received"] is True
    alive.cancel()
    assert bob.texts() == ["before", "after"]
    for client in (ann, bob):
        await client.close()
