"""The bucket's server dies or stands still in the middle, and comes back."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

import pytest

from messaging.media import s3 as s3_module
from messaging.media.s3 import S3MediaStorage
from messaging.media.storage import StorageUnavailable, UploadForm, reaching
from scripts.ceph import PrivateCeph, PrivateGateway
from tests.support.client import Client
from tests.support.media import fetch, picture, posted, refusal, started, upload, use_storage
from tests.support.s3 import S3Server, s3_at

pytestmark = pytest.mark.shapeless

CONTENT = bytes(range(256)) * 16
LARGE = CONTENT * 4096
"""16 MiB: more than is on its way at once."""


@pytest.fixture
async def gateway(ceph: PrivateCeph) -> AsyncIterator[PrivateGateway]:
    """One of the test's own to the cluster of all."""
    own = PrivateGateway(ceph)
    await asyncio.to_thread(own.start)
    yield own
    await asyncio.to_thread(own.close)


@pytest.fixture
def storage(s3: S3Server, gateway: PrivateGateway, monkeypatch: pytest.MonkeyPatch) -> S3MediaStorage:
    """A bucket behind the gateway, as the one of the settings."""
    storage = s3_at(gateway.url, s3.new_bucket().bucket_name, s3.keys)
    use_storage(monkeypatch, storage)
    return storage


async def is_as_before(client: Client, media: str, content: bytes) -> None:
    """The server is back: what had come is finished and fetched."""
    assert (await client.call("media.finish", media=media))["size"] == len(content)
    answer = await fetch((await client.call("media.url", media=media))["url"])
    assert (answer.status, answer.body == content) == (200, True)


async def test_it_is_dead_before_the_check(gateway: PrivateGateway, storage: S3MediaStorage, ann: Client) -> None:
    media = await posted(ann, CONTENT)
    await asyncio.to_thread(gateway.kill)
    for _ in range(2):
        assert await refusal(ann.call("media.finish", media=media)) == ("unavailable", None)
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    begun = await started(ann, b"another")
    await asyncio.to_thread(gateway.start)
    await is_as_before(ann, media, CONTENT)
    assert await upload(UploadForm(begun["url"], begun["fields"]), b"another") == 204
    await is_as_before(ann, begun["media"], b"another")


async def test_it_dies_while_a_file_is_read(
    gateway: PrivateGateway, storage: S3MediaStorage, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(key: str) -> Iterator[bytes]:
        for chunk in S3MediaStorage.read(storage, key):
            yield chunk
            if gateway.is_running:
                gateway.kill()

    media = await posted(ann, LARGE)
    with monkeypatch.context() as while_it_is_read:
        while_it_is_read.setattr(storage, "read", read)
        assert await refusal(ann.call("media.finish", media=media)) == ("unavailable", None)
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    await asyncio.to_thread(gateway.start)
    await is_as_before(ann, media, LARGE)


async def test_it_stands_still_while_an_image_is_checked(
    gateway: PrivateGateway, storage: S3MediaStorage, s3: S3Server, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(key: str, content: BinaryIO) -> None:
        os.kill(gateway.pid, signal.SIGSTOP)
        S3MediaStorage.put(hasty, key, content)

    content = picture()
    media = await posted(ann, content, "IMAGE")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(s3_module, "ANSWER_S", 1.5)
        hasty = s3_at(gateway.url, storage.bucket_name, s3.keys)
        meanwhile.setattr(hasty, "put", put)
        use_storage(meanwhile, hasty)
        assert await refusal(await ann.start("media.finish", media=media)) == ("unavailable", None)
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    os.kill(gateway.pid, signal.SIGCONT)
    await is_as_before(ann, media, content)


async def test_what_is_given_up_meanwhile_is_left_to_be_purged(
    gateway: PrivateGateway, storage: S3MediaStorage, ann: Client
) -> None:
    media = await posted(ann, CONTENT)
    await asyncio.to_thread(gateway.kill)
    assert await ann.call("media.abandon", media=media) == {}
    assert await refusal(ann.call("media.finish", media=media)) == ("media_refused", "abandoned")
    await asyncio.to_thread(gateway.start)
    assert len(list(storage.bucket.objects.all())) == 1


def test_nobody_takes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        storage = s3_at(f"http://127.0.0.1:{full.getsockname()[1]}", "bucket")
        with pytest.raises(StorageUnavailable, match="timeout"), reaching(storage):
            storage.copy("1/a/one", "1/a/two")
