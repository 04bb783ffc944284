"""Webhooks of a real server that is killed between a message's acknowledgement and its delivery."""

import asyncio
from collections.abc import Iterator

import pytest

from activity.models import Webhook
from tests.chaos.projects import make_project
from tests.support.client import Client, connect
from tests.support.cluster import Cluster
from tests.support.receiver import Delivered, Receiver, receiving
from tests.support.services import PrivateRedis

ARRIVES_WITHIN_S = 60.0
"""A delivery that its sender had claimed comes after the lease of 30 s."""


@pytest.fixture
def cluster(shape: str, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A server on SQLite, or two that share a PostgreSQL."""
    if shape == "embedded":
        with Cluster("first") as cluster:
            yield cluster
    else:
        postgres = request.getfixturevalue("postgres")
        with PrivateRedis() as redis, Cluster("first", "second", postgres=postgres, redis=redis) as cluster:
            yield cluster


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def app(cluster: Cluster, receiver: Receiver) -> str:
    """Of a project with a webhook from its beginning on."""
    project = make_project(cluster)
    Webhook.objects.using(cluster.database).create(project=project, url=receiver.url, entry_cursor=0)
    return project.app_id


async def enter(cluster: Cluster, app: str, uid: str) -> Client:
    port = cluster["first"].port
    assert port is not None
    client = await connect(port)
    await client.login(app, uid)
    await client.call("room.join", room="math")
    return client


def texts(received: list[Delivered]) -> set[str]:
    return {each.payload["data"]["body"]["text"] for each in received if each.payload["event"] == "room.sent"}


async def test_a_killed_server_loses_no_message_on_its_way_to_a_webhook(
    cluster: Cluster, receiver: Receiver, app: str
) -> None:
    sent = set()
    for life in range(3):
        client = await enter(cluster, app, f"ann-{life}")
        for number in range(20):
            text = f"{life}-{number}"
            await client.send("math", text, f"m-{text}")
            sent.add(text)
        await asyncio.to_thread(cluster["first"].kill)
        await client.close()
        await asyncio.to_thread(cluster["first"].start)
    last = await enter(cluster, app, "ann-last")
    while texts(received := list(receiver.received)) != sent:
        await asyncio.to_thread(receiver.wait_for_arrival, ARRIVES_WITHIN_S)
    ids = {each.event_id for each in received if each.payload["event"] == "room.sent"}
    assert len(ids) == len(sent), "a delivery that came twice has the same id"
    while "ann-last" not in {each.payload["data"].get("uid") for each in list(receiver.received)}:
        await asyncio.to_thread(receiver.wait_for_arrival, ARRIVES_WITHIN_S)
    await last.close()
