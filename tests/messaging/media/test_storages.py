"""One suite for both storages: what browsers may put there and get from there, and what the server does with it."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils.http import content_disposition_header

from messaging.media.s3 import S3MediaStorage
from messaging.media.storage import MediaStorage, StorageUnavailable, reaching
from scripts.services import free_port
from tests.support.media import fetch, local_at, upload
from tests.support.s3 import s3_at

pytestmark = pytest.mark.shapeless

CONTENT = bytes(range(256)) * 1500
"""More than two chunks."""


def content_of(storage: MediaStorage, key: str) -> bytes:
    return b"".join(storage.read(key))


def url_of(storage: MediaStorage, key: str, disposition: str = "attachment", content_type: str = "image/png") -> str:
    return storage.download_url(key, content_type=content_type, disposition=disposition, lives_s=300)


async def test_a_form_takes_a_file(storage: MediaStorage) -> None:
    form = storage.upload_form("1/a/upload", size=len(CONTENT), lives_s=60)
    assert await upload(form, CONTENT) == 204
    assert content_of(storage, "1/a/upload") == CONTENT


@pytest.mark.parametrize("wrong_by", [-1, 1])
async def test_a_form_takes_no_other_size(request: pytest.FixtureRequest, storage: MediaStorage, wrong_by: int) -> None:
    if isinstance(storage, S3MediaStorage):
        request.getfixturevalue("ceph")
    form = storage.upload_form("1/a/upload", size=len(CONTENT) + wrong_by, lives_s=60)
    assert await upload(form, CONTENT) in (400, 413)
    with pytest.raises(FileNotFoundError):
        content_of(storage, "1/a/upload")


async def test_a_form_that_is_used_again_puts_another_file_in_its_place(storage: MediaStorage) -> None:
    form = storage.upload_form("1/a/upload", size=3, lives_s=60)
    for content in (b"one", b"two"):
        assert await upload(form, content) == 204
        assert content_of(storage, "1/a/upload") == content


async def test_a_copy_is_a_snapshot(storage: MediaStorage) -> None:
    form = storage.upload_form("1/a/upload", size=3, lives_s=60)
    await upload(form, b"one")
    storage.copy("1/a/upload", "1/a/checked")
    await upload(form, b"two")
    assert content_of(storage, "1/a/checked") == b"one"


def test_nothing_can_be_read_or_copied_where_nothing_is(storage: MediaStorage) -> None:
    for attempt in (
        lambda: content_of(storage, "1/a/none"),
        lambda: storage.copy("1/a/none", "1/a/checked"),
    ):
        with pytest.raises(FileNotFoundError), reaching(storage):
            attempt()


def test_a_folder_is_deleted_with_all_that_is_in_it_and_nothing_else(storage: MediaStorage) -> None:
    for key in ("1/a/one", "1/a/two", "1/ab/one"):
        storage.put(key, io.BytesIO(b"content"))
    for _ in range(2):
        storage.delete_folder("1/a")
    assert content_of(storage, "1/ab/one") == b"content"
    for key in ("1/a/one", "1/a/two"):
        with pytest.raises(FileNotFoundError):
            content_of(storage, key)


def test_what_is_older_is_named(storage: MediaStorage) -> None:
    for key in ("7/one/file", "7/two/a/file", "70/one/file"):
        storage.put(key, io.BytesIO(b"bytes"))
    now = datetime.now(UTC)
    assert sorted(storage.older_in("7", now + timedelta(minutes=1))) == ["7/one/file", "7/two/a/file"]
    assert list(storage.older_in("7", now - timedelta(minutes=1))) == []
    assert list(storage.older_in("8", now)) == []


def test_one_key_is_deleted_and_nothing_else(storage: MediaStorage) -> None:
    for key in ("1/a/one", "1/a/two"):
        storage.put(key, io.BytesIO(b"content"))
    for _ in range(2):
        storage.delete("1/a/one")
    assert content_of(storage, "1/a/two") == b"content"
    with pytest.raises(FileNotFoundError):
        content_of(storage, "1/a/one")


def test_what_the_server_puts_there_replaces_what_was(storage: MediaStorage) -> None:
    for content in (b"first", b"second"):
        storage.put("1/a/thumbnail", io.BytesIO(content))
    assert content_of(storage, "1/a/thumbnail") == b"second"


NAMES = ("plain.png", 'a "b" \\ c; d=e.png', "文件 1.png", "ملف.png", "наши&файлы=+%20.png", "🎓.png", "é" * 127)


async def test_an_address_gives_the_file_with_the_headers_it_was_made_with(storage: MediaStorage) -> None:
    storage.put("1/a/file", io.BytesIO(CONTENT))
    for name in NAMES:
        disposition = content_disposition_header(True, name)
        assert disposition
        answer = await fetch(url_of(storage, "1/a/file", disposition))
        assert (answer.status, answer.body == CONTENT) == (200, True)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"] == disposition
        assert answer.headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-0", 0, 0), ("100-200099", 100, 200_099), ("383999-", 383_999, 383_999), ("-10", 383_990, 383_999)],
)
async def test_an_address_gives_a_range(storage: MediaStorage, asked: str, first: int, last: int) -> None:
    storage.put("1/a/file", io.BytesIO(CONTENT))
    answer = await fetch(url_of(storage, "1/a/file"), range=f"bytes={asked}")
    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"


async def test_a_range_that_is_not_there_is_said_so(storage: MediaStorage) -> None:
    storage.put("1/a/file", io.BytesIO(CONTENT))
    assert (await fetch(url_of(storage, "1/a/file"), range=f"bytes={len(CONTENT)}-")).status == 416


async def test_an_address_of_nothing_finds_nothing(storage: MediaStorage) -> None:
    """S3 says 403 to who may not list the bucket."""
    assert (await fetch(url_of(storage, "1/a/none"))).status in (403, 404)


def test_out_of_reach_is_told_as_that(tmp_path: Path) -> None:
    """Nobody listens there; or something stands where the folder should be."""
    blocked = tmp_path / "media"
    blocked.write_bytes(b"no folder")
    for storage in (s3_at(f"http://127.0.0.1:{free_port()}", "bucket"), local_at(blocked)):
        with pytest.raises(StorageUnavailable), reaching(storage):
            storage.put("1/a/file", io.BytesIO(b"content"))
