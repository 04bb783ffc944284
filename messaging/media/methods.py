"""Sending and fetching files and images (docs/contract.md 2 and 4): the bytes go beside the socket."""

from typing import Annotated, Final, Literal

import msgspec

from messaging.media.facts import facts_of
from messaging.media.models import MediaKind
from messaging.media.policy import readable_streams
from messaging.media.selectors import readable_media
from messaging.media.services import FORM_LIFE, start
from messaging.media.transfers import MediaTransfers, UploadKey
from messaging.messages import MediaId
from messaging.selectors import from_ms, to_ms
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
    """Announces a file. Its size counts against the quotas from now on, until the file is deleted. A session may have 9
    on their way at once."""
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
        session_since=from_ms(session.since_ms),
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
    return FinishResult(**facts_of(await call.runtime.part(MediaTransfers).finish(key)))


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


class UrlParams(msgspec.Struct, forbid_unknown_fields=True):
    """A file of one's own, or in a message that one may read: in a joined room, in one's inbox, or sent to a user.
    `thumbnail`: of an image, the server's own small JPEG of it."""

    media: MediaId
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
    media = await call.runtime.bridge.read(
        readable_media, session.project.id, session.uid, readable_streams(session), params.media, transfers.now()
    )
    if media is None:
        raise RpcError(MEDIA_NOT_FOUND)
    address = await transfers.address_of(media, uid=session.uid, thumbnail=params.thumbnail)
    return UrlResult(address.url, address.content_type, to_ms(address.expires_at))


def _key(call: Call, params: MediaParams) -> UploadKey:
    session = call.logged_in()
    return session.project.id, session.uid, params.media
