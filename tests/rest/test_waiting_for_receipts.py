"""Who waits for a receipt holds nothing that others need; how many wait is bounded for each project."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from messaging.selectors import from_ms
from peers.delivery import LOOK_S, WAIT_S, PeerMessages
from peers.waits import ALWAYS_FREE
from projects.limits import RATES, Sizes
from projects.models import Project
from projects.services import issue_token
from realtime.rest.slots import LIGHT_HEAD_BYTES
from realtime.rest.state import Rest
from realtime.runtime import Runtime
from tests.peers.post import Post
from tests.support.client import CallFailed
from tests.support.clock import clocked_runtimes
from tests.support.doubles import until
from tests.support.rest import Answer, Api, request

PEER = {"destination": "bob", "payload": "hello"}
PATH = "rtm/users/ann/peer_messages?wait_for_ack=true"


def waiting(runtime: Runtime) -> int:
    """How many messages wait for their receivers."""
    return sum(map(len, runtime.part(PeerMessages)._waiting.values()))


async def test_rule_pressure_who_waits_for_a_receipt_holds_neither_bytes_nor_a_slot(
    make_api: Callable[..., Api],
) -> None:
    api = await sync_to_async(make_api)()
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)
        bob = await post.bob(reads_inbox=False)
        answer = asyncio.create_task(api.vendor("POST", PATH, {**PEER, "junk": "x" * 200_000}))
        pushed = await bob.expect("peer.sent")
        assert (answer.done(), lifetime.runtime.pressure.bytes) == (False, 0)
        assert lifetime.runtime.part(Rest).slots.taken == 0
        await bob.notify("inbox.ack", seq=pushed["seq"])
        assert (await answer).json["code"] == "message_delivered"
        assert (lifetime.runtime.pressure.bytes, lifetime.runtime.part(Rest).slots.taken) == (0, 0)


async def test_a_large_head_counts_until_the_answer(make_api: Callable[..., Api]) -> None:
    """It is kept as long."""
    api = await sync_to_async(make_api)()
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)
        bob = await post.bob(reads_inbox=False)
        answer = asyncio.create_task(api.vendor("POST", PATH, PEER, cookie="x" * LIGHT_HEAD_BYTES))
        pushed = await bob.expect("peer.sent")
        assert lifetime.runtime.pressure.bytes > LIGHT_HEAD_BYTES
        assert lifetime.runtime.part(Rest).slots.taken == 1
        await bob.notify("inbox.ack", seq=pushed["seq"])
        assert (await answer).status == 200
        assert (lifetime.runtime.pressure.bytes, lifetime.runtime.part(Rest).slots.taken) == (0, 0)


@pytest.mark.shapeless
async def test_who_waits_keeps_nothing_of_the_body_in_memory(
    make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was ignored of it, nor the text."""
    monkeypatch.setattr(PeerMessages, "_is_reachable_here", lambda *args: True)
    api = await sync_to_async(make_api)()
    raw = json.dumps({**PEER, "payload": "x" * 30_000, "junk": ["y" * 30] * 6_000}).encode()
    path = f"/dev/v2/project/{api.app}/{PATH}"
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)

        async def begin(count: int) -> list[asyncio.Task[Answer]]:
            before = waiting(lifetime.runtime)
            begun = [asyncio.create_task(request("POST", path, raw=raw, headers=api.headers)) for _ in range(count)]
            await until(lambda: waiting(lifetime.runtime) == before + count)
            return begun

        answers = await begin(5)  # what is made once is there
        tracemalloc.start()
        try:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(5):
                answers += await begin(20)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (after - before) / 100 < 40_000, "one text more would be above"
        await post.pass_time(10)
        assert [(await answer).status for answer in answers] == [408] * 105


