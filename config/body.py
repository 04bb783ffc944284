"""What a request may bring along: bodies are bounded in size and in time before Django reads them.

Django takes in a whole body before it knows for which view, and puts what is large on the disk. Addresses that take
more than others have bounds of their own (`realtime/server/bodies.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, Scope

from realtime.server import MAX_BODY_BYTES, REQUEST_S
from realtime.server.bodies import BodyBound, own_bound

REASONS = {408: b"The request took too long.\n", 413: b"The request is too large.\n"}


class BodyRefused(Exception):
    """A body is too large (413) or too slow (408)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BoundedBody:
    """A request's `receive`: raises BodyRefused above the bound's bytes, or when the end has not come in its time."""

    def __init__(self, receive: ASGIReceiveCallable, bound: BodyBound) -> None:
        self._receive = receive
        self._size = 0
        self._max_bytes = bound.max_bytes
        self._ends_s: float | None = asyncio.get_running_loop().time() + bound.seconds

    async def receive(self) -> ASGIReceiveEvent:
        try:
            async with asyncio.timeout_at(self._ends_s):
                message = await self._receive()
        except TimeoutError:
            raise BodyRefused(408) from None
        if message["type"] == "http.request":
            self._size += len(message["body"])
            if self._size > self._max_bytes:
                raise BodyRefused(413)
            if not message["more_body"]:
                self._ends_s = None  # what may come now is the news that the client has gone
        return message


def declared_size(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """What `content-length` says; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), 0)


def with_bounded_body(application: Callable[..., Awaitable[None]]) -> ASGI3Application:
    """The HTTP application, which must read the body before it answers."""

    async def bounded(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        bound = own_bound(scope["path"], scope["query_string"]) or BodyBound(MAX_BODY_BYTES, REQUEST_S)
        try:
            if declared_size(scope["headers"]) > bound.max_bytes:
                raise BodyRefused(413)
            await application(scope, BoundedBody(receive, bound).receive, send)
        except BodyRefused as refused:
            await _answer(send, refused.status)

    return bounded


async def _answer(send: ASGISendCallable, status: int) -> None:
    """Ends the request. The server closes the connection when it likes: the rest of the request may still come."""
    body = REASONS[status]
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
