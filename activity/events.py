"""What webhooks tell of (docs/webhooks.md): the names of events, and the payload of each."""

import enum
import secrets
from typing import Final

import msgspec

from messaging.messages import PEER_MESSAGES, ROOM_MESSAGES
from messaging.models import inbox_name
from realtime.protocol import encode
from rooms.models import stream_name

LOGGED_IN: Final = "user.logged_in"
LOGGED_OUT: Final = "user.logged_out"
JOINED: Final = "room.joined"
LEFT: Final = "room.left"
CREATED: Final = "room.created"
CLOSED: Final = "room.closed"
PRESENCE_EVENTS: Final = (LOGGED_IN, LOGGED_OUT, JOINED, LEFT, CREATED, CLOSED)

LOG_EVENTS: Final = (*ROOM_MESSAGES, *PEER_MESSAGES, "invitation.changed")
"""Entries of the log that webhooks tell of, under the event's own name."""

EVENTS: Final = (*PRESENCE_EVENTS, *LOG_EVENTS)

ROOM_PREFIX: Final = stream_name("")
INBOX_PREFIX: Final = inbox_name("")


class Reason(enum.StrEnum):
    """Why somebody is not there any more."""

    LEFT = "left"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    """By another login of the same uid."""
    REMOVED = "removed"
    """After 30 s without a sign of life."""
    EVICTED = "evicted"
    """By a kick or a ban."""


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a session or a room. `id` is the event's for ever; `ts`: ms since 1970."""

    id: str
    project: int
    event: str
    ts: int
    uid: str = ""
    room: str = ""
    reason: str = ""


def make_event_id() -> str:
    return secrets.token_hex(12)


class Payload(msgspec.Struct):
    """The body of a delivery. `ts`: when it happened, ms since 1970; `business_id`: of who did it, or empty."""

    event_id: str
    event: str
    app_id: str
    ts: int
    business_id: str
    data: msgspec.Struct


class OccurrenceData(msgspec.Struct, omit_defaults=True):
    room: str = ""
    uid: str = ""
    reason: str = ""


class EntryData(msgspec.Struct, omit_defaults=True):
    """An entry of the log: in a room, or in the inbox of the user `uid`. `body` is that of the protocol's event."""

    seq: int
    sender: str
    message_id: str
    body: msgspec.Raw
    room: str = ""
    uid: str = ""


class LoggedEntry(msgspec.Struct, frozen=True):
    """An entry of `messaging`, with what its stream and project are called. `ts`: ms since 1970."""

    key: int
    project: int
    app_id: str
    stream: str
    epoch: str
    seq: int
    event: str
    sender: str
    message_id: str
    ts: int
    body: str

    @property
    def event_id(self) -> str:
        """A stream has a random epoch, another one after a restore: never the same for two entries."""
        return f"{self.epoch}-{self.seq}"


def occurrence_payload(occurrence: Occurrence, app_id: str, business_id: str) -> str:
    data = OccurrenceData(occurrence.room, occurrence.uid, occurrence.reason)
    return encode(Payload(occurrence.id, occurrence.event, app_id, occurrence.ts, business_id, data))


def entry_payload(entry: LoggedEntry, business_id: str) -> str:
    data = EntryData(
        seq=entry.seq,
        sender=entry.sender,
        message_id=entry.message_id,
        body=msgspec.Raw(entry.body.encode()),
    )
    if entry.stream.startswith(ROOM_PREFIX):
        data.room = entry.stream.removeprefix(ROOM_PREFIX)
    else:
        data.uid = entry.stream.removeprefix(INBOX_PREFIX)
    return encode(Payload(entry.event_id, entry.event, entry.app_id, entry.ts, business_id, data))
