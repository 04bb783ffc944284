"""A request of the REST interface: its caller is known, and has paid, before its body is read."""

import asyncio
import io
from typing import TYPE_CHECKING, Any, Final

from asgiref.typing import ASGIReceiveCallable, HTTPScope
from django.core.handlers.asgi import ASGIRequest

from realtime.errors import EXPIRED, SIZE_OVERFLOW, RpcError
from realtime.protocol import MAX_FRAME_BYTES
from realtime.rest.slots import Slot
from realtime.server import REQUEST_S

if TYPE_CHECKING:
    from realtime.rest.callers import Caller

MAX_BODY_BYTES: Final = MAX_FRAME_BYTES
"""32 KiB of text may grow sixfold by escaping."""
BODY_TIMEOUT_S: Final = REQUEST_S - 1
"""Before the time is up that any request has: this interface says so in its own shape."""


class CallerGone(Exception):
    """The caller has closed the connection."""


class RestRequest(ASGIRequest):
    """`caller`: who was let in. None: nobody; the body is not read then, and the view says why, with `refusal`."""

    def __init__(self, scope: HTTPScope, slot: Slot, receive: ASGIReceiveCallable) -> None:
        super().__init__(scope, io.BytesIO())
        self.slot = slot
        self.caller: Caller | None = None
        self.refusal: RpcError | None = None
        self.content = b""
        self._receive = receive
        self._is_read = asyncio.Event()

    @property
    def body(self) -> bytes:
        return self.content

    def take_body(self) -> bytes:
        """The body, which is let go of: once it is decoded nobody asks for it again, and the call may last."""
        content, self.content = self.content, b""
        return content

    async def read_body(self) -> None:
        """Takes in the whole body. Raises RpcError `size_overflow` as soon as a header says so, or so much has come;
        `overloaded` above the caller's share; `expired`; and CallerGone."""
        length = self.headers.get("content-length", "")
        _check_size(int(length) if length.isdecimal() and len(length) < 20 else 0)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                more = True
                while more:
                    message: Any = await self._receive()
                    if message["type"] != "http.request":
                        raise CallerGone
                    part = message.get("body", b"")
                    size += len(part)
                    _check_size(size)
                    self.slot.hold(len(part))
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise RpcError(EXPIRED, "The body did not come in time.") from None
        self.content = b"".join(parts)
        self._is_read.set()

    async def closed(self) -> None:
        """Returns when the caller, of whom nothing more is to come, has closed the connection."""
        await self._is_read.wait()
        message: Any = None
        while message is None or message["type"] != "http.disconnect":
            message = await self._receive()


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise RpcError(SIZE_OVERFLOW, f"A body has at most {MAX_BODY_BYTES} bytes.")
