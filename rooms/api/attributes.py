"""Room attributes (docs/contract.md 7)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel, Field, WithJsonSchema

from messaging.attributes import Operation
from messaging.selectors import from_ms
from realtime.rest.callers import caller_of, costs
from realtime.rest.errors import V1_FAILURES, V1Failure
from realtime.rest.fields import Body, QueryFlag, QueryPlace, Revision, RoomId, UserId, is_set
from realtime.rest.ids import message_id_of
from realtime.rest.shapes import AppId
from rooms.api.actors import require_for
from rooms.methods.attributes import MAX_NAMED
from rooms.policy import Action
from rooms.selectors import get_attributes
from rooms.services.attributes import change_attributes

v1 = Router(tags=["attributes"])

KEY_SCHEMA: Final = {"type": "string", "pattern": "^[!-~]{1,32}$"}
VALUE_SCHEMA: Final = {"type": "string", "minLength": 1, "maxLength": 8192}
Values = Annotated[
    dict[str, str],
    Field(min_length=1, max_length=MAX_NAMED),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 32,
            "propertyNames": KEY_SCHEMA,
            "additionalProperties": VALUE_SCHEMA,
        }
    ),
]
"""Any visible characters make a key; a project's own sizes hold."""
MAX_KEYS: Final = 500
"""In one query."""
Key = Annotated[str, WithJsonSchema(KEY_SCHEMA)]


class Attribute(BaseModel):
    """`updated_at`: ms since 1970."""

    value: str
    updated_by: str
    updated_at: int


class Attributes(BaseModel):
    attributes: dict[str, Attribute]
    revision: int


@v1.get(
    "/projects/{app_id}/rooms/{room}/attributes",
    response={200: Attributes, V1_FAILURES: V1Failure},
    auth=costs(user="get_room_attributes"),
)
async def read_attributes(request: HttpRequest, app_id: AppId, room: RoomId) -> Attributes:
    """A room's attributes and their revision."""
    caller = caller_of(request)
    await require_for(caller, Action.READ_ATTRIBUTES, room)
    found = await caller.runtime.bridge.read(get_attributes, caller.tenant.id, room)
    return Attributes(
        attributes={
            key: Attribute(value=one.value, updated_by=one.updated_by, updated_at=one.updated_at)
            for key, one in found.attributes.items()
        },
        revision=found.revision,
    )


class AttributesChange(Body):
    """`uid`: who changes them; a user's token names its own. `notify`: members are told. `revision`: change only if
    the attributes still have it."""

    attributes: Values
    uid: UserId | None = None
    notify: bool = False
    revision: Revision | None = None


class Changed(BaseModel):
    """The change's place in the room's order, and the attributes' revision after it."""

    seq: int
    revision: int


async def _change(
    request: HttpRequest,
    room: str,
    uid: str | None,
    operation: Operation,
    *,
    attributes: Mapping[str, str],
    keys: Sequence[str],
    notify: bool,
    revision: int | None,
) -> Changed:
    caller = caller_of(request)
    acting = caller.acts_as(uid)
    await require_for(caller, Action.WRITE_ATTRIBUTES, room)
    now_ms = caller.runtime.clock_ms()
    changed = await caller.runtime.bridge.write(
        change_attributes,
        project_id=caller.tenant.id,
        room=room,
        uid=acting,
        message_id=message_id_of(request, now_ms)[0],
        operation=operation,
        attributes=attributes,
        keys=keys,
        notify=notify,
        revision=revision,
        sizes=caller.tenant.limits.sizes,
        now=from_ms(now_ms),
        of_server=caller.uid is None,
    )
    return Changed(seq=changed.seq, revision=changed.revision)


@v1.put(
    "/projects/{app_id}/rooms/{room}/attributes",
    response={200: Changed, V1_FAILURES: V1Failure},
    auth=costs(user="set_room_attributes"),
)
async def set_attributes(request: HttpRequest, app_id: AppId, room: RoomId, body: AttributesChange) -> Changed:
    """Replaces all attributes of a room."""
    return await _change(
        request,
        room,
        body.uid,
        Operation.SET,
        attributes=body.attributes,
        keys=(),
        notify=body.notify,
        revision=body.revision,
    )


@v1.patch(
    "/projects/{app_id}/rooms/{room}/attributes",
    response={200: Changed, V1_FAILURES: V1Failure},
    auth=costs(user="set_room_attributes"),
)
async def update_attributes(request: HttpRequest, app_id: AppId, room: RoomId, body: AttributesChange) -> Changed:
    """Adds or replaces some attributes."""
    return await _change(
        request,
        room,
        body.uid,
        Operation.UPDATE,
        attributes=body.attributes,
        keys=(),
        notify=body.notify,
        revision=body.revision,
    )


@v1.delete(
    "/projects/{app_id}/rooms/{room}/attributes",
    response={200: Changed, V1_FAILURES: V1Failure},
    auth=costs(user="set_room_attributes"),
)
async def delete_attributes(
    request: HttpRequest,
    app_id: AppId,
    room: RoomId,
    key: Annotated[list[Key], Query(default=[], max_length=MAX_KEYS)],
    uid: UserId | None = None,
    notify: QueryFlag = "false",
    revision: QueryPlace | None = None,
) -> Changed:
    """Deletes attributes, each named as `key=`; without any, all of them."""
    return await _change(
        request,
        room,
        uid,
        Operation.DELETE if key else Operation.CLEAR,
        attributes={},
        keys=key,
        notify=is_set(notify),
        revision=revision,
    )
