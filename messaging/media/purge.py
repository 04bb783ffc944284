"""Deleting files and images: first their bytes, then their rows. So what is broken off is found and done again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from messaging.media.models import UPLOADS, Media
from messaging.media.services import UPLOAD_LIFE, delete
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


def purge_media(storage: MediaStorage, due: "QuerySet[Media]") -> Iterator[int]:
    """Deletes what is due, in pages by key. Yields after each how many it deleted.

    What cannot be deleted is passed over, and named at the end by StorageUnavailable; three in a row end it.
    """
    left: list[str] = []
    in_a_row = after = 0
    while found := list(due.filter(pk__gt=after).order_by("pk")[:BATCH]):
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


def left_uploads(storage: MediaStorage, now: datetime) -> Iterator[str]:
    """The folders of what was posted and is of no use to anybody, as no form is so old: by a form that was used again
    after the check, or whose file was deleted. No quota counts it. Raises StorageUnavailable."""
    with reaching(storage):
        for key in storage.older_in(UPLOADS, now - UPLOAD_LIFE):
            yield key.rpartition("/")[0]


def purge_uploads(storage: MediaStorage, now: datetime) -> Iterator[int]:
    """Deletes them. Yields 1 after each. Raises StorageUnavailable."""
    for folder in left_uploads(storage, now):
        with reaching(storage):
            storage.delete_folder(folder)
        yield 1
