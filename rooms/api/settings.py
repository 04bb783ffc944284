"""What a project's own server decides about a room."""

from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, BeforeValidator, Field

from messaging.selectors import from_ms
from realtime.rest.callers import caller_of
from realtime.rest.errors import V1_FAILURES, V1Failure
from realtime.rest.fields import Body, RoomId, whole
from realtime.rest.shapes import AppId
from rooms.selectors import media_days
from rooms.services.settings import set_media_days

v1 = Router(tags=["rooms"])

MAX_DAYS: Final = 3650


class RoomSettings(BaseModel):
    """`media_days`: a file that is sent to the room is kept for so many days from then on, if that is longer than the
    7 days from its upload which any is kept. Null: no longer."""

    media_days: int | None


class RoomSettingsChange(Body):
    """As in the answer."""

    media_days: Annotated[int, Field(ge=1, le=MAX_DAYS), BeforeValidator(whole)] | None


@v1.get("/projects/{app_id}/rooms/{room}/settings", response={200: RoomSettings, V1_FAILURES: V1Failure})
async def read_settings(request: HttpRequest, app_id: AppId, room: RoomId) -> RoomSettings:
    """A room's settings."""
    caller = caller_of(request)
    caller.require_server()
    return RoomSettings(media_days=await caller.runtime.bridge.read(media_days, caller.tenant.id, room))


@v1.put("/projects/{app_id}/rooms/{room}/settings", response={200: RoomSettings, V1_FAILURES: V1Failure})
async def change_settings(request: HttpRequest, app_id: AppId, room: RoomId, body: RoomSettingsChange) -> RoomSettings:
    """Sets them, for what is sent from now on."""
    caller = caller_of(request)
    caller.require_server()
    await caller.runtime.bridge.write(
        set_media_days,
        project_id=caller.tenant.id,
        room=room,
        days=body.media_days,
        now=from_ms(caller.runtime.clock_ms()),
    )
    return RoomSettings(media_days=body.media_days)
