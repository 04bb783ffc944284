"""The messages that rooms and peers take (docs/contract.md 4). A body is checked and passed on as it came, never
encoded again."""

from typing import Final

import msgspec

from projects.limits import Sizes
from realtime.errors import SIZE_OVERFLOW, RpcError


class TextMessage(msgspec.Struct, tag="TEXT", tag_field="type", forbid_unknown_fields=True):
    """Text of at most 32 KiB, counted in UTF-8 bytes before any escaping."""

    text: str


class RawMessage(msgspec.Struct, tag="RAW", tag_field="type", forbid_unknown_fields=True):
    """Bytes, as base64; with the description at most 32 KiB together."""

    raw: bytes
    description: str = ""


Message = TextMessage | RawMessage

_decode: Final = msgspec.json.Decoder(Message).decode


def check_message(raw: msgspec.Raw, sizes: Sizes) -> None:
    """Raises msgspec.ValidationError for what is no message, RpcError `size_overflow` for what is too large."""
    message = _decode(raw)
    if len(memoryview(raw)) <= sizes.message_bytes:
        return  # its parts cannot be larger
    if isinstance(message, TextMessage):
        size = len(message.text.encode())
    else:
        size = len(message.raw) + len(message.description.encode())
    if size > sizes.message_bytes:
        raise RpcError(SIZE_OVERFLOW, f"A message has at most {sizes.message_bytes} bytes.")
