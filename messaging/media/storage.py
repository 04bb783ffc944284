"""Where the bytes are: one interface, two storages (`local`, `s3`), on Django's own storage classes.

A key is `<folder>/<name>`. What a browser may write, it writes under a key of its own in `uploads/`, once or as often
as it likes while its form holds; what has been checked is a copy under another key, which no form names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final, Protocol, cast
from urllib.parse import urlsplit

from django.core.files.storage import storages

CHUNK_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Where a browser posts a file: as multipart/form-data, first the fields, then the file in one named `file`."""

    url: str
    fields: dict[str, str]


class StorageUnavailable(Exception):
    """The storage is out of reach, or full; whether it did what was asked is not known."""


class MediaStorage(Protocol):
    """All methods block."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What they raise when it is out of reach."""

    def upload_form(self, key: str, *, size: int, lives_s: int, holder: str = "") -> UploadForm:
        """A form that takes exactly `size` bytes, for `lives_s` seconds. `holder`: who is given it, which a storage may
        bound in what is on its way at once; "" for nobody who is bounded."""

    def download_url(self, key: str, *, content_type: str, disposition: str, lives_s: int, holder: str = "") -> str:
        """An address for GET that answers with these headers, for `lives_s` seconds. One that begins with `/` is of the
        server itself. `holder`: as of a form."""

    def copy(self, source: str, key: str) -> None:
        """A snapshot: whatever is written to `source` later. Raises FileNotFoundError."""

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes, a chunk at a time. Raises FileNotFoundError."""

    def put(self, key: str, content: BinaryIO) -> None:
        """Writes a file of the server's own."""

    def older_in(self, folder: str, before: datetime) -> Iterator[str]:
        """The keys in a folder, however deep, of what was written before that time."""

    def delete(self, name: str) -> None:
        """Deletes what is under one key, if there is anything."""

    def delete_folder(self, folder: str) -> None:
        """Deletes everything in it, if there is anything."""


def media_storage() -> MediaStorage:
    """The one of the settings."""
    return cast(MediaStorage, storages["media"])


def media_origin() -> str:
    """Where files are fetched from, as `https://bucket.example`; empty where it is the server, or not known."""
    storage = media_storage()
    try:
        with reaching(storage):
            parts = urlsplit(storage.download_url("any/file", content_type="", disposition="", lives_s=1))
    except StorageUnavailable:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


@contextmanager
def reaching(storage: MediaStorage) -> Iterator[None]:
    """Raises StorageUnavailable for what the storage raises when it is out of reach."""
    try:
        yield
    except FileNotFoundError:
        raise
    except storage.failures as error:
        raise StorageUnavailable(str(error)) from error
