"""The vendor's event queries (docs/contract.md 10): each event is handed out once."""

from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, Field

from activity.services.vendor import MAX_TAKEN, take_channel_events, take_user_events
from realtime.rest.callers import Caller, caller_of, costs
from realtime.rest.errors import VENDOR_FAILURES, VendorFailure
from realtime.rest.ids import fresh_id
from realtime.rest.shapes import AppId

vendor = Router(tags=["events"])


class UserEvent(BaseModel):
    """`ms`: when it happened, ms since 1970."""

    user_id: str
    type: Literal["Login", "Logout"]
    ms: int


class ChannelEvent(BaseModel):
    """`group_id` is the channel's id. `ms`: when it happened, ms since 1970."""

    group_id: str
    user_id: str
    type: Literal["Join", "Leave"]
    ms: int


class UserEvents(BaseModel):
    result: Literal["success"] = "success"
    request_id: str
    events: Annotated[list[UserEvent], Field(max_length=MAX_TAKEN)]


class ChannelEvents(BaseModel):
    result: Literal["success"] = "success"
    request_id: str
    events: Annotated[list[ChannelEvent], Field(max_length=MAX_TAKEN)]


def _server(request: HttpRequest) -> Caller:
    """What is handed out is gone for the others: only the project's own server may ask."""
    caller = caller_of(request)
    caller.require_server()
    return caller


@vendor.get(
    "/{app_id}/rtm/vendor/user_events",
    response={200: UserEvents, VENDOR_FAILURES: VendorFailure},
    auth=costs(server="rest_events"),
)
async def user_events(request: HttpRequest, app_id: AppId) -> UserEvents:
    """Logins and logouts since the last call, at most 1000. The newest 2000 are kept."""
    caller = _server(request)
    taken = await caller.runtime.bridge.write(take_user_events, caller.tenant.id)
    return UserEvents(
        request_id=fresh_id(caller.runtime.clock_ms()),
        events=[UserEvent.model_validate({"user_id": one.uid, "type": one.type, "ms": one.ts}) for one in taken],
    )


@vendor.get(
    "/{app_id}/rtm/vendor/channel_events",
    response={200: ChannelEvents, VENDOR_FAILURES: VendorFailure},
    auth=costs(server="rest_events"),
)
async def channel_events(request: HttpRequest, app_id: AppId) -> ChannelEvents:
    """Joins and leaves of channels since the last call, at most 1000. The newest 2000 are kept."""
    caller = _server(request)
    taken = await caller.runtime.bridge.write(take_channel_events, caller.tenant.id)
    return ChannelEvents(
        request_id=fresh_id(caller.runtime.clock_ms()),
        events=[
            ChannelEvent.model_validate({"group_id": one.room, "user_id": one.uid, "type": one.type, "ms": one.ts})
            for one in taken
        ],
    )
