"""What a request may do to the process: bodies that do not come, callers that go, too much at once, defects."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from config.asgi import application
from realtime.rest import requests, slots
from realtime.rest.state import Rest
from realtime.runtime import Runtime
from tests.support.client import Client
from tests.support.doubles import until
from tests.support.rest import Api

TEXT = {"uid": "ann", "message": {"type": "TEXT", "text": "x"}}


def open_request(api: Api, path: str = "rooms/math/messages", *, method: str = "POST") -> ApplicationCommunicator:
    """A request whose body the test sends."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": f"/api/v1/projects/{api.app}/{path}",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in api.headers.items()],
    }
    return ApplicationCommunicator(application, scope)


async def test_a_body_that_does_not_come_in_time(api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.01)
    request = open_request(api)
    await request.send_input({"type": "http.request", "body": b"{", "more_body": True})
    assert (await request.receive_output(10))["status"] == 408


async def test_a_caller_that_goes_amid_its_body(api: Api, runtime: Runtime) -> None:
    request = open_request(api)
    await request.send_input({"type": "http.request", "body": b"{", "more_body": True})
    await request.send_input({"type": "http.disconnect"})
    await request.wait(10)
    assert request.output_queue.empty()
    assert (await api.v1("GET", "rooms")).json["rooms"] == []


async def test_what_is_only_read_is_given_up_when_the_caller_goes(
    api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    never: asyncio.Future[list[str]] = runtime.loop.create_future()
    monkeypatch.setattr(runtime.sessions, "members", lambda *_args: never)
    request = open_request(api, "rooms/math/members", method="GET")
    await request.send_input({"type": "http.request", "body": b"", "more_body": False})
    await until(lambda: runtime.part(Rest).slots.taken == 1)
    await request.send_input({"type": "http.disconnect"})
    await request.wait(10)
    assert request.output_queue.empty()
    assert runtime.part(Rest).slots.taken == 0


async def test_what_is_sent_is_done_though_the_caller_goes(
    api: Api, runtime: Runtime, open_client: Callable[..., Client]
) -> None:
    """Who does not wait for the answer has sent it all the same."""
    bob = open_client()
    await bob.login(api.app, "bob")
    await bob.call("room.join", room="math")
    request = open_request(api)
    await request.send_input({"type": "http.request", "body": json.dumps(TEXT).encode(), "more_body": False})
    await request.send_input({"type": "http.disconnect"})
    await bob.expect("room.sent")
    await request.wait(10)


async def test_a_server_that_ends_without_waiting_any_longer(api: Api, runtime: Runtime) -> None:
    """It cancels what is under way: that is told in the interface's own shape, not the server's."""
    request = open_request(api)
    await request.send_input({"type": "http.request", "body": b"{", "more_body": True})
    await until(lambda: runtime.pressure.bytes == 1)
    request.future.cancel()
    start = await request.receive_output(10)
    headers = dict(start["headers"])
    assert (start["status"], headers[b"retry-after"], headers[b"content-type"]) == (503, b"1", b"application/json")
    assert json.loads((await request.receive_output(10))["body"])["error"]["code"] == "unavailable"
    assert runtime.pressure.bytes == 0


@pytest.mark.parametrize(("name", "value"), [("MAX_IN_WORK", 0), ("PROCESS_BYTES", 0)])
async def test_more_than_the_process_takes_at_once(
    api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(slots, name, value)
    answer = await api.v1("POST", "rooms/math/messages", TEXT)
    assert (answer.status, answer.json["error"]["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    monkeypatch.undo()
    assert (await api.v1("POST", "rooms/math/messages", TEXT)).status == 200
    assert runtime.pressure.bytes == 0


async def test_a_defect_is_told_by_an_incident_and_nothing_else(
    api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*args: Any) -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(runtime.sessions, "members", broken)
    with caplog.at_level(logging.ERROR):
        answer = await api.v1("GET", "rooms/math/members")
    assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
    assert b"secret" not in answer.body
    assert answer.json["error"]["incident"] in caplog.text


async def test_a_database_out_of_reach_is_told_as_such(
    api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from realtime.errors import UNAVAILABLE, RpcError

    assert (await api.v1("GET", "rooms")).status == 200  # who calls is known

    async def away(*args: Any, **kwargs: Any) -> Any:
        raise RpcError(UNAVAILABLE)

    monkeypatch.setattr(runtime.bridge, "read", away)
    answer = await api.v1("GET", "rooms")
    assert (answer.status, answer.json["error"]["code"], answer.json["error"]["message"]) == (
        503,
        "unavailable",
        UNAVAILABLE.meaning,
    )
