"""Room messages: sent as any user, and read back."""

import asyncio
from functools import partial
from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel

from messaging.api import Between, draft, read_page
from messaging.engine import Messaging
from messaging.journal import Append
from messaging.messages import ROOM_MESSAGES
from messaging.models import EntryFlag
from messaging.selectors import history
from realtime.errors import MESSAGE_NOT_FOUND, RpcError
from realtime.protocol import encode
from realtime.rest.callers import caller_of, costs
from realtime.rest.errors import V1_FAILURES, VENDOR_FAILURES, V1Failure, VendorFailure
from realtime.rest.fields import Body, MessageId, QueryPlace, RoomId, UserId, VendorBody
from realtime.rest.shapes import AppId, Message
from rooms.api.actors import require_for
from rooms.deletion import action_on, delete
from rooms.methods.messages import SENT
from rooms.models import stream_name
from rooms.policy import Action
from rooms.selectors import find_message

vendor = Router(tags=["messages"])
v1 = Router(tags=["rooms"])


async def _send(request: HttpRequest, uid: str, room: str, message: dict[str, Any], *, historical: bool) -> Append:
    """The entry, committed."""
    ready = draft(request, uid, message)
    await require_for(ready.caller, Action.SEND_BY_REST, room)
    runtime = ready.caller.runtime
    messaging = runtime.part(Messaging)
    committed: asyncio.Future[None] = runtime.loop.create_future()

    def done(append: Append) -> None:
        if not committed.done():  # its caller may have gone
            committed.set_result(None)

    append = Append(
        key=(ready.caller.tenant.id, stream_name(room)),
        event=SENT,
        sender=uid,
        json_sender=encode(uid),
        message_id=ready.message_id,
        body=ready.text,
        expires_s=messaging.expiry(),
        flags=EntryFlag.HISTORICAL if historical else 0,
        done=done,
        of_server=ready.caller.uid is None,
    )
    messaging.append(append)
    await committed
    if append.error is not None:
        raise append.error
    return append


# -- the vendor's ----------------------------------------------------------------------------------------------


class VendorChannelMessage(VendorBody):
    channel_name: RoomId
    payload: str
    enable_historical_messaging: bool = False


class ChannelMessageSent(BaseModel):
    """`request_id` is the message's id."""

    result: Literal["success"] = "success"
    request_id: str
    code: Literal["message_sent"] = "message_sent"


@vendor.post(
    "/{app_id}/rtm/users/{uid}/channel_messages",
    response={200: ChannelMessageSent, VENDOR_FAILURES: VendorFailure},
    auth=costs(server="rest_room_messages", user="message"),
)
async def channel_messages(
    request: HttpRequest, app_id: AppId, uid: UserId, body: VendorChannelMessage
) -> ChannelMessageSent:
    """Sends a text into a channel; the user need not be in it. The answer means: committed."""
    message = {"type": "TEXT", "text": body.payload}
    sent = await _send(request, uid, body.channel_name, message, historical=body.enable_historical_messaging)
    return ChannelMessageSent(request_id=sent.message_id)


# -- /api/v1 ---------------------------------------------------------------------------------------------------


class RoomMessage(Body):
    """`uid`: the sender, who need not be in the room. `historical`: as in `room.send`."""

    uid: UserId
    message: Message
    historical: bool = False


class RoomMessageSent(BaseModel):
    """The message's id, its place in the room's order, and when the server took it (ms since 1970)."""

    message_id: str
    seq: int
    ts: int


@v1.post(
    "/projects/{app_id}/rooms/{room}/messages",
    response={200: RoomMessageSent, V1_FAILURES: V1Failure},
    auth=costs(server="rest_room_messages", user="message"),
)
async def send_room_message(request: HttpRequest, app_id: AppId, room: RoomId, body: RoomMessage) -> RoomMessageSent:
    """Sends a message into a room. The answer means: committed, in this place of the room's order."""
    sent = await _send(request, body.uid, room, body.message.model_dump(), historical=body.historical)
    return RoomMessageSent(message_id=sent.message_id, seq=sent.seq, ts=sent.ts)


class PastRoomMessage(BaseModel):
    seq: int
    sender: str
    message_id: str
    ts: int
    body: dict[str, Any]


class RoomHistory(BaseModel):
    """`more`: there are further ones that way, after the last seq here."""

    messages: list[PastRoomMessage]
    more: bool


@v1.get(
    "/projects/{app_id}/rooms/{room}/messages",
    response={200: RoomHistory, V1_FAILURES: V1Failure},
    auth=costs(user="history"),
)
async def list_room_messages(request: HttpRequest, app_id: AppId, room: RoomId, page: Query[Between]) -> RoomHistory:
    """The messages of a room between two seqs, both exclusive. A user must be in it. The `body` of one with a file is
    that of `room.media_sent`."""
    caller = caller_of(request)
    await require_for(caller, Action.READ_HISTORY, room)
    found, more = await read_page(caller, partial(history, events=ROOM_MESSAGES), stream_name(room), page=page)
    return RoomHistory(
        messages=[
            PastRoomMessage(
                seq=one.seq,
                sender=one.sender,
                message_id=one.message_id,
                ts=one.ts,
                body=msgspec.json.decode(one.body),
            )
            for one in found
        ],
        more=more,
    )


class RoomMessageDeleted(BaseModel):
    """The message that is deleted."""

    seq: int
    sender: str
    message_id: str


async def _delete(request: HttpRequest, uid: str | None, room: str, **named: int | str) -> RoomMessageDeleted:
    caller = caller_of(request)
    acting = caller.acts_as(uid)
    message = await caller.runtime.bridge.read(find_message, caller.tenant.id, room, **named)
    action = action_on(message, acting)
    if action is not None:
        await require_for(caller, action, room)
    if message is None:
        raise RpcError(MESSAGE_NOT_FOUND)
    await delete(caller.runtime, message, acting)
    return RoomMessageDeleted(seq=message.seq, sender=message.sender, message_id=message.message_id)


@v1.delete(
    "/projects/{app_id}/rooms/{room}/messages/{seq}",
    response={200: RoomMessageDeleted, V1_FAILURES: V1Failure},
    auth=costs(server="rest_room_messages", user="message"),
)
async def delete_room_message(
    request: HttpRequest, app_id: AppId, room: RoomId, seq: QueryPlace, uid: UserId | None = None
) -> RoomMessageDeleted:
    """Deletes a message, in the name of `uid`. A user deletes their own, of a room they are in. Again is no error."""
    return await _delete(request, uid, room, seq=seq)


@v1.delete(
    "/projects/{app_id}/rooms/{room}/messages",
    response={200: RoomMessageDeleted, V1_FAILURES: V1Failure},
    auth=costs(server="rest_room_messages", user="message"),
)
async def delete_named_room_message(
    request: HttpRequest,
    app_id: AppId,
    room: RoomId,
    sender: UserId,
    message_id: MessageId,
    uid: UserId | None = None,
) -> RoomMessageDeleted:
    """The same of the message that `sender` has sent under this id."""
    return await _delete(request, uid, room, sender=sender, message_id=message_id)
