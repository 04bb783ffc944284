"""A server in a process of its own, that a test starts, signals and outlives."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.raw_websocket import RawWebSocket

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
"""A line or an end that has not come by then never will."""


class ServerProcess:
    """What it prints comes line by line; what it logs goes where the test's own does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self.url = ""

    async def line(self) -> str:
        """The next line it printed; "" when it, and all processes it started, have ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def rest(self) -> list[str]:
        """All lines until the last of its processes has ended."""
        lines = []
        while line := await self.line():
            lines.append(line)
        return lines

    def signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    async def exit_code(self) -> int:
        async with asyncio.timeout(WAIT_S):
            return await self._process.wait()

    async def stop(self) -> None:
        """However it stands, it and its workers end (workers follow a parent that is gone)."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.rest()
        await self.exit_code()

    async def get(self) -> tuple[int, str]:
        """Status and body of its page `/`, by a new connection."""
        async with http_connection(self.url) as connection:
            return await connection.get()


class HttpConnection:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self) -> tuple[int, str]:
        self._writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        return int(head.split()[1]), (await self._reader.readexactly(length)).decode()

    async def upgrade(self) -> RawWebSocket:
        """Turns it into a WebSocket."""
        return await RawWebSocket.upgrade(self._reader, self._writer)


@asynccontextmanager
async def http_connection(url: str) -> AsyncIterator[HttpConnection]:
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    try:
        yield HttpConnection(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def server_process(
    *arguments: str, env: Mapping[str, str] | None = None, ready: bool = True
) -> AsyncIterator[ServerProcess]:
    """`python` with these arguments, in the project's folder; by default its first line holds its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    server = ServerProcess(process)
    try:
        if ready:
            server.url = (await server.line()).split()[-1]
        yield server
    finally:
        await server.stop()
