"""The process that decodes images: what it may cost is bounded, whatever is in the image."""

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from messaging.media import checks, decode

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


@pytest.fixture
def decoded(tmp_path: Path) -> Callable[[bytes], checks.Picture | None]:
    """What comes of a PNG."""

    def run(content: bytes) -> checks.Picture | None:
        source = tmp_path / "source"
        source.write_bytes(content)
        return checks.picture_of("PNG", source, tmp_path / "thumbnail")

    return run


def png(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_pixels_up_to_the_limit(decoded: Callable[[bytes], checks.Picture | None]) -> None:
    side = int(decode.MAX_PIXELS**0.5)
    assert decoded(png(side, side)) == checks.Picture(side, side, 320, 320)
    assert decoded(png(side + 1, side + 1)) is None


def test_what_takes_too_long_is_no_image(
    decoded: Callable[[bytes], checks.Picture | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DECODE_S", 0.0)
    assert decoded(png(1, 1)) is None


def test_a_sliver_has_a_thumbnail(decoded: Callable[[bytes], checks.Picture | None]) -> None:
    assert decoded(png(10_000, 1)) == checks.Picture(10_000, 1, 320, 1)
