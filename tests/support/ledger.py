"""What clients were told, to be compared with what the database has (docs/contract.md 5).

A client's ledger is written by `tests.support.resuming` as things happen. `discrepancies` is what is wrong
afterwards, in words: an empty list is the proof.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connections

from messaging.models import Entry, Stream
from rooms.models import RoomAttribute, stream_name
from tests.support.inbox_ledger import InboxLedger

SHOWN = 8
"""Examples of each kind of discrepancy in a report."""


class Logged(NamedTuple):
    """An entry as the database has it."""

    seq: int
    event: str
    sender: str
    message_id: str
    body: Any


@dataclass(slots=True)
class Sent:
    """Something a client sent to a room. `seq`: as acknowledged; None: no answer was ever seen. `body`: of a
    message as it was sent, of an attribute change what it set."""

    room: str
    event: str
    body: Any
    seq: int | None = None


class Delivery(NamedTuple):
    seq: int
    sender: str
    message_id: str


@dataclass(slots=True)
class Stay:
    """A client's time in a room, over any number of reconnects, from its first join to its leaving.

    Entries after seq `start` are to be delivered. `gaps`: what it was told was not recovered.
    """

    room: str
    epoch: str
    start: int
    deliveries: list[Delivery] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True)
class Ledger:
    """All of one client. `breaches`: what a server may never do, as it was seen. `left`: who was said to have
    left which room. `life`: its connections, for the report of a failure."""

    uid: str
    sent: dict[str, Sent] = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    inbox: InboxLedger = field(default_factory=InboxLedger)
    breaches: list[str] = field(default_factory=list)
    life: list[str] = field(default_factory=list)
    logins: int = 0
    resumed: int = 0
    resent: int = 0

    def note(self, event: str) -> None:
        self.life.append(f"{datetime.now(UTC):%H:%M:%S.%f} {self.uid}: {event}")

    def breach(self, what: str) -> None:
        self.note(f"BREACH {what}")
        self.breaches.append(what)

    def acknowledge(self, message_id: str, seq: int) -> None:
        sent = self.sent[message_id]
        if sent.seq is not None and sent.seq != seq:
            self.breach(f"{sent.room}: {message_id} was acknowledged as {sent.seq} and then as {seq}")
        sent.seq = seq


@dataclass(slots=True)
class Log:
    """The database afterwards: entries by room in order of seq, heads, and attributes."""

    entries: dict[str, list[Logged]]
    heads: dict[str, int]
    epochs: dict[str, str]
    attributes: dict[str, dict[str, str]]


def read_log(database: str, project_id: int, rooms: Iterable[str]) -> Log:
    """Reads everything of these rooms; blocks."""
    try:
        log = Log({}, {}, {}, {})
        for room in rooms:
            stream = Stream.objects.using(database).filter(project_id=project_id, name=stream_name(room)).first()
            rows = (
                Entry.objects.using(database)
                .filter(stream__project_id=project_id, stream__name=stream_name(room))
                .order_by("seq")
                .values_list("seq", "event", "sender", "message_id", "body")
            )
            log.entries[room] = [Logged(*row[:4], json.loads(row[4])) for row in rows]
            log.heads[room] = stream.head if stream is not None else 0
            log.epochs[room] = stream.epoch if stream is not None else ""
            log.attributes[room] = dict(
                RoomAttribute.objects.using(database)
                .filter(room__project_id=project_id, room__name=room)
                .values_list("key", "value")
            )
        return log
    finally:
        connections[database].close()


def read_heads(database: str, project_id: int) -> dict[str, int]:
    """The heads of a project's rooms; blocks."""
    try:
        rows = Stream.objects.using(database).filter(project_id=project_id).values_list("name", "head")
        return {name.removeprefix("room:"): head for name, head in rows}
    finally:
        connections[database].close()


def discrepancies(ledgers: Sequence[Ledger], log: Log) -> list[str]:
    """Everything that was promised and is not so."""
    checks = (
        _breaches(ledgers),
        _numbering(log),
        _origins(ledgers, log),
        _acknowledged(ledgers, log),
        _stays(ledgers, log),
        _orders(ledgers),
        _attributes(log),
    )
    return shortened(checks)


def shortened(kinds: Iterable[list[str]]) -> list[str]:
    """A few of each kind of discrepancy."""
    found = []
    for wrong in kinds:
        found += wrong[:SHOWN]
        if len(wrong) > SHOWN:
            found.append(f"... and {len(wrong) - SHOWN} more of this kind")
    return found


def _breaches(ledgers: Sequence[Ledger]) -> list[str]:
    return [f"{ledger.uid}: {breach}" for ledger in ledgers for breach in ledger.breaches]


def _numbering(log: Log) -> list[str]:
    """Seqs have no gaps, and the head is the last."""
    wrong = []
    for room, entries in log.entries.items():
        seqs = [entry.seq for entry in entries]
        if seqs != list(range(1, log.heads[room] + 1)):
            missing = sorted(set(range(1, log.heads[room] + 1)) - set(seqs))
            wrong.append(f"{room}: head {log.heads[room]}, {len(seqs)} entries, missing {missing[:20]}")
    return wrong


