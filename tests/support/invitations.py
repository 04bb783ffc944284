"""What the two sides of an invitation were told, as it stands in their inboxes, and how that fits together."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from invitations.services import INVITATION_CHANGED
from messaging.models import Entry, inbox_name

CALLER_STATES = {
    "SENT": "SENT_TO_REMOTE",
    "RECEIVED": "RECEIVED_BY_REMOTE",
    "ACCEPTED": "ACCEPTED_BY_REMOTE",
    "REFUSED": "REFUSED_BY_REMOTE",
    "CANCELED": "CANCELED",
    "FAILED": "FAILURE",
}
CALLEE_STATES = {
    "SENT": "INVITATION_RECEIVED",
    "RECEIVED": "INVITATION_RECEIVED",
    "ACCEPTED": "ACCEPTED",
    "REFUSED": "REFUSED",
    "CANCELED": "CANCELED",
    "FAILED": "FAILURE",
}
FITTING = {
    ("SENT_TO_REMOTE", "", "INVITATION_RECEIVED", ""),
    ("RECEIVED_BY_REMOTE", "", "INVITATION_RECEIVED", ""),
    ("ACCEPTED_BY_REMOTE", "", "ACCEPTED", ""),
    ("REFUSED_BY_REMOTE", "", "REFUSED", ""),
    ("CANCELED", "", "CANCELED", ""),
    ("FAILURE", "PEER_NO_RESPONSE", "FAILURE", "INVITATION_EXPIRE"),
    ("FAILURE", "INVITATION_EXPIRE", "FAILURE", "INVITATION_EXPIRE"),
    ("FAILURE", "PEER_OFFLINE", "FAILURE", "PEER_OFFLINE"),
    ("FAILURE", "NOT_LOGGEDIN", "FAILURE", "PEER_OFFLINE"),
    ("FAILURE", "PEER_OFFLINE", "", ""),
}
"""What the vendor's SDK may show at both ends at one time: the caller's state and reason, the callee's; "" where the
callee has never heard of it."""
OPEN = ("SENT", "RECEIVED")


class Told(NamedTuple):
    """An entry of an inbox: who did it, and the invitation as it was then."""

    sender: str
    body: dict[str, Any]

    @property
    def state(self) -> str:
        return str(self.body["state"])

    @property
    def reason(self) -> str:
        return str(self.body["reason"])


def inbox(project_id: int, uid: str, invitation: str | None = None) -> list[Told]:
    """What a user was told, in order: of all invitations, or of those with one id."""
    return inboxes(project_id, (uid,), invitation)[uid]


def inboxes(project_id: int, uids: Sequence[str], invitation: str | None = None) -> dict[str, list[Told]]:
    """The same of several users, all at one moment."""
    told: dict[str, list[Told]] = {uid: [] for uid in uids}
    names = {inbox_name(uid): uid for uid in uids}
    rows = (
        Entry.objects.filter(stream__project_id=project_id, stream__name__in=names, event=INVITATION_CHANGED)
        .order_by("seq")
        .values_list("stream__name", "sender", "body")
    )
    for name, sender, body in rows:
        one = Told(sender, json.loads(body))
        if invitation in (None, one.body["invitation"]):
            told[names[name]].append(one)
    return told


def misfit(calling: Sequence[Told], called: Sequence[Told]) -> str | None:
    """What is wrong unless both sides were told the same steps in the same order, of which only the last is an end or
    none, and are in states that fit each other."""
    if not calling or [each.body["step"] for each in calling] != list(range(1, len(calling) + 1)):
        return f"the caller was told the steps {[each.body['step'] for each in calling]}"
    if called:
        shared = ("step", "state", "content", "response", "channel", "caller", "callee", "ts")
        sides = [[(each.sender, *(each.body[name] for name in shared)) for each in side] for side in (calling, called)]
        if sides[0] != sides[1]:
            return f"the caller was told {sides[0]}, the callee {sides[1]}"
    if not all(each.state in OPEN for each in calling[:-1]):
        return f"something comes after the end: {[each.state for each in calling]}"
    ends = (CALLER_STATES[calling[-1].state], calling[-1].reason)
    other = (CALLEE_STATES[called[-1].state], called[-1].reason) if called else ("", "")
    return None if (*ends, *other) in FITTING else f"the caller sees {ends}, the callee {other}"


def require_fitting(project_id: int, caller: str, callee: str, invitation: str) -> str:
    """The two sides fit. Returns the last state."""
    told = inboxes(project_id, (caller, callee), invitation)
    assert misfit(told[caller], told[callee]) is None
    return told[caller][-1].state
