"""Bodies are read of those who are let in and have paid, and count as they come."""

from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from realtime.pressure import PROCESS_BYTES
from realtime.rest import slots
from realtime.rest.requests import MAX_BODY_BYTES
from realtime.rest.state import Rest
from realtime.runtime import Runtime
from tests.rest.test_handler import TEXT, open_request
from tests.support.client import Client
from tests.support.clock import clocked_runtimes
from tests.support.doubles import until
from tests.support.rest import Api, basic

pytestmark = pytest.mark.shapeless

MORE = {"type": "http.request", "body": b"{", "more_body": True}
NOTHING_YET = {**MORE, "body": b""}


async def end(request: ApplicationCommunicator, body: bytes = b"}") -> int:
    """The status, once the rest of the body has come."""
    await request.send_input({"type": "http.request", "body": body, "more_body": False})
    status: int = (await request.receive_output(10))["status"]
    return status


@pytest.mark.parametrize("headers", [{}, basic("0" * 32, "wrong"), {"x-agora-token": "007", "x-agora-uid": "ann"}])
async def test_of_who_is_not_let_in_only_the_head_is_read(api: Api, runtime: Runtime, headers: dict[str, str]) -> None:
    """Also when the body is said to be too large: nobody looks at it."""
    for length in ("200000", "300000"):
        request = open_request(Api(api.app, {**headers, "content-length": length}))
        start = await request.receive_output(10)
        assert start["status"] == 401
        await request.wait(10)
    assert (runtime.pressure.bytes, runtime.part(Rest).slots.taken) == (0, 0)


async def test_a_body_counts_as_it_comes_and_not_as_it_is_announced(api: Api, runtime: Runtime) -> None:
    for headers in ({}, {"content-length": "200000"}):
        request = open_request(Api(api.app, {**api.headers, **headers}))
        await request.send_input(NOTHING_YET)
        await until(lambda: runtime.part(Rest).slots.taken == 1)
        assert runtime.pressure.bytes == 0
        for number in range(1, 4):
            await request.send_input({**MORE, "body": b" " * 50_000})
            await until(lambda so_far=number: runtime.pressure.bytes == so_far * 50_000)  # type: ignore[misc]
        assert await end(request) == 400
        await request.wait(10)
        assert held(runtime) == (0, 0, 0, 0, 0)


def held(runtime: Runtime) -> tuple[int, ...]:
    """Bytes of the process, of REST, requests, and how many have some of the two."""
    rest = runtime.part(Rest).slots
    return runtime.pressure.bytes, rest.bytes, rest.taken, len(rest.requests_of), len(rest.bytes_of)


async def test_heads_alone_hold_no_bytes_and_no_sockets_reading(
    api: Api, as_user: Callable[..., Api], runtime: Runtime, open_client: Callable[..., Client]
) -> None:
    """As many as would fill the process, were it for what they announce."""
    users = [await sync_to_async(as_user)(api, f"u{number}") for number in range(16)]
    heads = [open_request(Api(one.app, {**one.headers, "content-length": "262144"})) for one in users * 16]
    assert len(heads) * 262_144 >= PROCESS_BYTES
    for head in heads:
        await head.send_input(NOTHING_YET)
    ann = open_client()
    await ann.login(api.app, "ann")
    await until(lambda: runtime.part(Rest).slots.taken == len(heads))
    assert runtime.pressure.bytes == 0
    await ann.call("session.ping")
    assert (await api.v1("POST", "rooms/math/messages", TEXT)).status == 200
    for head in heads:
        await head.send_input({"type": "http.disconnect"})
        await head.wait(10)
    assert held(runtime) == (0, 0, 0, 0, 0)


async def test_a_caller_that_goes_gives_back_what_it_had(api: Api, runtime: Runtime) -> None:
    request = open_request(api)
    await request.send_input({**MORE, "body": b" " * 200_000})
    await until(lambda: runtime.pressure.bytes == 200_000)
    await request.send_input({"type": "http.disconnect"})
    await request.wait(10)
    assert held(runtime) == (0, 0, 0, 0, 0)


async def test_a_call_that_is_too_often_is_told_so_before_its_body_is_read(make_api: Callable[..., Api]) -> None:
    api = await sync_to_async(make_api)(limits={"rates": {"rest_room_messages": [1, 60_000]}})
    async with clocked_runtimes() as lifetime:
        assert (await api.v1("POST", "rooms/math/messages", TEXT)).status == 200
        request = open_request(Api(api.app, {**api.headers, "content-length": "200000"}))
        start = await request.receive_output(10)
        assert (start["status"], dict(start["headers"])[b"retry-after"]) == (429, b"60")
        await request.wait(10)
        assert held(lifetime.runtime) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("share", [slots.Share(1, 10**9), slots.Share(10**9, 200_001)])
@pytest.mark.parametrize("whose", ["PARTY", "USER"])
async def test_nobody_has_more_than_their_share(
    make_api: Callable[..., Api],
    as_user: Callable[..., Api],
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    whose: str,
    share: slots.Share,
) -> None:
    """Requests that do not end keep nobody else out: neither another user, nor the project's server, nor another
    project."""
    one, other = [await sync_to_async(make_api)() for _ in range(2)]
    ann, bob = [await sync_to_async(as_user)(one, uid) for uid in ("ann", "bob")]
    monkeypatch.setattr(slots, whose, share)
    slow = open_request(ann)
    await slow.send_input({**MORE, "body": b" " * 200_000})
    await until(lambda: runtime.pressure.bytes == 200_000)
    refused = await ann.v1("POST", "rooms/math/messages", TEXT)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert (await bob.v1("POST", "rooms/math/messages", {**TEXT, "uid": "bob"})).status == (
        503 if whose == "PARTY" else 200
    )
    for server in (one, other):
        assert (await server.v1("POST", "rooms/math/messages", TEXT)).status == 200
    assert await end(slow) == 400
    await slow.wait(10)
    assert (await ann.v1("POST", "rooms/math/messages", TEXT)).status == 200
    assert held(runtime) == (0, 0, 0, 0, 0)


def test_the_shares_leave_something_for_others() -> None:
    assert slots.MAX_BYTES <= PROCESS_BYTES // 2, "the sockets have the rest"
    parties = 2
    assert parties * slots.PARTY.requests <= slots.MAX_IN_WORK // 2
    assert parties * slots.PARTY.bytes <= slots.MAX_BYTES // 2
    assert slots.USER.requests * 16 <= slots.PARTY.requests
    assert 2 * MAX_BODY_BYTES <= slots.USER.bytes <= slots.PARTY.bytes // 8
