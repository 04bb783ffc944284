"""One request on its way: from the envelope to its reply."""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from realtime.connection import Connection
from realtime.errors import NOT_LOGGED_IN, RpcError
from realtime.protocol import RequestId, encode, failure_text, result_text
from realtime.registry import Method

if TYPE_CHECKING:
    from realtime.runtime import Runtime
    from realtime.session import Session


class Call:
    """A request's context. A reply leaves with what else is ready for its connection.

    A call that is not answered in its own turn of the loop is `deferred`: it counts as the connection's work
    until `reply_text` or `fail`.
    """

    __slots__ = ("connection", "deferred", "request_id", "runtime", "session", "size", "wants_reply")

    def __init__(
        self, runtime: "Runtime", connection: Connection, request_id: RequestId, wants_reply: bool, size: int
    ) -> None:
        self.runtime = runtime
        self.connection = connection
        self.session = connection.session
        self.request_id = request_id
        self.wants_reply = wants_reply
        self.size = size
        self.deferred = False

    def logged_in(self) -> "Session":
        """The caller's session; RpcError `not_logged_in` if it has none (any more)."""
        session = self.connection.session
        if session is None:
            raise RpcError(NOT_LOGGED_IN)
        return session

    def defer(self) -> None:
        """The answer comes later. A queued call of a method that defers as well counts once."""
        if self.deferred:
            return
        self.deferred = True
        self.connection.begin_work(self.size)
        self.runtime.pressure.begin(self.size)

    def reply(self, result: msgspec.Struct) -> None:
        self.reply_text(encode(result))

    def reply_text(self, result: str) -> None:
        """Answers with JSON text."""
        if self.wants_reply:
            self._send(result_text(self.request_id, result))
        if self.deferred:
            self._done()

    def fail(self, error: RpcError) -> None:
        """Answers with an error."""
        if self.wants_reply:
            self._send(failure_text(self.request_id, error))
        if self.deferred:
            self._done()

    def let_go(self) -> None:
        """What was asked is committed, and the answer waits for somebody else: the call holds none of the bytes any
        more that it came with. It still counts as one of the connection's."""
        if self.deferred:
            self.connection.work_bytes -= self.size
            self.runtime.pressure.end(self.size)
            self.size = 0
            self._resume()

    def abandon(self) -> None:
        """Its connection is gone before it was begun: it counts no more."""
        if self.deferred:
            self._done()

    def _send(self, text: str) -> None:
        if self.connection.closed is None:
            self.runtime.hub.fanout.enqueue(self.connection, text)

    def _done(self) -> None:
        self.deferred = False
        self.connection.end_work(self.size)
        self.runtime.pressure.end(self.size)
        self._resume()

    def _resume(self) -> None:
        if self.connection.capacity is not None and self.runtime.pressure.allows(self.connection):
            self.connection.resume_reading()


class PendingCall(NamedTuple):
    """A call of an asynchronous method that waits for the connection's earlier ones."""

    call: Call
    method: Method
    params: msgspec.Struct
