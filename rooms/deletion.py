"""Deleting a message of a room, for sockets and HTTP alike."""

from typing import Final

from messaging.media.transfers import MediaTransfers
from messaging.redaction import delete_message
from messaging.selectors import from_ms
from realtime.redaction import TOMBSTONE, add_deletion
from realtime.runtime import Runtime
from rooms.policy import Action
from rooms.selectors import RoomMessage

DELETED: Final = "room.message_deleted"

add_deletion(DELETED)


def action_on(message: RoomMessage | None, uid: str) -> Action | None:
    """What the policy is to be asked before `uid` deletes it; what is not there is nobody else's. None: it was the
    user's own and is deleted already, which is no error, also for who has left meanwhile."""
    if message is None or message.sender == uid:
        return None if message is not None and message.event == TOMBSTONE else Action.DELETE_OWN
    return Action.DELETE_ANY


async def delete(runtime: Runtime, message: RoomMessage, deleted_by: str) -> None:
    """Deletes it, and the bytes of a file that no other message has. Again is no error."""
    unused = await runtime.bridge.write(
        delete_message,
        stream_id=message.stream_id,
        seq=message.seq,
        event=DELETED,
        deleted_by=deleted_by,
        now=from_ms(runtime.clock_ms()),
    )
    runtime.part(MediaTransfers).discard(unused)
