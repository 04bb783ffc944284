import secrets
from typing import Final

from django.db import models

from messaging.media.models import Media, MediaKind, MediaState, MediaUse
from projects.models import Project
from realtime.streams import inbox_name

__all__ = [
    "FLEETING_FLAGS",
    "HISTORICAL_FLAGS",
    "KEPT_FLAGS",
    "READABLE_FLAGS",
    "Entry",
    "EntryFlag",
    "Media",
    "MediaKind",
    "MediaState",
    "MediaUse",
    "Stream",
    "inbox_name",
    "make_epoch",
]


def make_epoch() -> str:
    return secrets.token_hex(8)


class Stream(models.Model):
    """A log with one audience: a room's members (`room:<id>`), or one user (`inbox:<uid>`). The row is made at
    its first entry. `head` is the seq of the newest entry; seqs have no gaps."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="streams", db_index=False)
    name = models.CharField(max_length=80)
    head = models.BigIntegerField(default=0)
    acked = models.BigIntegerField(
        default=0,
        help_text="Of an inbox: up to this seq all is acknowledged, or not to be delivered.",
    )
    sifted = models.BigIntegerField(
        default=0,
        help_text="Of an inbox: up to this seq only messages with the offline flag are still to be delivered.",
    )
    reader_generation = models.BigIntegerField(
        default=0, help_text="Of an inbox: the newest login that has read or acknowledged."
    )
    epoch = models.CharField(
        max_length=16, default=make_epoch, help_text="Random; another one after a restore from a backup."
    )
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="stream_name")]
        indexes = [models.Index(fields=["project", "created_by", "created_at"], name="stream_creator")]

    def __str__(self) -> str:
        return self.name


class EntryFlag:
    """The bits of an entry's `flags`: what is special about it. Plain numbers, since every entry's are looked at."""

    OFFLINE: Final = 1
    """Kept for a user who is not there (docs/contract.md 5)."""
    HISTORICAL: Final = 2
    """Can be read back by the two peers, and by the REST interface."""
    WITHDRAWN: Final = 4
    """Its sender was told that it has not arrived, or it is too old: never delivered (any more). The highest, so that a
    comparison finds it."""


HISTORICAL_FLAGS = [flags for flags in range(8) if flags & EntryFlag.HISTORICAL]
"""Every value of `flags` that has HISTORICAL: an index's condition knows no bits."""
KEPT_FLAGS = [flags for flags in range(EntryFlag.WITHDRAWN) if flags & EntryFlag.OFFLINE]
"""Every value of `flags` that has OFFLINE and not WITHDRAWN."""
FLEETING_FLAGS = [flags for flags in range(EntryFlag.WITHDRAWN) if not flags & EntryFlag.OFFLINE]
"""Every value of `flags` that has neither."""
READABLE_FLAGS = [flags for flags in range(8) if flags < EntryFlag.WITHDRAWN or flags & EntryFlag.HISTORICAL]
"""Every value of `flags` with which somebody can read the entry: it is delivered, or in the history."""


class Entry(models.Model):
    """Something that happened, numbered within its stream. `body` is JSON text: a json column would refuse
    some valid JSON (`\\u0000`) and is never searched."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="entries", db_index=False)
    seq = models.BigIntegerField()
    sender = models.CharField(max_length=64)
    message_id = models.CharField(max_length=64)
    event = models.CharField(max_length=40)
    body = models.TextField()
    flags = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["stream", "seq"], name="entry_seq"),
            # The message id first: ids are time-ordered, so that new rows of all streams share index pages.
            models.UniqueConstraint(fields=["message_id", "sender", "stream"], name="entry_message_id"),
        ]
        indexes = [
            # What two peers have said to each other, as far as it can be read back.
            models.Index(
                fields=["stream", "sender", "id"],
                name="entry_peer_history",
                condition=models.Q(flags__in=HISTORICAL_FLAGS),
            ),
            # What a user has sent to anybody, as far as it can be read back.
            models.Index(
                fields=["sender", "created_at"],
                name="entry_sender_history",
                condition=models.Q(flags__in=HISTORICAL_FLAGS),
            ),
            # What is kept for users who are away, and what they have read of it.
            models.Index(fields=["stream", "seq"], name="entry_kept", condition=models.Q(flags__in=KEPT_FLAGS)),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}#{self.seq}"
