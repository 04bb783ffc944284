"""How many senders wait for receipts of peer messages."""

from collections.abc import Callable
from typing import Final

from projects.selectors import Tenant
from realtime.counts import Counts
from realtime.pressure import overloaded

ALWAYS_FREE: Final = 4
"""So many messages of a user may wait whatever others do: no few users keep the rest from sending."""


class Waits:
    """Those of one process. A project's own server and its users have `receipts_awaited` each: neither can take the
    other's places."""

    def __init__(self) -> None:
        self.of_sender = Counts[tuple[int, str | None]]()
        """By project and user; None: its server."""
        self.of_users = Counts[int]()
        """By project."""

    def begin(self, project: Tenant, uid: str | None) -> Callable[[], None]:
        """One more; how it ends. `uid` None: the project's server waits. Raises RpcError `overloaded`."""
        sender = (project.id, uid)
        own = self.of_sender[sender]
        taken = own if uid is None else self.of_users[project.id]
        if taken >= project.limits.sizes.receipts_awaited and (uid is None or own >= ALWAYS_FREE):
            raise overloaded()
        users = 0 if uid is None else 1
        self.of_sender.add(sender, 1)
        self.of_users.add(project.id, users)

        def end() -> None:
            self.of_sender.add(sender, -1)
            self.of_users.add(project.id, -users)

        return end
