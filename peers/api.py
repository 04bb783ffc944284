"""Peer messages by REST (docs/contract.md 10, docs/rest.md)."""

from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel

from messaging.messages import check_message
from messaging.selectors import peer_history
from peers.sending import Outcome, send_to_peer
from realtime.protocol import encode
from realtime.rest.callers import Caller, caller_of
from realtime.rest.errors import V1_FAILURES, VENDOR_FAILURES, V1Failure, VendorFailure
from realtime.rest.fields import Body, QueryFlag, QueryLimit, QueryPlace, UserId, VendorBody, is_set
from realtime.rest.ids import message_id_of
from realtime.rest.shapes import AppId, Message
from realtime.rest.throttle import ProjectRate
from realtime.streams import PAGE_BYTES

vendor = Router(tags=["messages"])
v1 = Router(tags=["peers"])


async def _send(
    request: HttpRequest,
    sender: str,
    peer: str,
    message: dict[str, Any],
    *,
    offline: bool,
    historical: bool,
    wait: bool,
) -> tuple[str, Outcome]:
    """The message's id, and what became of it."""
    caller: Caller = caller_of(request)
    caller.act_as(sender)
    text = encode(message)
    check_message(msgspec.Raw(text.encode()), caller.tenant.limits.sizes)
    message_id = message_id_of(request, caller.runtime.clock_ms())
    outcome = await send_to_peer(
        caller.runtime,
        project_id=caller.tenant.id,
        sender=sender,
        peer=peer,
        message_id=message_id,
        message=text,
        offline=offline,
        historical=historical,
        wait=wait,
        may_be_second="Idempotency-Key" in request.headers,
    )
    return message_id, outcome


# -- the vendor's ----------------------------------------------------------------------------------------------


class VendorPeerMessage(VendorBody):
    destination: UserId
    payload: str
    enable_offline_messaging: bool = False
    enable_historical_messaging: bool = False


class VendorPeerMessageSent(BaseModel):
    """`request_id` is the message's id."""

    result: Literal["success"] = "success"
    request_id: str
    code: Literal["message_sent", "message_delivered", "peer_offline"]


@vendor.post(
    "/{app_id}/rtm/users/{uid}/peer_messages",
    response={200: VendorPeerMessageSent, VENDOR_FAILURES: VendorFailure},
    throttle=[ProjectRate("rest_peer_messages")],
)
async def peer_messages(
    request: HttpRequest,
    app_id: AppId,
    uid: UserId,
    body: VendorPeerMessage,
    wait_for_ack: QueryFlag = "false",
) -> VendorPeerMessageSent:
    """Sends a text to a user. With `wait_for_ack` the answer comes when the peer's client has acknowledged it
    (`message_delivered`); else when it is committed (`message_sent`). A peer who is away: `peer_offline`."""
    message_id, outcome = await _send(
        request,
        uid,
        body.destination,
        {"type": "TEXT", "text": body.payload},
        offline=body.enable_offline_messaging,
        historical=body.enable_historical_messaging,
        wait=is_set(wait_for_ack),
    )
    if outcome.received is None:
        return VendorPeerMessageSent(request_id=message_id, code="message_sent")
    return VendorPeerMessageSent(
        request_id=message_id, code="message_delivered" if outcome.received else "peer_offline"
    )


# -- /api/v1 ---------------------------------------------------------------------------------------------------


class PeerMessage(Body):
    """`offline`, `historical`: as in `peer.send`. `wait`: for the peer's receipt."""

    message: Message
    offline: bool = False
    historical: bool = False
    wait: bool = False


class PeerMessageSent(BaseModel):
    """`received`: the peer's client has acknowledged it; null: nobody waited for that. `ts`: ms since 1970."""

    message_id: str
    ts: int
    received: bool | None


@v1.post(
    "/projects/{app_id}/users/{uid}/peers/{peer}/messages",
    response={200: PeerMessageSent, V1_FAILURES: V1Failure},
    throttle=[ProjectRate("rest_peer_messages")],
)
async def send_peer_message(
    request: HttpRequest, app_id: AppId, uid: UserId, peer: UserId, body: PeerMessage
) -> PeerMessageSent:
    """Sends a message from `uid` to `peer`."""
    message_id, outcome = await _send(
        request,
        uid,
        peer,
        body.message.model_dump(),
        offline=body.offline,
        historical=body.historical,
        wait=body.wait,
    )
    return PeerMessageSent(message_id=message_id, ts=outcome.ts, received=outcome.received)


class PastPeerMessage(BaseModel):
    """`position`: its place among all that the two have said."""

    position: int
    sender: str
    receiver: str
    message_id: str
    ts: int
    body: dict[str, Any]


class PeerHistory(BaseModel):
    """`more`: there are further ones that way, after the last position here."""

    messages: list[PastPeerMessage]
    more: bool


@v1.get("/projects/{app_id}/users/{uid}/peers/{peer}/messages", response={200: PeerHistory, V1_FAILURES: V1Failure})
async def list_peer_messages(
    request: HttpRequest,
    app_id: AppId,
    uid: UserId,
    peer: UserId,
    before: QueryPlace | None = None,
    after: QueryPlace | None = None,
    limit: QueryLimit = 50,
    order: Literal["asc", "desc"] = "desc",
) -> PeerHistory:
    """What the two have sent each other with the history flag, between two positions, both exclusive."""
    caller = caller_of(request)
    caller.act_as(uid)
    found, more = await caller.runtime.bridge.read(
        peer_history,
        caller.tenant.id,
        uid,
        peer,
        before=before,
        after=after,
        limit=min(limit, caller.tenant.limits.sizes.history_page),
        max_bytes=PAGE_BYTES,
        order=order,
    )
    return PeerHistory(
        messages=[
            PastPeerMessage(
                position=one.position,
                sender=one.sender,
                receiver=one.receiver,
                message_id=one.message_id,
                ts=one.ts,
                body=msgspec.json.decode(one.body),
            )
            for one in found
        ],
        more=more,
    )
