"""One client's socket: sending without waiting, back-pressure, and giving up on a reader that is stuck."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

from projects.limits import Rate
from realtime.close_codes import SLOW_CONSUMER, CloseCode
from realtime.frames import Chunk, Frame, join_frames
from realtime.protocol import notification_text
from realtime.rates import Bucket

if TYPE_CHECKING:
    from realtime.calls import PendingCall
    from realtime.session import Session

UNACKNOWLEDGED_LIMIT: Final = 1024 * 1024
"""Bytes sent that the client has not acknowledged: above it, it is a slow consumer. What waits in this process for a
transport that is full counts as not acknowledged, whatever the client says."""
ACK_BYTES: Final = 256 * 1024
"""A client acknowledges each time so many bytes more have arrived."""
CLOSE_TIMEOUT_S: Final = 5.0
ERROR_RATE: Final = Rate(1_000, 10_000)
"""Error replies to one connection; above it the connection is closed."""

Send = Callable[[Any], Awaitable[None]]


class _Rest:
    """Awaits what is left of an awaitable that was stepped by hand until it first suspended."""

    __slots__ = ("_steps", "_yielded")

    def __init__(self, steps: Iterator[Any], yielded: Any) -> None:
        self._steps = steps
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, None]:
        yielded = self._yielded
        while True:
            try:
                yield yielded
            except BaseException as error:
                throw = getattr(self._steps, "throw", None)
                if throw is None:
                    raise
                try:
                    yielded = throw(error)
                except StopIteration:
                    return
            else:
                try:
                    yielded = next(self._steps)
                except StopIteration:
                    return


class Connection:
    """What the gateway knows of one socket.

    `out` and `shared` collect what the next pump of the fan-out sends: either one chunk that many share,
    or texts of its own. Sizes are UTF-8 bytes of frame payloads, times seconds of the loop's clock.
    """

    __slots__ = (
        "__weakref__",
        "_abort",
        "_backlog",
        "_drain",
        "_loop",
        "_send",
        "_waiting",
        "_write",
        "acked",
        "capacity",
        "closed",
        "connected_s",
        "errors",
        "on_closed",
        "origin",
        "out",
        "paused",
        "queue",
        "seen_s",
        "sent",
        "session",
        "shared",
        "task",
        "work",
        "work_bytes",
        "worker",
    )

    def __init__(
        self,
        send: Send,
        loop: asyncio.AbstractEventLoop,
        *,
        write: Callable[[bytes], bool] | None = None,
        abort: Callable[[], None] | None = None,
        origin: str | None = None,
    ) -> None:
        self._send = send
        self._write = write
        self._abort = abort
        self._loop = loop
        self._backlog: list[Frame] = []
        self._waiting = 0
        self._drain: asyncio.Task[None] | None = None
        self.origin = origin
        self.connected_s = self.seen_s = loop.time()
        self.session: Session | None = None
        self.out: list[str] | None = None
        self.shared: Chunk | None = None
        self.sent = 0
        self.acked = 0
        self.closed: CloseCode | None = None
        self.on_closed: Callable[[Connection], None] | None = None
        self.work = 0
        self.work_bytes = 0
        self.paused = False
        self.capacity: asyncio.Future[None] | None = None
        self.queue: deque[PendingCall] = deque()
        self.worker: asyncio.Task[None] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.errors: Bucket | None = None

    def push(self, frame: Frame) -> None:
        """Sends without waiting: a send that suspends is finished by a task, what follows queues behind."""
        if self.closed is not None:
            return
        sent = self.sent = self.sent + frame.size
        if sent - self.acked > UNACKNOWLEDGED_LIMIT:
            self.give_up(SLOW_CONSUMER)
            return
        if self._drain is not None:
            self._waiting += frame.size
            self._backlog.append(frame)
            return
        write = self._write
        if write is not None and write(frame.wire):
            return
        steps = self._send(frame.message).__await__()
        try:
            yielded = next(steps)
        except StopIteration:
            return
        except Exception:  # the socket is gone; its disconnect is on the way
            return
        self._waiting = frame.size
        self._drain = self._loop.create_task(self._finish(_Rest(steps, yielded), frame.size))

    async def _finish(self, rest: _Rest, size: int) -> None:
        try:
            await rest
            self._waiting -= size
            while self._backlog:
                backlog, self._backlog = self._backlog, []
                for frame in backlog:
                    await self._send(frame.message)
                    self._waiting -= frame.size
        except Exception:  # as above
            self._backlog = []
        finally:
            self._drain = None
            self._waiting = 0

    @property
    def is_behind(self) -> bool:
        """Whether something waits in this process for a transport that is full."""
        return self._drain is not None and not self._drain.done()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Called when nothing waits any more, or the connection is given up; at once if that is so."""
        if self._drain is None or self._drain.done():
            callback()
        else:
            self._drain.add_done_callback(lambda _drain: callback())

    async def drained(self) -> None:
        """Until nothing waits in this process."""
        while self._drain is not None and not self._drain.done():
            await asyncio.wait([self._drain])

    def acknowledge(self, received: int) -> None:
        """The client says that it has read `received` bytes in all. It cannot have read what has not left here."""
        if self.acked < received:
            self.acked = max(self.acked, min(received, self.sent - self._waiting))

    def close(self, code: CloseCode, *, delay_ms: int = 0) -> None:
        """Sends what is pending and a last `session.closing`, then closes; bounded in time."""
        if self.closed is not None:
            return
        pending = self.take_pending()
        closing = {"code": code.code, "name": code.name, "reconnect": code.reconnect, "delay_ms": delay_ms}
        pending += join_frames([notification_text("session.closing", closing)])
        for frame in pending:
            self.push(frame)
        if self.closed is None:
            self._mark_closed(code)
            self.task_set(self._close(code))

    def task_set(self, coroutine: Any) -> None:
        """Keeps a reference, so that the closing task lives until it is done."""
        task = self._loop.create_task(coroutine)
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    def take_pending(self) -> list[Frame]:
        """What the fan-out has collected for this connection and not sent yet."""
        chunk, self.shared = self.shared, None
        texts, self.out = self.out, None
        if chunk is not None:
            return [chunk.frame]
        return join_frames(texts) if texts else []

    def give_up(self, code: CloseCode) -> None:
        """For a reader that is stuck: sends nothing more and drops the transport."""
        if self.closed is not None:
            return
        self._mark_closed(code)
        self._backlog = []
        if self._drain is not None:
            self._drain.cancel()
        if self._abort is not None:
            self._loop.call_soon(self._abort)
        else:
            self.task_set(self._close(code))

    def _mark_closed(self, code: CloseCode) -> None:
        self.closed = code
        self.shared = self.out = None
        if self.on_closed is not None:
            self._loop.call_soon(self.on_closed, self)
        self.resume_reading()

    async def _close(self, code: CloseCode) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self._drain is not None:
                    await asyncio.wait([self._drain])
                await self._send({"type": "websocket.close", "code": code.code, "reason": code.name})
        except TimeoutError:
            if self._abort is not None:
                self._abort()
            elif self.task is not None:
                self.task.cancel()
        except Exception:  # the socket is gone
            return

    def begin_work(self, size: int) -> None:
        self.work += 1
        self.work_bytes += size

    def end_work(self, size: int) -> None:
        self.work -= 1
        self.work_bytes -= size

    def resume_reading(self) -> None:
        capacity, self.capacity = self.capacity, None
        if capacity is not None and not capacity.done():
            capacity.set_result(None)

    def count_error(self) -> bool:
        """Spends one error reply; False when there were too many."""
        now_s = self._loop.time()
        if self.errors is None:
            self.errors = Bucket(ERROR_RATE, now_s)
        return self.errors.spend(now_s)


_closing: set[asyncio.Task[None]] = set()
