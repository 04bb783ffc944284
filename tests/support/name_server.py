"""A name server that knows this machine, and answers nothing about hosts named `silent...`."""

import threading
from typing import Final

WAIT_S: Final = 10.0


class NameServer:
    """`resolve` is for `activity.lookups.Lookups`. `is_gone`: nobody is known, and that at once."""

    def __init__(self) -> None:
        self.is_gone = False
        self.asked = 0
        self.waiting = 0
        self._lock = threading.Lock()
        self._released = threading.Event()

    def resolve(self, host: str) -> list[str]:
        """Blocks for a silent host until `release`; then there is none of that name."""
        with self._lock:
            self.asked += 1
        if self.is_gone:
            raise OSError(f"no address for {host}")
        if not host.startswith("silent"):
            return [host]
        with self._lock:
            self.waiting += 1
        self._released.wait(WAIT_S)
        with self._lock:
            self.waiting -= 1
        raise OSError(f"no answer about {host}")

    def release(self) -> None:
        self._released.set()
