"""Deleting files and images: first their bytes, then their rows. So what is broken off is found and done again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from messaging.media.models import Media
from messaging.media.selectors import expired_media
from messaging.media.services import delete
from messaging.media.storage import MediaStorage, StorageUnavailable, reaching

BATCH: Final = 100
GIVE_UP: Final = 3


def delete_media(storage: MediaStorage, found: Iterable[Media]) -> int:
    """Returns how many. Raises StorageUnavailable; those before are deleted then."""
    deleted = 0
    for media in found:
        with reaching(storage):
            storage.delete_folder(media.folder)
            storage.delete_folder(media.upload_folder)
        deleted += delete(pk=media.pk)
    return deleted


def purge_media(storage: MediaStorage, now: datetime) -> Iterator[int]:
    """Deletes what has outlived its time, also uploads that were never finished or were refused. Yields after each
    batch how many it deleted.

    What cannot be deleted is passed over, and named at the end by StorageUnavailable; three in a row end it.
    """
    left: list[str] = []
    in_a_row = after = 0
    while found := expired_media(now, after, BATCH):
        deleted = 0
        for media in found:
            try:
                deleted += delete_media(storage, [media])
                in_a_row = 0
            except StorageUnavailable as error:
                left.append(f"{media.folder}: {error}")
                in_a_row += 1
                if in_a_row == GIVE_UP:
                    raise
        after = found[-1].pk
        yield deleted
    if left:
        raise StorageUnavailable(f"{len(left)} are left, the first is {left[0]}")
