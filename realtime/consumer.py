"""The one consumer. It reads frames, finds the method and hands over; it knows no feature.

Channels' own dispatch makes a task and a thread hop per message, which costs half the throughput, so the
consumer has its own receive loop. It joins no channel-layer group: the hub does the fan-out.
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
from channels.consumer import AsyncConsumer

from realtime import runtime as runtimes
from realtime.calls import Call, PendingCall
from realtime.close_codes import FRAME_TOO_BIG, OVERLOADED, PROTOCOL_ERROR, SERVER_RESTART
from realtime.connection import Connection
from realtime.errors import (
    INTERNAL,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_LOGGED_IN,
    PARSE_ERROR,
    RpcError,
)
from realtime.protocol import MAX_BATCH, MAX_FRAME_BYTES, Request, decode_batch, decode_request
from realtime.registry import DEFERRED, METHODS, Deferred, Method
from realtime.runtime import Runtime

logger = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 50_000


class Gateway(AsyncConsumer):
    """`/rtm/ws`: one instance per socket."""

    channel_layer_alias = "none"

    def __init__(self, runtime: Runtime | None = None) -> None:
        """`runtime`: the one to serve for; by default the process's own, started if need be."""
        self.runtime = runtime

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        runtime = self.runtime if self.runtime is not None else await runtimes.started()
        self.scope = scope
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        if runtime.draining or len(runtime.sessions.connections) >= MAX_CONNECTIONS:
            # Only after the handshake: a refused one tells a browser nothing.
            code = SERVER_RESTART if runtime.draining else OVERLOADED
            await send({"type": "websocket.close", "code": code.code, "reason": code.name})
            return
        extension = (scope.get("extensions") or {}).get("rostrum.frame") or {}
        connection = Connection(
            send,
            runtime.loop,
            write=extension.get("write"),
            abort=extension.get("abort"),
            origin=_origin(scope),
        )
        connection.task = asyncio.current_task()
        runtime.sessions.opened(connection)
        try:
            await self._read(runtime, connection, receive)
        except asyncio.CancelledError:
            if connection.closed is None:
                raise
        finally:
            while connection.queue:
                connection.queue.popleft().call.abandon()
            runtime.sessions.lose(connection)

    async def _read(self, runtime: Runtime, connection: Connection, receive: Any) -> None:
        """The receive loop: until the socket is closed, by whichever side."""
        time = runtime.loop.time
        allows = runtime.pressure.allows
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            if connection.closed is not None or runtime.draining:
                continue  # not answered, so the client sends it again elsewhere
            connection.seen_s = time()
            session = connection.session
            if session is not None and session.gone:
                runtime.silence.end(session)
            text = message.get("text")
            if text is None:
                connection.close(PROTOCOL_ERROR)  # binary frames have no meaning here
            elif len(text) > MAX_FRAME_BYTES:
                connection.close(FRAME_TOO_BIG)
            else:
                receive_frame(runtime, connection, text)
                if connection.work and not allows(connection):
                    await _wait_for_room(runtime, connection)


def _origin(scope: Any) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == b"origin":
            return str(value, "latin-1")
    return None


async def _wait_for_room(runtime: Runtime, connection: Connection) -> None:
    """Reading stops while too much is in work; the connection counts as alive and gets heartbeats."""
    connection.paused = True
    try:
        while connection.closed is None and not runtime.pressure.allows(connection):
            connection.capacity = runtime.loop.create_future()
            await connection.capacity
    finally:
        connection.paused = False


def receive_frame(runtime: Runtime, connection: Connection, text: str) -> None:
    """A frame: one request or a batch of them. Nothing in it closes the socket, save too many errors."""
    if text[:1] != "[":
        _receive_request(runtime, connection, text, len(text))
        return
    try:
        batch = decode_batch(text)
    except (msgspec.DecodeError, RecursionError):
        _refuse(runtime, connection, RpcError(PARSE_ERROR))
        return
    if not 0 < len(batch) <= MAX_BATCH:
        _refuse(runtime, connection, RpcError(INVALID_REQUEST, f"A batch has 1 to {MAX_BATCH} requests."))
        return
    for raw in batch:
        if connection.closed is not None:
            return
        _receive_request(runtime, connection, raw, len(memoryview(raw)))


