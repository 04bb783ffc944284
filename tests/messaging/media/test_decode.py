"""The process that decodes images: what it may cost is bounded, whatever is in the image."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from messaging.media import checks, decode
from tests.support.media import picture

pytestmark = pytest.mark.shapeless

PROBE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import decode
decode.bound()
"""


def probe(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code under the bounds."""
    folder = str(Path(decode.__file__).parent)
    command = [sys.executable, "-I", "-c", PROBE + code, folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_has_no_more_memory_than_its_bound() -> None:
    assert probe("bytearray(decode.MAX_MEMORY_BYTES // 2)").returncode == 0
    assert "MemoryError" in probe("bytearray(decode.MAX_MEMORY_BYTES)").stderr


def test_it_has_no_more_time_and_writes_no_more_than_its_bounds() -> None:
    said = probe("print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_FSIZE))").stdout
    cpu, size = decode.MAX_CPU_S, decode.MAX_THUMBNAIL_BYTES
    assert said.strip() == f"({cpu}, {cpu}) ({size}, {size})"


Decoded = Callable[..., checks.Picture | None]


@pytest.fixture
def decoded(tmp_path: Path) -> Decoded:
    """What comes of an image."""

    def run(content: bytes, kind: str = "PNG") -> checks.Picture | None:
        source = tmp_path / "source"
        source.write_bytes(content)
        return checks.picture_of(kind, source, tmp_path / "thumbnail")

    return run


def png(width: int, height: int) -> bytes:
    return picture("PNG", (width, height), 0, mode="1")


def deep_png(width: int, height: int) -> bytes:
    """Grey of 16 bits, all of it 0."""
    packed = zlib.compress(bytes((1 + 2 * width) * height), 1)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
    checked = (struct.pack(">I", len(data)) + name + data + crc(name + data) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(checked)


def crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def webp(width: int, height: int) -> bytes:
    """Of one colour, without loss: each of the five codes has one symbol, so that a pixel takes no bits at all."""
    bits = (width - 1) | (height - 1) << 14 | 1 << 28
    for number in range(5):
        bits |= 1 << (35 + 4 * number)  # a simple code of one symbol of one bit, which is 0
    data = b"\x2f" + bits.to_bytes(8, "little")
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize(("kind", "make"), [("PNG", png), ("PNG", deep_png), ("WEBP", webp)])
def test_pixels_up_to_the_limit(decoded: Decoded, kind: str, make: Callable[[int, int], bytes]) -> None:
    side = int(decode.MAX_PIXELS**0.5)
    assert decoded(make(side, side), kind) == checks.Picture(side, side, 320, 320)
    assert decoded(make(side + 1, side + 1), kind) is None


def load_second_frame(content: bytes) -> None:
    with Image.open(BytesIO(content)) as image:
        image.seek(1)
        image.load()


@pytest.mark.parametrize(("kind", "mark", "head_bytes"), [("GIF", b"\x2c", 10), ("WEBP", b"VP8L", 13)])
def test_of_an_animation_the_first_frame_is_decoded_and_no_other(
    decoded: Decoded, kind: str, mark: bytes, head_bytes: int
) -> None:
    """The other one is spoilt: who decodes it fails."""
    other = Image.effect_noise((64, 64), 90)
    content = picture(kind, (64, 64), 0, mode="L", save_all=True, append_images=[other], lossless=True)
    place = content.index(mark, content.index(mark) + 1) + head_bytes
    spoilt = content[:place] + b"\xff" * (len(content) - place)
    with pytest.raises((OSError, EOFError)):
        load_second_frame(spoilt)
    assert decoded(spoilt, kind) == checks.Picture(64, 64, 64, 64)


def test_what_takes_too_long_is_no_image(decoded: Decoded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "DECODE_S", 0.0)
    assert decoded(png(1, 1)) is None


def test_a_sliver_has_a_thumbnail(decoded: Decoded) -> None:
    assert decoded(png(10_000, 1)) == checks.Picture(10_000, 1, 320, 1)
