"""Files up and down by HTTP, many at once: one client of plain sockets for every server.

It is Python, a thread for each connection, which is in the kernel for as long as it sends or receives: the client is as
fast as its core copies bytes.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from websockets.exceptions import WebSocketException

from benchmarks.client import LoadFailed, unique_run
from benchmarks.user import connected
from projects.demo import DEMO_APP_ID

MB: Final = 1024 * 1024
FILE_BYTES: Final = 30 * MB
CONTENT: Final = os.urandom(MB) * 30
READ_BYTES: Final = 256 * 1024
SLOW_READ_BYTES: Final = 64 * 1024
"""Of a slow reader, at one time; as large is its socket's buffer."""
SLOW_BYTES_PER_S: Final = 2 * MB
FILES_UP: Final = 160
"""So many at most go up in one measurement: each is a new one."""
FILES_OF_USER: Final = 8
LIMIT_S: Final = 60.0
BOUNDARY: Final = "----benchmark"


@dataclass(frozen=True)
class Place:
    """Where a file goes up, or comes down: the request's first lines, and what an upload has around the file."""

    request: str
    before: bytes = b""
    after: bytes = b""

    def head(self, body_bytes: int) -> bytes:
        return f"{self.request}\r\nHost: 127.0.0.1\r\nContent-Length: {body_bytes}\r\n\r\n".encode()


@dataclass
class Carried:
    """What all connections have carried: the bytes of each whole file (of a slow reader, of each part), and what went
    wrong."""

    files: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


Places = Iterator[Place]
"""One for each file, for all connections together."""
Transfer = Callable[[int, Places, Carried, threading.Event], None]


def upload(port: int, places: Places, carried: Carried, over: threading.Event) -> None:
    """One file, and then the next until it is over."""
    with _connection(port) as connection:
        for place in places:
            connection.sendall(place.head(len(place.before) + FILE_BYTES + len(place.after)) + place.before)
            connection.sendall(CONTENT)
            connection.sendall(place.after)
            status, _ = _answer(connection, memoryview(bytearray(READ_BYTES)))
            if status not in (201, 204):
                raise OSError(f"an upload was answered with {status}")
            carried.files.append(FILE_BYTES)
            if over.is_set():
                return
    raise OSError("more files went up than there were places for")


def upload_gently(port: int, places: Places, carried: Carried, over: threading.Event) -> None:
    """With only what others leave of the client's core."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    upload(port, places, carried, over)


def download(port: int, places: Places, carried: Carried, over: threading.Event) -> None:
    buffer = memoryview(bytearray(READ_BYTES))
    with _connection(port) as connection:
        while not over.is_set():
            connection.sendall(next(places).head(0))
            if (answer := _answer(connection, buffer)) != (200, FILE_BYTES):
                raise OSError(f"a download was answered with {answer}")
            carried.files.append(FILE_BYTES)


def download_slowly(port: int, places: Places, carried: Carried, over: threading.Event) -> None:
    """At `SLOW_BYTES_PER_S`; leaves when it is over, in the middle."""
    with _connection(port, SLOW_READ_BYTES) as connection:
        connection.sendall(next(places).head(0))
        while not over.wait(SLOW_READ_BYTES / SLOW_BYTES_PER_S):
            came = len(connection.recv(SLOW_READ_BYTES))
            if not came:
                raise OSError("a slow download has ended")
            carried.files.append(came)


WAYS: Final[dict[str, Transfer]] = {
    "up": upload,
    "up gently": upload_gently,
    "down": download,
    "down slowly": download_slowly,
}


@contextlib.contextmanager
def transfers(way: str, port: int, places: Places, connections: int) -> Iterator[Carried]:
    """So many connections, while the block runs. What is under way then is carried to its end."""
    over = threading.Event()
    carried = Carried()

    def carry() -> None:
        try:
            WAYS[way](port, places, carried, over)
        except OSError as failure:
            carried.faults.append(str(failure))

    threads = [threading.Thread(target=carry) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield carried
    finally:
        over.set()
        for thread in threads:
            thread.join()


def run(way: str, port: int, places: Places, *, connections: int, seconds: float) -> dict[str, float]:
    """Raises LoadFailed when a transfer fails."""
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    with transfers(way, port, places, connections) as carried:
        time.sleep(seconds)
    took_s = time.monotonic() - began_s
    if carried.faults:
        raise LoadFailed(carried.faults[0])
    return {
        "mb_per_s": sum(carried.files) / MB / took_s,
        "client_cpu": (time.process_time() - began_cpu_s) / took_s,
    }


def places(protocol: str, way: str, port: int) -> Places:
    """New ones for files to send, or one to fetch, which is sent for it. Raises LoadFailed."""
    try:
        if protocol == "rtm":
            return asyncio.run(_rostrum_places(port, way))
        put = [Place(f"PUT /{unique_run()} HTTP/1.1") for _ in range(FILES_UP)]
        if way.startswith("up"):
            return iter(put)
        run("up", port, iter(put), connections=1, seconds=0.0)
        return itertools.repeat(Place(put[0].request.replace("PUT", "GET")))
    except (OSError, TimeoutError, WebSocketException) as failure:
        raise LoadFailed(f"files: {failure!r}") from failure


async def _rostrum_places(port: int, way: str) -> Places:
    """As a user has them: announced and posted, finished and asked for."""
    name = unique_run()
    async with asyncio.timeout(LIMIT_S):
        if way.startswith("up"):
            users = [f"{name}-u{number}" for number in range(FILES_UP // FILES_OF_USER)]
            return iter([place for uid in users for _, place in await _announced(port, uid, FILES_OF_USER)])
        ((media, form),) = await _announced(port, name, 1)
        await asyncio.to_thread(run, "up", port, iter([form]), connections=1, seconds=0.0)
        async with connected(port) as user:
            await user.call("session.login", {"app": DEMO_APP_ID, "uid": name})
            await user.call("media.finish", {"media": media})
            address = (await user.call("media.url", {"media": media}))["url"]
    return itertools.repeat(Place(f"GET {address} HTTP/1.1"))


async def _announced(port: int, uid: str, count: int) -> list[tuple[str, Place]]:
    """So many files of one user: media ids, and where they go."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    announced = []
    async with connected(port) as user:
        await user.call("session.login", {"app": DEMO_APP_ID, "uid": uid})
        for _ in range(count):
            begun = await user.call("media.start", {"kind": "FILE", "name": "file", "size": FILE_BYTES})
            place = Place(f"POST {begun['url']} HTTP/1.1\r\n{kind}", part.encode(), f"\r\n--{BOUNDARY}--\r\n".encode())
            announced.append((begun["media"], place))
    return announced


def _connection(port: int, buffer_bytes: int = 0) -> socket.socket:
    connection = socket.socket()
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.settimeout(LIMIT_S)
    connection.connect(("127.0.0.1", port))
    return connection


def _answer(connection: socket.socket, buffer: memoryview) -> tuple[int, int]:
    """Reads an answer and keeps nothing of it: its status, and how many bytes it had."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(1024)
        if not part:
            raise OSError("the connection has ended")
        head += part
    head, _, body = head.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
    came = len(body)
    while came < length:
        came_now = connection.recv_into(buffer, min(len(buffer), length - came))
        if not came_now:
            break
        came += came_now
    return int(lines[0].split()[1]), came
