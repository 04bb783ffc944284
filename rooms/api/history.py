"""The vendor's history query: a POST says what is asked for, a GET of the location it answers with has the messages.

A location names the query itself, signed: nothing is kept between the two, and any process can answer.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from django.core import signing
from django.http import HttpRequest
from ninja import Router
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from messaging.messages import PEER_MESSAGES, ROOM_MESSAGES
from messaging.models import inbox_name
from messaging.past import Past, PastEntry, PastReads, count_past, past_entries
from messaging.selectors import to_ms
from realtime.errors import INVALID_PARAMS, METHOD_NOT_FOUND, NOT_AUTHORIZED, RpcError
from realtime.protocol import encode
from realtime.rest.callers import Caller, caller_of, costs
from realtime.rest.errors import VENDOR_FAILURES, VendorFailure
from realtime.rest.fields import RoomId, VendorBody, whole
from realtime.rest.ids import fresh_id
from realtime.rest.shapes import AppId
from rooms.api.actors import require_for
from rooms.models import stream_name
from rooms.policy import Action

vendor = Router(tags=["history"])

LOCATION: Final = "~/rtm/message/history/query/"
HANDLE_S: Final = 3600
MAX_OFFSET: Final = 100_000
SALT: Final = "rtm.message.history.query"


def _check_time(value: str) -> str:
    _parse_time(value)
    return value


def _parse_time(value: str) -> datetime:
    """Raises ValueError for what is no time of ISO 8601 in UTC."""
    if not value.endswith("Z"):
        raise ValueError("a time in UTC, as 2026-01-15T09:00:00Z")
    moment = datetime.fromisoformat(value)
    if not 1970 <= moment.year <= 9000:
        raise ValueError("no time that a message was sent at")
    return moment.astimezone(UTC)


Time = Annotated[
    str,
    AfterValidator(_check_time),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
            "example": "2026-01-15T09:00:00Z",
        }
    ),
]
"""ISO 8601 in UTC; parts of a second may follow the seconds."""


class Filter(VendorBody):
    """At least one of `source` (who sent) and `destination` (the user or channel it was sent to)."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}} for name in ("source", "destination")
            ]
        }
    )

    source: RoomId | None = None
    destination: RoomId | None = None
    start_time: Time
    end_time: Time


class HistoryQuery(VendorBody):
    filter: Filter
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), BeforeValidator(whole)] = 0
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] = 20
    order: Literal["asc", "desc"] = "asc"


class Asked(BaseModel):
    """`location`: where the messages are, within an hour; `~` stands for this interface's address with the App ID."""

    result: Literal["success"] = "success"
    request_id: str
    offset: int
    limit: int
    order: Literal["asc", "desc"]
    location: str


async def _past(caller: Caller, asked: Filter) -> Past:
    """What the caller may see of what was asked for. Raises RpcError `invalid_params`, `not_authorized`."""
    if asked.source is None and asked.destination is None:
        raise RpcError(INVALID_PARAMS, "filter: source or destination.")
    return Past(
        project_id=caller.tenant.id,
        reader=caller.uid,
        streams=await _streams(caller, asked.source, asked.destination),
        sender=asked.source,
        events=(*ROOM_MESSAGES, *PEER_MESSAGES),
        start_ms=to_ms(_parse_time(asked.start_time)),
        end_ms=to_ms(_parse_time(asked.end_time)),
    )


async def _streams(caller: Caller, source: str | None, destination: str | None) -> list[str] | None:
    """Of the user and the room that the destination may be; None for any. A user sees what they have sent and got, and
    the rooms they are in."""
    if destination is None:
        caller.act_as(source or "")
        return None
    streams = [inbox_name(destination), stream_name(destination)]
    if caller.uid in (None, source):
        return streams
    if caller.uid == destination:
        return streams[:1]
    try:
        await require_for(caller, Action.READ_HISTORY, destination)
    except RpcError as error:
        raise RpcError(
            NOT_AUTHORIZED, "A user may ask for their own messages, and those of rooms they are in."
        ) from error
    return streams[1:]


@vendor.post(
    "/{app_id}/rtm/message/history/query",
    response={200: Asked, VENDOR_FAILURES: VendorFailure},
    auth=costs(user="history"),
)
async def query_history(request: HttpRequest, app_id: AppId, body: HistoryQuery) -> Asked:
    """Asks for messages that were sent with the history flag."""
    caller = caller_of(request)
    await _past(caller, body.filter)
    handle = signing.dumps([caller.tenant.id, body.model_dump()], salt=SALT, compress=True)
    return Asked(
        request_id=fresh_id(caller.runtime.clock_ms()),
        offset=body.offset,
        limit=body.limit,
        order=body.order,
        location=LOCATION + handle,
    )


class PastMessage(BaseModel):
    """`ms`: when the server took it, ms since 1970. `payload`: the text; of a raw message the bytes, as base64; of one
    with a file the message itself, as JSON text."""

    src: str
    dst: str
    message_type: Literal["peer_message", "group_message"]
    payload: str
    ms: int


class Found(BaseModel):
    result: Literal["success"] = "success"
    request_id: str
    code: Literal["ok"] = "ok"
    messages: list[PastMessage]


@vendor.get(
    "/{app_id}/rtm/message/history/query/{handle}",
    response={200: Found, VENDOR_FAILURES: VendorFailure},
    auth=costs(user="history"),
)
async def found_history(request: HttpRequest, app_id: AppId, handle: Annotated[str, Field(max_length=2048)]) -> Found:
    """The messages that were asked for."""
    caller = caller_of(request)
    try:
        project_id, asked = signing.loads(handle, salt=SALT, max_age=HANDLE_S)
    except signing.BadSignature:
        project_id, asked = 0, None
    if project_id != caller.tenant.id:
        raise RpcError(METHOD_NOT_FOUND, "No such query, or it is older than an hour.")
    query = HistoryQuery.model_validate(asked)
    past = await _past(caller, query.filter)
    entries = await caller.runtime.part(PastReads).read(
        past_entries, past, offset=query.offset, limit=query.limit, order=query.order
    )
    return Found(request_id=fresh_id(caller.runtime.clock_ms()), messages=[_message(entry) for entry in entries])


def _message(entry: PastEntry) -> PastMessage:
    kind, _, name = entry.stream.partition(":")
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    message = body if entry.event in ROOM_MESSAGES else body["message"]
    return PastMessage(
        src=entry.sender,
        dst=name,
        message_type="peer_message" if kind == "inbox" else "group_message",
        payload=_payload(message),
        ms=entry.ts,
    )


def _payload(message: dict[str, Any]) -> str:
    match message["type"]:
        case "TEXT":
            return str(message["text"])
        case "RAW":
            return str(message["raw"])
    return encode(message)


class Counted(BaseModel):
    result: Literal["success"] = "success"
    request_id: str
    code: Literal["ok"] = "ok"
    count: int


@vendor.get(
    "/{app_id}/rtm/message/history/count",
    response={200: Counted, VENDOR_FAILURES: VendorFailure},
    auth=costs(user="history"),
)
async def count_history(
    request: HttpRequest,
    app_id: AppId,
    start_time: Time,
    end_time: Time,
    source: RoomId | None = None,
    destination: RoomId | None = None,
) -> Counted:
    """How many such messages there are."""
    caller = caller_of(request)
    asked = Filter(source=source, destination=destination, start_time=start_time, end_time=end_time)
    past = await _past(caller, asked)
    count = await caller.runtime.part(PastReads).read(count_past, past)
    return Counted(request_id=fresh_id(caller.runtime.clock_ms()), count=count)