async def test_500_messages_a_second_may_all_wait_the_longest(
    make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a project's server may send, to receivers who never confirm; the first ones' burst beside."""
    monkeypatch.setattr(PeerMessages, "_is_reachable_here", lambda *args: True)
    monkeypatch.setattr("tests.support.rest.TIMEOUT_S", 120.0)  # so many take a slow machine a while
    rate = RATES["rest_peer_messages"]
    assert Sizes().receipts_awaited >= rate.calls * (1 + (WAIT_S + 2 * LOOK_S) * 1_000 / rate.window_ms)
    api = await sync_to_async(make_api)()
    async with clocked_runtimes() as lifetime:
        answers: list[asyncio.Task[Answer]] = []

        def all_wait() -> bool:
            return waiting(lifetime.runtime) == len(answers)

        for second in range(int(WAIT_S)):
            lifetime.clock.advance(1 if second else 0)
            for _ in range(rate.calls // 100):
                answers += [asyncio.create_task(api.vendor("POST", PATH, PEER)) for _ in range(100)]
                await until(all_wait)
        await lifetime.runtime.part(PeerMessages).look()
        assert not any(answer.done() for answer in answers)
        assert (lifetime.runtime.pressure.bytes, lifetime.runtime.part(Rest).slots.taken) == (0, 0)
        lifetime.clock.advance(WAIT_S)
        await lifetime.runtime.part(PeerMessages).look()
        assert {(await answer).status for answer in answers} == {408}


async def test_one_more_than_may_wait_is_refused_before_anything_is_stored(make_api: Callable[..., Api]) -> None:
    api = await sync_to_async(make_api)(limits={"sizes": {"receipts_awaited": 2}})
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)
        bob = await post.bob(reads_inbox=False)
        two = [asyncio.create_task(api.vendor("POST", PATH, PEER)) for _ in range(2)]
        first, second = [await bob.expect("peer.sent") for _ in two]
        peers = "users/ann/peers/bob/messages"
        kept = {"message": {"type": "TEXT", "text": "third"}, "wait": True}
        refused = await api.v1("POST", peers, kept, idempotency_key="third")
        assert (refused.status, refused.json["error"]["code"], refused.headers["retry-after"]) == (
            503,
            "overloaded",
            "1",
        )
        assert (await api.vendor("POST", PATH, PEER)).status == 500  # as the vendor has it
        await bob.expect_nothing("peer.sent")
        # Who does not wait is let through, and so is the same message once there is room.
        assert (await api.v1("POST", peers, {**kept, "wait": False}, idempotency_key="fourth")).status == 200
        assert (await bob.expect("peer.sent"))["message_id"] == "fourth"
        await bob.notify("inbox.ack", seq=first["seq"])
        assert (await asyncio.gather(*two[:1]))[0].status == 200
        again = asyncio.create_task(api.v1("POST", peers, kept, idempotency_key="third"))
        third = await bob.expect("peer.sent")
        assert third["message_id"] == "third"
        await bob.notify("inbox.ack", seq=third["seq"])
        assert (await again).json["received"] is True
        assert (await two[1]).status == 200
        assert second["seq"] < third["seq"]


async def test_users_and_the_projects_server_do_not_take_each_others_places(make_api: Callable[..., Api]) -> None:
    api = await sync_to_async(make_api)(limits={"sizes": {"receipts_awaited": 2}})
    project = await sync_to_async(Project.objects.get)(app_id=api.app)
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)
        bob = await post.bob(reads_inbox=False)
        ann = await post.ann()
        message = {"type": "TEXT", "text": "hello"}
        assert ALWAYS_FREE == 4
        sent = [await ann.start("peer.send", peer="bob", message_id=f"m{n}", message=message) for n in range(4)]
        for _ in sent:
            await bob.expect("peer.sent")
        with pytest.raises(CallFailed) as refused:
            await ann.call("peer.send", peer="bob", message_id="m4", message=message)
        assert (refused.value.name, refused.value.data["retry_after_ms"]) == ("overloaded", 1_000)
        many = await ann.call("peer.send_many", peers=["bob"], message_id="m5", message=message)
        assert many == {"received": {}, "failed": {"bob": "overloaded"}}
        issued = await sync_to_async(issue_token)(project=project, uid="ann", now=from_ms(lifetime.runtime.clock_ms()))
        user = Api(api.app, {"x-agora-token": issued.token, "x-agora-uid": "ann"})
        assert (await user.v1("POST", "users/ann/peers/bob/messages", {"message": message, "wait": True})).status == 503
        eve = await lifetime.enter(api.app, "eve")
        sent.append(await eve.start("peer.send", peer="bob", message_id="m6", message=message))
        assert (await bob.expect("peer.sent"))["sender"] == "eve", "nobody is kept from sending by others"
        by_server = asyncio.create_task(api.vendor("POST", PATH, PEER))
        last = await bob.expect("peer.sent")
        await bob.notify("inbox.ack", seq=last["seq"])
        assert (await by_server).status == 200
        assert [(await answer)["received"] for answer in sent] == [True] * 5
        waits = lifetime.runtime.part(PeerMessages).waits
        assert (len(waits.of_sender), len(waits.of_users)) == (0, 0)


async def test_rule_pressure_a_session_that_waits_for_a_receipt_holds_no_bytes(make_api: Callable[..., Api]) -> None:
    """Only its places among the 64 of its connection."""
    api = await sync_to_async(make_api)()
    async with clocked_runtimes() as lifetime:
        post = Post(lifetime, api.app, 0)
        bob, ann = await post.bob(reads_inbox=False), await post.ann()
        message = {"type": "TEXT", "text": "x" * 30_000}
        answers = [await ann.start("peer.send", peer="bob", message_id=f"m{n}", message=message) for n in range(20)]
        answers.append(await ann.start("peer.send_many", peers=["bob", "eve"], message_id="m20", message=message))
        pushed = [await bob.expect("peer.sent") for _ in answers]
        await post.committed()
        (connection,) = (one.connection for one in lifetime.runtime.sessions.all() if one.uid == "ann")
        assert connection is not None
        assert (connection.work, connection.work_bytes, lifetime.runtime.pressure.bytes) == (21, 0, 0)
        await bob.notify("inbox.ack", seq=pushed[-1]["seq"])
        assert [(await answer)["received"] for answer in answers] == [True] * 20 + [{"bob": True, "eve": False}]
        assert (connection.work, connection.work_bytes, lifetime.runtime.pressure.bytes) == (0, 0, 0)
