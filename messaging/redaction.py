"""Deleting a message: its place in the stream stays, what it said goes."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction

from messaging.media.models import Media
from messaging.media.unused import drop_uses
from messaging.models import Entry, EntryFlag
from messaging.services import append_entry
from realtime.redaction import TOMBSTONE


class Deletion(msgspec.Struct):
    """The body of the entry that tells of it: the place and the id of the message that was deleted."""

    seq: int
    message_id: str


@transaction.atomic
def delete_message(*, stream_id: int, seq: int, event: str, deleted_by: str, now: datetime) -> Sequence[Media]:
    """Leaves a tombstone in a message's place and appends an entry of `event`, one that was given to `add_deletion`. A
    file that no other message has is gone with it; it is returned, since its bytes may be deleted.

    What is deleted already, or not there any more, is left as it is. The caller has made sure that it is a message.
    """
    entry = Entry.objects.select_for_update().filter(stream_id=stream_id, seq=seq).first()
    if entry is None or entry.event == TOMBSTONE:
        return []
    entry.event = TOMBSTONE
    entry.body = "{}"
    entry.flags &= ~EntryFlag.HISTORICAL
    entry.save(update_fields=["event", "body", "flags"])
    unused = drop_uses(stream_id=stream_id, messages=[(entry.message_id, entry.sender)], now=now)
    append_entry(
        stream_id=stream_id,
        event=event,
        sender=deleted_by,
        message_id=f"deletion:{seq}",
        body=msgspec.json.encode(Deletion(seq, entry.message_id)).decode(),
        now=now,
    )
    return unused
