"""What a file is, by its first bytes. What its name or its sender says of it counts for nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

RASTERS: Final[Mapping[str, str]] = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
}
"""Images that a browser may show in its place once they were decoded, with Pillow's names of them. No SVG: that is a
document, with scripts."""
UNKNOWN: Final = "application/octet-stream"
HEAD_BYTES: Final = 16

_SIGNS: Final[Sequence[tuple[int, bytes, str]]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
)


def sniff(head: bytes) -> str:
    """The content type; `UNKNOWN` for whatever is not in the table, HTML and scripts among it."""
    return next((kind for place, sign, kind in _SIGNS if head[place:].startswith(sign)), UNKNOWN)
