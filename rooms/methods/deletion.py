"""Deleting a message (docs/contract.md 4)."""

import msgspec

from messaging.redaction import Deletion
from realtime.calls import Call
from realtime.errors import MESSAGE_NOT_FOUND, NOT_AUTHORIZED, NOT_IN_ROOM, RpcError
from realtime.ids import MessageId, Name, Seq
from realtime.payloads import Empty, EntryPush
from realtime.registry import event, method
from rooms.deletion import DELETED, action_on, delete
from rooms.methods.common import STORAGE_ERRORS
from rooms.policy import require
from rooms.selectors import find_message


class MessageDeletedEntry(EntryPush):
    """A message of a joined room was deleted: `seq` and `message_id` in the body are its own. Who has deleted it gets
    this too."""

    body: Deletion


event(DELETED, MessageDeletedEntry)


class DeleteMessageParams(msgspec.Struct, forbid_unknown_fields=True):
    """`message_id`: the message's own; nothing else is deleted that may stand at `seq` in a restored database."""

    room: Name
    seq: Seq
    message_id: MessageId | None = None


@method(
    "room.delete_message",
    params=DeleteMessageParams,
    result=Empty,
    rate="message",
    errors=(NOT_IN_ROOM, NOT_AUTHORIZED, MESSAGE_NOT_FOUND, *STORAGE_ERRORS),
)
async def delete_room_message(call: Call, params: DeleteMessageParams) -> Empty:
    """Deletes a message that the user has sent to a joined room. What it said is gone, also its file, if no other
    message has it; a `stream.tombstone` stays in its place, and the members are told. Again is no error, and a message
    that is sent again under the id of a deleted one stays deleted."""
    session = call.logged_in()
    named: dict[str, int | str] = {"seq": params.seq}
    if params.message_id is not None:
        named["message_id"] = params.message_id
    message = await call.runtime.bridge.read(find_message, session.project.id, params.room, **named)
    action = action_on(message, session.uid)
    if action is not None:
        require(session, action, params.room)
    if message is None:
        raise RpcError(MESSAGE_NOT_FOUND)
    await delete(call.runtime, message, session.uid)
    return Empty()
