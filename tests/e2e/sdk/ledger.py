"""What SDK clients were told of their messages, against what the server has (docs/contract.md 5).

Pages write it (`js/crowd.js`); every text is sent once, so that a text names its message. `discrepancies` is what is
wrong, in words: an empty list is the proof.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

OK = "ok"
CLOCKS_MS = 100
"""Between two pages' readings of the one clock."""
SHOWN = 10
"""Examples in a report."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`stream`: `room:<id>` or `inbox:<uid>`. `outcome`: "ok", the error's code, or "" where nothing was ever told.
    `received`: what was answered of a peer, None of a room. `is_kept`: with the offline flag. `settled_ms`: when the
    outcome came, by the machine's clock."""

    stream: str
    text: str
    outcome: str
    received: bool | None = None
    is_kept: bool = False
    settled_ms: float = 0


class Got(NamedTuple):
    """`opened_ms`: when the connection that brought it was opened, by the machine's clock."""

    stream: str
    sender: str
    text: str
    opened_ms: float = 0

    @property
    def name(self) -> tuple[str, str, str]:
        return self[:3]


@dataclass(frozen=True, slots=True)
class Record:
    """Of one client, in the order things happened. `rooms`: those it was in from before the first message to after the
    last."""

    uid: str
    rooms: Sequence[str]
    sent: Sequence[Sent] = ()
    got: Sequence[Got] = ()


class Stored(NamedTuple):
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Log:
    """The server's order: messages by stream."""

    streams: Mapping[str, Sequence[Stored]] = field(default_factory=dict)


def read_record(raw: Mapping[str, Any]) -> Record:
    """From what a page has written down."""
    sent = [
        Sent(one["stream"], one["text"], one["outcome"], one["received"], one["isKept"], one["settledMs"])
        for one in raw["sent"]
    ]
    got = [Got(one["stream"], one["sender"], one["text"], one["openedMs"]) for one in raw["got"]]
    return Record(raw["uid"], raw["rooms"], sent, got)


