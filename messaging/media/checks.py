"""What a finished upload really is. Everything here blocks: it runs in a thread of `transfers`."""

import hashlib
import json
import logging
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from messaging.media.kinds import HEAD_BYTES, RASTERS, UNKNOWN, sniff
from messaging.media.models import Media, MediaKind
from messaging.media.storage import MediaStorage, reaching

logger = logging.getLogger(__name__)

DECODE_S: Final = 20.0
DECODER: Final = Path(__file__).with_name("decode.py")

_decoding: Final = threading.Semaphore(1)
"""One image at a time: so the bound of one is the bound of all."""


class Refused(Exception):
    """The upload is not what was announced. `reason`: as the client is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Picture:
    """As a viewer sees it; of what is no image, all 0."""

    width: int = 0
    height: int = 0
    thumbnail_width: int = 0
    thumbnail_height: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    content_type: str
    sha256: str
    picture: Picture


def check(storage: MediaStorage, media: Media) -> Checked:
    """Takes the upload out of its form's reach, then looks at its bytes. What may be an image, by its type, is for
    `check_image` to say.

    Raises Refused, FileNotFoundError when nothing was uploaded, StorageUnavailable.
    """
    with reaching(storage):
        storage.copy(media.uploaded_key, media.checked_key)
        digest = hashlib.sha256()
        size = 0
        head = b""
        for chunk in storage.read(media.checked_key):
            if len(head) < HEAD_BYTES:
                head = (head + chunk)[:HEAD_BYTES]
            size += len(chunk)
            if size > media.size:
                break
            digest.update(chunk)
    if size != media.size:
        raise Refused("size")
    content_type = sniff(head)
    if media.kind == MediaKind.IMAGE and content_type not in RASTERS:
        raise Refused("image")
    return Checked(content_type, digest.hexdigest(), Picture())


def check_image(storage: MediaStorage, media: Media, checked: Checked) -> Checked:
    """Decodes what may be an image, and puts its thumbnail beside it. It may take `DECODE_S`, and waits for others.

    Raises Refused, StorageUnavailable.
    """
    with TemporaryDirectory(prefix="rostrum-media-") as folder, reaching(storage):
        source, thumbnail = Path(folder, "source"), Path(folder, "thumbnail")
        with source.open("wb") as file:
            file.writelines(storage.read(media.checked_key))
        picture = picture_of(RASTERS[checked.content_type], source, thumbnail)
        if picture is not None:
            with thumbnail.open("rb") as file:
                storage.put(media.thumbnail_key, file)
            return replace(checked, picture=picture)
    if media.kind == MediaKind.IMAGE:
        raise Refused("image")
    return replace(checked, content_type=UNKNOWN)


def picture_of(kind: str, source: Path, thumbnail: Path) -> Picture | None:
    """None for what cannot be decoded within the bounds."""
    command = [sys.executable, "-I", str(DECODER), kind, str(source), str(thumbnail)]
    with _decoding:
        try:
            done = subprocess.run(command, capture_output=True, timeout=DECODE_S, check=True, env={})
        except subprocess.SubprocessError as error:
            logger.info("media: an image is not decoded: %s", error)
            return None
    return Picture(**json.loads(done.stdout))
