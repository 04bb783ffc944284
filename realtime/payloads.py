"""What params, results and events of many methods are made of: entries, cursors, and a stream after a recovery."""

from typing import Annotated

import msgspec

from realtime.ids import Seq
from realtime.recovery import Recovery
from realtime.shapes import ANY_BODY, carries
from realtime.streams import entry_item


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing."""


class Cursor(msgspec.Struct, forbid_unknown_fields=True):
    """Where a client is in a stream: it has seen everything up to `seq` of `epoch`."""

    seq: Seq
    epoch: Annotated[str, msgspec.Meta(max_length=32)] = ""


class EntryPush(msgspec.Struct):
    """Base of the events that are entries: a pushed entry, its `body` aside. `ts`: ms since 1970."""

    stream: str
    seq: int
    sender: str
    message_id: str
    ts: int


class NoBody(msgspec.Struct):
    """What an entry has that says nothing: `{}`."""


class EntryItem(msgspec.Struct):
    """A committed entry, as in a page; `body` is that of its event. `ts`: ms since 1970."""

    event: str
    stream: str
    seq: int
    sender: str
    message_id: str
    ts: int
    body: Annotated[msgspec.Raw, ANY_BODY]


RawEntry = Annotated[msgspec.Raw, carries(EntryItem)]
"""An `EntryItem` as spliced text."""


class StreamState(msgspec.Struct):
    """A stream after a recovery. Not `recovered`: something before `entries` is missing, history has it; without
    entries the stream goes on at `head`. Not `live`: read on with stream.read until it is."""

    recovered: bool
    epoch: str
    head: int
    live: bool
    entries: list[RawEntry]

    @classmethod
    def of(cls, recovery: Recovery) -> "StreamState":
        return cls(
            recovered=recovery.recovered,
            epoch=recovery.epoch,
            head=recovery.head,
            live=recovery.live,
            entries=[raw_entry(text) for _, text in recovery.entries],
        )


def raw_entry(text: str) -> msgspec.Raw:
    """An `EntryItem` from a pushed text, spliced."""
    return msgspec.Raw(entry_item(text).encode())


class InboxState(msgspec.Struct):
    """The user's own stream after a login: `entries` that were not acknowledged yet, at most a page. Not `live`: read
    on with stream.read until it is. What a session that was not resumed finds up to `head` came while the user was
    away."""

    stream: str
    epoch: str
    head: int
    live: bool
    entries: list[RawEntry]
