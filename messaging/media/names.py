"""File names as they may be shown, stored and told to browsers."""

import unicodedata
from typing import Final

MAX_NAME_BYTES: Final = 255
NAMELESS: Final = "file"
INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, and those that turn the direction of a name around: `exe.gpj` looks like `jpg.exe`."""


def clean_name(name: str) -> str:
    """The last part of a path, in any language, without what cannot be seen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    visible = "".join(sign for sign in last if unicodedata.category(sign) not in INVISIBLE)
    return _cut(unicodedata.normalize("NFC", visible).strip(" .")).strip(" .") or NAMELESS


def _cut(name: str) -> str:
    """At most 255 bytes, with its extension if that is short."""
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = (dot + extension).encode() if dot and len(extension.encode()) <= 16 else b""
    head = (stem if tail else name).encode()[: MAX_NAME_BYTES - len(tail)]
    return (head.decode(errors="ignore").encode() + tail).decode()
