"""Joining, leaving, and who is there (docs/contract.md 2 and 3)."""

from typing import Annotated

import msgspec

from realtime.calls import Call
from realtime.errors import JOIN_SAME_ROOM_TOO_OFTEN, LIMIT_EXCEEDED, NOT_IN_ROOM, UNAVAILABLE, RpcError
from realtime.ids import Name
from realtime.payloads import Cursor, Empty, RawEntry, raw_entry
from realtime.registry import DEFERRED, Deferred, method
from rooms import membership
from rooms.methods.common import STORAGE_ERRORS, AttributeItem, RoomParams, attribute_items, check_room
from rooms.models import stream_name
from rooms.notices import Notices
from rooms.policy import Action, require


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
    entries: list[RawEntry] | msgspec.UnsetType = msgspec.UNSET


@method(
    "room.join",
    params=JoinParams,
    result=JoinResult,
    rate="join",
    errors=(LIMIT_EXCEEDED, JOIN_SAME_ROOM_TOO_OFTEN, *STORAGE_ERRORS),
)
async def join(call: Call, params: JoinParams) -> Deferred:
    """Joins a room: at most 20 at once. `after` is where this client was in the room before, if it was."""
    session = call.logged_in()
    check_room(params.room)
    require(session, Action.JOIN, params.room)
    joined = await membership.join(call, session, params.room, params.after)
    stream = joined.subscription.stream
    result = JoinResult(
        room=params.room,
        stream=stream.key[1],
        epoch=stream.epoch,
        head=joined.head,
        member_count=joined.member_count,
        attributes=attribute_items(joined.snapshot.attributes),
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


@method("room.leave", params=RoomParams, result=Empty, rate="session", errors=(NOT_IN_ROOM, UNAVAILABLE))
async def leave(call: Call, params: RoomParams) -> Empty:
    """Leaves a room; the others are told."""
    await membership.leave(call, call.logged_in(), params.room)
    return Empty()


class MembersResult(msgspec.Struct):
    """The first 512 members; `total` counts all."""

    members: list[str]
    total: int


@method(
    "room.members",
    params=RoomParams,
    result=MembersResult,
    rate="members",
    errors=(NOT_IN_ROOM, UNAVAILABLE),
)
async def members(call: Call, params: RoomParams) -> MembersResult:
    """Who is in a joined room."""
    session = call.logged_in()
    require(session, Action.LIST_MEMBERS, params.room)
    name = stream_name(params.room)
    listed = session.project.limits.sizes.listed_members
    (total,) = await call.runtime.sessions.counts(session.project.id, [name])
    found = await call.runtime.part(Notices).list_members((session.project.id, name), listed, session.uid)
    return MembersResult(found, max(total, listed) if len(found) == listed else len(found))


class MemberCountsParams(msgspec.Struct, forbid_unknown_fields=True):
    rooms: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1024)]


class MemberCountsResult(msgspec.Struct):
    counts: dict[str, int]


@method(
    "room.member_counts",
    params=MemberCountsParams,
    result=MemberCountsResult,
    rate="member_counts",
    errors=(LIMIT_EXCEEDED, UNAVAILABLE),
)
async def member_counts(call: Call, params: MemberCountsParams) -> MemberCountsResult:
    """How many members up to 32 rooms have; no need to be one of them."""
    session = call.logged_in()
    if len(params.rooms) > session.project.limits.sizes.member_count_rooms:
        raise RpcError(LIMIT_EXCEEDED, f"At most {session.project.limits.sizes.member_count_rooms} rooms.")
    for room in params.rooms:
        check_room(room)
        require(session, Action.COUNT_MEMBERS, room)
    names = [stream_name(room) for room in params.rooms]
    counts = await call.runtime.sessions.counts(session.project.id, names)
    return MemberCountsResult(dict(zip(params.rooms, counts, strict=True)))
