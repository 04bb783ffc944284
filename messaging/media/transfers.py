"""What of a transfer is the server's own work: signing, checking, deleting. It blocks, so it has threads of its own."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from django.utils.http import content_disposition_header

from messaging.media.checks import Checked, Refused, check, check_image
from messaging.media.kinds import RASTERS
from messaging.media.models import Media, MediaState
from messaging.media.services import FORM_LIFE, abandon, accept, claim, refuse, release
from messaging.media.storage import StorageUnavailable, UploadForm, media_storage, reaching
from realtime.errors import MEDIA_NOT_FOUND, MEDIA_REFUSED, OVERLOADED, UNAVAILABLE, RpcError
from realtime.runtime import Runtime
from realtime.tasks import cancel_all

logger = logging.getLogger(__name__)

T = TypeVar("T")
UploadKey = tuple[int, str, str]
"""Project, user and media id."""

CHECKERS: Final = 4
"""Threads that check and delete: what they do takes long."""
DECODERS: Final = 2
"""Threads for images: one is decoded while another is fetched. No other file waits for them."""
SIGNERS: Final = 2
"""Threads that sign: nobody waits for a check to be given an address."""
MAX_FINISHING: Final = 200
DOWNLOAD_LIFE: Final = timedelta(minutes=5)
THUMBNAIL_TYPE: Final = "image/jpeg"


class Address(NamedTuple):
    """For GET, until `expires_at`. A `url` that begins with `/` is of the server itself."""

    url: str
    content_type: str
    expires_at: datetime


class MediaTransfers:
    """A part of the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._checkers = ThreadPoolExecutor(CHECKERS, thread_name_prefix="media-checks")
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="media-images")
        self._signers = ThreadPoolExecutor(SIGNERS, thread_name_prefix="media-signs")
        self._finishing: dict[UploadKey, asyncio.Task[Media]] = {}
        self._turns: WeakValueDictionary[tuple[int, str | None], asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        return

    async def drain(self) -> None:
        if self._finishing:
            await asyncio.wait(list(self._finishing.values()))

    async def stop(self) -> None:
        await cancel_all(list(self._finishing.values()))
        for pool in (self._checkers, self._decoders, self._signers):
            pool.shutdown(wait=False, cancel_futures=True)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)

    async def form_of(self, media: Media) -> UploadForm:
        """Raises RpcError `unavailable`."""
        sign = partial(media_storage().upload_form, size=media.size, lives_s=round(FORM_LIFE.total_seconds()))
        return await self._in_thread(self._signers, partial(sign, media.uploaded_key, holder=_holder(media, media.uid)))

    async def address_of(self, media: Media, *, uid: str | None, thumbnail: bool = False) -> Address:
        """For fetching a file, or the thumbnail of an image. `uid`: who is given it; None: the project's own server.
        Raises RpcError `media_not_found` when it has none, `unavailable`."""
        if thumbnail and not media.thumbnail_width:
            raise RpcError(MEDIA_NOT_FOUND)
        content_type = THUMBNAIL_TYPE if thumbnail else media.content_type
        expires_at = self.now() + DOWNLOAD_LIFE
        sign = partial(
            media_storage().download_url,
            media.thumbnail_key if thumbnail else media.checked_key,
            content_type=content_type,
            disposition=_disposition(media),
            lives_s=round(DOWNLOAD_LIFE.total_seconds()),
            holder="" if uid is None else _holder(media, uid),
        )
        return Address(await self._in_thread(self._signers, sign), content_type, expires_at)

    async def finish(self, key: UploadKey) -> Media:
        """The file, checked and ready. Two calls for one file at the same time are one.

        Raises RpcError `media_not_found`, `media_refused`, `media_busy`, `unavailable`, `overloaded`.
        """
        finishing = self._finishing.get(key)
        if finishing is None:
            if len(self._finishing) >= MAX_FINISHING:
                raise RpcError(OVERLOADED)
            finishing = self._finishing[key] = self._runtime.loop.create_task(self._in_turn(key))
            finishing.add_done_callback(lambda _: self._finishing.pop(key))
        return await asyncio.shield(finishing)

    async def _in_turn(self, key: UploadKey) -> Media:
        """One check of a user at a time, so that nobody keeps the others waiting with many slow ones."""
        project, uid, _ = key
        async with self._turn(project, uid):
            return await self._finish(key)

    def _turn(self, project: int, uid: str | None = None) -> asyncio.Lock:
        """A user's, or a project's own."""
        turn = self._turns.get((project, uid))
        if turn is None:
            turn = self._turns[project, uid] = asyncio.Lock()
        return turn

    async def _finish(self, key: UploadKey) -> Media:
        bridge = self._runtime.bridge
        project, uid, media_id = key
        media = await bridge.write(claim, project_id=project, uid=uid, media_id=media_id, now=self.now())
        if media.state == MediaState.READY:
            return media
        try:
            checked = await self._check(media)
        except Refused as refused:
            await bridge.write(refuse, media=media, reason=refused.reason)
            await self._tidy(media_storage().delete_folder, media.upload_folder, media.folder)
            raise RpcError(MEDIA_REFUSED, reason=refused.reason) from None
        except FileNotFoundError:
            await bridge.write(release, media=media)
            raise RpcError(MEDIA_NOT_FOUND, "The file has not been uploaded.") from None
        except RpcError:
            await bridge.write(release, media=media)
            raise
        media = await bridge.write(accept, media=media, checked=checked, now=self.now())
        await self._tidy(media_storage().delete, media.uploaded_key)
        return media

    async def _check(self, media: Media) -> Checked:
        """Raises Refused, FileNotFoundError, RpcError `unavailable`. One image of a project is decoded at a time, so
        that another project waits for one of its images at most."""
        checked = await self._in_thread(self._checkers, partial(check, media_storage(), media))
        if checked.content_type not in RASTERS:
            return checked
        async with self._turn(media.project_id):
            return await self._in_thread(self._decoders, partial(check_image, media_storage(), media, checked))

    async def abandon(self, key: UploadKey) -> None:
        """Raises RpcError `media_not_found`, `media_busy`, `unavailable`."""
        project, uid, media_id = key
        media = await self._runtime.bridge.write(
            abandon, project_id=project, uid=uid, media_id=media_id, now=self.now()
        )
        await self._tidy(media_storage().delete_folder, media.upload_folder, media.folder)

    def discard(self, unused: Iterable[Media]) -> None:
        """Deletes the bytes of files that no message has any more. Nobody waits for it."""
        for media in unused:
            self._runtime.hub.spawn(self._tidy(media_storage().delete_folder, media.folder))

    async def _tidy(self, delete: Callable[[str], None], *what: str) -> None:
        """At once what would be purged later: so that it fails is no matter."""
        for name in what:
            try:
                await self._in_thread(self._checkers, partial(delete, name))
            except RpcError:
                logger.warning("media: %s is left to be purged", name)

    async def _in_thread(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        """Raises RpcError `unavailable` when the storage is out of reach."""

        def call() -> T:
            with reaching(media_storage()):
                return function()

        try:
            return await self._runtime.loop.run_in_executor(pool, call)
        except StorageUnavailable as error:
            logger.warning("media storage is out of reach: %s", error)
            raise RpcError(UNAVAILABLE, "The storage of files is out of reach.") from error


def _holder(media: Media, uid: str) -> str:
    return f"{media.project_id}:{uid}"


def _disposition(media: Media) -> str:
    """With the file's name, in any language (RFC 6266)."""
    header = content_disposition_header(media.content_type not in RASTERS, media.name)
    assert header is not None
    return header
