"""Room attributes (docs/contract.md 7)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from messaging.attributes import Operation
from realtime.calls import Call
from realtime.errors import LIMIT_EXCEEDED, REVISION_CONFLICT, SIZE_OVERFLOW
from realtime.ids import MessageId, Name, Seq
from realtime.payloads import EntryPush
from realtime.registry import event, method
from rooms.methods.common import STORAGE_ERRORS, AttributeItem, attribute_items, check_room
from rooms.policy import Action, require
from rooms.selectors import get_attributes
from rooms.services.attributes import ATTRIBUTES_CHANGED, AttributesChanged, change_attributes

MAX_NAMED: Final = 1_024
"""Keys in one call. A room has fewer: what is above its limit is a matter of size, not of the call's form."""

CHANGE_ERRORS: Final = (SIZE_OVERFLOW, REVISION_CONFLICT, LIMIT_EXCEEDED, *STORAGE_ERRORS)


class AttributesChangedEntry(EntryPush):
    """A change of a joined room's attributes, by whichever method."""

    body: AttributesChanged


event(ATTRIBUTES_CHANGED, AttributesChangedEntry)


class GetAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    """`keys`: only these, where they exist."""

    room: Name
    keys: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NAMED)] | None = None


class GetAttributesResult(msgspec.Struct):
    attributes: dict[str, AttributeItem]
    revision: int


@method(
    "room.get_attributes",
    params=GetAttributesParams,
    result=GetAttributesResult,
    rate="get_room_attributes",
    errors=STORAGE_ERRORS,
)
async def get_room_attributes(call: Call, params: GetAttributesParams) -> GetAttributesResult:
    """A room's attributes and their revision; no need to be a member."""
    session = call.logged_in()
    check_room(params.room)
    require(session, Action.READ_ATTRIBUTES, params.room)
    found = await call.runtime.bridge.read(get_attributes, session.project.id, params.room, params.keys)
    return GetAttributesResult(attribute_items(found), found.revision)


class ChangeResult(msgspec.Struct):
    """The change's place in the room's order, and the attributes' revision after it."""

    seq: int
    revision: int


class ClearAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    """`notify`: members are told. `revision`: change only if the attributes still have it."""

    room: Name
    message_id: MessageId
    notify: bool = False
    revision: Seq | None = None


class PutAttributesParams(ClearAttributesParams, forbid_unknown_fields=True, kw_only=True):
    attributes: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=MAX_NAMED)]


class DeleteAttributesParams(ClearAttributesParams, forbid_unknown_fields=True, kw_only=True):
    keys: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NAMED)]


async def _change(
    call: Call,
    params: ClearAttributesParams,
    operation: Operation,
    attributes: Mapping[str, str],
    keys: Sequence[str],
) -> ChangeResult:
    session = call.logged_in()
    check_room(params.room)
    require(session, Action.WRITE_ATTRIBUTES, params.room)
    changed = await call.runtime.bridge.write(
        change_attributes,
        project_id=session.project.id,
        room=params.room,
        uid=session.uid,
        message_id=params.message_id,
        operation=operation,
        attributes=attributes,
        keys=keys,
        notify=params.notify,
        revision=params.revision,
        sizes=session.project.limits.sizes,
        now=datetime.fromtimestamp(call.runtime.clock_ms() / 1000, UTC),
    )
    return ChangeResult(changed.seq, changed.revision)


@method(
    "room.set_attributes",
    params=PutAttributesParams,
    result=ChangeResult,
    rate="set_room_attributes",
    errors=CHANGE_ERRORS,
)
async def set_attributes(call: Call, params: PutAttributesParams) -> ChangeResult:
    """Replaces all attributes of a room; no need to be a member."""
    return await _change(call, params, Operation.SET, params.attributes, ())


@method(
    "room.update_attributes",
    params=PutAttributesParams,
    result=ChangeResult,
    rate="set_room_attributes",
    errors=CHANGE_ERRORS,
)
async def update_attributes(call: Call, params: PutAttributesParams) -> ChangeResult:
    """Adds or replaces some attributes."""
    return await _change(call, params, Operation.UPDATE, params.attributes, ())


@method(
    "room.delete_attributes",
    params=DeleteAttributesParams,
    result=ChangeResult,
    rate="set_room_attributes",
    errors=CHANGE_ERRORS,
)
async def delete_attributes(call: Call, params: DeleteAttributesParams) -> ChangeResult:
    """Deletes attributes by key; keys that do not exist are no error."""
    return await _change(call, params, Operation.DELETE, {}, params.keys)


@method(
    "room.clear_attributes",
    params=ClearAttributesParams,
    result=ChangeResult,
    rate="set_room_attributes",
    errors=CHANGE_ERRORS,
)
async def clear_attributes(call: Call, params: ClearAttributesParams) -> ChangeResult:
    """Deletes all attributes."""
    return await _change(call, params, Operation.CLEAR, {}, ())
