"""Changes of a room's attributes (docs/contract.md 7): state and entry in one transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from messaging.attributes import Operation, apply, check_attributes, check_keys, check_total
from messaging.selectors import FirstAnswer, find_answer
from messaging.services import append_entry, ensure_stream
from projects.limits import Sizes
from realtime.errors import INVALID_PARAMS, REVISION_CONFLICT, RpcError
from rooms.models import Room, RoomAttribute

ATTRIBUTES_CHANGED: Final = "room.attributes_changed"


class AttributesChanged(msgspec.Struct):
    """The body of the entry. `notify`: the change asked that members be told."""

    set: dict[str, str]
    deleted: list[str]
    revision: int
    notify: bool


@dataclass(frozen=True, slots=True)
class Changed:
    seq: int
    revision: int


def change_attributes(
    *,
    project_id: int,
    room: str,
    uid: str,
    message_id: str,
    operation: Operation,
    attributes: Mapping[str, str],
    keys: Collection[str],
    notify: bool,
    revision: int | None,
    sizes: Sizes,
    now: datetime,
    of_server: bool = False,
) -> Changed:
    """Applies one change and appends its entry; concurrent writers never lose each other's keys. `of_server`: the
    project's own server makes it, in the user's name.

    The same message id again gets the first answer. With `revision` the change is made only if the attributes
    still have it. Raises RpcError `revision_conflict`, `size_overflow`, `invalid_params`, `limit_exceeded`.
    """
    check_attributes(attributes, sizes)
    check_keys(keys, sizes)

    def attempt() -> Changed:
        with transaction.atomic():
            return _change(
                project_id, room, uid, message_id, operation, attributes, keys, notify, revision, sizes, now, of_server
            )

    try:
        return attempt()
    except IntegrityError:  # the same message id on another process at the same moment
        return attempt()


def _change(
    project_id: int,
    room: str,
    uid: str,
    message_id: str,
    operation: Operation,
    attributes: Mapping[str, str],
    keys: Collection[str],
    notify: bool,
    revision: int | None,
    sizes: Sizes,
    now: datetime,
    of_server: bool,
) -> Changed:
    Room.objects.get_or_create(project_id=project_id, name=room, defaults={"touched_at": now})
    row = Room.objects.select_for_update().get(project_id=project_id, name=room)
    first = find_answer(project_id, row.stream_name, uid, message_id)
    if first is not None:
        return _first_answer(first)
    if revision is not None and revision != row.revision:
        raise RpcError(REVISION_CONFLICT, revision=row.revision)
    before = dict(RoomAttribute.objects.filter(room=row).values_list("key", "value"))
    after = apply(operation, before, attributes, keys)
    check_total(after, most=sizes.room_attributes, most_bytes=sizes.room_attributes_bytes)
    changed = dict(attributes) if operation in (Operation.SET, Operation.UPDATE) else {}
    deleted = sorted(set(before) - set(after))
    RoomAttribute.objects.filter(room=row, key__in=deleted).delete()
    RoomAttribute.objects.bulk_create(
        [
            RoomAttribute(room=row, key=key, value=value, updated_by=uid, updated_at=now)
            for key, value in changed.items()
        ],
        update_conflicts=True,
        unique_fields=["room", "key"],
        update_fields=["value", "updated_by", "updated_at"],
    )
    row.revision += 1
    row.attribute_count = len(after)
    row.touched_at = now
    row.empty_since = None
    row.save(update_fields=["revision", "attribute_count", "touched_at", "empty_since"])
    body = AttributesChanged(set=changed, deleted=deleted, revision=row.revision, notify=notify)
    stream = ensure_stream(project_id=project_id, name=row.stream_name, creator=None if of_server else uid, now=now)
    seq = append_entry(
        stream_id=stream.id,
        event=ATTRIBUTES_CHANGED,
        sender=uid,
        message_id=message_id,
        body=msgspec.json.encode(body).decode(),
        now=now,
    )
    return Changed(seq, row.revision)


def _first_answer(first: FirstAnswer) -> Changed:
    if first.event != ATTRIBUTES_CHANGED:
        raise RpcError(INVALID_PARAMS, "message_id was used for something else in this room.")
    return Changed(first.seq, msgspec.json.decode(first.body, type=AttributesChanged).revision)


def mark_empty(*, room_id: int, presence_epoch: str, now: datetime) -> None:
    """Nobody was seen in the room: notes since when, in which life of the presence store. A mark that holds is
    kept; one from before the last change (whose writer's clock may be ahead of ours) is made anew."""
    not_marked = Q(empty_since=None) | Q(empty_since__lt=F("touched_at")) | ~Q(presence_epoch=presence_epoch)
    Room.objects.filter(not_marked, pk=room_id).update(empty_since=now, presence_epoch=presence_epoch)


def mark_in_use(*, project_id: int, room: str) -> None:
    """Somebody joined: the clean-up starts counting anew. Waits for a clean-up that is under way."""
    Room.objects.filter(project_id=project_id, name=room).update(empty_since=None)


def clear_empty_room(
    *, room_id: int, empty_before: datetime, presence_epoch: str, message_id: str, now: datetime
) -> bool:
    """Clears an RTM room's attributes if it has been empty since before `empty_before` in this life of the
    presence store and nothing touched it; looked at again under the row's lock. Returns whether it did."""
    with transaction.atomic():
        row = (
            Room.objects.select_for_update()
            .filter(
                pk=room_id,
                kind=Room.Kind.RTM,
                empty_since__lte=empty_before,
                presence_epoch=presence_epoch,
                touched_at__lte=F("empty_since"),
            )
            .first()
        )
        if row is None or not row.attribute_count:
            return False
        deleted = sorted(RoomAttribute.objects.filter(room=row).values_list("key", flat=True))
        RoomAttribute.objects.filter(room=row).delete()
        row.revision += 1
        row.attribute_count = 0
        row.save(update_fields=["revision", "attribute_count"])
        body = AttributesChanged(set={}, deleted=deleted, revision=row.revision, notify=False)
        stream = ensure_stream(project_id=row.project_id, name=row.stream_name, creator=None, now=now)
        append_entry(
            stream_id=stream.id,
            event=ATTRIBUTES_CHANGED,
            sender="",
            message_id=message_id,
            body=msgspec.json.encode(body).decode(),
            now=now,
        )
        return True
