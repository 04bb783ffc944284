"""A large file through the real servers: as large as its form says, and never in the memory."""

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import cast
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from django.conf import settings

from messaging.media.addresses import UPLOAD_PATH
from messaging.media.local import LocalMediaStorage
from messaging.media.storage import media_storage
from tests.support.media import fetch, form_body, send, upload
from tests.support.server_process import ServerProcess, server_process
from tests.support.servers import SERVERS, has_open, peak_bytes, until

pytestmark = pytest.mark.shapeless

SIZE = 30 * 1024 * 1024


@pytest.fixture
def own_storage() -> Iterator[LocalMediaStorage]:
    """The one of the settings, which servers that a test starts have too."""
    storage = cast(LocalMediaStorage, media_storage())
    assert str(settings.DATA_DIR) in str(storage.location)
    yield storage
    storage.delete_folder("tests")


@pytest.fixture(scope="module", params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(kind: str, _database: None) -> AsyncIterator[ServerProcess]:
    async with server_process("manage.py", "serve", "--port=0", *SERVERS[kind]) as process:
        yield process


async def test_30_mb_go_up_and_down(own_storage: LocalMediaStorage, server: ServerProcess) -> None:
    content = secrets.token_bytes(1024) * (SIZE // 1024)
    form = own_storage.upload_form("tests/upload", size=SIZE, lives_s=60)
    address = own_storage.download_url("tests/upload", content_type="image/png", disposition="inline", lives_s=60)
    await fetch(f"{server.url}/rtm/media/file")  # whatever a first request brings into memory
    before = peak_bytes(server.pid)
    assert await upload(type(form)(server.url + form.url, {}), content) == 204
    answer = await fetch(server.url + address)
    assert (answer.status, answer.body == content) == (200, True)
    ranged = await fetch(server.url + address, range=f"bytes={SIZE - 10}-")
    assert (ranged.status, ranged.body) == (206, content[-10:])
    assert peak_bytes(server.pid) - before < SIZE / 2


async def test_for_a_client_that_does_not_read_nothing_is_kept(
    own_storage: LocalMediaStorage, server: ServerProcess
) -> None:
    own_storage.put("tests/upload", io.BytesIO(bytes(SIZE)))
    path = own_storage.path("tests/upload")
    address = own_storage.download_url("tests/upload", content_type="image/png", disposition="inline", lives_s=60)
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


async def test_without_a_signed_form_a_body_is_bounded_as_any(server: ServerProcess) -> None:
    content_type, body = form_body(b"x" * 2 * 1024 * 1024)
    address = f"{server.url}{UPLOAD_PATH}?key=a&size=99999999&expires=9999999999&signature=0"
    refused = await send("POST", address, raw=body, headers={"content-type": content_type})
    assert refused.status == 413
