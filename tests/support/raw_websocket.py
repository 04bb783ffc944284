"""A WebSocket client that does what a polite library does not: it stops reading, and sends whatever bytes."""

import asyncio
import struct
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Frame(NamedTuple):
    """One frame as the server sent it."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE
        (code,) = struct.unpack("!H", self.payload[:2])
        assert isinstance(code, int)
        return code


def client_frame(payload: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    length = len(payload)
    if length < 126:
        size = bytes((0x80 | length,))
    elif length < 65536:
        size = struct.pack("!BH", 0x80 | 126, length)
    else:
        size = struct.pack("!BQ", 0x80 | 127, length)
    return bytes(((0x80 if final else 0) | opcode,)) + size + b"\0\0\0\0" + payload


def server_frame(text: str) -> bytes:
    """A text frame as a server sends it: ready for the wire."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65536:
        return struct.pack("!BBH", 0x81, 126, length) + payload
    return struct.pack("!BBQ", 0x81, 127, length) + payload


class RawWebSocket:
    """An open connection. It reads nothing by itself beyond a few KiB."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, url: str, path: str = "/") -> "RawWebSocket":
        """Opens `path` on a server at `http://host:port`."""
        address = urlsplit(url)
        return await cls.upgrade(*await asyncio.open_connection(address.hostname, address.port, limit=4096), path)

    @classmethod
    async def upgrade(
        cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = "/"
    ) -> "RawWebSocket":
        """Makes the handshake on an HTTP connection."""
        writer.write(HANDSHAKE.format(path=path, host="localhost").encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        return cls(reader, writer)

    def send(self, payload: bytes | str, opcode: int = TEXT, *, final: bool = True) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.writer.write(client_frame(data, opcode, final=final))

    async def receive(self) -> Frame:
        """The next frame; IncompleteReadError at the end, ConnectionResetError after an abort."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return Frame(first & 0x0F, await self.reader.readexactly(length))

    async def text(self) -> str:
        frame = await self.receive()
        assert frame.opcode == TEXT, frame
        return frame.payload.decode()

    async def at_end(self) -> None:
        """Returns when the server has closed the socket, and nothing more came."""
        assert await self.reader.read(1) == b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # the server was first
            await self.writer.wait_closed()
