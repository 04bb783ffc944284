"""Peer messages of callers that are no sessions."""

import asyncio
from typing import NamedTuple

from messaging.models import EntryFlag
from peers.delivery import WAIT_S, Answer, PeerMessage, PeerMessages
from realtime.errors import EXPIRED, RpcError
from realtime.runtime import Runtime


class Outcome(NamedTuple):
    """`received`: None when nobody waited for it. `ts`: when the server took the message, ms since 1970."""

    received: bool | None
    ts: int


async def send_to_peer(
    runtime: Runtime,
    *,
    project_id: int,
    sender: str,
    peer: str,
    message_id: str,
    message: str,
    offline: bool,
    historical: bool,
    wait: bool,
    may_be_second: bool,
) -> Outcome:
    """Sends a message (JSON text) as any user. With `wait` the answer comes when the peer's client has acknowledged it,
    or is away; else when it is committed, or the peer is away. `may_be_second`: the caller has named the message id,
    and may have sent it already to a process that still has it in work.

    Raises RpcError `expired` when a peer who is there did not acknowledge in 9 s: without `offline` it will not be
    delivered later. And what `peer.send` raises.
    """
    answered: asyncio.Future[Answer | RpcError | int] = runtime.loop.create_future()

    def settle(outcome: Answer | RpcError | int) -> None:
        if not answered.done():
            answered.set_result(outcome)

    marks = (',"offline":true' if offline else "") + (',"historical":true' if historical else "")
    began_s = runtime.loop.time()
    runtime.part(PeerMessages).send(
        PeerMessage(
            project_id=project_id,
            sender=sender,
            peer=peer,
            message_id=message_id,
            body=f'{{"message":{message}{marks}}}',
            flags=(EntryFlag.OFFLINE if offline else 0) | (EntryFlag.HISTORICAL if historical else 0),
            began_s=began_s,
            answer=settle,
            may_be_second=may_be_second,
            sent=None if wait else settle,
        )
    )
    outcome = await answered
    if isinstance(outcome, RpcError):
        raise outcome
    if isinstance(outcome, int):
        return Outcome(None, outcome)
    if not outcome.received and runtime.loop.time() - began_s >= WAIT_S:
        raise RpcError(EXPIRED, "The peer did not acknowledge in time.")
    return Outcome(outcome.received, outcome.ts)
