"""Browsers that send and fetch files, of either storage."""

import asyncio
import io
import secrets
import urllib.error
import urllib.request
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async
from django.core.files.storage import storages
from django.db.models import F
from PIL import Image

from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media, MediaKind, MediaState
from messaging.media.storage import UploadForm, media_storage
from projects.models import Project
from tests.support.client import CallFailed, Client, Json
from tests.support.rest import Answer, request

ANSWERED_WITHIN_S = 60.0


def local_at(folder: Path) -> LocalMediaStorage:
    return LocalMediaStorage(location=folder)


def files(storage: LocalMediaStorage) -> list[str]:
    """What is in the storage, by key."""
    root = Path(storage.location)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def use_storage(monkeypatch: pytest.MonkeyPatch, storage: Any) -> None:
    """Makes it the one of the settings."""
    monkeypatch.setitem(vars(storages)["_storages"], "media", storage)


async def give_media(app: str, uid: str, media_id: str, content: bytes, *, ready: bool = False) -> str:
    """A file that a user has posted and not finished yet; or one that is ready, unchecked. Returns its id."""

    def give() -> None:
        media = Media(
            project=Project.objects.get(app_id=app),
            media_id=media_id,
            uid=uid,
            kind=MediaKind.FILE,
            name="file",
            size=len(content),
            state=MediaState.READY if ready else MediaState.STARTED,
            claim="checked" if ready else "",
            created_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        media_storage().put(media.checked_key if ready else media.uploaded_key, io.BytesIO(content))
        media.save()
        Project.objects.filter(app_id=app).update(media_bytes=F("media_bytes") + media.size)

    await sync_to_async(give)()
    return media_id


async def ready_media(app: str, uid: str, **fields: Any) -> str:
    """A file that is ready, without its bytes: what messages say of it, and who may fetch it, asks for none. With a
    `width` it is an image. Returns its id."""
    now = fields.pop("now", datetime.now(UTC))
    kind = MediaKind.IMAGE if fields.get("width") else MediaKind.FILE
    wanted = {"kind": kind, "name": "tables.txt", "size": 11, "content_type": "text/plain", **fields}

    def make() -> str:
        project = Project.objects.get(app_id=app)
        Project.objects.filter(pk=project.pk).update(media_bytes=F("media_bytes") + wanted["size"])
        life = {"state": MediaState.READY, "created_at": now, "expires_at": now + timedelta(days=7)}
        return Media.objects.create(project=project, uid=uid, **{"claim": "checked", **life, **wanted}).media_id

    return await sync_to_async(make)()


IMAGE: Final = {
    "name": "board.png",
    "size": 3_000,
    "content_type": "image/png",
    "width": 640,
    "height": 480,
    "thumbnail_width": 320,
    "thumbnail_height": 240,
}
"""Fields of `ready_media`."""


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
        with urllib.request.urlopen(asked, timeout=ANSWERED_WITHIN_S) as answer:
            return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {name.lower(): value for name, value in error.headers.items()}, error.read())


def picture(kind: str = "PNG", size: tuple[int, int] = (640, 480), color: Any = "red", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, color).save(file, kind, **options)
    return file.getvalue()


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
