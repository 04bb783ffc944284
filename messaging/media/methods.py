"""Sending and fetching files and images (docs/contract.md 2 and 4): the bytes go beside the socket."""

from typing import Annotated, Final, Literal

import msgspec
from django.utils.http import content_disposition_header

from messaging.media.kinds import RASTERS
from messaging.media.models import Media, MediaKind
from messaging.media.selectors import media_of
from messaging.media.services import FORM_LIFE, start
from messaging.media.transfers import MediaTransfers, UploadKey
from messaging.selectors import to_ms
from realtime.calls import Call
from realtime.consumer import answer_later
from realtime.errors import (
    LIMIT_EXCEEDED,
    MEDIA_BUSY,
    MEDIA_NOT_FOUND,
    MEDIA_REFUSED,
    OVERLOADED,
    SIZE_OVERFLOW,
    TOO_MANY_UPLOADS,
    UNAVAILABLE,
    RpcError,
)
from realtime.ids import Seq
from realtime.payloads import Empty
from realtime.registry import Deferred, method

STORAGE_ERRORS: Final = (UNAVAILABLE, OVERLOADED)
DOWNLOAD_S: Final = 300
"""An address for a download lives for so long."""
THUMBNAIL_TYPE: Final = "image/jpeg"

MediaId = Annotated[
    str,
    msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z", description="32 hex characters, made by the server; nobody guesses it"),
]


class StartParams(msgspec.Struct, forbid_unknown_fields=True):
    """`size`: in bytes, exactly. An `IMAGE` is one that the server can decode; of a `FILE` anything is taken."""

    kind: Literal["FILE", "IMAGE"]
    name: Annotated[str, msgspec.Meta(max_length=1024)]
    size: Seq


class StartResult(msgspec.Struct):
    """The file is posted to `url` as `multipart/form-data`: first these `fields`, then the file, in a field `file`. A
    `url` that begins with `/` is of this server. Until `expires_at`."""

    media: str
    url: str
    fields: dict[str, str]
    expires_at: int


@method(
    "media.start",
    params=StartParams,
    result=StartResult,
    rate="media",
    errors=(SIZE_OVERFLOW, TOO_MANY_UPLOADS, LIMIT_EXCEEDED, *STORAGE_ERRORS),
)
def start_upload(call: Call, params: StartParams) -> Deferred:
    """Announces a file. Its size counts against the quotas from now on, until the file is deleted."""
    return answer_later(call, "media.start", _start(call, params))


async def _start(call: Call, params: StartParams) -> StartResult:
    session = call.logged_in()
    transfers = call.runtime.part(MediaTransfers)
    now = transfers.now()
    media = await call.runtime.bridge.write(
        start,
        project_id=session.project.id,
        uid=session.uid,
        kind=MediaKind(params.kind),
        name=params.name,
        size=params.size,
        sizes=session.project.limits.sizes,
        now=now,
    )
    form = await transfers.form_of(media)
    return StartResult(media.media_id, form.url, form.fields, to_ms(now + FORM_LIFE))


class MediaParams(msgspec.Struct, forbid_unknown_fields=True):
    """A file that this user has sent."""

    media: MediaId


class FinishResult(msgspec.Struct):
    """What the file really is. `name`: as it was cleaned. `type`: by its first bytes. Of what is no image that can be
    decoded, the four measures are 0; else they are of the image and its thumbnail as a viewer sees them."""

    media: str
    kind: Literal["FILE", "IMAGE"]
    name: str
    size: int
    type: str
    sha256: str
    width: int
    height: int
    thumbnail_width: int
    thumbnail_height: int
    expires_at: int


@method(
    "media.finish",
    params=MediaParams,
    result=FinishResult,
    rate="media",
    errors=(MEDIA_NOT_FOUND, MEDIA_REFUSED, MEDIA_BUSY, *STORAGE_ERRORS),
)
def finish_upload(call: Call, params: MediaParams) -> Deferred:
    """The file was posted: the server checks what it is, and keeps it for 7 days. Again is answered the same. What is
    posted later changes nothing."""
    return answer_later(call, "media.finish", _finish(call, _key(call, params)))


async def _finish(call: Call, key: UploadKey) -> FinishResult:
    media = await call.runtime.part(MediaTransfers).finish(key)
    return FinishResult(
        media=media.media_id,
        kind="IMAGE" if media.kind == MediaKind.IMAGE else "FILE",
        name=media.name,
        size=media.size,
        type=media.content_type,
        sha256=media.sha256,
        width=media.width,
        height=media.height,
        thumbnail_width=media.thumbnail_width,
        thumbnail_height=media.thumbnail_height,
        expires_at=to_ms(media.expires_at),
    )


@method(
    "media.abandon",
    params=MediaParams,
    result=Empty,
    rate="media",
    errors=(MEDIA_NOT_FOUND, MEDIA_BUSY, *STORAGE_ERRORS),
)
def abandon_upload(call: Call, params: MediaParams) -> Deferred:
    """Gives up a file that was announced and is not finished: it is not being sent any more, and what has come is
    deleted. Its size counts for an hour more, as its form can still be used."""
    return answer_later(call, "media.abandon", _abandon(call, _key(call, params)))


async def _abandon(call: Call, key: UploadKey) -> Empty:
    await call.runtime.part(MediaTransfers).abandon(key)
    return Empty()


class UrlParams(MediaParams, forbid_unknown_fields=True, kw_only=True):
    """`thumbnail`: of an image, the server's own small JPEG of it."""

    thumbnail: bool = False


class UrlResult(msgspec.Struct):
    """For GET, also of ranges, until `expires_at`. A `url` that begins with `/` is of this server."""

    url: str
    type: str
    expires_at: int


@method("media.url", params=UrlParams, result=UrlResult, rate="media", errors=(MEDIA_NOT_FOUND, *STORAGE_ERRORS))
def url_of_media(call: Call, params: UrlParams) -> Deferred:
    """An address for fetching a file that is ready. It lives for 5 minutes and needs nothing else. A browser shows
    checked images in their place; whatever else it offers to save."""
    return answer_later(call, "media.url", _url(call, params))


async def _url(call: Call, params: UrlParams) -> UrlResult:
    session = call.logged_in()
    transfers = call.runtime.part(MediaTransfers)
    now = transfers.now()
    media = await call.runtime.bridge.read(media_of, session.project.id, session.uid, params.media, now)
    if media is None or (params.thumbnail and not media.thumbnail_width):
        raise RpcError(MEDIA_NOT_FOUND)
    content_type = THUMBNAIL_TYPE if params.thumbnail else media.content_type
    url = await transfers.url_of(
        media.thumbnail_key if params.thumbnail else media.checked_key,
        content_type=content_type,
        disposition=_disposition(media),
        lives_s=DOWNLOAD_S,
    )
    return UrlResult(url, content_type, to_ms(now) + DOWNLOAD_S * 1000)


def _disposition(media: Media) -> str:
    """With the file's name, in any language (RFC 6266)."""
    header = content_disposition_header(media.content_type not in RASTERS, media.name)
    assert header is not None
    return header


def _key(call: Call, params: MediaParams) -> UploadKey:
    session = call.logged_in()
    return session.project.id, session.uid, params.media
