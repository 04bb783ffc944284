"""What is sent: texts, encoded once and shared by all their receivers."""

from collections.abc import Sequence
from typing import Final

MAX_FRAME_BYTES: Final = 128 * 1024
"""Above this many characters, what is ready for a connection goes out in several frames."""


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


def join_frames(texts: Sequence[str]) -> list[Frame]:
    """The texts as few frames: one message alone, several as a batch array, none much above the cap.

    A text that stands alone must be a single message, not a joined chunk.
    """
    if len(texts) == 1:
        return [Frame(texts[0])]
    frames = []
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > MAX_FRAME_BYTES:
            frames.append(Frame(f"[{','.join(batch)}]"))
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    frames.append(Frame(f"[{','.join(batch)}]"))
    return frames
