import json
from typing import Any

from django.db import models

from projects.models import Project


class Room(models.Model):
    """What is kept of a room beside its stream. The row is made with its first attribute or setting.

    `revision` counts the changes of the attributes. `empty_since`: nobody was seen in it since then, within
    one life (`presence_epoch`) of the presence store. `media_days`: a file that is sent to it is kept for so many days
    from then on; null: for no longer than any.
    """

    class Kind(models.TextChoices):
        RTM = "rtm", "RTM room: attributes are cleared when it stays empty"
        CLASSROOM = "classroom", "Classroom: attributes stay until deleted"

    project = models.ForeignKey(Project, models.CASCADE, related_name="rooms", db_index=False)
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.RTM)
    revision = models.BigIntegerField(default=0)
    attribute_count = models.PositiveIntegerField(default=0)
    touched_at = models.DateTimeField()
    empty_since = models.DateTimeField(null=True, blank=True)
    presence_epoch = models.CharField(max_length=32, blank=True)
    media_days = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="room_name")]
        indexes = [
            # What the clean-up looks through: rooms that have something to clear.
            models.Index(
                fields=["id"],
                name="room_with_attributes",
                condition=models.Q(kind="rtm", attribute_count__gt=0),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def stream_name(self) -> str:
        return stream_name(self.name)

    def is_marked_empty(self, presence_epoch: str) -> bool:
        """Whether `empty_since` still holds: of this life of the presence store, and not touched after it."""
        return (
            self.empty_since is not None
            and self.presence_epoch == presence_epoch
            and self.touched_at <= self.empty_since
        )


def stream_name(room: str) -> str:
    """The name of a room's stream."""
    return f"room:{room}"


def room_name(stream: str) -> str:
    """The room whose stream has this name."""
    return stream.removeprefix(stream_name(""))


class JsonStringField(models.TextField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Any string, kept as JSON text: a PostgreSQL text column refuses the character U+0000."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else json.dumps(str(value), ensure_ascii=False)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else str(json.loads(value))


class RoomAttribute(models.Model):
    """A key of a room (docs/contract.md 7)."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="attributes", db_index=False)
    key = models.CharField(max_length=32)
    value = JsonStringField()
    updated_by = models.CharField(max_length=64)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "key"], name="room_attribute_key")]

    def __str__(self) -> str:
        return self.key
