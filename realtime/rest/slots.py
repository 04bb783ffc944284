"""How many requests the REST interface works on at once, and how much of their bodies the process holds.

A request has its slot from its head on. The bytes of its body count as they come, in this interface's own budget and in
the one that the process has for sockets too (`realtime/pressure.py`); bytes that are only announced count nowhere. Both
are given back when the answer is ready, or when what was asked for is committed and its caller only waits for
somebody's receipt: who waits is counted elsewhere, by project (`peers/waits.py`). A head is kept until the answer: a
large one counts until then.

The interface has at most half of the process's bytes, so that the sockets always have the other half. A project has at
most half of the interface, its own server and its users a quarter each: neither can take the other's. A user has a few
requests, and some bodies: a caller whose bodies never end stops itself, and nobody else.
"""

from typing import Final, NamedTuple

from realtime.counts import Counts
from realtime.pressure import PROCESS_BYTES, Pressure, overloaded

MAX_IN_WORK: Final = 2_000
MAX_BYTES: Final = PROCESS_BYTES // 2
LIGHT_HEAD_BYTES: Final = 8 * 1024


class Share(NamedTuple):
    """What somebody may have in work: requests, and bytes of them that have come."""

    requests: int
    bytes: int


PARTY: Final = Share(MAX_IN_WORK // 4, MAX_BYTES // 4)
"""Of a project's own server, and of all its users together."""
USER: Final = Share(16, 1024 * 1024)

_Holder = tuple[int, str | None, bool]
"""Who has a share: project, user, and whether it is the one that all users have together."""


class Slots:
    """Those of one process."""

    def __init__(self, pressure: Pressure) -> None:
        self.pressure = pressure
        self.taken = 0
        self.bytes = 0
        self.requests_of = Counts[_Holder]()
        self.bytes_of = Counts[_Holder]()

    def take(self, head_bytes: int) -> "Slot":
        """For a request with such a head. Raises RpcError `overloaded`."""
        if self.taken >= MAX_IN_WORK or self.pressure.bytes >= PROCESS_BYTES:
            raise overloaded()
        self.taken += 1
        return Slot(self, head_bytes)


class Slot:
    """What one request holds of the process, until it is given back."""

    def __init__(self, slots: Slots, head_bytes: int) -> None:
        self._slots: Slots | None = slots
        self._shares: dict[_Holder, Share] = {}
        self._bytes = 0
        self._head_bytes = head_bytes if head_bytes > LIGHT_HEAD_BYTES else 0

    def let_in(self, project: int, uid: str | None) -> None:
        """Its caller is a user of the project or, `uid` None, its server. Raises RpcError `overloaded` when those have
        their share in work already."""
        slots = self._slots
        assert slots is not None
        shares: dict[_Holder, Share] = {(project, None, uid is not None): PARTY}
        if uid is not None:
            shares[(project, uid, False)] = USER
        if any(slots.requests_of[holder] >= share.requests for holder, share in shares.items()):
            raise overloaded()
        for holder in shares:
            slots.requests_of.add(holder, 1)
        self._shares = shares
        self.hold(self._head_bytes)

    def hold(self, size: int) -> None:
        """So many bytes of it have come. Raises RpcError `overloaded` above a share."""
        slots = self._slots
        assert slots is not None
        assert self._shares
        self._bytes += size
        slots.bytes += size
        slots.pressure.begin(size)
        for holder in self._shares:
            slots.bytes_of.add(holder, size)
        if slots.bytes > MAX_BYTES or any(
            slots.bytes_of[holder] > share.bytes for holder, share in self._shares.items()
        ):
            raise overloaded()

    def let_go(self) -> None:
        """What was asked for is committed, nothing of the body is kept, and the caller waits for somebody else."""
        if not self._head_bytes:
            self.give_back()

    def give_back(self) -> None:
        """The whole of it; a second time it is nothing."""
        slots, self._slots = self._slots, None
        if slots is None:
            return
        slots.taken -= 1
        slots.bytes -= self._bytes
        slots.pressure.end(self._bytes)
        for holder in self._shares:
            slots.requests_of.add(holder, -1)
            slots.bytes_of.add(holder, -self._bytes)
