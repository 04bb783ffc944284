"""Back-pressure: how much unanswered work a connection and the process may have before reading stops."""

from typing import Final

from realtime.connection import Connection
from realtime.errors import OVERLOADED, RpcError

CONNECTION_REQUESTS: Final = 64
CONNECTION_BYTES: Final = 256 * 1024
PROCESS_BYTES: Final = 64 * 1024 * 1024


def overloaded() -> RpcError:
    """For what is refused before it has done anything, and may be tried again soon."""
    return RpcError(OVERLOADED, retry_after_ms=1_000)


class Pressure:
    """Bytes of requests in work. A connection above its share, or any while the process is above its
    budget, is not read until there is room; it still counts as alive."""

    def __init__(self) -> None:
        self.bytes = 0
        self._waiting: dict[Connection, None] = {}

    def begin(self, size: int) -> None:
        self.bytes += size

    def end(self, size: int) -> None:
        was_full = self.bytes >= PROCESS_BYTES
        self.bytes -= size
        if was_full and self.bytes < PROCESS_BYTES:
            waiting, self._waiting = self._waiting, {}
            for connection in waiting:
                if self.allows(connection):
                    connection.resume_reading()

    def allows(self, connection: Connection) -> bool:
        """Whether another request of this connection may be read."""
        if self.bytes >= PROCESS_BYTES:
            self._waiting[connection] = None
            return False
        return connection.work < CONNECTION_REQUESTS and connection.work_bytes < CONNECTION_BYTES
