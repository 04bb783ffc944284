"""Sending and reading back (docs/contract.md 2, 4 and 5)."""

from typing import Annotated, Final, Literal

import msgspec

from messaging.engine import Messaging
from messaging.journal import Append
from messaging.media.policy import readable_streams
from messaging.media.uses import FilePost
from messaging.messages import (
    ROOM_MEDIA_SENT,
    ROOM_MESSAGES,
    ROOM_SENT,
    MediaMessage,
    Message,
    PlainMessage,
    check_message,
)
from messaging.models import EntryFlag
from messaging.selectors import find_answer, history
from realtime.calls import Call
from realtime.errors import (
    EXPIRED,
    LIMIT_EXCEEDED,
    MEDIA_NOT_FOUND,
    NOT_IN_ROOM,
    OUT_OF_TURN,
    REJECTED,
    SIZE_OVERFLOW,
    RpcError,
)
from realtime.ids import MessageId, Name, Seq
from realtime.payloads import EntryPush, RawEntry, raw_entry
from realtime.protocol import encode
from realtime.redaction import TOMBSTONE
from realtime.registry import DEFERRED, Deferred, event, method
from realtime.shapes import carries
from realtime.streams import PAGE_BYTES, entry_text
from rooms.methods.common import STORAGE_ERRORS
from rooms.models import stream_name
from rooms.policy import Action, require, subscription_of


class SendParams(msgspec.Struct, forbid_unknown_fields=True):
    """`message`: `{"type": "TEXT", "text"}`, `{"type": "RAW", "raw": base64, "description"?}`, or
    `{"type": "FILE" or "IMAGE", "media", "name"?, "description"?, "thumbnail"?: base64}`. `historical`: the project's
    servers can find it by the REST interface's history query; `room.history` has every message. `follows`:
    the id of the message sent to the room just before, if that has no answer yet. Was it refused, this one is refused
    with `out_of_turn`."""

    room: Name
    message_id: MessageId
    message: Annotated[msgspec.Raw, carries(Message)]
    historical: bool = False
    follows: MessageId | None = None


class SendResult(msgspec.Struct):
    """The message's place in the room's order, and when the server took it (ms since 1970): durable."""

    seq: int
    ts: int


class SentEntry(EntryPush):
    """A message in a joined room. Its sender gets it too, and drops it."""

    body: PlainMessage


class MediaSentEntry(EntryPush):
    """A message with a file, in a joined room. Its sender gets it too. Whoever is in the room may fetch the file."""

    body: MediaMessage


SENT: Final = event(ROOM_SENT, SentEntry)
MEDIA_SENT: Final = event(ROOM_MEDIA_SENT, MediaSentEntry, needs="media")


@method(
    "room.send",
    params=SendParams,
    result=SendResult,
    rate="message",
    errors=(
        NOT_IN_ROOM,
        SIZE_OVERFLOW,
        LIMIT_EXCEEDED,
        MEDIA_NOT_FOUND,
        REJECTED,
        EXPIRED,
        OUT_OF_TURN,
        *STORAGE_ERRORS,
    ),
)
def send(call: Call, params: SendParams) -> Deferred:
    """Sends a message to a joined room. The answer means: committed, in this place of the room's order."""
    session = call.logged_in()
    file = check_message(params.message, session.project.limits.sizes)
    sent = SENT if file is None else MEDIA_SENT
    subscription = subscription_of(session, params.room)
    if subscription is None:
        call.defer()
        call.runtime.hub.spawn(_answer_repeated(call, params, sent))
        return DEFERRED
    require(session, Action.SEND, params.room)
    call.defer()
    messaging = call.runtime.part(Messaging)
    messaging.append(
        Append(
            key=subscription.stream.key,
            event=sent,
            sender=session.uid,
            json_sender=session.json_uid,
            message_id=params.message_id,
            body=str(params.message, "utf-8"),
            expires_s=messaging.expiry(),
            flags=EntryFlag.HISTORICAL if params.historical else 0,
            call=call,
            run=subscription.take_turn(params.message_id, params.follows),
            file=None if file is None else FilePost(file, readable_streams(session)),
        )
    )
    return DEFERRED


async def _answer_repeated(call: Call, params: SendParams, sent: str) -> None:
    """A repeated message gets its first answer even when its sender is not in the room any more."""
    try:
        session = call.logged_in()
        name = stream_name(params.room)
        first = await call.runtime.bridge.read(find_answer, session.project.id, name, session.uid, params.message_id)
        if first is None or first.event not in (sent, TOMBSTONE):
            raise RpcError(NOT_IN_ROOM)
        call.reply(SendResult(first.seq, first.ts))
    except RpcError as error:
        call.fail(error)


class HistoryParams(msgspec.Struct, forbid_unknown_fields=True):
    """Messages between the seqs `after` and `before`, both exclusive and optional. `tombstones`: also where one was
    deleted."""

    room: Name
    before: Seq | None = None
    after: Seq | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    order: Literal["asc", "desc"] = "desc"
    tombstones: bool = False


class HistoryResult(msgspec.Struct):
    """`more`: there are further ones that way."""

    entries: list[RawEntry]
    more: bool


@method(
    "room.history",
    params=HistoryParams,
    result=HistoryResult,
    rate="history",
    errors=(NOT_IN_ROOM, *STORAGE_ERRORS),
)
async def room_history(call: Call, params: HistoryParams) -> HistoryResult:
    """The messages of a joined room, at most 100 and 256 KiB a page, newest first unless `order` is "asc".
    Without files and images for a client that takes none."""
    session = call.logged_in()
    require(session, Action.READ_HISTORY, params.room)
    name = stream_name(params.room)
    found, more = await call.runtime.bridge.read(
        history,
        session.project.id,
        name,
        events=session.given(*ROOM_MESSAGES, *((TOMBSTONE,) if params.tombstones else ())),
        before=params.before,
        after=params.after,
        limit=min(params.limit, session.project.limits.sizes.history_page),
        max_bytes=PAGE_BYTES,
        order=params.order,
    )
    json_name = encode(name)
    return HistoryResult([raw_entry(entry_text(json_name, entry)) for entry in found], more)
