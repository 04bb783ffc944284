import secrets

from django.db import models

from projects.models import Project


def make_epoch() -> str:
    return secrets.token_hex(8)


def inbox_name(uid: str) -> str:
    """The name of a user's stream."""
    return f"inbox:{uid}"


class Stream(models.Model):
    """A log with one audience: a room's members (`room:<id>`), or one user (`inbox:<uid>`). The row is made at
    its first entry. `head` is the seq of the newest entry; seqs have no gaps."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="streams", db_index=False)
    name = models.CharField(max_length=80)
    head = models.BigIntegerField(default=0)
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


class Entry(models.Model):
    """Something that happened, numbered within its stream. `body` is JSON text: a json column would refuse
    some valid JSON (`\\u0000`) and is never searched."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="entries", db_index=False)
    seq = models.BigIntegerField()
    sender = models.CharField(max_length=64)
    message_id = models.CharField(max_length=64)
    event = models.CharField(max_length=40)
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["stream", "seq"], name="entry_seq"),
            # The message id first: ids are time-ordered, so that new rows of all streams share index pages.
            models.UniqueConstraint(fields=["message_id", "sender", "stream"], name="entry_message_id"),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}#{self.seq}"
