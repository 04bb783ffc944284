"""What clients were told by and of their inboxes, to be compared with what the database has (docs/contract.md 5, 8).

Written by `tests.support.resuming_inbox`, `_post` and `_calls` as things happen. `inbox_discrepancies` is what is
wrong afterwards, in words: an empty list is the proof. All times are the loop's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connections

from invitations.models import Invitation
from invitations.services import INVITATION_CHANGED
from messaging.models import Entry, EntryFlag, Stream
from realtime.streams import INBOX
from tests.support.invitations import OPEN, Told, misfit

SENT = "peer.sent"


@dataclass(slots=True)
class PeerSent:
    """A message to one peer. `link`: the number of the connection it was sent on, None when there was more than one
    attempt; `sent_s`: when it was sent first; `received` and `answered_s`: the one answer that was seen."""

    peer: str
    body: Any
    link: int | None
    sent_s: float
    received: bool | None = None
    answered_s: float = float("inf")

    @property
    def is_kept(self) -> bool:
        return bool(self.body.get("offline"))


class HandedOver(NamedTuple):
    """An entry as a client gave it to its user. `asked_s`: when the request was sent that brought it, the login of the
    connection for a push: the server read it no sooner."""

    seq: int
    event: str
    sender: str
    message_id: str
    body: Any
    asked_s: float


class Answered(NamedTuple):
    """What a party of an invitation was told by an answer: the state at a step."""

    invitation: str
    step: int
    state: str
    reason: str


@dataclass(slots=True)
class InboxLedger:
    """Of one client. `sent`: by message id and peer."""

    sent: dict[tuple[str, str], PeerSent] = field(default_factory=dict)
    handed: list[HandedOver] = field(default_factory=list)
    repeats: int = 0
    answered: list[Answered] = field(default_factory=list)


class InboxEntry(NamedTuple):
    """An entry as the database has it."""

    seq: int
    event: str
    sender: str
    message_id: str
    body: Any
    flags: int

    @property
    def is_withdrawn(self) -> bool:
        return self.flags >= EntryFlag.WITHDRAWN


@dataclass(slots=True)
class InboxLog:
    """The database afterwards, by uid: entries in order of seq, heads; and each invitation's last state, by caller and
    id."""

    entries: dict[str, list[InboxEntry]] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    states: dict[tuple[str, str], str] = field(default_factory=dict)


def read_inboxes(database: str, project_id: int) -> InboxLog:
    """Reads everything of all inboxes; blocks."""
    try:
        log = InboxLog()
        inboxes = Stream.objects.using(database).filter(project_id=project_id, name__startswith=INBOX)
        for stream_id, name, head in inboxes.values_list("pk", "name", "head"):
            rows = Entry.objects.using(database).filter(stream_id=stream_id).order_by("seq")
            uid = name.removeprefix(INBOX)
            log.heads[uid] = head
            log.entries[uid] = [
                InboxEntry(*row[:4], json.loads(row[4]), row[5])
                for row in rows.values_list("seq", "event", "sender", "message_id", "body", "flags")
            ]
        invitations = Invitation.objects.using(database).filter(project_id=project_id)
        log.states = {(row[0], row[1]): row[2] for row in invitations.values_list("caller", "invitation", "state")}
        return log
    finally:
        connections[database].close()


def read_unread(database: str, project_id: int) -> dict[str, int]:
    """How many entries each user has still to acknowledge; blocks."""
    try:
        unread: dict[str, int] = {}
        inboxes = Stream.objects.using(database).filter(project_id=project_id, name__startswith=INBOX)
        for stream_id, name, acked in inboxes.values_list("pk", "name", "acked"):
            entries = Entry.objects.using(database).filter(stream_id=stream_id, seq__gt=acked)
            unread[name.removeprefix(INBOX)] = entries.filter(flags__lt=EntryFlag.WITHDRAWN).count()
        return unread
    finally:
        connections[database].close()


def inbox_discrepancies(ledgers: Mapping[str, InboxLedger], log: InboxLog, kept: int) -> list[list[str]]:
    """Everything that was promised and is not so, each kind by itself. `kept`: as many messages the project keeps for
    a user who is away."""
    checks = (_numbering(log), _origins(ledgers, log), _handed_over(ledgers, log))
    more = (_answers(ledgers, log, kept), _orders(ledgers, log), _invitations(ledgers, log))
    return [list(found) for found in (*checks, *more)]


def _numbering(log: InboxLog) -> Iterator[str]:
    """Seqs have no gaps, the head is the last, and nothing is there twice."""
    for uid, entries in log.entries.items():
        if [entry.seq for entry in entries] != list(range(1, log.heads[uid] + 1)):
            yield f"inbox of {uid}: head {log.heads[uid]}, {len(entries)} entries"
        if len({(entry.sender, entry.message_id) for entry in entries}) != len(entries):
            yield f"inbox of {uid}: something is there twice"


def _origins(ledgers: Mapping[str, InboxLedger], log: InboxLog) -> Iterator[str]:
    """Each message was sent, as it stands, to whose inbox it is in, by whom it names."""
    for uid, entries in log.entries.items():
        for entry in entries:
            if entry.event == SENT:
                origin = ledgers[entry.sender].sent.get((entry.message_id, uid))
                is_kept = bool(entry.flags & EntryFlag.OFFLINE)
                if origin is None or (origin.body, origin.is_kept) != (entry.body, is_kept):
                    yield f"inbox of {uid}: {entry} was sent as {origin}"


def _handed_over(ledgers: Mapping[str, InboxLedger], log: InboxLog) -> Iterator[str]:
    """Each user was given every entry that is not withdrawn, and nothing else but what has been withdrawn since; once,
    in order, as it stands."""
    for uid, ledger in ledgers.items():
        stored = {entry.seq: entry for entry in log.entries.get(uid, ())}
        seqs = [handed.seq for handed in ledger.handed]
        if seqs != sorted(set(seqs)):
            yield f"{uid} was given entries twice or out of order"
        for handed in ledger.handed:
            entry = stored.get(handed.seq)
            if entry is None or handed[:5] != entry[:5]:
                yield f"{uid} was given {handed}, stored is {entry}"
        for seq in sorted({seq for seq, entry in stored.items() if not entry.is_withdrawn}.difference(seqs)):
            yield f"{uid} was never given {stored[seq]}"


def _answers(ledgers: Mapping[str, InboxLedger], log: InboxLog, kept: int) -> Iterator[str]:
    """Each sender was told what is so."""
    stored = {(uid, entry.sender, entry.message_id): entry for uid, entries in log.entries.items() for entry in entries}
    for uid, ledger in ledgers.items():
        for (message_id, peer), sent in ledger.sent.items():
            problem = _answer(sent, stored.get((peer, uid, message_id)), ledgers[peer], log.entries.get(peer, []), kept)
            if problem is not None:
                yield f"{uid} to {peer}, {message_id}, answered {sent.received} at {sent.answered_s:.3f}: {problem}"


def _answer(
    sent: PeerSent, entry: InboxEntry | None, receiver: InboxLedger, inbox: list[InboxEntry], kept: int
) -> str | None:
    if sent.received is None:
        return "it was never answered"
    if entry is None:
        return "it is not stored" if sent.received or sent.is_kept else None
    handed = next((one for one in receiver.handed if one.seq == entry.seq), None)
    if sent.received:
        return f"{entry} was given to its receiver as {handed}" if entry.is_withdrawn or handed is None else None
    if sent.is_kept:
        newer = sum(bool(one.flags & EntryFlag.OFFLINE) for one in inbox if one.seq > entry.seq)
        return f"withdrawn, with {newer} newer ones" if entry.is_withdrawn and newer < kept else None
    if not entry.is_withdrawn:
        return f"{entry} is not withdrawn"
    if handed is not None and handed.asked_s > sent.answered_s:
        return f"{handed} was asked for later"
    return None


def _orders(ledgers: Mapping[str, InboxLedger], log: InboxLog) -> Iterator[str]:
    """Between two peers the order of entries is that of sending: of what was sent once on one connection, and wherever
    one message was answered before the next was sent."""
    stored = {
        (uid, entry.sender, entry.message_id): entry.seq for uid, entries in log.entries.items() for entry in entries
    }
    for uid, ledger in ledgers.items():
        newest: dict[tuple[str, int], int] = {}
        answered: dict[str, list[tuple[float, int]]] = {}
        for (message_id, peer), sent in ledger.sent.items():
            seq = stored.get((peer, uid, message_id))
            if seq is None:
                continue
            before = max((other for at_s, other in answered.get(peer, ()) if at_s < sent.sent_s), default=0)
            if sent.link is not None:
                before = max(before, newest.get((peer, sent.link), 0))
                newest[peer, sent.link] = seq
            if before > seq:
                yield f"{uid} to {peer}: {message_id} is #{seq}, after #{before} that was sent before it"
            answered.setdefault(peer, []).append((sent.answered_s, seq))


def _invitations(ledgers: Mapping[str, InboxLedger], log: InboxLog) -> Iterator[str]:
    """Both parties of each were told the same steps up to one end, and what they were answered is one of these."""
    told: dict[tuple[str, str], dict[str, list[Told]]] = {key: {} for key in log.states}
    for uid, entries in log.entries.items():
        for entry in entries:
            if entry.event == INVITATION_CHANGED:
                key = (entry.body["caller"], entry.body["invitation"])
                told.setdefault(key, {}).setdefault(uid, []).append(Told(entry.sender, entry.body))
                if entry.is_withdrawn:
                    yield f"inbox of {uid}: {entry} is withdrawn"
    steps: dict[tuple[str, str, int], tuple[str, str]] = {}
    for (caller, invitation), sides in told.items():
        calling = sides.get(caller, [])
        called = next((side for uid, side in sides.items() if uid != caller), [])
        problem = misfit(calling, called)
        state = log.states.get((caller, invitation))
        if problem is None and (state in OPEN or calling[-1].state != state):
            problem = f"it is {state} in the end"
        if problem is not None:
            yield f"invitation {invitation} of {caller}: {problem}"
        for uid, side in sides.items():
            steps |= {(uid, invitation, one.body["step"]): (one.state, one.reason) for one in side}
    for uid, ledger in ledgers.items():
        for answer in ledger.answered:
            found = steps.get((uid, answer.invitation, answer.step))
            if found != (answer.state, answer.reason):
                yield f"{uid} was answered {answer}, and told {found}"


def inbox_summary(ledgers: Mapping[str, InboxLedger], log: InboxLog) -> str:
    """How much was proved, in a line."""
    sent = [one for ledger in ledgers.values() for one in ledger.sent.values()]
    entries = [entry for inbox in log.entries.values() for entry in inbox]
    withdrawn = {bool(entry.flags & EntryFlag.OFFLINE): 0 for entry in entries}
    for entry in entries:
        withdrawn[bool(entry.flags & EntryFlag.OFFLINE)] += entry.is_withdrawn
    states = list(log.states.values())
    counts = {
        "to peers": len(sent),
        "received": sum(one.received is True for one in sent),
        "not received": sum(one.received is False for one in sent),
        "handed over": sum(len(ledger.handed) for ledger in ledgers.values()),
        "again": sum(ledger.repeats for ledger in ledgers.values()),
        "withdrawn": withdrawn.get(False, 0),
        "pushed out": withdrawn.get(True, 0),
        **{f"calls {state}": states.count(state) for state in sorted(set(states))},
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items())
