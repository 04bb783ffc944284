"""What the calls of the REST interface that send, and that read back, have in common for rooms and peers."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec
from django.http import HttpRequest
from pydantic import BaseModel

from messaging.messages import check_message
from realtime.protocol import encode
from realtime.rest.callers import Caller, caller_of
from realtime.rest.fields import QueryLimit, QueryPlace
from realtime.rest.ids import message_id_of
from realtime.rest.requests import RestRequest
from realtime.rest.slots import Slot
from realtime.streams import PAGE_BYTES

T = TypeVar("T")


class Draft(NamedTuple):
    """A message that a caller wants sent; `text` is JSON. `is_named`: the caller has named its id, and may have sent it
    already."""

    caller: Caller
    slot: Slot
    sender: str
    message_id: str
    is_named: bool
    text: str


def draft(request: HttpRequest, sender: str, message: dict[str, Any]) -> Draft:
    """Raises RpcError `not_authorized`, `invalid_params`, `size_overflow`; msgspec.ValidationError for no message."""
    caller = caller_of(request)
    caller.act_as(sender)
    text = encode(message)
    check_message(msgspec.Raw(text.encode()), caller.tenant.limits.sizes)
    message_id, is_named = message_id_of(request, caller.runtime.clock_ms())
    return Draft(caller, cast(RestRequest, request).slot, sender, message_id, is_named, text)


class Between(BaseModel):
    """Which entries are asked for: between two places, both exclusive and optional."""

    before: QueryPlace | None = None
    after: QueryPlace | None = None
    limit: QueryLimit = 50
    order: Literal["asc", "desc"] = "desc"


async def read_page(
    caller: Caller, read: Callable[..., tuple[list[T], bool]], *of: str, page: Between
) -> tuple[list[T], bool]:
    """A page of what `read`, a selector of the log, finds of these in the caller's project; and whether there is more
    that way."""
    return await caller.runtime.bridge.read(
        read,
        caller.tenant.id,
        *of,
        before=page.before,
        after=page.after,
        limit=min(page.limit, caller.tenant.limits.sizes.history_page),
        max_bytes=PAGE_BYTES,
        order=page.order,
    )