def _origins(ledgers: Sequence[Ledger], log: Log) -> list[str]:
    """Each entry was sent, as it stands, by whom it names, and is there once."""
    sent = {(ledger.uid, message_id): what for ledger in ledgers for message_id, what in ledger.sent.items()}
    wrong = []
    for room, entries in log.entries.items():
        seen: dict[tuple[str, str], int] = {}
        for entry in entries:
            key = (entry.sender, entry.message_id)
            if key in seen:
                wrong.append(f"{room}: {key} is there as {seen[key]} and as {entry.seq}")
            seen[key] = entry.seq
            origin = sent.get(key)
            body = entry.body["set"] if entry.event == "room.attributes_changed" else entry.body
            if origin is None or (origin.room, origin.event, origin.body) != (room, entry.event, body):
                wrong.append(f"{room}#{entry.seq}: {entry} was sent as {origin}")
    return wrong


def _acknowledged(ledgers: Sequence[Ledger], log: Log) -> list[str]:
    """Each acknowledged message is in the database, under the seq that was told."""
    stored = {
        (room, entry.sender, entry.message_id): entry.seq for room, entries in log.entries.items() for entry in entries
    }
    return [
        f"{ledger.uid}: {sent.room} {message_id} was acknowledged as {sent.seq}, stored as {seq}"
        for ledger in ledgers
        for message_id, sent in ledger.sent.items()
        if sent.seq is not None and (seq := stored.get((sent.room, ledger.uid, message_id))) != sent.seq
    ]


def _stays(ledgers: Sequence[Ledger], log: Log) -> list[str]:
    """Each member got everything after its start once and in order; who stayed, up to the head."""
    return [
        f"{ledger.uid} in {stay.room} from {stay.start}{' (left)' * stay.ended}: {problem}"
        for ledger in ledgers
        for stay in ledger.stays
        if (problem := _stay(stay, log)) is not None
    ]


def _stay(stay: Stay, log: Log) -> str | None:
    if stay.gaps:
        return f"told of gaps {stay.gaps}"
    if stay.epoch not in ("", log.epochs[stay.room]):
        return f"epoch {stay.epoch!r}, stored {log.epochs[stay.room]!r}"
    end = stay.start + len(stay.deliveries) if stay.ended else log.heads[stay.room]
    due = [
        Delivery(entry.seq, entry.sender, entry.message_id)
        for entry in log.entries[stay.room]
        if stay.start < entry.seq <= end
    ]
    if stay.deliveries == due:
        return None
    for got, expected in zip(stay.deliveries, due, strict=False):
        if got != expected:
            return f"got {got} where {expected} was due"
    return f"got {len(stay.deliveries)} of {len(due)} entries up to {end}, the last {stay.deliveries[-1:]}"


def _orders(ledgers: Sequence[Ledger]) -> list[str]:
    """No two members disagree on what a seq of a room is."""
    told: dict[tuple[str, int], tuple[Delivery, str]] = {}
    wrong = []
    for ledger in ledgers:
        for stay in ledger.stays:
            for delivery in stay.deliveries:
                first, by = told.setdefault((stay.room, delivery.seq), (delivery, ledger.uid))
                if first != delivery:
                    wrong.append(f"{stay.room}#{delivery.seq}: {by} got {first}, {ledger.uid} got {delivery}")
    return wrong


def _attributes(log: Log) -> list[str]:
    """The attributes are what their entries, one after the other, make of them."""
    wrong = []
    for room, entries in log.entries.items():
        replayed: dict[str, str] = {}
        for entry in entries:
            if entry.event == "room.attributes_changed":
                replayed.update(entry.body["set"])
                for key in entry.body["deleted"]:
                    del replayed[key]
        if replayed != log.attributes[room]:
            wrong.append(f"{room}: attributes {log.attributes[room]}, their entries make {replayed}")
    return wrong


def lives(ledgers: Sequence[Ledger], wrong: Sequence[str], most: int = 3) -> str:
    """What happened to the clients that discrepancies name."""
    named = set(re.findall(r"[\w-]+", " ".join(wrong)))
    return "\n".join("\n".join(ledger.life) for ledger in [one for one in ledgers if one.uid in named][:most])


def summary(ledgers: Sequence[Ledger], log: Log) -> str:
    """How much was proved, in a line."""
    sent = [what for ledger in ledgers for what in ledger.sent.values()]
    counts: Mapping[str, int] = {
        "sent": len(sent),
        "acknowledged": sum(what.seq is not None for what in sent),
        "stored": sum(map(len, log.entries.values())),
        "delivered": sum(len(stay.deliveries) for ledger in ledgers for stay in ledger.stays),
        "stays": sum(len(ledger.stays) for ledger in ledgers),
        "logins": sum(ledger.logins for ledger in ledgers),
        "resumed": sum(ledger.resumed for ledger in ledgers),
        "resent": sum(ledger.resent for ledger in ledgers),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def left_notices(ledgers: Sequence[Ledger], uids: Iterable[str]) -> list[str]:
    """Who was told that one of `uids` had left a room."""
    wanted = set(uids)
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for ledger in ledgers:
        for room, uid in ledger.left:
            if uid in wanted:
                told[room, uid].append(ledger.uid)
    return [f"{room}: {uid} was said to have left, to {', '.join(to)}" for (room, uid), to in told.items()]
