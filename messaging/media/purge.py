"""Deleting files and images: first their bytes, then their rows. So what is broken off is found and done again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from messaging.media.models import Media
from messaging.media.selectors import expired_media
from messaging.media.services import delete
from messaging.media.storage import MediaStorage, reaching

BATCH: Final = 100


def delete_media(storage: MediaStorage, found: Iterable[Media]) -> int:
    """Returns how many. Raises StorageUnavailable; those before are deleted then."""
    deleted = 0
    for media in found:
        with reaching(storage):
            storage.delete_folder(media.folder)
        deleted += delete(pk=media.pk)
    return deleted


def purge_media(storage: MediaStorage, now: datetime) -> Iterator[int]:
    """Deletes what has outlived its time, also uploads that were never finished or were refused. Yields after each
    batch how many it deleted."""
    while found := expired_media(now, BATCH):
        yield delete_media(storage, found)
