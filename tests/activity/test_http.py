"""One POST: no redirects, a bounded answer, a time limit for all of it."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from activity import http
from activity.http import PostFailed, post
from activity.lookups import Lookups
from tests.support.receiver import CLOSE, DRIP, FLOOD, HANG, Receiver, receiving


@pytest.fixture
def lookups() -> Iterator[Lookups]:
    lookups = Lookups()
    yield lookups
    lookups.stop()


async def send(url: str, lookups: Lookups, *, allow_private: bool = True) -> int:
    lookup = partial(lookups.find, project=1, is_proven=True)
    return await post(url, {"X-Test": "1"}, b"{}", allow_private=allow_private, lookup=lookup)


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500])
async def test_the_status_is_the_answer(receiver: Receiver, lookups: Lookups, status: int) -> None:
    receiver.script.append(status)
    assert await send(receiver.url, lookups) == status
    (delivered,) = receiver.take()
    assert (delivered.headers["X-Test"], delivered.headers["Connection"], delivered.body) == ("1", "close", b"{}")
    assert delivered.headers["Host"] == receiver.url.split("/")[2]


async def test_a_redirect_is_not_followed(receiver: Receiver, lookups: Lookups) -> None:
    with receiving() as elsewhere:
        receiver.script.append(307)
        receiver.headers["Location"] = elsewhere.url
        assert await send(receiver.url, lookups) == 307
        assert elsewhere.take() == []


@pytest.mark.parametrize("behaviour", [HANG, DRIP])
async def test_a_slow_answer_is_none(
    receiver: Receiver, lookups: Lookups, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", 0.1)
    receiver.script.append(behaviour)
    with pytest.raises(PostFailed, match="no answer within"):
        await send(receiver.url, lookups)


async def test_a_look_up_has_a_time_of_its_own(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver's begins after it: here there would be none left before."""
    port = receiver.url.split(":")[2].split("/")[0]

    async def slow(host: str) -> list[str]:
        for _ in range(5):
            await asyncio.sleep(0)
        monkeypatch.setattr(http, "TIMEOUT_S", 5.0)
        return ["127.0.0.1"]

    async def silent(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    url = f"http://hooks.example:{port}/"
    monkeypatch.setattr(http, "TIMEOUT_S", 0.0)
    assert await post(url, {}, b"{}", allow_private=True, lookup=slow) == 204
    monkeypatch.setattr(http, "LOOKUP_S", 0.1)
    with pytest.raises(PostFailed, match="no address within"):
        await post(url, {}, b"{}", allow_private=True, lookup=silent)


async def test_a_connection_that_ends_without_an_answer_failed(receiver: Receiver, lookups: Lookups) -> None:
    receiver.script.append(CLOSE)
    with pytest.raises(PostFailed):
        await send(receiver.url, lookups)


async def test_an_endless_answer_is_not_read_to_its_end(receiver: Receiver, lookups: Lookups) -> None:
    receiver.script.append(FLOOD)
    assert await send(receiver.url, lookups) == 200


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 200),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 40_000, None),
    ],
)
async def test_answers_of_all_kinds(lookups: Lookups, answer: bytes, status: int | None) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        if status is None:
            with pytest.raises(PostFailed):
                await send(url, lookups)
        else:
            assert await send(url, lookups) == status


async def test_nobody_there_is_a_failure_with_the_reason(lookups: Lookups) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(PostFailed, match="ConnectionRefusedError"):
            await send(f"http://127.0.0.1:{taken.getsockname()[1]}/", lookups)


async def test_a_host_without_an_address_is_a_failure(lookups: Lookups) -> None:
    with pytest.raises(PostFailed):
        await send("http://nowhere.invalid/", lookups)


async def test_a_private_address_gets_nothing_unless_allowed(receiver: Receiver, lookups: Lookups) -> None:
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(PostFailed, match="not public"):
            await send(url, lookups, allow_private=False)
    assert receiver.take() == []


async def test_the_address_that_was_checked_is_the_one_that_is_used(
    receiver: Receiver, lookups: Lookups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that has another address at the second look-up: there is none."""
    looked_up: list[str] = []
    port = int(receiver.url.split(":")[2].split("/")[0])

    def once(host: str, *args: Any) -> Any:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("activity.lookups.socket.getaddrinfo", once)
    assert await send(f"http://hooks.example:{port}/", lookups) == 204
    assert looked_up == ["hooks.example"]
    assert receiver.take()[0].headers["Host"] == f"hooks.example:{port}"


async def test_the_next_address_of_a_host_is_tried(
    receiver: Receiver, lookups: Lookups, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])

    def two(host: str, *args: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr("activity.lookups.socket.getaddrinfo", two)
    assert await send(f"http://hooks.example:{port}/", lookups) == 204


async def test_https_wants_a_certificate_of_the_host(receiver: Receiver, lookups: Lookups) -> None:
    context = http._tls()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    with pytest.raises(PostFailed, match="SSL"):
        await send(receiver.url.replace("http://", "https://"), lookups)
