"""Which rooms there are, and who is in them."""

from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel

from realtime.errors import LIMIT_EXCEEDED, RpcError
from realtime.rest.callers import caller_of, costs
from realtime.rest.errors import V1_FAILURES, V1Failure
from realtime.rest.fields import QueryPage, QueryPlace, RoomId
from realtime.rest.shapes import AppId
from rooms.api.actors import require_for
from rooms.models import stream_name
from rooms.policy import Action
from rooms.selectors import list_rooms

v1 = Router(tags=["rooms"])

MAX_NAMED: Final = 500
"""Rooms in one call."""


class RoomItem(BaseModel):
    """`head`: the seq of its newest entry. `created_at`: ms since 1970."""

    room: str
    head: int
    created_at: int
    member_count: int


class Rooms(BaseModel):
    """`next`: to be given as `after` for the next page; null: there is none."""

    rooms: list[RoomItem]
    next: int | None


@v1.get("/projects/{app_id}/rooms", response={200: Rooms, V1_FAILURES: V1Failure})
async def rooms(
    request: HttpRequest,
    app_id: AppId,
    after: QueryPlace = 0,
    limit: QueryPage = 50,
) -> Rooms:
    """The project's rooms that have had a message or an attribute, the oldest first."""
    caller = caller_of(request)
    caller.require_server()
    found = await caller.runtime.bridge.read(list_rooms, caller.tenant.id, after, limit + 1)
    page = found[:limit]
    counts = await caller.runtime.sessions.counts(caller.tenant.id, [stream_name(one.room) for one in page])
    return Rooms(
        rooms=[
            RoomItem(room=one.room, head=one.head, created_at=one.created_at, member_count=count)
            for one, count in zip(page, counts, strict=True)
        ],
        next=page[-1].id if len(found) > limit else None,
    )


class Members(BaseModel):
    """The first of them, as many as `room.members` names; `total` counts all."""

    members: list[str]
    total: int


@v1.get(
    "/projects/{app_id}/rooms/{room}/members",
    response={200: Members, V1_FAILURES: V1Failure},
    auth=costs(user="members"),
)
async def members(request: HttpRequest, app_id: AppId, room: RoomId) -> Members:
    """Who is in a room. A user must be in it."""
    caller = caller_of(request)
    await require_for(caller, Action.LIST_MEMBERS, room)
    listed = caller.tenant.limits.sizes.listed_members
    name = stream_name(room)
    found = await caller.runtime.sessions.members(caller.tenant.id, name, listed)
    (total,) = await caller.runtime.sessions.counts(caller.tenant.id, [name])
    return Members(members=found, total=max(total, len(found)))


class MemberCounts(BaseModel):
    counts: dict[str, int]


@v1.get(
    "/projects/{app_id}/member_counts",
    response={200: MemberCounts, V1_FAILURES: V1Failure},
    auth=costs(user="member_counts"),
)
async def member_counts(
    request: HttpRequest,
    app_id: AppId,
    room: Annotated[list[RoomId], Query(min_length=1, max_length=MAX_NAMED)],
) -> MemberCounts:
    """How many members rooms have: at most 32 of them, each as `room=`."""
    caller = caller_of(request)
    limit = caller.tenant.limits.sizes.member_count_rooms
    if len(room) > limit:
        raise RpcError(LIMIT_EXCEEDED, f"At most {limit} rooms.")
    for one in room:
        await require_for(caller, Action.COUNT_MEMBERS, one)
    counts = await caller.runtime.sessions.counts(caller.tenant.id, [stream_name(one) for one in room])
    return MemberCounts(counts=dict(zip(room, counts, strict=True)))
