"""The room methods (docs/contract.md 2, 3, 4 and 7)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from messaging.engine import Messaging
from messaging.journal import Append
from messaging.selectors import find_answer, history
from realtime.calls import Call
from realtime.errors import INVALID_PARAMS, LIMIT_EXCEEDED, NOT_IN_ROOM, RpcError
from realtime.ids import MessageId, Name, is_name
from realtime.methods import Cursor, Empty, EntryItem, raw_entry
from realtime.protocol import encode
from realtime.registry import DEFERRED, Deferred, event, method
from realtime.streams import entry_text
from rooms import membership
from rooms.messages import Message, check_message
from rooms.models import stream_name
from rooms.policy import Action, require, subscription_of
from rooms.selectors import Attributes, get_attributes
from rooms.services.attributes import (
    ATTRIBUTES_CHANGED,
    AttributesChanged,
    Operation,
    change_attributes,
)


class AttributeItem(msgspec.Struct):
    """`updated_at`: ms since 1970."""

    value: str
    updated_by: str
    updated_at: int


class RoomParams(msgspec.Struct, forbid_unknown_fields=True):
    room: Name


class JoinParams(msgspec.Struct, forbid_unknown_fields=True):
    room: Name
    after: Cursor | None = None


class JoinResult(msgspec.Struct, omit_defaults=True):
    """`head`: everything after it is pushed. With `after` in the call: `recovered` and the first page of
    `entries` that were missed; not `live`: read on with stream.read until it is."""

    room: str
    stream: str
    epoch: str
    head: int
    member_count: int
    attributes: dict[str, AttributeItem]
    revision: int
    live: bool
    recovered: bool | msgspec.UnsetType = msgspec.UNSET
    entries: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


def _check_room(room: str) -> None:
    if not is_name(room):
        raise RpcError(INVALID_PARAMS, "A room id has 1 to 64 bytes.")


def _items(attributes: Attributes) -> dict[str, AttributeItem]:
    return {
        key: AttributeItem(attribute.value, attribute.updated_by, attribute.updated_at)
        for key, attribute in attributes.attributes.items()
    }


@method("room.join", params=JoinParams, result=JoinResult, rate="join")
async def join(call: Call, params: JoinParams) -> Deferred:
    """Joins a room: at most 20 at once. `after` is where this client was in the room before, if it was."""
    session = call.logged_in()
    _check_room(params.room)
    require(session, Action.JOIN, params.room)
    joined = await membership.join(call, session, params.room, params.after)
    stream = joined.subscription.stream
    result = JoinResult(
        room=params.room,
        stream=stream.key[1],
        epoch=stream.epoch,
        head=joined.head,
        member_count=joined.member_count,
        attributes=_items(joined.snapshot.attributes),
        revision=joined.snapshot.attributes.revision,
        live=joined.held is not None,
    )
    recovery = joined.recovery
    if recovery is not None:
        result.head = recovery.head
        result.live = recovery.last >= (stream.cursor or 0)
        result.recovered = recovery.recovered
        result.entries = [raw_entry(text) for _, text in recovery.entries]
    call.reply(result)
    membership.enter_live(call, joined)
    return DEFERRED


@method("room.leave", params=RoomParams, result=Empty, rate="session")
async def leave(call: Call, params: RoomParams) -> Empty:
    """Leaves a room; the others are told."""
    await membership.leave(call, call.logged_in(), params.room)
    return Empty()


class SendParams(msgspec.Struct, forbid_unknown_fields=True):
    """`message`: `{"type": "TEXT", "text"}` or `{"type": "RAW", "raw": base64, "description"?}`."""

    room: Name
    message_id: MessageId
    message: msgspec.Raw


class SendResult(msgspec.Struct):
    """The message's place in the room's order, and when the server took it (ms since 1970): durable."""

    seq: int
    ts: int


SENT = event("room.sent", EntryItem)
event(ATTRIBUTES_CHANGED, AttributesChanged)


@method("room.send", params=SendParams, result=SendResult, rate="message")
def send(call: Call, params: SendParams) -> Deferred:
    """Sends a message to a joined room. The answer means: committed, in this place of the room's order."""
    session = call.logged_in()
    check_message(params.message, session.project.limits.sizes)
    subscription = subscription_of(session, params.room)
    if subscription is None:
        call.defer()
        call.runtime.hub.spawn(_answer_repeated(call, params))
        return DEFERRED
    require(session, Action.SEND, params.room)
    call.defer()
    messaging = call.runtime.part(Messaging)
    messaging.append(
        subscription.stream,
        Append(
            key=subscription.stream.key,
            event=SENT,
            sender=session.uid,
            json_sender=session.json_uid,
            message_id=params.message_id,
            body=str(params.message, "utf-8"),
            expires_s=messaging.expiry(),
            call=call,
        ),
    )
    return DEFERRED


async def _answer_repeated(call: Call, params: SendParams) -> None:
    """A repeated message gets its first answer even when its sender is not in the room any more."""
    try:
        session = call.logged_in()
        name = stream_name(params.room)
        first = await call.runtime.bridge.read(
            find_answer, session.project.id, name, session.uid, params.message_id
        )
        if first is None:
            raise RpcError(NOT_IN_ROOM)
        call.reply(SendResult(first.seq, first.ts))
    except RpcError as error:
        call.fail(error)


class MembersResult(msgspec.Struct):
    """The first 512 members; `total` counts all."""

    members: list[str]
    total: int


@method("room.members", params=RoomParams, result=MembersResult, rate="members")
async def members(call: Call, params: RoomParams) -> MembersResult:
    """Who is in a joined room."""
    session = call.logged_in()
    require(session, Action.LIST_MEMBERS, params.room)
    name = stream_name(params.room)
    listed = session.project.limits.sizes.listed_members
    found = await call.runtime.sessions.members(session.project.id, name, listed)
    (total,) = await call.runtime.sessions.counts(session.project.id, [name])
    return MembersResult(found, max(total, len(found)))


