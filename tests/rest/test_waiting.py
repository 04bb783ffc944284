"""Waiting for a receipt is bounded: 408 when a peer who is there does not acknowledge. A process that ends sends its
callers elsewhere."""

import asyncio
import json
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from realtime.rest.state import Rest
from realtime.runtime import Runtime
from tests.peers.post import Post
from tests.rest.test_handler import open_request
from tests.support.client import Client
from tests.support.clock import clocked_runtimes
from tests.support.doubles import until
from tests.support.rest import Api

PEER = {"destination": "bob", "payload": "hello"}
PATH = "rtm/users/ann/peer_messages?wait_for_ack=true"


@pytest.mark.parametrize("offline", [False, True])
async def test_a_peer_who_does_not_acknowledge(make_api: Callable[..., Api], offline: bool) -> None:
    api = await sync_to_async(make_api)()
    async with clocked_runtimes(2) as lifetime:
        post = Post(lifetime, api.app, 1)
        bob = await post.bob(reads_inbox=False)
        answer = asyncio.create_task(api.vendor("POST", PATH, {**PEER, "enable_offline_messaging": offline}))
        await bob.expect("peer.sent")
        await post.pass_time(8, bob)
        assert not answer.done()
        await post.pass_time(2, bob)
        told = await answer
        assert (told.status, told.json["result"]) == (408, "failed")
        assert len((await post.bob_again())["inbox"]["entries"]) == offline


@pytest.mark.parametrize("offline", [False, True])
async def test_a_key_that_is_tried_again_after_408_tells_what_is_known_then(
    make_api: Callable[..., Api], offline: bool
) -> None:
    """ "Not confirmed" also while the peer is there, if the message has been given up; else whether it arrived."""
    api = await sync_to_async(make_api)()
    message = {**PEER, "enable_offline_messaging": offline}
    async with clocked_runtimes(2) as lifetime:
        post = Post(lifetime, api.app, 1)
        bob = await post.bob(reads_inbox=False)
        first = asyncio.create_task(api.vendor("POST", PATH, message, idempotency_key="k"))
        pushed = await bob.expect("peer.sent")
        await post.pass_time(10, bob)
        assert (await first).status == 408
        if offline:
            await bob.notify("inbox.ack", seq=pushed["seq"])
        again = await api.vendor("POST", PATH, message, idempotency_key="k")
        assert (again.status, again.json["code"]) == (200, "message_delivered" if offline else "peer_offline")
        ours = {"message": {"type": "TEXT", "text": "hello"}, "offline": offline, "wait": True}
        again = await api.v1("POST", "users/ann/peers/bob/messages", ours, idempotency_key="k")
        assert (again.status, again.json["received"]) == (200, offline)
        await bob.expect_nothing("peer.sent")
        assert (await post.bob_again())["inbox"]["entries"] == []


async def test_a_peer_who_drops_is_given_up_sooner(make_api: Callable[..., Api]) -> None:
    api = await sync_to_async(make_api)()
    async with clocked_runtimes(2) as lifetime:
        post = Post(lifetime, api.app, 1)
        bob = await post.bob(reads_inbox=False)
        answer = asyncio.create_task(api.vendor("POST", PATH, PEER))
        await bob.expect("peer.sent")
        await bob.close()
        await post.pass_time(7)
        assert (await answer).json["code"] == "peer_offline"


async def test_who_waits_when_the_process_ends_asks_again_under_the_same_key(make_api: Callable[..., Api]) -> None:
    api = await sync_to_async(make_api)()
    ours = {"message": {"type": "TEXT", "text": "hello"}, "wait": True}
    async with clocked_runtimes(2) as lifetime:
        post = Post(lifetime, api.app, 1)
        bob = await post.bob(reads_inbox=False)
        by_vendor = asyncio.create_task(api.vendor("POST", PATH, PEER, idempotency_key="k1"))
        await bob.expect("peer.sent")
        by_v1 = asyncio.create_task(api.v1("POST", "users/eve/peers/bob/messages", ours, idempotency_key="k2"))
        last = await bob.expect("peer.sent")
        await lifetime.runtime.drain()
        told = await by_vendor
        assert (told.status, told.json["result"], told.headers["retry-after"]) == (500, "failed", "1")
        told = await by_v1
        assert (told.status, told.json["error"]["code"], told.headers["retry-after"]) == (503, "unavailable", "1")
        await lifetime.runtime.stop()  # what comes now goes to the other process
        await bob.notify("inbox.ack", seq=last["seq"])
        again = await api.vendor("POST", PATH, PEER, idempotency_key="k1")
        assert (again.status, again.json["code"]) == (200, "message_delivered")
        again = await api.v1("POST", "users/eve/peers/bob/messages", ours, idempotency_key="k2")
        assert (again.status, again.json["received"]) == (200, True)
        await bob.expect_nothing("peer.sent")


async def test_who_comes_to_wait_while_the_process_ends_does_not(
    api: Api, runtime: Runtime, open_client: Callable[..., Client]
) -> None:
    """Its body came late."""
    bob = open_client(reads_inbox=False)
    await bob.login(api.app, "bob")
    request = open_request(api, "users/ann/peers/bob/messages")
    await request.send_input({"type": "http.request", "body": b"", "more_body": True})
    rest = runtime.part(Rest)
    await until(lambda: rest.slots.taken == 1)
    runtime.draining = True
    body = json.dumps({"message": {"type": "TEXT", "text": "hello"}, "wait": True}).encode()
    await request.send_input({"type": "http.request", "body": body, "more_body": False})
    assert (await request.receive_output(10))["status"] == 503
