"""A socket client for tests: the same few words whether the gateway is in this process or behind a port."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Protocol

import websockets
from websockets.asyncio.client import ClientConnection

from realtime.consumer import Gateway
from realtime.openrpc import errors_of
from realtime.registry import METHODS
from realtime.runtime import Runtime

TIMEOUT_S = 20.0
TAKES_MEDIA = {"client": {"capabilities": ["media"]}}
"""Params of a login."""
ACK_BYTES = 64 * 1024

Json = dict[str, Any]


class CallFailed(Exception):
    """An error reply."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.name: str = error["data"]["name"]
        self.data: Json = error["data"]


def require_declared(method: str, error: str) -> None:
    """AssertionError when the documents do not say that a method may answer with this error."""
    declared = METHODS.get(method)
    assert declared is None or error in {kind.name for kind in errors_of(declared)}, f"{method}: {error}"


class Closed(Exception):
    """The server closed the socket."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Transport(Protocol):
    async def send(self, text: str) -> None: ...

    async def receive(self) -> str:
        """The next text frame; raises Closed."""

    async def close(self) -> None: ...


class Client:
    """`call` for an answer, `expect` for a push, `expect_nothing` for the absence of one.

    Pushes are kept in order. The client acknowledges bytes, and what comes into its inbox, like an SDK, unless told
    not to.
    """

    def __init__(self, transport: Transport, *, acknowledges: bool = True, reads_inbox: bool = True) -> None:
        self._transport = transport
        self._acknowledges = acknowledges
        self.reads_inbox = reads_inbox
        self._ids = count(1)
        self._answers: dict[Any, asyncio.Future[Any]] = {}
        self.pushes: asyncio.Queue[Json | Closed] = asyncio.Queue()
        self.frames: list[str] = []
        self.received = 0
        self._acknowledged = 0
        self.closed: Closed | None = None
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                text = await self._transport.receive()
            except Closed as closed:
                self.closed = closed
                self.pushes.put_nowait(closed)
                for future in self._answers.values():
                    if not future.done():
                        future.set_exception(closed)
                return
            self.frames.append(text)
            self.received += len(text.encode())
            if self._acknowledges and self.received - self._acknowledged > ACK_BYTES:
                self._acknowledged = self.received
                await self.notify("session.ack", received=self.received)
            frame = json.loads(text)
            messages = frame if isinstance(frame, list) else [frame]
            for message in messages:
                self._sort(message)
            await self._acknowledge_inbox([message["params"] for message in messages if "method" in message])

    def _sort(self, message: Json) -> None:
        if "method" in message:
            self.pushes.put_nowait(message)
            return
        future = self._answers.pop(message["id"], None)
        if future is not None and not future.done():
            if "error" in message:
                future.set_exception(CallFailed(message["error"]))
            else:
                future.set_result(message["result"])
        elif message["id"] is None:
            self.pushes.put_nowait(message)

    async def send_text(self, text: str) -> None:
        await self._transport.send(text)

    async def notify(self, method: str, **params: Any) -> None:
        await self.send_text(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    async def start(self, method: str, **params: Any) -> "asyncio.Future[Any]":
        """Sends a request; the future is its answer."""
        return await self.start_text(method, json.dumps(params))

    async def start_text(self, method: str, params: str) -> "asyncio.Future[Any]":
        """The same with params that are JSON text already."""
        request_id = next(self._ids)
        future = self._answers[request_id] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        await self.send_text(f'{{"jsonrpc":"2.0","id":{request_id},"method":"{method}","params":{params}}}')
        return future

    async def call(self, method: str, **params: Any) -> Any:
        """The result; raises CallFailed or Closed. An error that the method does not declare is no answer."""
        try:
            return await asyncio.wait_for(await self.start(method, **params), TIMEOUT_S)
        except CallFailed as failure:
            require_declared(method, failure.name)
            raise

    async def _acknowledge_inbox(self, entries: Sequence[Json]) -> None:
        seqs = [entry["seq"] for entry in entries if entry.get("stream", "").startswith("inbox:") and "seq" in entry]
        if self.reads_inbox and seqs:
            await self.notify("inbox.ack", seq=max(seqs))

    async def login(self, app: str, uid: str, **params: Any) -> Any:
        answer = await self.call("session.login", app=app, uid=uid, **params)
        await self._acknowledge_inbox(answer["inbox"]["entries"])
        return answer

    async def start_send_to(self, peer: str, text: str, message_id: str, **params: Any) -> "asyncio.Future[Any]":
        """Sends a text message to a user; the future is the answer."""
        message = {"type": "TEXT", "text": text}
        return await self.start("peer.send", peer=peer, message_id=message_id, message=message, **params)

    async def send_to(self, peer: str, text: str, message_id: str, **params: Any) -> bool:
        """The same; whether it was received."""
        answer = await asyncio.wait_for(await self.start_send_to(peer, text, message_id, **params), TIMEOUT_S)
        received: bool = answer["received"]
        return received

    async def send(self, room: str, text: str, message_id: str) -> Any:
        """Sends a text message to a room."""
        message = {"type": "TEXT", "text": text}
        return await self.call("room.send", room=room, message_id=message_id, message=message)

    async def next_push(self) -> Json:
        push = await asyncio.wait_for(self.pushes.get(), TIMEOUT_S)
        if isinstance(push, Closed):
            self.pushes.put_nowait(push)
            raise push
        return push

    async def expect(self, method: str) -> Json:
        """The params of the next push of this method; others before it are passed over."""
        while True:
            push = await self.next_push()
            if push.get("method") == method:
                params: Json = push["params"]
                return params

    async def expect_nothing(self, method: str) -> None:
        """Proved by a ping whose answer comes after whatever was on its way."""
        await self.call("session.ping")
        kept = []
        while not self.pushes.empty():
            push = self.pushes.get_nowait()
            assert isinstance(push, Closed) or push.get("method") != method, push
            kept.append(push)
        for push in kept:
            self.pushes.put_nowait(push)

    async def expect_close(self) -> int:
        """Waits for the server to close; its code."""
        while True:
            try:
                await self.next_push()
            except Closed as closed:
                return closed.code

    async def close(self) -> None:
        await self._transport.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    def texts(self) -> list[str]:
        """The texts of the messages, of rooms and of peers, that have arrived and not been taken."""
        found = []
        while not self.pushes.empty():
            push = self.pushes.get_nowait()
            if not isinstance(push, Closed) and push.get("method") in ("room.sent", "peer.sent"):
                body = push["params"]["body"]
                found.append(body.get("message", body)["text"])
        return found


class InProcess:
    """The gateway called as an ASGI application, without a network. `stalled`: sends do not return."""

    def __init__(self, runtime: Runtime, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self._to_app: asyncio.Queue[Json] = asyncio.Queue()
        self._from_app: asyncio.Queue[Json] = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.to_app_size = self._to_app.qsize
        scope: Json = {"type": "websocket", "path": "/rtm/ws", "headers": headers or [], "extensions": {}}
        self._to_app.put_nowait({"type": "websocket.connect"})
        gateway: Any = Gateway.as_asgi(runtime=runtime)
        self.task = asyncio.create_task(gateway(scope, self._to_app.get, self._take))

    async def _take(self, message: Json) -> None:
        if not self.writable.is_set():
            await self.writable.wait()
        self._from_app.put_nowait(message)
        if message["type"] == "websocket.close":
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    async def send(self, text: str) -> None:
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(self) -> str:
        while True:
            message = await self._from_app.get()
            if message["type"] == "websocket.send":
                text: str = message["text"]
                return text
            if message["type"] == "websocket.close":
                raise Closed(message["code"])

    async def close(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self._from_app.put_nowait({"type": "websocket.close", "code": 1006})
        await asyncio.gather(self.task, return_exceptions=True)


class Network:
    """A real socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except websockets.ConnectionClosed:
            return  # the reader tells

    async def receive(self) -> str:
        try:
            return str(await self._socket.recv())
        except websockets.ConnectionClosed as closed:
            raise Closed(closed.rcvd.code if closed.rcvd is not None else 1006) from None

    async def close(self) -> None:
        await self._socket.close()

    def cut(self) -> None:
        """Drops the connection without a goodbye."""
        self._socket.transport.abort()


async def connect(port: int) -> Client:
    socket = await websockets.connect(
        f"ws://127.0.0.1:{port}/rtm/ws", max_size=None, compression=None, ping_interval=None
    )
    return Client(Network(socket))


@asynccontextmanager
async def connected(runtime: Runtime, *clients: str) -> AsyncIterator[list[Client]]:
    """Clients in this process, one for each name, not logged in; closed at the end."""
    opened = [Client(InProcess(runtime)) for _ in clients]
    try:
        yield opened
    finally:
        for client in opened:
            await client.close()
