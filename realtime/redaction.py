"""Deleted messages: in the log a tombstone stands in the place of each, so nobody shall find it in memory either."""

from collections.abc import Iterable, MutableSequence
from typing import Final

import msgspec

from realtime.capabilities import EVENT_AT
from realtime.protocol import encode
from realtime.streams import StoredEntry, entry_text

TOMBSTONE: Final = "stream.tombstone"
"""The event of an entry whose message was deleted. It has its place, its sender and its id, and no more."""

_deletions: tuple[str, ...] = ()


class _Body(msgspec.Struct):
    seq: int


class _Deletion(msgspec.Struct):
    body: _Body


class _Entry(msgspec.Struct):
    stream: str
    seq: int
    sender: str
    message_id: str
    ts: int


class _DeletionPush(msgspec.Struct):
    params: _Deletion


class _EntryPush(msgspec.Struct):
    params: _Entry


_decode_deletion: Final = msgspec.json.Decoder(_DeletionPush).decode
_decode_entry: Final = msgspec.json.Decoder(_EntryPush).decode


def add_deletion(event: str) -> None:
    """Registers an event that says which message of its stream is deleted, as `seq` in its body."""
    global _deletions
    _deletions += (f'{event}"',)


def deleted_seqs(entries: Iterable[tuple[int, str]]) -> frozenset[int]:
    """Of the messages that are deleted, as these entries say."""
    return frozenset(
        [_decode_deletion(text).params.body.seq for _, text in entries if text.startswith(_deletions, EVENT_AT)]
    )


def redact(entries: MutableSequence[tuple[int, str]], seqs: frozenset[int]) -> int:
    """Puts tombstones into the places of deleted messages. Returns by how many characters there are more."""
    grown = 0
    for place, (seq, text) in enumerate(entries):
        if seq in seqs:
            tombstone = _tombstone(text)
            entries[place] = (seq, tombstone)
            grown += len(tombstone) - len(text)
    return grown


def _tombstone(text: str) -> str:
    entry = _decode_entry(text).params
    return entry_text(
        encode(entry.stream), StoredEntry(entry.seq, TOMBSTONE, entry.sender, entry.message_id, entry.ts, "{}")
    )
