"""What is sent: texts, encoded once and shared by all their receivers."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

MAX_FRAME_BYTES: Final = 128 * 1024
"""Above this many bytes, what is ready for a connection goes out in several frames."""
SMALL_CHARS: Final = MAX_FRAME_BYTES // 4
"""So many characters are never above it."""


def utf8_size(text: str) -> int:
    """Bytes of a text on the wire; asking whether it is ASCII costs nothing."""
    return len(text) if text.isascii() else len(text.encode())


class Frame:
    """One outgoing text frame: as an ASGI message, and ready for the wire."""

    __slots__ = ("message", "size", "wire")

    def __init__(self, text: str) -> None:
        payload = text.encode()
        size = len(payload)
        if size < 126:
            header = bytes((0x81, size))
        elif size < 65536:
            header = b"\x81\x7e" + size.to_bytes(2, "big")
        else:
            header = b"\x81\x7f" + size.to_bytes(8, "big")
        self.message = {"type": "websocket.send", "text": text}
        self.size = size
        self.wire = header + payload


class Chunk:
    """`count` messages joined by commas, on their way to many connections in one frame."""

    __slots__ = ("_frame", "count", "text")

    def __init__(self, text: str, count: int) -> None:
        self.text = text
        self.count = count
        self._frame: Frame | None = None

    @property
    def frame(self) -> Frame:
        frame = self._frame
        if frame is None:
            frame = self._frame = Frame(self.text if self.count == 1 else f"[{self.text}]")
        return frame


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in order, as many together as stay below the cap; one alone may be above it."""
    batch: list[str] = []
    size = 0
    for text in texts:
        text_size = utf8_size(text)
        if batch and size + text_size > MAX_FRAME_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += text_size
    yield batch


def join_frames(texts: Sequence[str]) -> list[Frame]:
    """The texts as few frames: one message alone, several as a batch array, none much above the cap.

    A text that stands alone must be a single message, not a joined chunk.
    """
    if len(texts) == 1:
        return [Frame(texts[0])]
    return [Frame(f"[{','.join(batch)}]") for batch in batches(texts)]
