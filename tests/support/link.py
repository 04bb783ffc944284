"""One socket of a resuming client: requests and answers, heartbeats, the watchdog, byte acknowledgements.

Answers and pushes are handed on synchronously, in the order they came. A link ends once; who reconnects is
`tests.support.resuming`.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

OPEN_TIMEOUT_S = 8.0
SILENCE_S = 4.0
"""Without a frame for so long the connection is given up (docs/contract.md 6)."""
LOOK_S = 0.25
LATE_S = 1.0
"""A watchdog that comes so late was kept from running: what the server sent meanwhile is still to be read."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no result. `name` as in the server's table, or "connection_lost"; `data` as it came."""

    name: str
    retryable: bool
    retry_after_s: float | None = None
    detail: str = ""
    data: Json = field(default_factory=dict)


LOST = Failure("connection_lost", retryable=True)


class Refused(Exception):
    """An error reply that will not change by asking again."""

    def __init__(self, method: str, failure: Failure) -> None:
        super().__init__(f"{method}: {failure.name}: {failure.detail}")
        self.name = failure.name
        self.data = failure.data


Settle = Callable[[Failure | None, Json], None]
"""Called once: with a failure, or with None and the result."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a link ended. `delay_s`: the server asks to stay away for so long. `notice`: its last words."""

    code: int
    notice: Json | None

    @property
    def delay_s(self) -> float | None:
        return None if self.notice is None else self.notice["delay_ms"] / 1000 or None


async def open_socket(port: int) -> ClientConnection:
    """Raises OSError, TimeoutError or websockets' exceptions."""
    return await websockets.connect(
        f"ws://127.0.0.1:{port}/rtm/ws",
        max_size=None,
        max_queue=None,
        compression=None,
        ping_interval=None,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=1,
    )


class Link:
    def __init__(self, socket: ClientConnection, pushed: Callable[[str, Json], None]) -> None:
        self._socket = socket
        self._pushed = pushed
        self._clock = asyncio.get_running_loop().time
        self._ids = count(1)
        self._pending: dict[int, Settle] = {}
        self._out: asyncio.Queue[str] = asyncio.Queue()
        self._heartbeat_s = 0.0
        self._ack_bytes = 1 << 60
        self._received = self._acknowledged = 0
        self._sent_s = self._heard_s = self._clock()
        self._notice: Json | None = None
        self._abandoned = asyncio.Event()
        self.ended = asyncio.Event()

    def start(self, heartbeat_s: float, ack_bytes: int) -> None:
        """After the login, with what its answer says."""
        self._heartbeat_s = heartbeat_s
        self._ack_bytes = ack_bytes
        self._heard_s = self._clock()

    def request(self, method: str, params: Json, settle: Settle) -> None:
        if self.ended.is_set():
            settle(LOST, {})
            return
        request_id = next(self._ids)
        self._pending[request_id] = settle
        self._send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    def notify(self, method: str, params: Json) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: Json) -> None:
        self._sent_s = self._clock()
        self._out.put_nowait(json.dumps(message))

    async def run(self) -> Ending:
        """Until the socket is closed, by whichever side, or abandoned. Then all calls under way have failed."""
        tasks = [asyncio.create_task(work()) for work in (self._read, self._write, self._watch, self._abandoned.wait)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.ended.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self._abandoned.is_set():
                self.cut()
            pending, self._pending = self._pending, {}
            for settle in pending.values():
                settle(LOST, {})
        code = self._socket.close_code
        return Ending(code if code is not None else 1006, self._notice)

    def cut(self) -> None:
        """Drops the connection without a goodbye."""
        self._socket.transport.abort()

    def abandon(self) -> None:
        """Lets go of the socket and leaves it open: the server hears no end and no more."""
        self._abandoned.set()

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                frame = await self._socket.recv(decode=False)
                self._heard_s = self._clock()
                self._received += len(frame)
                message = json.loads(frame)
                for part in message if isinstance(message, list) else [message]:
                    self._take(part)
                if self._received - self._acknowledged >= self._ack_bytes:
                    self._acknowledged = self._received
                    self.notify("session.ack", {"received": self._received})

    def _take(self, message: Json) -> None:
        method = message.get("method")
        if method == "session.closing":
            self._notice = message["params"]
        elif method is not None:
            if method != "session.alive":
                self._pushed(method, message["params"])
        elif (settle := self._pending.pop(message["id"], None)) is not None:
            if "error" in message:
                settle(_failure(message["error"]), {})
            else:
                settle(None, message["result"])

    async def _write(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await self._socket.send(await self._out.get())
        await asyncio.get_running_loop().create_future()  # the reader has what came before the end

    async def _watch(self) -> None:
        """Heartbeats after silence of our own; returns after too long a silence of the server."""
        while True:
            due_s = self._clock() + LOOK_S
            await asyncio.sleep(LOOK_S)
            now_s = self._clock()
            if not self._heartbeat_s:
                if now_s - self._heard_s > 3 * SILENCE_S:
                    return
                continue
            if now_s - due_s > LATE_S:
                self._heard_s = now_s
            if now_s - self._sent_s >= self._heartbeat_s:
                self._acknowledged = self._received
                self.request("session.ping", {"received": self._received}, lambda _failure, _result: None)
            if now_s - self._heard_s >= SILENCE_S:
                return


def _failure(error: Json) -> Failure:
    data = error["data"]
    after_ms = data.get("retry_after_ms")
    return Failure(data["name"], data["retryable"], after_ms and after_ms / 1000, error["message"], data)
