"""How many requests the REST interface works on at once, and how much of their bodies the process holds.

A request has its slot from its head on; the bytes of its body count, in the budget that the process has for sockets
too (`realtime/pressure.py`), from when they are announced or, without a length, as they come. Both are given back when
the answer is ready, or when what was asked for is committed and its caller only waits for somebody's receipt: who waits
is counted elsewhere, by project (`peers/waits.py`). A head is kept until the answer: a large one counts until then.

No project has more than half of either: a caller whose bodies never end stops itself, and nobody else.
"""

from typing import Final

from realtime.counts import Counts
from realtime.pressure import PROCESS_BYTES, Pressure, overloaded

MAX_IN_WORK: Final = 2_000
LIGHT_HEAD_BYTES: Final = 8 * 1024
PROJECT_IN_WORK: Final = MAX_IN_WORK // 2
PROJECT_BYTES: Final = PROCESS_BYTES // 2


class Slots:
    """Those of one process."""

    def __init__(self, pressure: Pressure) -> None:
        self.pressure = pressure
        self.taken = 0
        self.of_project = Counts[int]()
        self.bytes_of_project = Counts[int]()

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
        self._project: int | None = None
        self._bytes = 0
        self._head_bytes = head_bytes if head_bytes > LIGHT_HEAD_BYTES else 0

    def let_in(self, project: int) -> None:
        """Its caller is one of the project. Raises RpcError `overloaded` when that has its share in work already."""
        slots = self._slots
        assert slots is not None
        if slots.of_project[project] >= PROJECT_IN_WORK:
            raise overloaded()
        slots.of_project.add(project, 1)
        self._project = project
        self.hold(self._head_bytes)

    def hold(self, size: int) -> None:
        """So many bytes of it are here, or are announced. Raises RpcError `overloaded` above a share."""
        slots, project = self._slots, self._project
        assert slots is not None
        assert project is not None
        if slots.pressure.bytes >= PROCESS_BYTES or slots.bytes_of_project[project] >= PROJECT_BYTES:
            raise overloaded()
        self._bytes += size
        slots.bytes_of_project.add(project, size)
        slots.pressure.begin(size)

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
        slots.pressure.end(self._bytes)
        if self._project is not None:
            slots.of_project.add(self._project, -1)
            slots.bytes_of_project.add(self._project, -self._bytes)
