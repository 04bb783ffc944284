"""Waiting for a receipt is bounded: 408 when a peer who is there does not acknowledge."""

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from tests.peers.post import Post
from tests.support.rest import Api

PEER = {"destination": "bob", "payload": "hello"}
PATH = "rtm/users/ann/peer_messages?wait_for_ack=true"


@pytest.mark.parametrize("offline", [False, True])
async def test_a_peer_who_does_not_acknowledge(make_api: Callable[..., Api], offline: bool) -> None:
    from tests.support.clock import clocked_runtimes

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


async def test_a_peer_who_drops_is_given_up_sooner(make_api: Callable[..., Api]) -> None:
    from tests.support.clock import clocked_runtimes

    api = await sync_to_async(make_api)()
    async with clocked_runtimes(2) as lifetime:
        post = Post(lifetime, api.app, 1)
        bob = await post.bob(reads_inbox=False)
        answer = asyncio.create_task(api.vendor("POST", PATH, PEER))
        await bob.expect("peer.sent")
        await bob.close()
        await post.pass_time(7)
        assert (await answer).json["code"] == "peer_offline"
