"""The servers that an attack is tried on, and what a process costs while it lasts."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

LISTENING = "0A"
"""The state of a socket, in /proc/net/tcp, that waits for clients."""

SERVERS: Final[dict[str, tuple[str, ...]]] = {
    "uvicorn": (),
    "stock uvicorn": ("--stock",),
    "daphne": ("--server", "daphne"),
}
"""Options of `manage.py serve`."""


def resident_bytes(pid: int) -> int:
    """The memory that the process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(pid: int) -> int:
    """The most memory that the process has ever had in use."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def open_sockets(pid: int, port: int) -> int:
    """The sockets that the process holds of clients at its port, also those whose other end does not read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    of_clients = {
        f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] != LISTENING
    }
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(entry) in of_clients
    return count


def unnamed_file_bytes(pid: int) -> int:
    """The size of the temporary files that the process has open."""
    size = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(entry).endswith(" (deleted)"):
                size += entry.stat().st_size
    return size


def has_open(pid: int, path: str) -> bool:
    """Whether one of the process's descriptors is of that file."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(entry) == path:
                return True
    return False


async def until(condition: Callable[[], bool], promise: str) -> None:
    """Waits for what comes in its own time; fails with the promise that was not kept."""
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.1)
    pytest.fail(promise)
