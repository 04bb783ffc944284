"""What a request may do to the process: bodies that do not come, callers that go, too much at once, defects."""

import logging
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from config.asgi import application
from realtime.rest import handler, slots
from realtime.runtime import Runtime
from tests.support.rest import Api

TEXT = {"uid": "ann", "message": {"type": "TEXT", "text": "x"}}


def open_request(api: Api) -> ApplicationCommunicator:
    """A POST whose body the test sends."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/api/v1/projects/{api.app}/rooms/math/messages",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in api.headers.items()],
    }
    return ApplicationCommunicator(application, scope)


async def test_a_body_that_does_not_come_in_time(api: Api, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "BODY_TIMEOUT_S", 0.01)
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
