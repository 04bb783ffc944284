"""From the announcement of a file to its address, over the socket and both storages; and what attackers try."""

import asyncio
import hashlib
import io
import shutil
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from PIL import Image

from messaging.media import checks, transfers
from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media, MediaState
from messaging.media.purge import purge_media
from messaging.media.storage import MediaStorage, UploadForm
from projects.models import Project
from realtime.errors import RpcError
from realtime.runtime import Runtime
from scripts.services import free_port
from tests.support.client import CallFailed, Client, Json
from tests.support.doubles import until
from tests.support.media import fetch, files, s3_at, upload, use_storage


def picture(kind: str = "PNG", size: tuple[int, int] = (640, 480), color: Any = "red", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, color).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
async def ann(open_client: Callable[..., Client], fast_app: str) -> Client:
    client = open_client()
    await client.login(fast_app, "ann")
    return client


async def started(client: Client, content: bytes, kind: str = "FILE", name: str = "file") -> Json:
    found: Json = await client.call("media.start", kind=kind, name=name, size=len(content))
    return found


async def posted(client: Client, content: bytes, kind: str = "FILE", name: str = "file") -> str:
    """A file that was announced and has come; its id."""
    begun = await started(client, content, kind, name)
    assert await upload(UploadForm(begun["url"], begun["fields"]), content) == 204
    media: str = begun["media"]
    return media


async def finished(client: Client, content: bytes, kind: str = "FILE", name: str = "file") -> Json:
    media = await posted(client, content, kind, name)
    found: Json = await client.call("media.finish", media=media)
    return found


async def refusal(answer: Awaitable[Any]) -> tuple[str, Any]:
    with pytest.raises(CallFailed) as refused:
        await answer
    return refused.value.name, refused.value.data.get("reason")


def purge_all(storage: MediaStorage, now: datetime) -> None:
    assert list(purge_media(storage, now))


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


async def test_a_grey_image_of_16_bits_keeps_its_shades(local_storage: LocalMediaStorage, ann: Client) -> None:
    found = await finished(ann, picture("PNG", (1000, 500), 0x8000, mode="I;16"), "IMAGE")
    small = await fetch((await ann.call("media.url", media=found["media"], thumbnail=True))["url"])
    with Image.open(io.BytesIO(small.body)) as thumbnail:
        assert thumbnail.getpixel((0, 0)) == (128, 128, 128)


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
    await Media.objects.filter(media_id=begun["media"]).aupdate(expires_at=datetime(2001, 1, 1, tzinfo=UTC))
    await sync_to_async(purge_all)(local_storage, datetime(2001, 1, 2, tzinfo=UTC))
    await started(ann, b"x" * 4)


@pytest.mark.parametrize(("size", "error"), [(0, "size_overflow"), (30 * 1024 * 1024 + 1, "size_overflow")])
async def test_a_file_has_1_byte_to_30_mb(ann: Client, size: int, error: str) -> None:
    assert (await refusal(ann.call("media.start", kind="FILE", name="x", size=size)))[0] == error
    assert await ann.call("media.start", kind="FILE", name="x", size=30 * 1024 * 1024)


# Attacks


