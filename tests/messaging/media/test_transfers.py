"""From the announcement of a file to its address, over the socket and both storages."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from asgiref.sync import sync_to_async
from PIL import Image

from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media
from messaging.media.purge import purge_media
from messaging.media.selectors import expired_media
from messaging.media.services import UPLOAD_LIFE
from messaging.media.storage import MediaStorage, UploadForm
from projects.models import Project
from tests.support.client import Client
from tests.support.media import fetch, files, finished, picture, posted, refusal, started, upload

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
"""Before whatever other tests have left behind."""


def purge_all(storage: MediaStorage, now: datetime) -> None:
    assert list(purge_media(storage, expired_media(now)))


# What goes well


async def test_a_file_goes_up_and_comes_back(storage: MediaStorage, ann: Client) -> None:
    content = bytes(range(256)) * 1000
    found = await finished(ann, content, name="报告 1.pdf")
    assert (found["kind"], found["name"], found["size"]) == ("FILE", "报告 1.pdf", len(content))
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert (found["width"], found["height"], found["type"]) == (0, 0, "application/octet-stream")
    address = await ann.call("media.url", media=found["media"])
    answer = await fetch(address["url"])
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{quote('报告 1.pdf')}"
    assert await ann.call("media.finish", media=found["media"]) == found


async def test_a_finished_file_is_kept_once(local_storage: LocalMediaStorage, ann: Client) -> None:
    found = await finished(ann, b"content")
    media = await Media.objects.aget(media_id=found["media"])
    assert files(local_storage) == [media.checked_key]


@pytest.mark.shapeless
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_an_image_is_measured_and_gets_a_thumbnail(storage: MediaStorage, ann: Client, kind: str) -> None:
    found = await finished(ann, picture(kind), "IMAGE", "board")
    assert (found["width"], found["height"], found["type"]) == (640, 480, f"image/{kind.lower()}")
    assert (found["thumbnail_width"], found["thumbnail_height"]) == (320, 240)
    shown = await fetch((await ann.call("media.url", media=found["media"]))["url"])
    assert shown.headers["content-disposition"].startswith("inline")
    assert shown.headers["content-type"] == f"image/{kind.lower()}"
    small = await fetch((await ann.call("media.url", media=found["media"], thumbnail=True))["url"])
    assert small.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(small.body)) as thumbnail:
        assert thumbnail.size == (320, 240)


@pytest.mark.shapeless
async def test_a_thumbnail_keeps_the_orientation_and_nothing_else_of_the_camera(
    local_storage: LocalMediaStorage, ann: Client
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    exif[0x010F] = "the maker of the camera"
    content = picture("JPEG", (640, 480), exif=exif)
    found = await finished(ann, content, "IMAGE")
    assert (found["width"], found["height"]) == (480, 640)
    small = await fetch((await ann.call("media.url", media=found["media"], thumbnail=True))["url"])
    assert b"the maker" in content
    assert b"the maker" not in small.body
    with Image.open(io.BytesIO(small.body)) as thumbnail:
        assert (thumbnail.size, dict(thumbnail.getexif())) == ((240, 320), {})


@pytest.mark.shapeless
async def test_a_grey_image_of_16_bits_keeps_its_shades(local_storage: LocalMediaStorage, ann: Client) -> None:
    found = await finished(ann, picture("PNG", (1000, 500), 0x8000, mode="I;16"), "IMAGE")
    small = await fetch((await ann.call("media.url", media=found["media"], thumbnail=True))["url"])
    with Image.open(io.BytesIO(small.body)) as thumbnail:
        assert thumbnail.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.shapeless
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "I;16", "1"])
async def test_images_of_every_mode_get_a_thumbnail(local_storage: LocalMediaStorage, ann: Client, mode: str) -> None:
    found = await finished(ann, picture("PNG", (1000, 500), 0, mode=mode), "IMAGE")
    assert (found["thumbnail_width"], found["thumbnail_height"]) == (320, 160)


async def test_what_is_given_up_is_deleted(local_storage: LocalMediaStorage, ann: Client) -> None:
    media = await posted(ann, b"content")
    for _ in range(2):
        assert await ann.call("media.abandon", media=media) == {}
    assert await refusal(ann.call("media.finish", media=media)) == ("media_refused", "abandoned")
    assert files(local_storage) == []


async def test_a_finished_file_is_not_given_up(local_storage: LocalMediaStorage, ann: Client) -> None:
    found = await finished(ann, b"content")
    assert await refusal(ann.call("media.abandon", media=found["media"])) == ("media_not_found", None)
    assert await ann.call("media.url", media=found["media"])


# Quotas


async def test_nine_uploads_at_once(local_storage: LocalMediaStorage, ann: Client) -> None:
    begun = [await started(ann, b"x") for _ in range(9)]
    assert await refusal(started(ann, b"x")) == ("too_many_uploads", None)
    await ann.call("media.abandon", media=begun[0]["media"])
    assert await upload(UploadForm(begun[1]["url"], {}), b"x") == 204
    await ann.call("media.finish", media=begun[1]["media"])
    for _ in range(2):
        await started(ann, b"x")
    assert await refusal(started(ann, b"x")) == ("too_many_uploads", None)


async def test_what_a_page_had_begun_does_not_count_after_its_reload(
    local_storage: LocalMediaStorage, fast_app: str, open_client: Callable[[], Client], ann: Client
) -> None:
    for _ in range(9):
        await started(ann, b"x")
    reloaded = open_client()
    await reloaded.login(fast_app, "ann")
    await started(reloaded, b"x")


async def test_many_at_the_same_moment_are_counted_one_by_one(local_storage: LocalMediaStorage, ann: Client) -> None:
    waiting = [await ann.start("media.start", kind="FILE", name="x", size=1) for _ in range(20)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, dict)]) == 9


@pytest.mark.parametrize("quota", ["media_quota", "user_media_quota"])
async def test_quotas_hold_for_what_is_kept_and_what_is_announced(
    local_storage: LocalMediaStorage,
    make_project: Callable[..., Project],
    open_client: Callable[..., Client],
    quota: str,
) -> None:
    project = await sync_to_async(make_project)(**{quota: 10})
    ann, bob = open_client(), open_client()
    for client, uid in ((ann, "ann"), (bob, "bob")):
        await client.login(project.app_id, uid)
    await finished(ann, b"x" * 6)
    begun = await started(ann, b"x" * 4)
    assert await refusal(started(ann, b"x")) == ("limit_exceeded", None)
    if quota == "media_quota":
        assert await refusal(started(bob, b"x")) == ("limit_exceeded", None)
    else:
        await started(bob, b"x" * 10)
    await ann.call("media.abandon", media=begun["media"])
    assert await refusal(started(ann, b"x")) == ("limit_exceeded", None), "its form can still be used"
    await Media.objects.filter(media_id=begun["media"]).aupdate(created_at=LONG_AGO, expires_at=LONG_AGO)
    await sync_to_async(purge_all)(local_storage, LONG_AGO + UPLOAD_LIFE)
    await started(ann, b"x" * 4)


@pytest.mark.parametrize(("size", "error"), [(0, "size_overflow"), (30 * 1024 * 1024 + 1, "size_overflow")])
async def test_a_file_has_1_byte_to_30_mb(ann: Client, size: int, error: str) -> None:
    assert (await refusal(ann.call("media.start", kind="FILE", name="x", size=size)))[0] == error
    assert await ann.call("media.start", kind="FILE", name="x", size=30 * 1024 * 1024)
