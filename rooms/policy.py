"""The one answer to "may this user do that in this room?", for sockets, HTTP and admin alike."""

import enum

from realtime.errors import NOT_AUTHORIZED, NOT_IN_ROOM, RpcError
from realtime.sessions import Session
from realtime.streams import Subscription
from rooms.models import stream_name


class Action(enum.Enum):
    JOIN = "join"
    SEND = "send"
    READ_HISTORY = "read_history"
    LIST_MEMBERS = "list_members"
    COUNT_MEMBERS = "count_members"
    READ_ATTRIBUTES = "read_attributes"
    WRITE_ATTRIBUTES = "write_attributes"


MEMBERS_ONLY = frozenset({Action.SEND, Action.READ_HISTORY, Action.LIST_MEMBERS})
"""What only a member may do; the rest is open to every user of the project (docs/contract.md 2)."""


def subscription_of(session: Session, room: str) -> Subscription | None:
    return session.subscriptions.get(stream_name(room))


def require(session: Session, action: Action, room: str) -> None:
    """Raises RpcError `not_in_room` or `not_authorized` when the user may not. Memory only: it is asked for
    every message."""
    if action in MEMBERS_ONLY and stream_name(room) not in session.subscriptions:
        raise RpcError(NOT_IN_ROOM)
    if not session.uid:
        raise RpcError(NOT_AUTHORIZED)
