"""Browsers that send and fetch files, of either storage."""

import asyncio
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages

from messaging.media.local import LocalMediaStorage
from messaging.media.s3 import S3MediaStorage
from messaging.media.storage import UploadForm
from tests.support.rest import Answer, request


def local_at(folder: Path) -> LocalMediaStorage:
    return LocalMediaStorage(location=folder)


def s3_at(address: str, bucket: str) -> S3MediaStorage:
    return S3MediaStorage(
        bucket_name=bucket,
        endpoint_url=address,
        region_name="us-east-1",
        access_key="tests",
        secret_key="tests",
        location="some/prefix",
        path_style=True,
    )


def use_storage(monkeypatch: pytest.MonkeyPatch, storage: Any) -> None:
    """Makes it the one of the settings."""
    monkeypatch.setitem(vars(storages)["_storages"], "media", storage)


def form_body(content: bytes, fields: Mapping[str, str] | None = None, *, name: str = "file") -> tuple[str, bytes]:
    """The content type and the body of a form as a browser posts it."""
    boundary = f"----browser{secrets.token_hex(8)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in (fields or {}).items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="blob"\r\nContent-Type: text/html'
    body = b"".join(parts) + f"{head}\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


async def upload(form: UploadForm, content: bytes) -> int:
    """Posts a file as the form says; the status."""
    content_type, body = form_body(content, form.fields)
    return (await send("POST", form.url, raw=body, headers={"content-type": content_type})).status


async def fetch(url: str, **headers: str) -> Answer:
    return await send("GET", url, headers=headers)


async def send(method: str, url: str, *, raw: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """To the application in this process, or to where the address leads."""
    if url.startswith("/"):
        return await request(method, url, raw=raw, headers=headers)
    return await asyncio.to_thread(_send, method, url, raw, headers or {})


def _send(method: str, url: str, raw: bytes, headers: Mapping[str, str]) -> Answer:
    asked = urllib.request.Request(url, data=raw or None, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(asked) as answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {name.lower(): value for name, value in error.headers.items()}, error.read())
