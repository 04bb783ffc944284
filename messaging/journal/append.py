from typing import TYPE_CHECKING

from realtime.errors import INVALID_PARAMS, RpcError
from realtime.frames import utf8_size
from realtime.redaction import TOMBSTONE
from realtime.streams import StreamKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from messaging.media.uses import FilePost
    from realtime.calls import Call
    from realtime.streams import Run


class Append:
    """One entry to be appended, and what became of it: `seq` and `ts` (ms), or `error`.

    `duplicate`: the sender has used the message id before; `seq` and `ts` are the first answer. `expires_s`
    (monotonic clock): after it nobody waits for the answer, so it is not written any more. `run`: what it is written
    with in order, or not at all. `of_server`: the project's own server writes it, in the sender's name. `file`: what is
    to be found out first; the body is made of that (`messaging.preparing`), and then it is None.
    """

    __slots__ = (
        "body",
        "call",
        "done",
        "duplicate",
        "error",
        "event",
        "expires_s",
        "file",
        "flags",
        "json_sender",
        "key",
        "message_id",
        "of_server",
        "run",
        "sender",
        "seq",
        "size",
        "stream_id",
        "ts",
    )

    def __init__(
        self,
        *,
        key: StreamKey,
        event: str,
        sender: str,
        json_sender: str,
        message_id: str,
        body: str,
        expires_s: float,
        flags: int = 0,
        call: "Call | None" = None,
        done: "Callable[[Append], None] | None" = None,
        run: "Run | None" = None,
        of_server: bool = False,
        file: "FilePost | None" = None,
    ) -> None:
        self.key = key
        self.stream_id = 0
        self.event = event
        self.sender = sender
        self.json_sender = json_sender
        self.message_id = message_id
        self.body = body
        self.size = utf8_size(body)
        self.expires_s = expires_s
        self.flags = flags
        self.call = call
        self.done = done
        self.run = run
        self.of_server = of_server
        self.file = file
        self.seq = 0
        self.ts = 0
        self.duplicate = False
        self.error: RpcError | None = None

    @property
    def creator(self) -> str | None:
        """Whose the stream is if this is its first entry; None: the project's server's."""
        return None if self.of_server else self.sender

    def fill(self, body: str) -> None:
        """What had to be found out is known."""
        self.body = body
        self.size = utf8_size(body)
        self.file = None

    def repeat(self, seq: int, ts: int, event: str) -> None:
        """The sender has used the message id before, for this entry: so it is answered as that was."""
        self.duplicate = True
        self.seq, self.ts = seq, ts
        if event not in (self.event, TOMBSTONE):
            self.error = RpcError(INVALID_PARAMS, "message_id was used for something else in this stream.")

    def fail(self, error: RpcError) -> None:
        """It is not written, or nobody knows. If it may come again, what follows it in its run waits for that."""
        self.error = error
        if self.run is not None and error.kind.retryable:
            self.run.is_broken = True
