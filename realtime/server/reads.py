"""How bytes come to a protocol: into one buffer for all connections, a piece at a time.

uvloop would make a new buffer of up to 250 KB for each read, and what takes a body apart makes copies of it: memory of
that size comes from the system each time and goes back there, which costs more than the copies, and adds up where many
send files.
"""

import asyncio
from typing import Final, Protocol
from weakref import WeakKeyDictionary

READ_BYTES: Final = 32 * 1024

_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


class Reader(Protocol):
    """A protocol that takes its data in either form."""

    def data_received(self, data: bytes | memoryview) -> None: ...
    def eof_received(self) -> bool | None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class PiecewiseReads(asyncio.BufferedProtocol):
    """In a protocol's place at its transport. What its `data_received` gets is overwritten when it returns."""

    def __init__(self, protocol: Reader) -> None:
        self._protocol = protocol
        self._buffer = _buffer_of(asyncio.get_running_loop())

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._protocol.data_received(self._buffer[:nbytes])

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()


def _buffer_of(loop: asyncio.AbstractEventLoop) -> memoryview:
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = memoryview(bytearray(READ_BYTES))
    return buffer
