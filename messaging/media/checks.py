"""What a finished upload really is. Everything here blocks: it runs in a thread of `transfers`."""

import hashlib
import json
import logging
import subprocess
import sys
import threading
from dataclasses import dataclass
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
    """Takes the upload out of its form's reach, then looks at it, and puts its thumbnail beside it.

    Raises Refused, FileNotFoundError when nothing was uploaded, StorageUnavailable.
    """
    with TemporaryDirectory(prefix="rostrum-media-") as folder, reaching(storage):
        storage.copy(media.uploaded_key, media.checked_key)
        source, thumbnail = Path(folder, "source"), Path(folder, "thumbnail")
        content_type, sha256 = _read(storage, media, source)
        picture = picture_of(RASTERS[content_type], source, thumbnail) if content_type in RASTERS else None
        if picture is not None:
            with thumbnail.open("rb") as file:
                storage.put(media.thumbnail_key, file)
            return Checked(content_type, sha256, picture)
    if media.kind == MediaKind.IMAGE:
        raise Refused("image")
    return Checked(content_type if content_type not in RASTERS else UNKNOWN, sha256, Picture())


def _read(storage: MediaStorage, media: Media, source: Path) -> tuple[str, str]:
    """The type and the digest. What may be an image is written to `source`."""
    digest = hashlib.sha256()
    size = 0
    content_type = UNKNOWN
    head = b""
    with source.open("wb") as file:
        for chunk in storage.read(media.checked_key):
            is_head = len(head) < HEAD_BYTES
            if is_head:
                head = (head + chunk)[:HEAD_BYTES]
                content_type = sniff(head)
            size += len(chunk)
            if size > media.size:
                break
            digest.update(chunk)
            if is_head or content_type in RASTERS:
                file.write(chunk)
    if size != media.size:
        raise Refused("size")
    return content_type, digest.hexdigest()


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
