"""Files that go past the process, as parts of an HTTP answer."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from realtime.server.http import FILE_EXTENSION
from tests.support.asgi import Application, Receive, Send, serving

pytestmark = pytest.mark.shapeless

MB = 1024 * 1024
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SendFile = Callable[[int, int, int], Any]


def answering(length: int, body: Callable[[Send, SendFile], Any]) -> Application:
    """Announces so many bytes, and then sends what `body` does."""

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await body(send, scope["extensions"][FILE_EXTENSION]["send"])

    return application


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """The descriptor of one of 32 MB, whose first bytes are `file`."""
    path = tmp_path / "file"
    path.write_bytes(b"file")
    os.truncate(path, 32 * MB)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(url)
    return await asyncio.open_connection(where.hostname, where.port)


async def test_all_parts_of_an_answer_come_in_their_order_and_the_connection_stays(file: int) -> None:
    async def body(send: Send, send_file: SendFile) -> None:
        await send({"type": "http.response.body", "body": b"<" * MB, "more_body": True})
        await send_file(file, 0, MB)
        await send_file(file, 1, 3)
        await send({"type": "http.response.body", "body": b">", "more_body": False})

    async with serving(answering(2 * MB + 4, body)) as (_, url):
        reader, writer = await connected(url)
        for _ in range(2):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2 * MB + 4) == b"<" * MB + b"file".ljust(MB, b"\0") + b"ile>"
        writer.close()


async def test_a_file_that_is_too_short_ends_the_connection(file: int) -> None:
    async def body(send: Send, send_file: SendFile) -> None:
        with suppress(OSError):
            await send_file(file, 31 * MB, 2 * MB)

    async with serving(answering(2 * MB, body)) as (_, url):
        reader, writer = await connected(url)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.read(-1)) == MB
        writer.close()


@pytest.mark.parametrize("when", ["while the kernel has no room for more", "before anything is sent"])
async def test_a_client_that_leaves_ends_it(file: int, when: str) -> None:
    ended = asyncio.get_running_loop().create_future()

    async def body(send: Send, send_file: SendFile) -> None:
        if when == "before anything is sent":
            writer.transport.abort()
        try:
            for _ in range(4):
                await send_file(file, 0, 32 * MB)
        except OSError:
            ended.set_result(len(os.listdir("/proc/self/fd")))

    async with serving(answering(128 * MB, body)) as (_, url):
        reader, writer = await connected(url)
        open_before = len(os.listdir("/proc/self/fd"))
        writer.write(GET)
        if when != "before anything is sent":
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        assert await asyncio.wait_for(ended, 20) <= open_before
