"""The one answer to "may this user do that in this room?", for sockets, HTTP and admin alike."""

import enum
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from realtime.errors import NOT_AUTHORIZED, NOT_IN_ROOM, RpcError
from realtime.session import Session
from realtime.streams import Subscription
from rooms.models import room_name, stream_name


class Actor(Protocol):
    """Who asks: a session, or a caller of the REST interface. `subscriptions`: the streams of the rooms it is in."""

    @property
    def uid(self) -> str: ...

    @property
    def subscriptions(self) -> Container[str]: ...


class _EveryRoom:
    def __contains__(self, stream: object) -> bool:
        return True


EVERY_ROOM: Final = _EveryRoom()
"""Where a project's own server is."""


@dataclass(frozen=True, slots=True)
class RestActor:
    """A caller of the REST interface who acts as a user."""

    uid: str
    subscriptions: Container[str]


class Action(enum.Enum):
    JOIN = "join"
    SEND = "send"
    SEND_BY_REST = "send_by_rest"
    """The sender need not be logged in, so neither in the room (docs/contract.md 10)."""
    READ_HISTORY = "read_history"
    LIST_MEMBERS = "list_members"
    COUNT_MEMBERS = "count_members"
    READ_ATTRIBUTES = "read_attributes"
    WRITE_ATTRIBUTES = "write_attributes"
    DELETE_OWN = "delete_own"
    """A message that the actor has sent."""
    DELETE_ANY = "delete_any"
    """Anybody's message."""


MEMBERS_ONLY = frozenset({Action.SEND, Action.READ_HISTORY, Action.LIST_MEMBERS, Action.DELETE_OWN, Action.DELETE_ANY})
"""What only a member may do; the rest is open to every user of the project (docs/contract.md 2)."""
SERVER_ONLY = frozenset({Action.DELETE_ANY})
"""What of that no user may do, whatever they are in the room: the project's own server alone."""


def subscription_of(session: Session, room: str) -> Subscription | None:
    return session.subscriptions.get(stream_name(room))


def require(actor: Actor, action: Action, room: str) -> None:
    """Raises RpcError `not_in_room` or `not_authorized` when the user may not. Memory only: it is asked for
    every message."""
    if action in MEMBERS_ONLY and stream_name(room) not in actor.subscriptions:
        raise RpcError(NOT_IN_ROOM)
    if not actor.uid or (action in SERVER_ONLY and actor.subscriptions is not EVERY_ROOM):
        raise RpcError(NOT_AUTHORIZED)


def readable_rooms(session: Session) -> Iterator[str]:
    """The streams of the rooms whose messages a session may read."""
    for stream in session.subscriptions:
        try:
            require(session, Action.READ_HISTORY, room_name(stream))
        except RpcError:
            continue
        yield stream
