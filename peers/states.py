"""The online states of users, as others are told of them (docs/contract.md 2)."""

from typing import Final, Literal

import msgspec

from realtime.presence import PresenceState, SessionState
from realtime.registry import event

OnlineState = Literal["ONLINE", "UNREACHABLE", "OFFLINE"]


class StatesNotice(msgspec.Struct):
    """The states of users that this connection has subscribed to have changed."""

    states: dict[str, OnlineState]


CHANGED: Final = event("presence.changed", StatesNotice)


def online_state(found: SessionState | None) -> OnlineState:
    if found is None:
        return "OFFLINE"
    return "UNREACHABLE" if found.state is PresenceState.UNREACHABLE else "ONLINE"
