"""What the two sides of an invitation were told, as it stands in their inboxes, and how that fits together."""

import json
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
    rows = list(
        Entry.objects.filter(stream__project_id=project_id, stream__name=inbox_name(uid), event=INVITATION_CHANGED)
        .order_by("seq")
        .values_list("sender", "body")
    )
    told = [Told(sender, json.loads(body)) for sender, body in rows]
    return [each for each in told if invitation in (None, each.body["invitation"])]


def require_fitting(project_id: int, caller: str, callee: str, invitation: str) -> str:
    """Both sides were told the same steps in the same order, of which only the last may be an end, and end in states
    that fit each other. Returns the last state."""
    calling, called = (inbox(project_id, uid, invitation) for uid in (caller, callee))
    assert [told.body["step"] for told in calling] == list(range(1, len(calling) + 1))
    if called:
        shared = ("step", "state", "content", "response", "channel", "caller", "callee", "ts")
        assert [[told.body[name] for name in shared] for told in calling] == [
            [told.body[name] for name in shared] for told in called
        ]
        assert [told.sender for told in calling] == [told.sender for told in called]
    assert all(told.state in OPEN for told in calling[:-1]), "one end, and nothing after it"
    ends = (CALLER_STATES[calling[-1].state], calling[-1].reason)
    other = (CALLEE_STATES[called[-1].state], called[-1].reason) if called else ("", "")
    assert (*ends, *other) in FITTING
    return calling[-1].state
