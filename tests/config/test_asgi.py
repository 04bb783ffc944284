"""The ASGI application: its start and stop, its addresses, its static files."""

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from config.asgi import application
from realtime import runtime


async def refuse_to_start() -> None:
    raise RuntimeError("no database")


async def test_a_runtime_that_cannot_start_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtime, "startup", refuse_to_start)
    server = ApplicationCommunicator(application, {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    assert await server.receive_output() == {"type": "lifespan.startup.failed", "message": "no database"}
    await server.wait()
    assert "could not start" in caplog.text


async def test_start_and_stop_reach_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    async def startup() -> None:
        called.append("startup")

    async def shutdown() -> None:
        called.append("shutdown")

    monkeypatch.setattr(runtime, "startup", startup)
    monkeypatch.setattr(runtime, "shutdown", shutdown)
    server = ApplicationCommunicator(application, {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    assert await server.receive_output() == {"type": "lifespan.startup.complete"}
    await server.send_input({"type": "lifespan.shutdown"})
    assert await server.receive_output() == {"type": "lifespan.shutdown.complete"}
    await server.wait()
    assert called == ["startup", "shutdown"]


async def test_any_other_websocket_address_is_refused() -> None:
    socket = ApplicationCommunicator(application, {"type": "websocket", "path": "/rtm/ws/more"})
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output())["type"] == "websocket.close"
    await socket.wait()


def test_static_files_come_whole_with_their_type(client: Client) -> None:
    path = next((settings.BASE_DIR / "static" / "rtm" / "session").glob("*.js"))
    response = client.get(f"/static/rtm/session/{path.name}")
    assert response.content == path.read_bytes()
    assert response["Content-Type"].startswith("text/javascript")
    part = client.get(f"/static/rtm/session/{path.name}", headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, path.read_bytes()[2:6])
    unchanged = client.get(f"/static/rtm/session/{path.name}", headers={"if-none-match": response["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
