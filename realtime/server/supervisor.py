"""Several server processes on one listening socket, kept alive by a parent that serves nothing itself.

Each worker is the same command started anew (no fork: an event loop that was made on import must not be
shared), with the listening socket and one end of a socket pair. Through the pair a worker says that it is
ready; and its end tells either side, however suddenly it came, that the other is gone.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from realtime.server.lifecycle import EXIT_LIMIT_S, STOP_SIGNALS, die_of

logger = logging.getLogger(__name__)

READY: Final = b"r"
MAX_PAUSE_S: Final = 30.0
"""Between two starts of a worker that ends before it is ready."""


class Supervisor:
    """Starts `count` workers with `command` and the option `--worker`, and one more for each that ends.

    `on_ready` is called once, when all of them serve.
    """

    def __init__(
        self, command: Sequence[str], count: int, listener: socket.socket, on_ready: Callable[[], None]
    ) -> None:
        self._command = command
        self._count = count
        self._listener = listener
        self._on_ready = on_ready
        self._filled = 0  # places whose worker has been ready once
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Serves until a signal; the exit code. The first signal drains all workers, the second kills them.

        1 when the workers cannot start at all, or when one had to be killed because it did not end.
        """
        loop = asyncio.get_running_loop()
        for signum in STOP_SIGNALS:
            loop.add_signal_handler(signum, self._handle_signal, signum)
        keepers = [asyncio.create_task(self._keep()) for _ in range(self._count)]
        await self._stopping.wait()
        self._listener.close()
        for process in self._processes:
            _send(process, signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=EXIT_LIMIT_S)
        if late:
            logger.error("%d workers did not end within %.0f s and are killed", len(late), EXIT_LIMIT_S)
            self._exit_code = 1
            self._kill_all()
        await asyncio.gather(*keepers)
        return self._exit_code

    def _handle_signal(self, signum: int) -> None:
        if self._stopping.is_set():
            self._kill_all()
            die_of(signum)
        self._stopping.set()

    def _kill_all(self) -> None:
        for process in self._processes:
            _send(process, signal.SIGKILL)

    async def _keep(self) -> None:
        """One place: a worker, and the next when it ends."""
        filled = False
        failures = 0
        while not self._stopping.is_set():
            ready = await self._run_worker(self._fill if not filled else None)
            filled = filled or ready
            failures = 0 if ready else failures + 1
            if not self._filled and not self._stopping.is_set():
                logger.error("no worker can start")
                self._exit_code = 1
                self._stopping.set()
            elif failures:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), min(2.0**failures, MAX_PAUSE_S))

    def _fill(self) -> None:
        self._filled += 1
        if self._filled == self._count:
            self._on_ready()

    async def _run_worker(self, on_ready: Callable[[], None] | None) -> bool:
        """Starts a worker and waits for its end; whether it ever was ready."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                process = await self._start(theirs)
            self._processes.add(process)
            if self._stopping.is_set():
                _send(process, signal.SIGTERM)
            ready = await asyncio.get_running_loop().sock_recv(ours, 1) == READY
            if ready and on_ready is not None:
                on_ready()
            code = await process.wait()
            self._processes.discard(process)
        if not self._stopping.is_set():
            logger.warning("worker %d ended with code %d", process.pid, code)
        return ready

    async def _start(self, link: socket.socket) -> asyncio.subprocess.Process:
        passed = (self._listener.fileno(), link.fileno())
        return await asyncio.create_subprocess_exec(
            *self._command,
            "--worker={},{}".format(*passed),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=passed,
            process_group=0,  # a terminal's Ctrl-C goes to the parent alone, which passes it on once
        )


def _send(process: asyncio.subprocess.Process, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signum)


def adopt(passed: str) -> tuple[socket.socket, Callable[[], None]]:
    """In a worker, with the value of `--worker`: the listening socket, and what to call when it serves.

    From now on this process drains and ends when its parent is gone.
    """
    listener, link = (socket.socket(fileno=int(number)) for number in passed.split(","))
    listener.set_inheritable(False)
    link.set_inheritable(False)
    link.setblocking(True)
    threading.Thread(target=_follow_parent, args=(link,), name="follow-parent", daemon=True).start()
    return listener, lambda: link.sendall(READY)


def _follow_parent(link: socket.socket) -> None:
    link.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(EXIT_LIMIT_S)
    os._exit(1)  # it hangs, and nobody is left to notice
