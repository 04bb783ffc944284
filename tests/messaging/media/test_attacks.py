"""What attackers try with files and images, and storages that fail (docs/security.md)."""

import asyncio
import io
import shutil
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from messaging.media import checks, transfers
from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media, MediaState
from messaging.media.storage import MediaStorage, UploadForm
from projects.models import Project
from realtime.errors import RpcError
from realtime.runtime import Runtime
from scripts.services import free_port
from tests.support.client import Client
from tests.support.doubles import until
from tests.support.media import fetch, files, finished, picture, posted, refusal, started, upload, use_storage
from tests.support.s3 import s3_at


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


@pytest.mark.shapeless
@pytest.mark.parametrize("length", [6, 8])
async def test_what_has_another_size_than_announced_is_refused(ann: Client, storage: MediaStorage, length: int) -> None:
    """Also where the storage let it pass."""
    begun = await started(ann, b"x" * 7)
    key = (await Media.objects.aget(media_id=begun["media"])).uploaded_key
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


async def test_the_slow_images_of_many_keep_no_other_file_and_no_other_project_waiting(
    local_storage: LocalMediaStorage,
    ann: Client,
    open_client: Callable[..., Client],
    make_project: Callable[..., Project],
    fast_app: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = [], threading.Event()

    def check_image(storage: MediaStorage, media: Media, checked: checks.Checked) -> checks.Checked:
        begun.append(media.uid)
        assert media.uid == "bob" or go_on.wait(10)
        return checks.check_image(storage, media, checked)

    monkeypatch.setattr(transfers, "check_image", check_image)
    waiting = []
    for number in range(transfers.CHECKERS + 1):
        client = open_client()
        await client.login(fast_app, f"user-{number}")
        media = await posted(client, picture(), kind="IMAGE")
        waiting.append(await client.start("media.finish", media=media))
    await until(lambda: len(begun) == 1)
    assert await finished(ann, b"content")
    bob = open_client()
    await bob.login((await sync_to_async(make_project)()).app_id, "bob")
    assert (await finished(bob, picture(), kind="IMAGE"))["width"]
    assert begun[1:] == ["bob"]
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
