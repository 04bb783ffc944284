"""Files and images by REST, for a project's own server (docs/rest.md)."""

from typing import Annotated, Final, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, Field

from messaging.media.facts import facts_of
from messaging.media.selectors import media_of
from messaging.media.transfers import MediaTransfers
from messaging.selectors import to_ms
from realtime.errors import MEDIA_NOT_FOUND, RpcError
from realtime.rest.callers import caller_of
from realtime.rest.errors import V1_FAILURES, V1Failure
from realtime.rest.shapes import AppId

v1 = Router(tags=["media"])

MEDIA_ID: Final = r"^[0-9a-f]{32}$"


class FoundMedia(BaseModel):
    """`uid`: who has sent it; the others as in the answer to `media.finish`. `url`: for GET, until `url_expires_at`;
    one that begins with `/` is of this server. Times are ms since 1970."""

    media: str
    uid: str
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
    url: str
    url_expires_at: int


@v1.get("/projects/{app_id}/media/{media}", response={200: FoundMedia, V1_FAILURES: V1Failure})
async def read_media(request: HttpRequest, app_id: AppId, media: Annotated[str, Field(pattern=MEDIA_ID)]) -> FoundMedia:
    """A file or image of the project that is ready, whoever has sent it, and where to fetch it from."""
    caller = caller_of(request)
    caller.require_server()
    transfers = caller.runtime.part(MediaTransfers)
    found = await caller.runtime.bridge.read(media_of, caller.tenant.id, media, transfers.now())
    if found is None:
        raise RpcError(MEDIA_NOT_FOUND)
    address = await transfers.address_of(found, uid=None)
    return FoundMedia(uid=found.uid, url=address.url, url_expires_at=to_ms(address.expires_at), **facts_of(found))