def read_log(database: Path, app: str, names: Collection[str]) -> Log:
    """The text messages of a project's streams of these names, from a server's SQLite file."""
    query = """
        SELECT stream.name, entry.sender, entry.body
        FROM messaging_entry entry
        JOIN messaging_stream stream ON stream.id = entry.stream_id
        JOIN projects_project project ON project.id = stream.project_id
        WHERE project.app_id = ? AND entry.event IN ('room.sent', 'peer.sent')
        ORDER BY stream.id, entry.seq
    """
    streams: dict[str, list[Stored]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for stream, sender, body in connection.execute(query, [app]):
            if stream in names:
                message = json.loads(body)
                streams[stream].append(Stored(sender, message.get("message", message)["text"]))
    return Log(streams)


def discrepancies(records: Sequence[Record], log: Log) -> list[str]:
    """Everything that was promised and is not so, at most a few of each kind."""
    found: list[str] = []
    for check in (_settled, _known, _twice, _acknowledged, _rooms, _peers, _order_of_sending):
        wrong = list(check(records, log))
        found += wrong[:SHOWN]
        if len(wrong) > SHOWN:
            found.append(f"... and {len(wrong) - SHOWN} more of this kind")
    return found


def _settled(records: Sequence[Record], log: Log) -> Iterator[str]:
    """Each send has an outcome."""
    for record in records:
        for sent in record.sent:
            if not sent.outcome:
                yield f"{record.uid}: {sent.text} to {sent.stream} was never answered"


def _known(records: Sequence[Record], log: Log) -> Iterator[str]:
    """Nothing is told or stored that was not sent there, by whom it names."""
    sent = {(record.uid, one.stream, one.text) for record in records for one in record.sent}
    for record in records:
        for got in record.got:
            if (got.sender, got.stream, got.text) not in sent:
                yield f"{record.uid} got {got}, which was not sent"
            if got.stream.startswith("room:") and got.sender == record.uid:
                yield f"{record.uid} got its own {got.text}"
            if got.stream.startswith("inbox:") and got.stream != f"inbox:{record.uid}":
                yield f"{record.uid} got {got.text} of {got.stream}"
    for stream, entries in log.streams.items():
        for entry in entries:
            if (entry.sender, stream, entry.text) not in sent:
                yield f"{stream} has {entry}, which was not sent"


def _twice(records: Sequence[Record], log: Log) -> Iterator[str]:
    """Nothing is told twice, and nothing stored twice."""
    for record in records:
        for (stream, _, text), count in Counter(got.name for got in record.got).items():
            if count > 1:
                yield f"{record.uid} got {text} of {stream} {count} times"
    for stream, entries in log.streams.items():
        for entry, count in Counter(entries).items():
            if count > 1:
                yield f"{stream} has {entry.text} {count} times"


def _acknowledged(records: Sequence[Record], log: Log) -> Iterator[str]:
    """What was acknowledged is stored, and a peer that has received it was told of it."""
    stored = {(stream, *entry) for stream, entries in log.streams.items() for entry in entries}
    told = {got.name: got.opened_ms for record in records for got in record.got}
    for record in records:
        for sent in record.sent:
            if sent.outcome != OK:
                continue
            key = (sent.stream, record.uid, sent.text)
            # What is answered false without the flag need not be written down.
            if key not in stored and (sent.received is not False or sent.is_kept):
                yield f"{record.uid}: {sent.text} to {sent.stream} was acknowledged, and is not stored"
            if key not in told and (sent.received or sent.is_kept):
                yield f"{record.uid}: {sent.text} to {sent.stream} was acknowledged, and never told"
            # It may have arrived unconfirmed, or be under way to a connection of then: none opened later brings it.
            if sent.received is False and not sent.is_kept and told.get(key, 0) > sent.settled_ms + CLOCKS_MS:
                yield f"{record.uid}: {sent.text} to {sent.stream} was answered false, and recovered afterwards"


def _rooms(records: Sequence[Record], log: Log) -> Iterator[str]:
    """Each member was told everything of its rooms but its own, in the server's order."""
    for record in records:
        for room in record.rooms:
            due = [entry for entry in log.streams.get(f"room:{room}", ()) if entry.sender != record.uid]
            told = [Stored(got.sender, got.text) for got in record.got if got.stream == f"room:{room}"]
            if told != due:
                yield f"{record.uid} in {room}: {_first_difference(told, due)}"


def _peers(records: Sequence[Record], log: Log) -> Iterator[str]:
    """Each user was told of its inbox in the server's order."""
    for record in records:
        stream = f"inbox:{record.uid}"
        told = [Stored(got.sender, got.text) for got in record.got if got.stream == stream]
        names = set(told)
        due = [entry for entry in log.streams.get(stream, ()) if entry in names]
        if told != due:
            yield f"inbox of {record.uid}: {_first_difference(told, due)}"


def _order_of_sending(records: Sequence[Record], log: Log) -> Iterator[str]:
    """What one client sent to one stream, and was acknowledged, stands there in the order of sending. What a peer was
    not to get has no place in it: of an answer that got lost, the next attempt may leave a withdrawn entry."""
    for record in records:
        acknowledged: dict[str, list[str]] = defaultdict(list)
        for sent in record.sent:
            if sent.outcome == OK and (sent.received is not False or sent.is_kept):
                acknowledged[sent.stream].append(sent.text)
        for stream, texts in acknowledged.items():
            names = set(texts)
            stored = [one.text for one in log.streams.get(stream, ()) if one.sender == record.uid and one.text in names]
            due = [text for text in texts if text in set(stored)]
            if stored != due:
                yield f"{record.uid} to {stream}, as sent: {_first_difference(stored, due)}"


def _first_difference(told: Sequence[Any], due: Sequence[Any]) -> str:
    for place, (one, other) in enumerate(zip(told, due, strict=False)):
        if one != other:
            return f"at {place} {one} where {other} was due"
    return f"{len(told)} messages where {len(due)} were due, the last {list(told[-1:])}, due {list(due[-1:])}"


def summary(records: Sequence[Record], log: Log) -> str:
    """How much was proved, in a line."""
    sent = [one for record in records for one in record.sent]
    acknowledged = [one for one in sent if one.outcome == OK]
    counts = {
        "clients": len(records),
        "sent": len(sent),
        "acknowledged": len(acknowledged),
        "peers that were away": sum(one.received is False for one in acknowledged),
        "stored": sum(len(entries) for entries in log.streams.values()),
        "told": sum(len(record.got) for record in records),
    }
    refusals = Counter(one.outcome for one in sent if one.outcome != OK)
    return ", ".join(f"{count} {name}" for name, count in counts.items()) + f"; refused by code: {dict(refusals)}"
