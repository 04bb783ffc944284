"""What becomes of an invitation (docs/contract.md 8): one table, which decides for both sides.

    (nothing) --send--> SENT --confirm--> RECEIVED
        |                 |                  |
        |                 +--accept----------+---------> ACCEPTED
        |                 +--refuse----------+---------> REFUSED
        |                 +--cancel----------+---------> CANCELED
        |                 +--time out: 30 s--|---------> FAILED  caller PEER_NO_RESPONSE, callee INVITATION_EXPIRE
        |                 |                  +--60 s---> FAILED  both INVITATION_EXPIRE
        |                 +--callee gone-----+---------> FAILED  both PEER_OFFLINE
        |                 +--caller gone-----+---------> FAILED  caller NOT_LOGGEDIN, callee PEER_OFFLINE
        +--send to nobody------------------------------> FAILED  caller PEER_OFFLINE, the callee hears nothing

What the vendor's SDK shows on either side follows from the one state:

    SENT       caller SENT_TO_REMOTE        callee INVITATION_RECEIVED
    RECEIVED   caller RECEIVED_BY_REMOTE    callee INVITATION_RECEIVED
    ACCEPTED   caller ACCEPTED_BY_REMOTE    callee ACCEPTED
    REFUSED    caller REFUSED_BY_REMOTE     callee REFUSED
    CANCELED   caller CANCELED              callee CANCELED
    FAILED     caller FAILURE               callee FAILURE, each with a reason of its own
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final


class InvitationState(enum.StrEnum):
    SENT = "SENT"
    """The callee's client has not said yet that it has it."""
    RECEIVED = "RECEIVED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


class Reason(enum.StrEnum):
    """Why one failed, in the vendor's names; what one side is told may differ from the other's."""

    PEER_OFFLINE = "PEER_OFFLINE"
    PEER_NO_RESPONSE = "PEER_NO_RESPONSE"
    INVITATION_EXPIRE = "INVITATION_EXPIRE"
    NOT_LOGGEDIN = "NOT_LOGGEDIN"


class Party(enum.Enum):
    CALLER = "caller"
    CALLEE = "callee"
    SERVER = "server"


class Act(enum.Enum):
    SEND = "send"
    SEND_TO_NOBODY = "send to nobody"
    """The same, to a callee that has no session."""
    CONFIRM = "confirm"
    """The callee's client has it."""
    ACCEPT = "accept"
    REFUSE = "refuse"
    CANCEL = "cancel"
    TIME_OUT = "time out"
    CALLER_GONE = "caller gone"
    """The session that sent it has ended for good: logout, removal, a login elsewhere."""
    CALLEE_GONE = "callee gone"


class Refusal(enum.Enum):
    """Why an act changes nothing."""

    REPEATED = "repeated"
    """It has happened: whoever asks again gets the answer again."""
    ENDED = "ended"
    TOO_LATE = "too late"
    """What the time brings comes first: TIME_OUT is due."""
    TOO_EARLY = "too early"
    NOT_BEGUN = "not begun"
    NOT_THEIRS = "not theirs"
    """This act is another party's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after an act; the reasons are of a failure, "" where there is none to tell."""

    state: InvitationState
    caller_reason: str = ""
    callee_reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """An act that happens. `due_at`: when the time decides what comes next; None at the end."""

    outcome: Outcome
    due_at: datetime | None


TIME_LIMITS: Final[Mapping[InvitationState, timedelta]] = MappingProxyType(
    {InvitationState.SENT: timedelta(seconds=30), InvitationState.RECEIVED: timedelta(seconds=60)}
)
"""How long after the sending an open state lasts."""

OPEN: Final = frozenset(TIME_LIMITS)

ACTS_OF: Final[Mapping[Party, frozenset[Act]]] = MappingProxyType(
    {
        Party.CALLER: frozenset({Act.SEND, Act.SEND_TO_NOBODY, Act.CANCEL}),
        Party.CALLEE: frozenset({Act.CONFIRM, Act.ACCEPT, Act.REFUSE}),
        Party.SERVER: frozenset({Act.TIME_OUT, Act.CALLER_GONE, Act.CALLEE_GONE}),
    }
)

_Row = Mapping[Act, Outcome | Refusal]

_ANSWERS: Final[_Row] = {
    Act.SEND: Refusal.REPEATED,
    Act.SEND_TO_NOBODY: Refusal.REPEATED,
    Act.ACCEPT: Outcome(InvitationState.ACCEPTED),
    Act.REFUSE: Outcome(InvitationState.REFUSED),
    Act.CANCEL: Outcome(InvitationState.CANCELED),
    Act.CALLER_GONE: Outcome(InvitationState.FAILED, Reason.NOT_LOGGEDIN, Reason.PEER_OFFLINE),
    Act.CALLEE_GONE: Outcome(InvitationState.FAILED, Reason.PEER_OFFLINE, Reason.PEER_OFFLINE),
}
_AFTER_THE_END: Final[_Row] = {
    **dict.fromkeys(Act, Refusal.ENDED),
    Act.SEND: Refusal.REPEATED,
    Act.SEND_TO_NOBODY: Refusal.REPEATED,
}

TABLE: Final[Mapping[InvitationState | None, _Row]] = MappingProxyType(
    {
        None: {
            **dict.fromkeys(Act, Refusal.NOT_BEGUN),
            Act.SEND: Outcome(InvitationState.SENT),
            Act.SEND_TO_NOBODY: Outcome(InvitationState.FAILED, Reason.PEER_OFFLINE),
        },
        InvitationState.SENT: {
            **_ANSWERS,
            Act.CONFIRM: Outcome(InvitationState.RECEIVED),
            Act.TIME_OUT: Outcome(InvitationState.FAILED, Reason.PEER_NO_RESPONSE, Reason.INVITATION_EXPIRE),
        },
        InvitationState.RECEIVED: {
            **_ANSWERS,
            Act.CONFIRM: Refusal.REPEATED,
            Act.TIME_OUT: Outcome(InvitationState.FAILED, Reason.INVITATION_EXPIRE, Reason.INVITATION_EXPIRE),
        },
        InvitationState.ACCEPTED: {**_AFTER_THE_END, Act.CONFIRM: Refusal.REPEATED, Act.ACCEPT: Refusal.REPEATED},
        InvitationState.REFUSED: {**_AFTER_THE_END, Act.CONFIRM: Refusal.REPEATED, Act.REFUSE: Refusal.REPEATED},
        InvitationState.CANCELED: {**_AFTER_THE_END, Act.CANCEL: Refusal.REPEATED},
        InvitationState.FAILED: _AFTER_THE_END,
    }
)


def transition(state: InvitationState | None, act: Act, by: Party, now: datetime, sent_at: datetime) -> Step | Refusal:
    """What an act comes to in a state (None: before the sending). The time limit of an open state counts from
    `sent_at`, and whatever comes at it or later is too late, also where nobody has looked at the clock yet."""
    if act not in ACTS_OF[by]:
        return Refusal.NOT_THEIRS
    outcome = TABLE[state][act]
    if isinstance(outcome, Refusal):
        return outcome
    is_due = state is not None and now >= sent_at + TIME_LIMITS[state]
    if is_due != (act is Act.TIME_OUT):
        return Refusal.TOO_LATE if is_due else Refusal.TOO_EARLY
    limit = TIME_LIMITS.get(outcome.state)
    return Step(outcome, sent_at + limit if limit is not None else None)