def bomb(width: int, height: int) -> bytes:
    """A PNG of so many pixels, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * 1_000_000)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SCRIPT = b"<script>alert(1)</script>"
HOSTILE = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
    "html": b"<!doctype html>" + SCRIPT,
    "pdf": b"%PDF-1.7\n/JS (app.alert(1))",
    "a program": b"MZ" + b"\0" * 100,
    "a head of a GIF before a page": b"GIF89a/*" + SCRIPT + b"*/=1;",
    "a head of a JPEG before a page": b"\xff\xd8\xff\xe0" + SCRIPT,
    "half a PNG": picture()[:60],
    "50,000 x 50,000": bomb(50_000, 50_000),
    "one pixel high": bomb(2**31 - 1, 1),
    "a zip": b"PK\x03\x04" + b"\0" * 100,
}


@pytest.mark.shapeless
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_image_is_refused_as_one_and_never_shown_in_place(
    local_storage: LocalMediaStorage, ann: Client, content: bytes
) -> None:
    """Whatever its name says."""
    media = await posted(ann, content, "IMAGE", "holiday.png")
    for _ in range(2):
        assert await refusal(ann.call("media.finish", media=media)) == ("media_refused", "image")
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    assert files(local_storage) == []
    found = await finished(ann, content, "FILE", "holiday.png")
    answer = await fetch((await ann.call("media.url", media=found["media"]))["url"])
    assert answer.headers["content-disposition"] == 'attachment; filename="holiday.png"'
    assert answer.headers["content-type"] in ("application/octet-stream", "application/pdf", "application/zip")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert await refusal(ann.call("media.url", media=found["media"], thumbnail=True)) == ("media_not_found", None)


@pytest.mark.shapeless
async def test_an_image_that_is_a_page_as_well_is_shown_as_an_image_only(
    local_storage: LocalMediaStorage, ann: Client
) -> None:
    found = await finished(ann, picture("GIF") + SCRIPT, "IMAGE", "page.html")
    answer = await fetch((await ann.call("media.url", media=found["media"]))["url"])
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    small = await fetch((await ann.call("media.url", media=found["media"], thumbnail=True))["url"])
    assert SCRIPT not in small.body


@pytest.mark.parametrize("length", [6, 8])
async def test_what_has_another_size_than_announced_is_refused(ann: Client, storage: MediaStorage, length: int) -> None:
    """Also where the storage let it pass."""
    begun = await started(ann, b"x" * 7)
    key = f"{(await Media.objects.aget(media_id=begun['media'])).folder}/upload"
    await sync_to_async(storage.put)(key, io.BytesIO(b"x" * length))
    assert await refusal(ann.call("media.finish", media=begun["media"])) == ("media_refused", "size")


async def test_what_is_posted_after_the_check_changes_nothing(storage: MediaStorage, ann: Client) -> None:
    begun = await started(ann, b"harmless", "FILE")
    form = UploadForm(begun["url"], begun["fields"])
    await upload(form, b"harmless")
    found = await ann.call("media.finish", media=begun["media"])
    assert await upload(form, b"<script>") == 204
    assert await ann.call("media.finish", media=begun["media"]) == found
    assert (await fetch((await ann.call("media.url", media=begun["media"]))["url"])).body == b"harmless"


async def test_a_file_that_was_not_posted_is_not_finished(storage: MediaStorage, ann: Client) -> None:
    begun = await started(ann, b"content")
    for _ in range(2):
        assert await refusal(ann.call("media.finish", media=begun["media"])) == ("media_not_found", None)
    await upload(UploadForm(begun["url"], begun["fields"]), b"content")
    assert await ann.call("media.finish", media=begun["media"])


async def test_another_user_finishes_fetches_and_gives_up_nothing(
    local_storage: LocalMediaStorage, ann: Client, open_client: Callable[..., Client], fast_app: str
) -> None:
    bob = open_client()
    await bob.login(fast_app, "bob")
    media = await posted(ann, b"content")
    for method in ("media.finish", "media.url", "media.abandon"):
        assert await refusal(bob.call(method, media=media)) == ("media_not_found", None)
    await ann.call("media.finish", media=media)
    assert await refusal(bob.call("media.url", media=media)) == ("media_not_found", None)


async def test_finishing_at_the_same_moment_checks_once(
    local_storage: LocalMediaStorage, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def check(storage: MediaStorage, media: Media) -> checks.Checked:
        checked.append(media.media_id)
        return checks.check(storage, media)

    monkeypatch.setattr(transfers, "check", check)
    media = await posted(ann, picture(), "IMAGE")
    waiting = [await ann.start("media.finish", media=media) for _ in range(5)]
    answers = await asyncio.gather(*waiting)
    assert answers == [answers[0]] * 5
    assert checked == [media]


async def test_a_users_checks_go_one_by_one_and_keep_nobody_else_waiting(
    local_storage: LocalMediaStorage,
    ann: Client,
    open_client: Callable[..., Client],
    fast_app: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = [], threading.Event()

    def check(storage: MediaStorage, media: Media) -> checks.Checked:
        begun.append(media.uid)
        assert media.uid != "ann" or go_on.wait(10)
        return checks.check(storage, media)

    monkeypatch.setattr(transfers, "check", check)
    bob = open_client()
    await bob.login(fast_app, "bob")
    waiting = [await ann.start("media.finish", media=await posted(ann, b"content")) for _ in range(6)]
    await until(lambda: begun == ["ann"])
    assert await finished(bob, b"content")
    assert begun == ["ann", "bob"]
    go_on.set()
    assert len(await asyncio.gather(*waiting)) == 6


async def test_addresses_wait_for_no_checks(
    local_storage: LocalMediaStorage,
    ann: Client,
    open_client: Callable[..., Client],
    fast_app: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = [], threading.Event()

    def check(storage: MediaStorage, media: Media) -> checks.Checked:
        begun.append(media.uid)
        assert go_on.wait(10)
        return checks.check(storage, media)

    ready = await finished(ann, b"content")
    monkeypatch.setattr(transfers, "check", check)
    waiting = []
    for number in range(transfers.CHECKERS + 1):
        client = open_client()
        await client.login(fast_app, f"user-{number}")
        waiting.append(await client.start("media.finish", media=await posted(client, b"content")))
    await until(lambda: len(begun) == transfers.CHECKERS)
    assert await ann.call("media.url", media=ready["media"])
    assert await started(ann, b"content")
    go_on.set()
    assert len(await asyncio.gather(*waiting)) == transfers.CHECKERS + 1


async def test_while_it_is_checked_elsewhere_it_is_busy_and_the_first_check_wins(
    local_storage: LocalMediaStorage, ann: Client, fast_app: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def check(storage: MediaStorage, media: Media) -> checks.Checked:
        reached.set()
        assert go_on.wait(10)
        return checks.check(storage, media)

    monkeypatch.setattr(transfers, "check", check)
    media = await posted(ann, b"content")
    finishing = await ann.start("media.finish", media=media)
    await asyncio.to_thread(reached.wait, 10)
    project = await Project.objects.aget(app_id=fast_app)
    elsewhere = transfers.MediaTransfers(runtime)
    with pytest.raises(RpcError, match="being checked"):
        await elsewhere.finish((project.pk, "ann", media))
    assert await refusal(ann.call("media.abandon", media=media)) == ("media_busy", None)
    assert await ann.call("media.start", kind="FILE", name="x", size=1), "other calls do not wait"
    go_on.set()
    assert (await finishing)["media"] == media
    await elsewhere.stop()


async def test_a_check_that_was_overtaken_changes_nothing(
    local_storage: LocalMediaStorage, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still for so long that another took over."""

    def check(storage: MediaStorage, media: Media) -> checks.Checked:
        Media.objects.filter(pk=media.pk).update(claim="another")
        connection.close()  # of a thread that otherwise has none
        return checks.check(storage, media)

    monkeypatch.setattr(transfers, "check", check)
    media = await posted(ann, b"content")
    assert await refusal(ann.call("media.finish", media=media)) == ("media_not_found", None)
    row = await Media.objects.aget(media_id=media)
    assert (row.state, row.claim) == (MediaState.CHECKING, "another")


