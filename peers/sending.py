"""Peer messages of callers that are no sessions."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from messaging.api import Draft
from messaging.models import EntryFlag
from peers.delivery import SENT, WAIT_S, PeerMessages
from peers.outgoing import Answer, PeerMessage
from realtime.errors import EXPIRED, RpcError
from realtime.rest.state import Rest
from realtime.runtime import Runtime


class Outcome(NamedTuple):
    """Of the message with this id. `received`: None when nobody waited for it. `ts`: when the server took it, ms since
    1970."""

    message_id: str
    received: bool | None
    ts: int


def send_to_peer(
    draft: Draft, peer: str, *, offline: bool, historical: bool, wait: bool
) -> Coroutine[Any, Any, Outcome]:
    """Sends a message; what comes of it is to be awaited. With `wait` that is known when the peer's client has
    acknowledged it, or is away; else when it is committed, or the peer is away.

    Who waits holds nothing of the message, and the request's slot only until the message is committed.

    Raises, when awaited, RpcError `expired` when a peer who is there did not acknowledge in 9 s: without `offline` it
    will not be delivered later; `unavailable` when the process drains while it waits. And what `peer.send` raises.
    """
    caller, slot = draft.caller, draft.slot
    runtime = caller.runtime
    answered: asyncio.Future[Answer | RpcError | int] = runtime.loop.create_future()

    def settle(outcome: Answer | RpcError | int) -> None:
        if not answered.done():
            answered.set_result(outcome)

    committed: Callable[[int], None] = (lambda ts: slot.let_go()) if wait else settle
    marks = (',"offline":true' if offline else "") + (',"historical":true' if historical else "")
    began_s = runtime.loop.time()
    runtime.part(PeerMessages).send(
        PeerMessage(
            project=caller.tenant,
            sender=draft.sender,
            peer=peer,
            event=SENT,
            message_id=draft.message_id,
            body=f'{{"message":{draft.text}{marks}}}',
            flags=(EntryFlag.OFFLINE if offline else 0) | (EntryFlag.HISTORICAL if historical else 0),
            began_s=began_s,
            answer=settle,
            committed=committed,
            waits=wait,
            of_server=caller.uid is None,
            may_be_second=draft.is_named,
        )
    )
    return _outcome(runtime, draft.message_id, answered, began_s, wait=wait)


async def _outcome(
    runtime: Runtime,
    message_id: str,
    answered: "asyncio.Future[Answer | RpcError | int]",
    began_s: float,
    *,
    wait: bool,
) -> Outcome:
    outcome = await (runtime.part(Rest).outcome(answered) if wait else answered)
    if isinstance(outcome, RpcError):
        raise outcome
    if isinstance(outcome, int):
        return Outcome(message_id, None, outcome)
    if not outcome.received and runtime.loop.time() - began_s >= WAIT_S:
        raise RpcError(EXPIRED, "The peer did not acknowledge in time.")
    return Outcome(message_id, outcome.received, outcome.ts)
