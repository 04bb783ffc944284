"""A large file through the real servers: as large as its form says, and never in the memory."""

import asyncio
import io
import resource
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from messaging.media.addresses import UPLOAD_PATH
from messaging.media.local import LocalMediaStorage
from messaging.media.storage import UploadForm, media_storage
from tests.support.media import fetch, files, form_body, send, upload
from tests.support.server_process import server_process
from tests.support.servers import SERVERS, has_open, peak_bytes, unnamed_file_bytes, until

pytestmark = pytest.mark.shapeless

SIZE = 30 * 1024 * 1024


@pytest.fixture
def own_storage() -> Iterator[LocalMediaStorage]:
    """The one of the settings, which servers that a test starts have too."""
    storage = cast(LocalMediaStorage, media_storage())
    assert str(settings.DATA_DIR) in str(storage.location)
    yield storage
    storage.delete_folder("tests")


@pytest.mark.parametrize("kind", SERVERS)
async def test_30_mb_go_up_and_down(own_storage: LocalMediaStorage, kind: str) -> None:
    content = secrets.token_bytes(1024) * (SIZE // 1024)
    form = own_storage.upload_form("tests/upload", size=SIZE, lives_s=60)
    address = own_storage.download_url("tests/upload", content_type="image/png", disposition="inline", lives_s=60)
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as server:
        await fetch(f"{server.url}/rtm/media/file")  # whatever a first request brings into memory
        before = peak_bytes(server.pid)
        assert await upload(UploadForm(server.url + form.url, {}), content) == 204
        answer = await fetch(server.url + address)
        assert (answer.status, answer.body == content) == (200, True)
        ranged = await fetch(server.url + address, range=f"bytes={SIZE - 10}-")
        assert (ranged.status, ranged.body) == (206, content[-10:])
        assert peak_bytes(server.pid) - before < SIZE / 2


@pytest.mark.parametrize("kind", SERVERS)
async def test_for_a_client_that_does_not_read_nothing_is_kept(own_storage: LocalMediaStorage, kind: str) -> None:
    own_storage.put("tests/upload", io.BytesIO(bytes(SIZE)))
    path = own_storage.path("tests/upload")
    address = own_storage.download_url("tests/upload", content_type="image/png", disposition="inline", lives_s=60)
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as server:
        await fetch(server.url + address)
        before = peak_bytes(server.pid)
        where = urlsplit(server.url)
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await until(lambda: has_open(server.pid, path), "the file is being sent")
        assert len((await fetch(server.url + address)).body) == SIZE
        assert has_open(server.pid, path)
        assert peak_bytes(server.pid) - before < SIZE / 2
        writer.transport.abort()
        await until(lambda: not has_open(server.pid, path), "the file is let go")


def kept_bytes(storage: LocalMediaStorage, pid: int) -> int:
    """Of an upload: in the storage, or in a file that has no name. (The server's log is one, too.)"""
    size = unnamed_file_bytes(pid)
    for name in files(storage):
        if name.startswith("tests/"):
            with suppress(FileNotFoundError):  # gone meanwhile
                size += Path(storage.path(name)).stat().st_size
    return size


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_of_an_upload_that_is_broken_off_nothing_stays(own_storage: LocalMediaStorage, kind: str) -> None:
    form = own_storage.upload_form("tests/upload", size=SIZE, lives_s=60)
    content_type, body = form_body(bytes(SIZE))
    head = f"Host: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as server:
        where = urlsplit(server.url)
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(f"POST {form.url} HTTP/1.1\r\n{head}".encode() + body[: SIZE // 2])
        await until(lambda: kept_bytes(own_storage, server.pid) > SIZE // 4, "it has come")
        writer.transport.abort()
        await until(lambda: kept_bytes(own_storage, server.pid) < 1024, "nothing of it is left")


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_full_disk_is_told_and_leaves_nothing(own_storage: LocalMediaStorage, kind: str) -> None:
    """For the server, it is full at the end of a file's first megabyte."""
    size = 4 * 1024 * 1024
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as server:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size // 4, size // 4))
        form = own_storage.upload_form("tests/upload", size=size, lives_s=60)
        assert await upload(UploadForm(server.url + form.url, {}), bytes(size)) == 503
        assert kept_bytes(own_storage, server.pid) < 1024
        form = own_storage.upload_form("tests/upload", size=4, lives_s=60)
        assert await upload(UploadForm(server.url + form.url, {}), b"body") == 204


@pytest.mark.parametrize("kind", SERVERS)
async def test_without_a_signed_form_a_body_is_bounded_as_any(kind: str) -> None:
    content_type, body = form_body(b"x" * 2 * 1024 * 1024)
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as server:
        address = f"{server.url}{UPLOAD_PATH}?key=a&size=99999999&expires=9999999999&signature=0"
        refused = await send("POST", address, raw=body, headers={"content-type": content_type})
        assert refused.status == 413
