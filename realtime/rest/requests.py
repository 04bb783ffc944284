"""A request of the REST interface: its caller is known before its body is read."""

import io
from typing import TYPE_CHECKING

from asgiref.typing import HTTPScope
from django.core.handlers.asgi import ASGIRequest

from realtime.errors import RpcError
from realtime.rest.slots import Slot

if TYPE_CHECKING:
    from realtime.rest.callers import Caller


class RestRequest(ASGIRequest):
    """`caller`: who was let in. None: nobody; the body is not read then, and the view says why, with `refusal`."""

    def __init__(self, scope: HTTPScope, slot: Slot) -> None:
        super().__init__(scope, io.BytesIO())
        self.slot = slot
        self.caller: Caller | None = None
        self.refusal: RpcError | None = None
        self.content = b""

    @property
    def body(self) -> bytes:
        return self.content

    def take_body(self) -> bytes:
        """The body, which is let go of: once it is decoded nobody asks for it again, and the call may last."""
        content, self.content = self.content, b""
        return content
