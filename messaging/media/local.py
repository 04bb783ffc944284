"""Media on the local disk, for one machine; `http` is its way in and out."""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.core.files.storage import FileSystemStorage

from messaging.media.addresses import FILE_PATH, UPLOAD_PATH, sign
from messaging.media.storage import CHUNK_BYTES, UploadForm

PIECE_BYTES: Final = 256 * 1024
"""Of a file that comes: so much is written, then put on the disk."""
REST: Final = 3
"""So many times as long as that took, the disk is left alone."""


class LocalMediaStorage(FileSystemStorage):
    """On a file system with hard links. `clock`: seconds since 1970, by which addresses expire."""

    failures: Final = (OSError,)

    def __init__(self, *args: Any, clock: Callable[[], float] = time.time, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock = clock

    def upload_form(self, key: str, *, size: int, lives_s: int, holder: str = "") -> UploadForm:
        return UploadForm(
            sign(UPLOAD_PATH, {"key": key, "size": size, "holder": holder}, int(self.clock()) + lives_s), {}
        )

    def download_url(self, key: str, *, content_type: str, disposition: str, lives_s: int, holder: str = "") -> str:
        params = {"key": key, "type": content_type, "disposition": disposition, "holder": holder}
        return sign(FILE_PATH, params, int(self.clock()) + lives_s)

    def copy(self, source: str, key: str) -> None:
        copied = Path(self.path(key))
        _make_folder(copied)
        os.link(self.path(source), copied)

    def read(self, key: str) -> Iterator[bytes]:
        with open(self.path(key), "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def put(self, key: str, content: BinaryIO) -> None:
        incoming = IncomingFile(Path(self.path(key)))
        try:
            shutil.copyfileobj(content, incoming)
            incoming.keep()
        finally:
            incoming.discard()

    def older_in(self, folder: str, before: datetime) -> Iterator[str]:
        for parent, _, names in os.walk(self.path(folder)):
            for path in (Path(parent, name) for name in names):
                with contextlib.suppress(FileNotFoundError):  # whoever writes beside it may end meanwhile
                    if path.stat().st_mtime < before.timestamp():
                        yield str(path.relative_to(self.location))

    def delete_folder(self, folder: str) -> None:
        assert folder.strip("/")
        try:
            shutil.rmtree(self.path(folder))
        except FileNotFoundError:
            return


class IncomingFile:
    """A file that is there when it is complete, and not before. Its methods block.

    It goes to the disk as it grows, and the disk is left alone for three quarters of the time. Were it left to the
    end, whoever writes beside it, a message's commit above all, would wait for all of it, and of every other file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _make_folder(path)
        self._part = path.with_name(f"{secrets.token_hex(8)}.part")
        self._file = open(self._part, "xb", buffering=0, opener=_private)  # noqa: SIM115  (closed by keep or discard)
        self._pending_bytes = 0

    def write(self, data: bytes | bytearray) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._pending_bytes += len(data)
        if self._pending_bytes >= PIECE_BYTES:
            began_s = time.monotonic()
            os.fdatasync(self._file.fileno())
            time.sleep(REST * (time.monotonic() - began_s))
            self._pending_bytes = 0
        return len(data)

    def keep(self) -> None:
        """Gives it its name, in place of whatever has it; it is on the disk by then."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Leaves nothing of it, unless it was kept."""
        try:
            self._file.close()  # what is still in its buffer may not fit on the disk
        finally:
            self._part.unlink(missing_ok=True)


def _make_folder(path: Path) -> None:
    """The one that it is in."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