class MemberCountsParams(msgspec.Struct, forbid_unknown_fields=True):
    rooms: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1024)]


class MemberCountsResult(msgspec.Struct):
    counts: dict[str, int]


@method("room.member_counts", params=MemberCountsParams, result=MemberCountsResult, rate="member_counts")
async def member_counts(call: Call, params: MemberCountsParams) -> MemberCountsResult:
    """How many members up to 32 rooms have; no need to be one of them."""
    session = call.logged_in()
    if len(params.rooms) > session.project.limits.sizes.member_count_rooms:
        raise RpcError(LIMIT_EXCEEDED, f"At most {session.project.limits.sizes.member_count_rooms} rooms.")
    for room in params.rooms:
        _check_room(room)
        require(session, Action.COUNT_MEMBERS, room)
    names = [stream_name(room) for room in params.rooms]
    counts = await call.runtime.sessions.counts(session.project.id, names)
    return MemberCountsResult(dict(zip(params.rooms, counts, strict=True)))


class GetAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    """`keys`: only these, where they exist."""

    room: Name
    keys: Annotated[list[str], msgspec.Meta(min_length=1, max_length=64)] | None = None


class GetAttributesResult(msgspec.Struct):
    attributes: dict[str, AttributeItem]
    revision: int


@method(
    "room.get_attributes", params=GetAttributesParams, result=GetAttributesResult, rate="get_room_attributes"
)
async def get_room_attributes(call: Call, params: GetAttributesParams) -> GetAttributesResult:
    """A room's attributes and their revision; no need to be a member."""
    session = call.logged_in()
    _check_room(params.room)
    require(session, Action.READ_ATTRIBUTES, params.room)
    found = await call.runtime.bridge.read(get_attributes, session.project.id, params.room, params.keys)
    return GetAttributesResult(_items(found), found.revision)


class ChangeResult(msgspec.Struct):
    """The change's place in the room's order, and the attributes' revision after it."""

    seq: int
    revision: int


class ClearAttributesParams(msgspec.Struct, forbid_unknown_fields=True):
    """`notify`: members are told. `revision`: change only if the attributes still have it."""

    room: Name
    message_id: MessageId
    notify: bool = False
    revision: int | None = None


class PutAttributesParams(ClearAttributesParams, forbid_unknown_fields=True, kw_only=True):
    attributes: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=64)]


class DeleteAttributesParams(ClearAttributesParams, forbid_unknown_fields=True, kw_only=True):
    keys: Annotated[list[str], msgspec.Meta(min_length=1, max_length=64)]


async def _change(
    call: Call,
    params: ClearAttributesParams,
    operation: Operation,
    attributes: Mapping[str, str],
    keys: Sequence[str],
) -> ChangeResult:
    session = call.logged_in()
    _check_room(params.room)
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


@method("room.set_attributes", params=PutAttributesParams, result=ChangeResult, rate="set_room_attributes")
async def set_attributes(call: Call, params: PutAttributesParams) -> ChangeResult:
    """Replaces all attributes of a room; no need to be a member."""
    return await _change(call, params, Operation.SET, params.attributes, ())


@method("room.update_attributes", params=PutAttributesParams, result=ChangeResult, rate="set_room_attributes")
async def update_attributes(call: Call, params: PutAttributesParams) -> ChangeResult:
    """Adds or replaces some attributes."""
    return await _change(call, params, Operation.UPDATE, params.attributes, ())


@method(
    "room.delete_attributes", params=DeleteAttributesParams, result=ChangeResult, rate="set_room_attributes"
)
async def delete_attributes(call: Call, params: DeleteAttributesParams) -> ChangeResult:
    """Deletes attributes by key; keys that do not exist are no error."""
    return await _change(call, params, Operation.DELETE, {}, params.keys)


@method("room.clear_attributes", params=ClearAttributesParams, result=ChangeResult, rate="set_room_attributes")
async def clear_attributes(call: Call, params: ClearAttributesParams) -> ChangeResult:
    """Deletes all attributes."""
    return await _change(call, params, Operation.CLEAR, {}, ())


class HistoryParams(msgspec.Struct, forbid_unknown_fields=True):
    """Messages between the seqs `after` and `before`, both exclusive and optional."""

    room: Name
    before: Annotated[int, msgspec.Meta(ge=0)] | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    order: Literal["asc", "desc"] = "desc"


class HistoryResult(msgspec.Struct):
    """`more`: there are further ones that way."""

    entries: list[EntryItem]
    more: bool


class HistoryPage(msgspec.Struct):
    """`HistoryResult` with the entries as spliced text."""

    entries: list[msgspec.Raw]
    more: bool


@method("room.history", params=HistoryParams, result=HistoryResult, rate="history")
async def room_history(call: Call, params: HistoryParams) -> HistoryPage:
    """The messages of a joined room, at most 100 a page, newest first unless `order` is "asc"."""
    session = call.logged_in()
    require(session, Action.READ_HISTORY, params.room)
    name = stream_name(params.room)
    found, more = await call.runtime.bridge.read(
        history,
        session.project.id,
        name,
        events=(SENT,),
        before=params.before,
        after=params.after,
        limit=min(params.limit, session.project.limits.sizes.history_page),
        order=params.order,
    )
    json_name = encode(name)
    return HistoryPage([raw_entry(entry_text(json_name, entry)) for entry in found], more)


BODIES: Mapping[str, Any] = {SENT: Message, ATTRIBUTES_CHANGED: AttributesChanged}
"""What the body of each entry is, for the documents."""
