"""The local storage's way in and out: what was signed is allowed, and nothing else; nothing is half there."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from config.asgi import application
from messaging.media import http
from messaging.media.local import LocalMediaStorage
from realtime.server import MAX_BODY_BYTES
from tests.support.doubles import until
from tests.support.media import fetch, files, form_body, send, upload

pytestmark = pytest.mark.shapeless


def url_of(storage: LocalMediaStorage, lives_s: int = 300) -> str:
    return storage.download_url("1/a/file", content_type="image/png", disposition="inline", lives_s=lives_s)


@pytest.fixture
def url(local_storage: LocalMediaStorage) -> str:
    """The address of a file of four bytes."""
    local_storage.put("1/a/file", io.BytesIO(b"body"))
    return url_of(local_storage)


# Addresses


async def test_a_file_cannot_run_as_a_page_of_ours(url: str) -> None:
    answer = await fetch(url)
    assert (answer.status, answer.body) == (200, b"body")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("file&", "fils&"),
        lambda url: url.replace("image%2Fpng", "text%2Fhtml"),
        lambda url: url.replace("inline", "inlin"),
        lambda url: url.replace("expires=", "expires=9"),
        lambda url: url.replace("/file?", "/upload?"),
        lambda url: url + "0",
        lambda url: url[:-1],
        lambda url: url.partition("&signature=")[0],
        lambda url: url.partition("&signature=")[0] + "&signature=",
        lambda url: url + "&type=text%2Fhtml",
        lambda url: url.replace("?", "?type=text%2Fhtml&"),
        lambda url: url.replace("key=1%2Fa", "key=1%2F..%2F1%2Fa"),
        lambda url: url.replace("key=1%2Fa", "key=1/a"),
        lambda url: url.partition("?")[0],
        lambda url: url.partition("?")[0] + "?" + "x" * 100_000,
        lambda url: url.partition("?")[0] + "?signature=%00&key=%FF",
    ],
)
async def test_a_changed_address_is_refused(url: str, change: Callable[[str], str]) -> None:
    assert change(url) != url
    method = "POST" if "/upload" in change(url) else "GET"
    answer = await send(method, change(url))
    assert answer.status == 403
    assert b"body" not in answer.body


async def test_another_secret_makes_no_address(url: str, settings: Any) -> None:
    settings.SECRET_KEY = "another-one"
    assert (await fetch(url)).status == 403


async def test_an_address_lives_as_long_as_it_says(local_storage: LocalMediaStorage, url: str) -> None:
    now_s = local_storage.clock()
    local_storage.clock = lambda: now_s
    url = url_of(local_storage)
    for later, status in ((299, 200), (301, 403)):
        local_storage.clock = lambda later=later: now_s + later  # type: ignore[misc]
        assert (await fetch(url)).status == status


async def test_a_form_lives_as_long_as_it_says(local_storage: LocalMediaStorage) -> None:
    now_s = local_storage.clock()
    form = local_storage.upload_form("1/a/upload", size=4, lives_s=60)
    local_storage.clock = lambda: now_s + 61
    assert await upload(form, b"body") == 403
    assert files(local_storage) == []


@pytest.mark.parametrize("key", ["../outside", "1/../../outside", "/etc/passwd"])
async def test_no_address_leads_out_of_the_storage(local_storage: LocalMediaStorage, key: str) -> None:
    """Nobody signs such a one; if somebody did, it led nowhere."""
    form = local_storage.upload_form(key, size=4, lives_s=60)
    assert await upload(form, b"body") == 404
    address = local_storage.download_url(key, content_type="image/png", disposition="inline", lives_s=60)
    assert (await fetch(address)).status == 404


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("POST", 405), ("HEAD", 200)])
async def test_other_methods(url: str, method: str, status: int) -> None:
    answer = await send(method, url)
    assert answer.status == status
    assert answer.body == b"" or status == 405


async def test_any_page_may_ask_from_its_own_origin(url: str) -> None:
    """Addresses carry what is needed; no cookie is looked at."""
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = await send("OPTIONS", "/rtm/media/upload", headers=asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert "content-type" in answer.headers["access-control-allow-headers"]
    told = await fetch(url, origin="https://app.example")
    assert told.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in told.headers


async def test_only_by_https_where_the_settings_say_so(url: str, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert (await fetch(url)).status == 403


async def test_other_addresses_below_are_nothing(local_storage: LocalMediaStorage) -> None:
    for path in ("/rtm/media/", "/rtm/media/file/", "/rtm/media/../media/file"):
        assert (await fetch(path)).status == 404


# Ranges


@pytest.mark.parametrize("asked", ["bytes=0-1,2-3", "bytes=3-1", "bytes=-", "lines=0-1", "bytes=a-b", "0-1"])
async def test_what_is_no_single_range_gets_the_whole(url: str, asked: str) -> None:
    answer = await fetch(url, range=asked)
    assert (answer.status, answer.body) == (200, b"body")


@pytest.mark.parametrize("asked", ["bytes=4-", "bytes=9-12", "bytes=-0"])
async def test_a_range_past_the_end(url: str, asked: str) -> None:
    answer = await fetch(url, range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */4")


async def test_a_range_of_another_version_gets_the_whole(url: str) -> None:
    etag = (await fetch(url)).headers["etag"]
    headers = {"range": "bytes=0-0"}
    assert (await send("GET", url, headers={**headers, "if-range": etag})).status == 206
    assert (await send("GET", url, headers={**headers, "if-range": '"other"'})).status == 200


@pytest.mark.parametrize("ending", ["the time is up", "the file has become shorter"])
async def test_a_download_that_breaks_off_is_no_whole_answer(
    local_storage: LocalMediaStorage, url: str, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == "the time is up":
        monkeypatch.setattr(http, "TRANSFER_S", 0.0)
    else:
        monkeypatch.setattr(os, "pread", lambda *_: b"")
    path, _, query = url.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    communicator = ApplicationCommunicator(application, scope)
    start = await communicator.receive_output(10)
    assert (start["status"], (b"content-length", b"4") in start["headers"]) == (200, True)
    await communicator.wait(10)
    assert communicator.output_queue.empty()


# Uploads


class Upload:
    """One whose body the test sends in parts."""

    def __init__(self, address: str, content_type: str) -> None:
        path, _, query = address.partition("?")
        self._scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "http_version": "1.1",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"content-type", content_type.encode())],
        }
        self.communicator = ApplicationCommunicator(application, self._scope)

    async def part(self, data: bytes, *, more: bool = True) -> None:
        await self.communicator.send_input({"type": "http.request", "body": data, "more_body": more})

    async def leave(self) -> None:
        await self.communicator.send_input({"type": "http.disconnect"})
        await self.communicator.wait(10)

    async def status(self) -> int:
        status: int = (await self.communicator.receive_output(10))["status"]
        await self.communicator.wait(10)
        return status


async def begun(storage: LocalMediaStorage, size: int, holder: str = "") -> tuple[Upload, bytes]:
    """One that has sent the first half of its body, which is on the disk; and the rest."""
    form = storage.upload_form("1/a/upload", size=size, lives_s=60, holder=holder)
    content_type, body = form_body(b"x" * size)
    sending = Upload(form.url, content_type)
    half = len(body) // 2
    await sending.part(body[:half])
    await until(lambda: any(name.endswith(".part") for name in files(storage)))
    return sending, body[half:]


async def test_what_is_on_its_way_is_not_there(local_storage: LocalMediaStorage) -> None:
    sending, rest = await begun(local_storage, 1_000_000)
    assert [Path(name).suffix for name in files(local_storage)] == [".part"]
    await sending.part(rest, more=False)
    assert await sending.status() == 204
    assert files(local_storage) == ["1/a/upload"]


async def test_a_client_that_leaves_leaves_nothing(local_storage: LocalMediaStorage) -> None:
    sending, _ = await begun(local_storage, 1_000_000)
    await sending.leave()
    assert files(local_storage) == []


async def test_a_form_is_used_once_at_a_time(local_storage: LocalMediaStorage) -> None:
    sending, rest = await begun(local_storage, 1_000_000)
    form = local_storage.upload_form("1/a/upload", size=4, lives_s=60)
    assert await upload(form, b"body") == 409
    await sending.part(rest, more=False)
    assert await sending.status() == 204
    assert await upload(form, b"body") == 204


async def test_more_than_was_said_ends_it_at_once(local_storage: LocalMediaStorage) -> None:
    form = local_storage.upload_form("1/a/upload", size=1000, lives_s=60)
    content_type, body = form_body(b"x" * 2000)
    sending = Upload(form.url, content_type)
    await sending.part(body)
    assert await sending.status() == 413
    assert files(local_storage) == []


async def test_a_body_that_says_it_is_larger_is_not_read(local_storage: LocalMediaStorage) -> None:
    form = local_storage.upload_form("1/a/upload", size=1000, lives_s=60)
    answer = await send("POST", form.url, headers={"content-length": str(2 * MAX_BODY_BYTES)})
    assert answer.status == 413


async def test_silence_ends_it(local_storage: LocalMediaStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SILENCE_S", 0.05)
    sending, _ = await begun(local_storage, 1_000_000)
    assert await sending.status() == 408
    assert files(local_storage) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nbody\r\n--b--',
        ),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nbody'),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"x" * 70_000),
        ("multipart/form-data; boundary=b", b"x" * 70_000),
    ],
)
async def test_what_is_no_form_is_refused(local_storage: LocalMediaStorage, content_type: str, body: bytes) -> None:
    form = local_storage.upload_form("1/a/upload", size=4, lives_s=60)
    answer = await send("POST", form.url, raw=body, headers={"content-type": content_type})
    assert answer.status in (400, 413)
    assert files(local_storage) == []


async def test_too_many_transfers_are_told_to_come_back(
    local_storage: LocalMediaStorage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_TRANSFERS", 1)
    sending, rest = await begun(local_storage, 1_000_000)
    refused = await fetch(url)
    assert (refused.status, "retry-after" in refused.headers) == (503, True)
    await sending.part(rest, more=False)
    assert await sending.status() == 204
    assert (await fetch(url)).status == 200


async def test_one_user_cannot_take_all_the_transfers(
    local_storage: LocalMediaStorage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by one address, nor by many."""
    monkeypatch.setattr(http, "HOLDER_TRANSFERS", 1)
    held = [
        local_storage.download_url(key, content_type="image/png", disposition="inline", lives_s=60, holder=holder)
        for key, holder in (("1/a/file", "1:ann"), ("1/a/file", "1:bob"))
    ]
    sending, rest = await begun(local_storage, 1_000_000, holder="1:ann")
    refused = await fetch(held[0])
    assert (refused.status, "retry-after" in refused.headers) == (503, True)
    assert [(await fetch(address)).status for address in (held[1], url)] == [200, 200]
    await sending.part(rest, more=False)
    assert await sending.status() == 204
    assert (await fetch(held[0])).status == 200
