"""Bodies are read of those who are let in, and count before they are here."""

from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from realtime.pressure import PROCESS_BYTES
from realtime.rest import slots
from realtime.rest.state import Rest
from realtime.runtime import Runtime
from tests.rest.test_handler import TEXT, open_request
from tests.support.doubles import until
from tests.support.rest import Api, basic

MORE = {"type": "http.request", "body": b"{", "more_body": True}


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


async def test_a_body_counts_from_when_it_is_announced(api: Api, runtime: Runtime) -> None:
    request = open_request(Api(api.app, {**api.headers, "content-length": "200000"}))
    await request.send_input(MORE)
    await until(lambda: runtime.pressure.bytes == 200_000)
    assert runtime.part(Rest).slots.taken == 1
    assert await end(request) == 400
    await request.wait(10)
    assert (runtime.pressure.bytes, runtime.part(Rest).slots.taken) == (0, 0)


async def test_a_body_of_no_length_counts_as_it_comes(api: Api, runtime: Runtime) -> None:
    request = open_request(api)
    for number in range(1, 4):
        await request.send_input({**MORE, "body": b" " * 50_000})
        await until(lambda so_far=number: runtime.pressure.bytes == so_far * 50_000)  # type: ignore[misc]
    assert await end(request) == 400
    await request.wait(10)
    assert runtime.pressure.bytes == 0


async def test_a_caller_that_goes_gives_back_what_it_had(api: Api, runtime: Runtime) -> None:
    request = open_request(Api(api.app, {**api.headers, "content-length": "200000"}))
    await request.send_input(MORE)
    await until(lambda: runtime.pressure.bytes == 200_000)
    await request.send_input({"type": "http.disconnect"})
    await request.wait(10)
    rest = runtime.part(Rest).slots
    assert (runtime.pressure.bytes, rest.taken, len(rest.of_project), len(rest.bytes_of_project)) == (0, 0, 0, 0)


async def test_one_project_has_no_more_than_its_share(
    make_api: Callable[..., Api], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies that never end keep nobody else out."""
    assert slots.PROJECT_BYTES <= PROCESS_BYTES // 2
    assert slots.PROJECT_IN_WORK <= slots.MAX_IN_WORK // 2
    one, other = [await sync_to_async(make_api)() for _ in range(2)]
    for name, value in (("PROJECT_BYTES", 200_000), ("PROJECT_IN_WORK", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(slots, name, value)
            slow = open_request(Api(one.app, {**one.headers, "content-length": "200000"}))
            await slow.send_input(MORE)
            await until(lambda: runtime.pressure.bytes == 200_000)
            refused = await one.v1("POST", "rooms/math/messages", TEXT)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert (await other.v1("POST", "rooms/math/messages", TEXT)).status == 200
            assert await end(slow) == 400
            await slow.wait(10)
        assert (await one.v1("POST", "rooms/math/messages", TEXT)).status == 200
