from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from messaging.messages import ROOM_MESSAGES
from messaging.models import Entry, Stream
from messaging.selectors import to_ms
from realtime.redaction import TOMBSTONE
from realtime.streams import StreamHead
from rooms.models import Room, stream_name


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
    """A room's head (None without entries), and its attributes as they were then or a little later."""

    head: StreamHead | None
    attributes: Attributes
    was_empty: bool


def get_attributes(project_id: int, room: str, keys: Collection[str] | None = None) -> Attributes:
    """The room's attributes, all or those of `keys` that exist, and their revision."""
    found = _read(project_id, room)[0]
    if keys is None:
        return found
    return Attributes({key: value for key, value in found.attributes.items() if key in keys}, found.revision)


def _read(project_id: int, room: str) -> tuple[Attributes, bool]:
    """The attributes, and whether the clean-up has marked the room as empty. One statement, so that attributes
    and revision are of one moment."""
    rows = list(
        Room.objects.filter(project_id=project_id, name=room)
        .order_by("attributes__key")
        .values_list(
            "revision",
            "empty_since",
            "attributes__key",
            "attributes__value",
            "attributes__updated_by",
            "attributes__updated_at",
        )
    )
    if not rows:
        return Attributes({}, 0), False
    attributes = {
        key: Attribute(value, updated_by, to_ms(updated_at))
        for _, _, key, value, updated_by, updated_at in rows
        if key is not None
    }
    return Attributes(attributes, rows[0][0]), rows[0][1] is not None


def get_snapshot(project_id: int, room: str) -> Snapshot:
    """For a join: the head is read before the state that covers it; what comes after the head is pushed, so that a
    change seen twice is the same change. In no transaction: SQLite would make it wait for whoever writes."""
    head = (
        Stream.objects.filter(project_id=project_id, name=stream_name(room)).values_list("id", "epoch", "head").first()
    )
    attributes, was_empty = _read(project_id, room)
    return Snapshot(StreamHead(*head) if head is not None else None, attributes, was_empty)


def media_lives(project_id: int, streams: Collection[str]) -> dict[str, timedelta]:
    """How long rooms keep what files are sent to them, by the name of the stream: those that say so."""
    prefix = stream_name("")
    names = [name.removeprefix(prefix) for name in streams if name.startswith(prefix)]
    rooms = Room.objects.filter(project_id=project_id, name__in=names, media_days__isnull=False)
    return {stream_name(name): timedelta(days=days) for name, days in rooms.values_list("name", "media_days") if days}


def media_days(project_id: int, room: str) -> int | None:
    """For so many days a room keeps files from when they were sent to it; None: for no longer than any."""
    return Room.objects.filter(project_id=project_id, name=room).values_list("media_days", flat=True).first()


def rooms_with_attributes(after_id: int, limit: int) -> Sequence[Room]:
    """RTM rooms that have attributes, in pages by id: what the clean-up looks through."""
    return list(Room.objects.filter(kind=Room.Kind.RTM, attribute_count__gt=0, id__gt=after_id).order_by("id")[:limit])


@dataclass(frozen=True, slots=True)
class RoomMessage:
    """A message's place: `stream_id` and `seq`. `event` is a tombstone's when it was deleted."""

    stream_id: int
    seq: int
    sender: str
    message_id: str
    event: str


def find_message(project_id: int, room: str, **named: int | str) -> RoomMessage | None:
    """The room's message, or the tombstone in its place, that is `named` by its `seq`, or by `sender` and
    `message_id`."""
    events = (*ROOM_MESSAGES, TOMBSTONE)
    row = (
        Entry.objects.filter(stream__project_id=project_id, stream__name=stream_name(room), event__in=events, **named)
        .values_list("stream_id", "seq", "sender", "message_id", "event")
        .first()
    )
    return RoomMessage(*row) if row is not None else None


@dataclass(frozen=True, slots=True)
class ListedRoom:
    """A room that has entries: `id` its stream's, `created_at` in ms since 1970."""

    id: int
    room: str
    head: int
    created_at: int


def list_rooms(project_id: int, after_id: int, limit: int) -> list[ListedRoom]:
    """The project's rooms that have entries, the oldest first, in pages by id."""
    prefix = stream_name("")
    rows = Stream.objects.filter(project_id=project_id, name__startswith=prefix, id__gt=after_id).order_by("id")
    return [
        ListedRoom(stream_id, name.removeprefix(prefix), head, to_ms(created_at))
        for stream_id, name, head, created_at in rows.values_list("id", "name", "head", "created_at")[:limit]
    ]
