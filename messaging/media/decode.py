"""Decodes an image and makes its thumbnail, in a process of its own: `python decode.py FORMAT SOURCE THUMBNAIL`.

What an image costs is bounded before it is looked at: memory, processor time and the size of files by the system,
pixels by its head. Whatever goes wrong ends the process with another code than 0, and the image is none.
Prints the sizes as JSON, as a viewer sees them: with the camera's orientation applied.
"""

import contextlib
import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Final

from PIL import ExifTags, Image, ImageOps

MAX_PIXELS: Final = 50_000_000
MAX_MEMORY_BYTES: Final = 896 * 1024 * 1024
"""So many pixels need it in the form that needs most, WebP: its decoder has two images of 4 bytes a pixel, Pillow two
more, and the file itself is in memory too. Others need less: 8 bytes a pixel with transparency, 10 in grey of 16 bits,
6 to 8 in a progressive JPEG. (An image that is none of a photographer's may need more: then it is refused.)"""
MAX_CPU_S: Final = 10
MAX_THUMBNAIL_BYTES: Final = 256 * 1024
THUMBNAIL: Final = (320, 320)
ON_ITS_SIDE: Final = (5, 6, 7, 8)
"""How the camera was held, where that makes the height of what it took the width."""


def bound() -> None:
    for kind, limit in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, MAX_THUMBNAIL_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    with contextlib.suppress(OSError):  # should the machine have less, it is not the server that ends
        Path("/proc/self/oom_score_adj").write_text("1000")


def decode(kind: str, source: str, thumbnail: str) -> dict[str, int]:
    """Of an animation, the first frame: no more of it is decoded."""
    with Image.open(source, formats=[kind]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError("too many pixels")
        if image.getexif().get(ExifTags.Base.Orientation) in ON_ITS_SIDE:
            width, height = height, width
        image.draft("RGB", THUMBNAIL)  # a JPEG need not be decoded larger than it is wanted
        shown = in_8_bits(image)
        shown.thumbnail(THUMBNAIL)
        small = ImageOps.exif_transpose(shown)
        flat = Image.new("RGB", small.size, "white")
        if small.has_transparency_data:
            clear = small.convert("RGBA")
            flat.paste(clear, mask=clear)
        else:
            flat.paste(small.convert("RGB"))
        flat.save(thumbnail, "JPEG", quality=80)  # a new image: nothing of the old one's EXIF is in it
    return {
        "width": width,
        "height": height,
        "thumbnail_width": flat.width,
        "thumbnail_height": flat.height,
    }


def in_8_bits(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits cannot be made smaller as it is."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def main() -> None:
    bound()
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    json.dump(decode(*sys.argv[1:4]), sys.stdout)


if __name__ == "__main__":
    main()