def _refuse(runtime: Runtime, connection: Connection, error: RpcError) -> None:
    """Answers what is no request, so that its id is unknown."""
    Call(runtime, connection, None, True, 0).fail(error)
    _count_error(connection)


def _count_error(connection: Connection) -> None:
    if not connection.count_error():
        connection.close(PROTOCOL_ERROR)


def _receive_request(runtime: Runtime, connection: Connection, raw: str | msgspec.Raw, size: int) -> None:
    try:
        request = decode_request(raw)
    except msgspec.ValidationError as error:
        _refuse(runtime, connection, RpcError(INVALID_REQUEST, str(error)[:200]))
        return
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse(runtime, connection, RpcError(PARSE_ERROR, str(error)[:200]))
        return
    request_id = request.id
    if request_id is msgspec.UNSET:
        call = Call(runtime, connection, None, False, size)
    else:
        call = Call(runtime, connection, request_id, True, size)
    _run(call, request)


def _run(call: Call, request: Request) -> None:
    """Checks, spends the rate bucket, decodes and calls."""
    method = METHODS.get(request.method)
    try:
        if method is None:
            raise RpcError(METHOD_NOT_FOUND)
        session = call.session
        if session is None:
            # A pipelined call waits for the login before it.
            if method.needs_session and call.connection.worker is None:
                raise RpcError(NOT_LOGGED_IN)
        elif method.rate is not None:
            session.buckets.spend(method.rate, call.runtime.loop.time())
        params = method.decode(request.params)
        if method.is_async or (method.needs_session and (session is None or _is_behind(call.connection))):
            _queue(call, method, params)
            return
        answer = method.handler(call, params)
    except Exception as error:
        _fail(call, request.method, error)
    else:
        if answer is not DEFERRED:
            assert isinstance(answer, msgspec.Struct)
            call.reply(answer)


def _is_behind(connection: Connection) -> bool:
    """Whether calls that were sent before the login was answered still wait: nothing overtakes them."""
    return bool(connection.queue) and any(pending.call.session is None for pending in connection.queue)


def answer_later(call: Call, method: str, answer: Coroutine[Any, Any, msgspec.Struct]) -> Deferred:
    """Answers when the coroutine has ended. It holds up no other call of the connection."""
    call.defer()
    call.runtime.hub.spawn(_answer_with(call, method, answer))
    return DEFERRED


async def _answer_with(call: Call, method: str, answer: Coroutine[Any, Any, msgspec.Struct]) -> None:
    try:
        call.reply(await answer)
    except Exception as error:
        _fail(call, method, error)


def _fail(call: Call, method: str, error: Exception) -> None:
    """Answers with the error. A defect is logged under an id that the reply carries; the socket stays open."""
    match error:
        case RpcError():
            known = error
        case msgspec.ValidationError() | RecursionError():
            known = RpcError(INVALID_PARAMS, str(error)[:300])
        case msgspec.DecodeError():
            known = RpcError(PARSE_ERROR, str(error)[:300])
        case _:
            incident = secrets.token_hex(6)
            logger.error("incident %s in %s", incident, method, exc_info=error)
            call.fail(RpcError(INTERNAL, incident=incident))
            return
    call.fail(known)
    _count_error(call.connection)


def _queue(call: Call, method: Method, params: msgspec.Struct) -> None:
    """Asynchronous methods of one connection run one after the other, in the order they came."""
    connection = call.connection
    call.defer()
    connection.queue.append(PendingCall(call, method, params))
    if connection.worker is None:
        connection.worker = call.runtime.hub.spawn(_work(connection))


async def _work(connection: Connection) -> None:
    try:
        while connection.queue:
            call, method, params = connection.queue.popleft()
            await _answer(call, method, params)
    finally:
        connection.worker = None


async def _answer(call: Call, method: Method, params: msgspec.Struct) -> None:
    try:
        if call.session is None and method.needs_session:
            call.session = call.logged_in()
            if method.rate is not None:
                call.session.buckets.spend(method.rate, call.runtime.loop.time())
        answer = method.handler(call, params)
        if not isinstance(answer, msgspec.Struct | Deferred):
            answer = await answer
    except Exception as error:
        _fail(call, method.name, error)
    else:
        if answer is not DEFERRED:
            assert isinstance(answer, msgspec.Struct)
            call.reply(answer)
