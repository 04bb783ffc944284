from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from messaging.models import Stream
from messaging.selectors import to_ms
from realtime.streams import StreamHead
from rooms.models import Room, RoomAttribute, stream_name


@dataclass(frozen=True, slots=True)
class Attribute:
    """`updated_at`: ms since 1970."""

    value: str
    updated_by: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Attributes:
    attributes: dict[str, Attribute]
    revision: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A room at one moment: its head (None without entries) and the attributes that belong to it."""

    head: StreamHead | None
    attributes: Attributes
    was_empty: bool


def get_attributes(project_id: int, room: str, keys: Collection[str] | None = None) -> Attributes:
    """The room's attributes, all or those of `keys` that exist, and their revision: of one moment."""
    with transaction.atomic():
        row = Room.objects.filter(project_id=project_id, name=room).first()
        return _attributes(row, keys)


def _attributes(row: Room | None, keys: Collection[str] | None = None) -> Attributes:
    if row is None:
        return Attributes({}, 0)
    found = RoomAttribute.objects.filter(room=row).order_by("key")
    if keys is not None:
        found = found.filter(key__in=keys)
    return Attributes(
        {
            attribute.key: Attribute(attribute.value, attribute.updated_by, to_ms(attribute.updated_at))
            for attribute in found
        },
        row.revision,
    )


def get_snapshot(project_id: int, room: str) -> Snapshot:
    """For a join: the head is read before the state it covers, in one transaction; what comes after the head
    is pushed, so that a change seen twice is the same change."""
    with transaction.atomic():
        head = (
            Stream.objects.filter(project_id=project_id, name=stream_name(room))
            .values_list("id", "epoch", "head")
            .first()
        )
        row = Room.objects.filter(project_id=project_id, name=room).first()
        return Snapshot(
            head=StreamHead(*head) if head is not None else None,
            attributes=_attributes(row),
            was_empty=row is not None and row.empty_since is not None,
        )


def rooms_with_attributes(after_id: int, limit: int) -> Sequence[Room]:
    """RTM rooms that have attributes, in pages by id: what the clean-up looks through."""
    return list(
        Room.objects.filter(kind=Room.Kind.RTM, attribute_count__gt=0, id__gt=after_id).order_by("id")[:limit]
    )
