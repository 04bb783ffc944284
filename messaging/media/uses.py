"""Messages with files, before they are appended: may their sender use the file, and what does the message say of it?

The row of a use comes first, the entry after it, in another transaction: so a use without an entry gives nobody
anything. It is kept, as the entry may be under way, and a message that is sent again under its id finds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from django.db import transaction

from messaging.journal.append import Append
from messaging.media.models import Media, MediaState, MediaUse
from messaging.media.names import clean_name
from messaging.media.policy import lives_of
from messaging.media.selectors import readable_among
from messaging.messages import FileMessage, ImageMessage, SentFile, SentImage
from messaging.models import Entry
from messaging.selectors import to_ms
from realtime.errors import INVALID_PARAMS, MEDIA_NOT_FOUND, RpcError


@dataclass(frozen=True, slots=True)
class FilePost:
    """A message with a file, as its sender means it. `streams`: those that the sender may read besides the own inbox.
    `marks`: what the body of a peer's entry says behind the message, as JSON text; None: the message is the body."""

    message: FileMessage
    streams: tuple[str, ...]
    marks: str | None = None


class First(NamedTuple):
    """What a message id was answered with when it was new; `ts` in ms since 1970."""

    seq: int
    ts: int
    event: str


Outcome = str | First | RpcError
"""The body of the entry; or the entry for which the message id was used before; or why it is refused."""

_Key = tuple[str, str, int]
"""Message id, sender and stream: of an entry and of a use."""
_Reader = tuple[str, tuple[str, ...]]
"""A user, and the streams that they may read besides their inbox."""
_encode: Final = msgspec.json.Encoder().encode


@transaction.atomic
def use_media(*, project_id: int, appends: Sequence[Append], now: datetime) -> list[Outcome]:
    """For each of a project's appends that have a file: makes its use, and has the file kept for as long as the stream
    wants it. What is refused leaves no trace. Under a message id that was used before, the first use holds, whatever
    has become of the file's time or the sender's rights meanwhile."""
    uses = _Uses(project_id, appends, now)
    outcomes: list[Outcome] = []
    for append in appends:
        try:
            outcomes.append(uses.first.get(_key(append)) or _body(_post(append), uses.take(append)))
        except RpcError as refusal:
            outcomes.append(refusal)
    uses.save()
    return outcomes


class _Uses:
    """What is known of these appends, their files locked, and what is new of it."""

    def __init__(self, project_id: int, appends: Sequence[Append], now: datetime) -> None:
        self._project_id = project_id
        self._now = now
        message_ids = {append.message_id for append in appends}
        streams = {append.stream_id for append in appends}
        entries = Entry.objects.filter(message_id__in=message_ids, stream_id__in=streams).values_list(
            "message_id", "sender", "stream_id", "seq", "created_at", "event"
        )
        self.first = {row[:3]: First(row[3], to_ms(row[4]), row[5]) for row in entries}
        wanted = {_post(append).message.media for append in appends}
        files = Media.objects.select_for_update().filter(
            project_id=project_id, media_id__in=wanted, state=MediaState.READY
        )
        self._files = {media.media_id: media for media in files.order_by("pk")}  # as whoever locks several
        rows = MediaUse.objects.filter(message_id__in=message_ids, stream_id__in=streams).values_list(
            "message_id", "sender", "stream_id", "media_id", "pk"
        )
        self._used: dict[_Key, int] = {row[:3]: row[3] for row in rows}
        self._uses = {row[:3]: row[4] for row in rows}
        self._again: set[int] = set()
        self._lives = lives_of(project_id, {append.key[1] for append in appends})
        self._rights = self._find_rights(appends)
        self._fresh: list[MediaUse] = []
        self._kept_longer: set[Media] = set()

    def take(self, append: Append) -> Media:
        """The file of the append's use. Raises RpcError `media_not_found`, `invalid_params`."""
        key, post = _key(append), _post(append)
        media = self._files.get(post.message.media)
        if media is None:
            raise RpcError(MEDIA_NOT_FOUND)
        if key in self._used:
            if self._used[key] != media.pk:
                raise RpcError(INVALID_PARAMS, "message_id was used for another file in this stream.")
            if key in self._uses:
                self._again.add(self._uses[key])
            return media
        if media.pk not in self._rights.get(_reader(append), ()):
            raise RpcError(MEDIA_NOT_FOUND)
        if isinstance(post.message, ImageMessage) and not media.width:
            raise RpcError(INVALID_PARAMS, "The file is no image that can be decoded: send it as a FILE.")
        self._used[key] = media.pk
        self._fresh.append(
            MediaUse(
                media=media,
                stream_id=append.stream_id,
                sender=append.sender,
                message_id=append.message_id,
                created_at=self._now,
            )
        )
        life = self._lives.get(append.key[1])
        if life is not None and self._now + life > media.expires_at:
            media.expires_at = self._now + life
            self._kept_longer.add(media)
        return media

    def _find_rights(self, appends: Sequence[Append]) -> dict[_Reader, set[int]]:
        """What each sender may use of the files they want, by key: asked once for all their messages."""
        wanted: dict[_Reader, set[Media]] = {}
        for append in appends:
            media = self._files.get(_post(append).message.media)
            if media is not None and media.expires_at > self._now:
                wanted.setdefault(_reader(append), set()).add(media)
        return {
            (uid, streams): {media.pk for media in readable_among(files, uid, streams)}
            for (uid, streams), files in wanted.items()
        }

    def save(self) -> None:
        """Another process may have made the same use at the same moment."""
        for media in self._kept_longer:
            media.save(update_fields=["expires_at"])
        MediaUse.objects.filter(pk__in=self._again).update(created_at=self._now)  # their messages are still to come
        # The commit looks at the streams' rows, which others lock in this order.
        self._fresh.sort(key=lambda use: use.stream_id)
        MediaUse.objects.bulk_create(self._fresh, ignore_conflicts=True)


def _key(append: Append) -> _Key:
    return append.message_id, append.sender, append.stream_id


def _reader(append: Append) -> _Reader:
    return append.sender, _post(append).streams


def _post(append: Append) -> FilePost:
    assert append.file is not None
    return append.file


def _body(post: FilePost, media: Media) -> str:
    """Of the entry, as JSON text."""
    message = _encode(_sent(post.message, media)).decode()
    return message if post.marks is None else f'{{"message":{message}{post.marks}}}'


def _sent(message: FileMessage, media: Media) -> SentFile:
    sent = SentFile(
        media=media.media_id,
        name=clean_name(message.name) if message.name else media.name,
        description=message.description,
        thumbnail=message.thumbnail or msgspec.UNSET,
        size=media.size,
        content_type=media.content_type,
    )
    if not isinstance(message, ImageMessage):
        return sent
    small = message if message.thumbnail else media
    return SentImage(
        **msgspec.structs.asdict(sent),
        width=media.width,
        height=media.height,
        thumbnail_width=small.thumbnail_width,
        thumbnail_height=small.thumbnail_height,
    )
