"""The messages that rooms and peers take (docs/contract.md 4). Text and bytes are checked and passed on as they came,
never encoded again; a message with a file is written by the server (`messaging.media.uses`), as it knows the file."""

from typing import Annotated, Final

import msgspec

from projects.limits import Sizes
from realtime.errors import SIZE_OVERFLOW, RpcError

ROOM_SENT: Final = "room.sent"
ROOM_MEDIA_SENT: Final = "room.media_sent"
PEER_SENT: Final = "peer.sent"
PEER_MEDIA_SENT: Final = "peer.media_sent"
ROOM_MESSAGES: Final = (ROOM_SENT, ROOM_MEDIA_SENT)
"""Every event that is a message to a room."""
PEER_MESSAGES: Final = (PEER_SENT, PEER_MEDIA_SENT)
"""Every event that is a message to a user."""
MEDIA_EVENTS: Final = (ROOM_MEDIA_SENT, PEER_MEDIA_SENT)
"""Those of messages that have a file."""

MediaId = Annotated[
    str,
    msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z", description="32 hex characters, made by the server; nobody guesses it"),
]
Pixels = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class TextMessage(msgspec.Struct, tag="TEXT", tag_field="type", forbid_unknown_fields=True):
    """Text of at most 32 KiB, counted in UTF-8 bytes before any escaping."""

    text: str


class RawMessage(msgspec.Struct, tag="RAW", tag_field="type", forbid_unknown_fields=True):
    """Bytes, as base64; with the description at most 32 KiB together."""

    raw: bytes
    description: str = ""


class FileMessage(msgspec.Struct, tag="FILE", tag_field="type", forbid_unknown_fields=True):
    """A file that is ready: one's own, or one in a message that one may read. `name`: that of the upload, if none is
    given. `thumbnail`: bytes of an image, as base64. Name, description and thumbnail have at most 32 KiB together."""

    media: MediaId
    name: str = ""
    description: str = ""
    thumbnail: bytes = b""


class ImageMessage(FileMessage, tag="IMAGE"):
    """The same for an image that the server could decode. `thumbnail_width`, `thumbnail_height`: of the thumbnail that
    is given. `width` and `height` are taken, and replaced by what the image really has."""

    thumbnail_width: Pixels = 0
    thumbnail_height: Pixels = 0
    width: Pixels = 0
    height: Pixels = 0


PlainMessage = TextMessage | RawMessage
Message = TextMessage | RawMessage | FileMessage | ImageMessage


class SentFile(msgspec.Struct, tag="FILE", tag_field="type", kw_only=True):
    """A file, as the server knows it. `name`: cleaned; `size`: in bytes; `content_type`: by its first bytes.
    `thumbnail`: the sender's, if there is one, as base64. `media.url` tells where to fetch the file."""

    media: MediaId
    name: str
    description: str
    thumbnail: bytes | msgspec.UnsetType = msgspec.UNSET
    size: int
    content_type: str


class SentImage(SentFile, tag="IMAGE", kw_only=True):
    """The same for an image, with its measures as a viewer sees it. Those of the thumbnail are of the sender's, as the
    sender says (0: not said), or else of the server's own, which `media.url` gives."""

    width: int
    height: int
    thumbnail_width: int
    thumbnail_height: int


MediaMessage = SentFile | SentImage
SentMessage = TextMessage | RawMessage | SentFile | SentImage

_decode: Final = msgspec.json.Decoder(Message).decode


def check_message(raw: msgspec.Raw, sizes: Sizes) -> FileMessage | None:
    """The message, if it has a file. Raises msgspec.ValidationError for what is no message, RpcError `size_overflow`
    for what is too large."""
    message = _decode(raw)
    if len(memoryview(raw)) > sizes.message_bytes:  # else its parts cannot be larger
        _check_size(message, sizes.message_bytes)
    if type(message) is TextMessage:  # first, and exactly, as it is asked of every text
        return None
    return message if isinstance(message, FileMessage) else None


def _check_size(message: Message, most: int) -> None:
    if isinstance(message, TextMessage):
        size = len(message.text.encode())
    elif isinstance(message, RawMessage):
        size = len(message.raw) + len(message.description.encode())
    else:
        size = len(message.thumbnail) + len(message.name.encode()) + len(message.description.encode())
    if size > most:
        raise RpcError(SIZE_OVERFLOW, f"A message has at most {most} bytes.")
