"""As whom a caller of the REST interface does something in a room."""

from typing import Final

from realtime.rest.callers import Caller
from rooms.models import stream_name
from rooms.policy import EVERY_ROOM, MEMBERS_ONLY, Action, RestActor, require

MEMBERS_SEARCHED: Final = 10_000
"""A user is looked for among so many members of a room, those who joined first."""


async def require_for(caller: Caller, action: Action, room: str) -> None:
    """Asks the policy for whoever calls: the project's own server is in every room, a user where presence has them.
    Raises RpcError `not_in_room`, `not_authorized`, `unavailable`."""
    if caller.uid is None:
        require(RestActor("the project's server", EVERY_ROOM), action, room)
        return
    name = stream_name(room)
    rooms = frozenset[str]()
    if action in MEMBERS_ONLY:
        members = await caller.runtime.sessions.members(caller.tenant.id, name, MEMBERS_SEARCHED)
        rooms = frozenset({name}) if caller.uid in members else rooms
    require(RestActor(caller.uid, rooms), action, room)
