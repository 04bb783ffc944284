"""Reading a stream, and acknowledging the inbox (docs/contract.md 5)."""

from typing import Annotated

import msgspec

from messaging.engine import Messaging
from realtime.calls import Call
from realtime.errors import NOT_IN_ROOM, OVERLOADED, UNAVAILABLE, RpcError
from realtime.ids import Seq
from realtime.payloads import Empty, RawEntry, raw_entry
from realtime.registry import DEFERRED, Deferred, method
from realtime.streams import PAGE_BYTES


class ReadParams(msgspec.Struct, forbid_unknown_fields=True):
    stream: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    after: Seq


class ReadResult(msgspec.Struct):
    """`live`: everything up to now was read; from here on entries are pushed."""

    entries: list[RawEntry]
    epoch: str
    head: int
    live: bool


@method(
    "stream.read",
    params=ReadParams,
    result=ReadResult,
    rate="read",
    errors=(NOT_IN_ROOM, UNAVAILABLE, OVERLOADED),
)
async def read(call: Call, params: ReadParams) -> Deferred:
    """The entries of a joined stream after seq `after`, a page of at most 256 KiB. A stream that is not live
    is read until a page says `live`: what a reconnect missed comes this way, in order and without gaps."""
    session = call.logged_in()
    subscription = session.subscription(params.stream)
    if subscription is None:
        raise RpcError(NOT_IN_ROOM)
    stream = subscription.stream
    if stream.is_inbox:
        await call.connection.drained()  # what is read may be withdrawn while it waits
    page = await call.runtime.recoveries.page(subscription, max(params.after, stream.acked), PAGE_BYTES)
    live = not subscription.catching_up or page.last >= (stream.cursor or 0)
    result = ReadResult(
        entries=[raw_entry(text) for _, text in page.entries],
        epoch=stream.epoch,
        head=stream.cursor or 0,
        live=live,
    )
    call.reply(result)
    if live and subscription.catching_up and session.connection is call.connection:
        call.runtime.hub.go_live(subscription)
    return DEFERRED


class InboxAckParams(msgspec.Struct, forbid_unknown_fields=True):
    seq: Seq


@method("inbox.ack", params=InboxAckParams, result=Empty, rate=None)
def inbox_ack(call: Call, params: InboxAckParams) -> Empty:
    """A notification: the client has handed over to its user everything up to `seq` of the inbox. It is committed, and
    the senders of peer messages are told. Due after each frame with entries of the inbox."""
    call.runtime.part(Messaging).acknowledge(call.logged_in(), params.seq)
    return Empty()
