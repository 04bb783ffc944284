"""`manage.py serve`: what it refuses, and the real service starting and stopping on each server."""

import json
import signal
import socket
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from realtime.management.commands import serve
from tests.support.raw_websocket import CLOSE, TEXT, RawWebSocket
from tests.support.server_process import ServerProcess, server_process


def command(*arguments: str) -> tuple[str, ...]:
    return ("manage.py", "serve", *arguments)


@pytest.mark.parametrize(("vendor", "redis"), [("sqlite", ""), ("sqlite", "redis://r"), ("postgresql", "")])
def test_several_workers_without_postgresql_and_redis_refuse_to_start(
    vendor: str, redis: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "connection", SimpleNamespace(vendor=vendor))
    settings.REDIS_URL = redis
    with pytest.raises(CommandError, match="PostgreSQL DATABASE_URL and a REDIS_URL"):
        call_command("serve", workers=2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"workers": 0}, "1 or more"),
        ({"server": "daphne", "stock": True}, "about uvicorn"),
        ({"port": 99_999}, "0 to 65535"),
        ({"host": "192.0.2.1"}, "Cannot listen"),  # an address of documentation's, nobody's
    ],
)
def test_what_cannot_work_is_said(options: dict[str, object], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("serve", **options)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(CommandError, match="Cannot listen"):
        call_command("serve", port=other.getsockname()[1])


@pytest.mark.shapeless
async def test_an_unknown_server_in_the_environment_is_said() -> None:
    async with server_process(*command("--port=0"), env={"SERVER": "nginx"}, ready=False) as process:
        assert await process.exit_code() == 1


async def check_service(process: ServerProcess) -> None:
    """Serves the socket, and tells its clients when it is stopped."""
    client = await RawWebSocket.connect(process.url, "/rtm/ws")
    client.send('{"jsonrpc":"2.0","id":1,"method":"session.ping","params":{}}')
    assert json.loads(await client.text())["id"] == 1
    process.signal(signal.SIGTERM)
    closing, closed = await client.receive(), await client.receive()
    assert (closing.opcode, json.loads(closing.payload)["method"]) == (TEXT, "session.closing")
    assert (closed.opcode, closed.close_code) == (CLOSE, 1012)
    await client.close()
    assert await process.rest() == []
    assert await process.exit_code() == 0


@pytest.mark.shapeless
@pytest.mark.parametrize("options", [[], ["--stock"], ["--server=daphne"]], ids=["uvicorn", "stock", "daphne"])
async def test_the_service_starts_prints_its_address_and_drains(options: list[str]) -> None:
    async with server_process(*command("--port=0", *options)) as process:
        await check_service(process)


@pytest.mark.shapeless
async def test_the_environment_says_where_to_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {"HOST": "localhost", "PORT": str(port), "SERVER": "daphne"}
    async with server_process(*command(), env=env) as process:
        assert process.url == f"http://127.0.0.1:{port}"
        await check_service(process)


async def test_several_workers_are_one_service(shape: str) -> None:
    if shape != "cluster":
        pytest.skip("needs PostgreSQL and Redis")
    async with server_process(*command("--port=0", "--workers=2")) as process:
        await check_service(process)
