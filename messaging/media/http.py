"""The local storage's way in and out, as an ASGI application: signed forms are taken, signed addresses answered.

As with S3, an address says what it allows, and nothing is looked up. A file goes to the disk as it comes, and comes
from there a chunk at a time: Django would read the one before it knows for whom, and the other into memory.
"""

import asyncio
import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.asgi import ASGIRequest

from messaging.media.addresses import FILE_PATH, PREFIX, UPLOAD_PATH, verify
from messaging.media.form import MAX_OTHER_BYTES, FilePart, FormError, boundary_of
from messaging.media.local import IncomingFile, LocalMediaStorage
from messaging.media.ranges import RangeError, range_of
from messaging.media.storage import CHUNK_BYTES, media_storage
from realtime.server.bodies import BodyBound
from realtime.server.http import FILE_EXTENSION

logger = logging.getLogger(__name__)

T = TypeVar("T")

TRANSFER_S: Final = 900.0
"""For a whole file, either way."""
SILENCE_S: Final = 30.0
"""So long an upload may send nothing."""
WRITE_BYTES: Final = 64 * 1024
"""What has come of a file is written when it is so much. Until that is done, no more of it is taken than the server
reads ahead."""
MAX_TRANSFERS: Final = 300
"""At once in a process, both ways."""
HOLDER_TRANSFERS: Final = 60
"""The same of the addresses that one user was given."""

_NO_BODY: Final = io.BytesIO()
_readers: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="media-reads")
_writer: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="media-writes")
"""One: so a message's commit waits for the disk behind one piece of one file."""

COMMON_HEADERS: Final = {
    "access-control-allow-origin": "*",  # addresses carry what is needed, and cookies mean nothing
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
}
PREFLIGHT_HEADERS: Final = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "content-type, range, if-range",
    "access-control-max-age": "600",
}


