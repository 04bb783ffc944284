from django.db import models

from projects.models import Project


class Room(models.Model):
    """What is kept of a room beside its stream. The row is made with its first attribute.

    `revision` counts the changes of the attributes. `empty_since`: nobody was seen in it since then, within
    one life (`presence_epoch`) of the presence store.
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


def stream_name(room: str) -> str:
    """The name of a room's stream."""
    return f"room:{room}"


class RoomAttribute(models.Model):
    """A key of a room (docs/contract.md 7)."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="attributes", db_index=False)
    key = models.CharField(max_length=32)
    value = models.TextField()
    updated_by = models.CharField(max_length=64)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "key"], name="room_attribute_key")]

    def __str__(self) -> str:
        return self.key