async def test_a_storage_that_is_out_of_reach_is_told_and_nothing_is_half_there(
    local_storage: LocalMediaStorage, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = await posted(ann, b"content")
    with monkeypatch.context() as down:
        use_storage(down, s3_at(f"http://127.0.0.1:{free_port()}", "bucket"))
        assert await refusal(ann.call("media.finish", media=media)) == ("unavailable", None)
        assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    assert (await ann.call("media.finish", media=media))["size"] == 7


async def test_a_storage_that_fails_in_the_middle_leaves_the_upload_as_it_was(
    local_storage: LocalMediaStorage, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(key: str, content: Any) -> None:
        raise OSError("no space left on device")

    media = await posted(ann, picture(), "IMAGE")
    with monkeypatch.context() as down:
        down.setattr(local_storage, "put", fail)  # the thumbnail, after everything was read
        assert await refusal(ann.call("media.finish", media=media)) == ("unavailable", None)
    assert await refusal(ann.call("media.url", media=media)) == ("media_not_found", None)
    assert (await ann.call("media.finish", media=media))["thumbnail_width"] == 320


async def test_a_file_that_was_lost_is_not_there(local_storage: LocalMediaStorage, ann: Client) -> None:
    found = await finished(ann, b"content")
    address = (await ann.call("media.url", media=found["media"]))["url"]
    await asyncio.to_thread(shutil.rmtree, local_storage.location)
    assert (await fetch(address)).status == 404