class Refused(Exception):
    """Answered with a status."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Gone(Exception):
    """There is nobody to answer, or nothing more to answer with: the server closes the connection."""


def is_media(path: str) -> bool:
    return path.startswith(PREFIX)


def upload_bound(path: str, query: bytes) -> BodyBound | None:
    """Of a form that was signed here: as large as the file it takes."""
    if path != UPLOAD_PATH:
        return None
    storage = media_storage()
    if not isinstance(storage, LocalMediaStorage):
        return None
    allowed = verify(path, query, storage.clock())
    return BodyBound(int(allowed["size"]) + MAX_OTHER_BYTES, TRANSFER_S) if allowed is not None else None


class LocalMedia:
    """The application. It remembers what is on its way: a form is used once at a time."""

    def __init__(self) -> None:
        self._uploading: set[str] = set()
        self._transfers = 0
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            if scope["method"] == "OPTIONS":
                raise Refused(204, "", **PREFLIGHT_HEADERS)
            if self._transfers >= MAX_TRANSFERS:
                raise Refused(503, "Too many transfers.", retry_after="5")
            self._transfers += 1
            try:
                await self._transfer(ASGIRequest(scope, _NO_BODY), receive, send)
            finally:
                self._transfers -= 1
        except Refused as refused:
            await _answer(send, refused.status, f"{refused}\n" if str(refused) else "", refused.headers)
        except Gone:
            return

    async def _transfer(self, request: ASGIRequest, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        storage = media_storage()
        if not isinstance(storage, LocalMediaStorage) or request.path not in (UPLOAD_PATH, FILE_PATH):
            raise Refused(404, "There is nothing here.")
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            raise Refused(403, "Only by HTTPS.")
        methods = ("POST",) if request.path == UPLOAD_PATH else ("GET", "HEAD")
        if request.method not in methods:
            raise Refused(405, "Another method is wanted.", allow=", ".join(methods))
        allowed = verify(request.path, request.scope["query_string"], storage.clock())
        if allowed is None:
            raise Refused(403, "The address is not valid, or not any more.")
        with self._hold(allowed.get("holder", "")):
            await self._serve(storage, allowed, request, receive, send)

    @contextmanager
    def _hold(self, holder: str) -> Iterator[None]:
        """One of a holder's transfers. Raises Refused."""
        if holder and self._held[holder] >= HOLDER_TRANSFERS:
            raise Refused(503, "Too many transfers of one user.", retry_after="5")
        self._held[holder] += 1
        try:
            yield
        finally:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]

    async def _serve(
        self,
        storage: LocalMediaStorage,
        allowed: Mapping[str, str],
        request: ASGIRequest,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        try:
            path = Path(storage.path(allowed["key"]))
            if request.path == UPLOAD_PATH:
                await self._take(request, receive, path, int(allowed["size"]))
                await _answer(send, 204, "", {})
            else:
                await _give(request, send, path, allowed)
        except FileNotFoundError:
            raise Refused(404, "The file is not there.") from None
        except SuspiciousFileOperation:
            raise Refused(404, "There is no such place.") from None
        except OSError as error:
            logger.warning("media storage: %s", error)
            raise Refused(503, "The storage is out of reach.", retry_after="5") from error

    async def _take(self, request: ASGIRequest, receive: ASGIReceiveCallable, path: Path, size: int) -> None:
        key = str(path)
        if key in self._uploading:
            raise Refused(409, "The form is being used.")
        self._uploading.add(key)
        try:
            part = FilePart(boundary_of(request.headers.get("content-type", "")))
            incoming = await _in_thread(_writer, IncomingFile, path)
            try:
                await _receive_file(receive, part, incoming, size)
                await _in_thread(_writer, incoming.keep)
            finally:
                await asyncio.shield(_in_thread(_writer, incoming.discard))
        except FormError as error:
            raise Refused(400, str(error)) from None
        finally:
            self._uploading.discard(key)


async def _receive_file(receive: ASGIReceiveCallable, part: FilePart, incoming: IncomingFile, size: int) -> None:
    """Raises Refused unless the file has exactly `size` bytes."""
    received = 0
    gathered = bytearray()
    more = True
    while more:
        message = await _next(receive)
        content = part.feed(message.get("body", b""))
        more = message.get("more_body", False)
        received += len(content)
        if received > size:
            raise Refused(413, "The file is larger than was said.")
        gathered += content
        if gathered and (len(gathered) >= WRITE_BYTES or not more):
            try:
                await _in_thread(_writer, incoming.write, gathered)
            except OSError:
                if more:
                    await _pass_over(receive)
                raise
            gathered = bytearray()
    if not part.complete or received != size:
        raise Refused(400, "The file has not come whole.")


async def _pass_over(receive: ASGIReceiveCallable) -> None:
    """The rest of a body, within its bounds: who is still sending it would meet a reset, and not read the answer."""
    while (await _next(receive)).get("more_body", False):
        pass


async def _next(receive: ASGIReceiveCallable) -> dict[str, Any]:
    try:
        async with asyncio.timeout(SILENCE_S):
            message: Any = await receive()
    except TimeoutError:
        raise Refused(408, "Nothing came for too long.") from None
    if message["type"] != "http.request":
        raise Gone
    found: dict[str, Any] = message
    return found


async def _give(request: ASGIRequest, send: ASGISendCallable, path: Path, allowed: Mapping[str, str]) -> None:
    file, size = await _in_thread(_readers, _open, path)
    try:
        etag = f'"{path.name}"'  # what is under a key never changes
        headers = {
            "content-type": allowed["type"],
            "content-disposition": allowed["disposition"],
            "accept-ranges": "bytes",
            "etag": etag,
            "cache-control": "private, max-age=300",
            "access-control-expose-headers": "content-length, content-range, content-disposition, etag",
        }
        first, last, status = 0, size - 1, 200
        if "range" in request.headers and request.headers.get("if-range", etag) == etag:
            try:
                found = range_of(request.headers["range"], size)
            except RangeError:
                raise Refused(416, "No such range.", content_range=f"bytes */{size}") from None
            if found is not None:
                (first, last), status = found, 206
                headers["content-range"] = f"bytes {first}-{last}/{size}"
        headers["content-length"] = str(last - first + 1)
        await _start(send, status, headers)
        if request.method == "GET":
            await _send_part(request, send, file, first, last)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        file.close()


async def _send_part(request: ASGIRequest, send: ASGISendCallable, file: BinaryIO, first: int, last: int) -> None:
    """Raises Gone when it cannot be sent to its end: the answer has begun, so there is no other."""
    way_round = (request.scope.get("extensions") or {}).get(FILE_EXTENSION)
    try:
        async with asyncio.timeout(TRANSFER_S):
            if way_round is not None:
                await way_round["send"](file.fileno(), first, last + 1 - first)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await _send_chunks(send, file, first, last)
    except OSError as error:  # its time is up, too
        logger.info("media storage: a download is broken off: %s", error or "it took too long")
        raise Gone from error


async def _send_chunks(send: ASGISendCallable, file: BinaryIO, first: int, last: int) -> None:
    place = first
    while place <= last:
        chunk = await _in_thread(_readers, os.pread, file.fileno(), min(CHUNK_BYTES, last + 1 - place), place)
        if not chunk:
            raise OSError("the file has become shorter")
        place += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": place <= last})


def _open(path: Path) -> tuple[BinaryIO, int]:
    file = open(path, "rb")  # noqa: SIM115  (closed by the caller)
    return file, os.fstat(file.fileno()).st_size


async def _in_thread(threads: ThreadPoolExecutor, function: Callable[..., T], *args: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, function, *args)


async def _start(send: ASGISendCallable, status: int, headers: Mapping[str, str]) -> None:
    listed = [(name.encode("ascii"), value.encode("latin-1")) for name, value in {**COMMON_HEADERS, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed, "trailers": False})


async def _answer(send: ASGISendCallable, status: int, text: str, headers: Mapping[str, str]) -> None:
    body = text.encode()
    told = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))} if status != 204 else {}
    await _start(send, status, {**told, **headers, "cache-control": "no-store"})
    await send({"type": "http.response.body", "body": body, "more_body": False})
