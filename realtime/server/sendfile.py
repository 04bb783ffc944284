"""A file's bytes from the kernel's cache to a socket: they never pass through this process."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

PIECE_BYTES: Final = 1024 * 1024
"""At one time. A socket whose buffer is full takes less."""

_threads: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sendfile")
"""They wait for the disk where the cache does not have it; never for the socket."""


class FileSending:
    """One part of a file, on its way to a socket that does not block.

    Both descriptors are copied: a thread that is still at work when all is over must not meet another file, or another
    client, under their numbers.
    """

    def __init__(self, file: int, socket: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = os.dup(file)
        self._socket = os.dup(socket)
        self._room: asyncio.Future[None] | None = None
        self._stopped = False

    async def run(self, place: int, count: int) -> None:
        """Sends `count` bytes from `place` on. Raises OSError when the file or the connection ends before."""
        at_work: asyncio.Future[int] | None = None
        try:
            while count:
                at_work = self._loop.run_in_executor(
                    _threads, os.sendfile, self._socket, self._file, place, min(count, PIECE_BYTES)
                )
                try:
                    sent = await asyncio.shield(at_work)
                except BlockingIOError:
                    await self._has_room()
                    continue
                if not sent:
                    raise OSError("the file has become shorter")
                place += sent
                count -= sent
                if self._stopped:
                    raise ConnectionResetError("the client has left")
        finally:
            if at_work is None or at_work.done():
                self._close()
            else:
                at_work.add_done_callback(self._close)

    def stop(self) -> None:
        """The connection is lost."""
        self._stopped = True
        if self._room is not None and not self._room.done():
            self._room.set_exception(ConnectionResetError("the client has left"))

    async def _has_room(self) -> None:
        if self._stopped:
            raise ConnectionResetError("the client has left")
        self._room = room = self._loop.create_future()
        self._loop.add_writer(self._socket, lambda: None if room.done() else room.set_result(None))
        try:
            await room
        finally:
            self._loop.remove_writer(self._socket)

    def _close(self, at_work: "asyncio.Future[int] | None" = None) -> None:
        if at_work is not None and not at_work.cancelled():
            at_work.exception()  # nobody waits for it any more
        os.close(self._file)
        os.close(self._socket)
