"""Peer messages by REST (docs/contract.md 10, docs/rest.md)."""

from functools import partial
from typing import Any, Final, Literal

import msgspec
from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel

from messaging.api import Between, draft, read_page
from messaging.messages import PEER_MESSAGES
from messaging.selectors import peer_history
from peers.sending import send_to_peer
from realtime.rest.callers import caller_of, costs
from realtime.rest.errors import V1_FAILURES, VENDOR_FAILURES, V1Failure, VendorFailure
from realtime.rest.fields import Body, QueryFlag, UserId, VendorBody, is_set
from realtime.rest.shapes import AppId, Message

vendor = Router(tags=["messages"])
v1 = Router(tags=["peers"])


# -- the vendor's ----------------------------------------------------------------------------------------------


class VendorPeerMessage(VendorBody):
    destination: UserId
    payload: str
    enable_offline_messaging: bool = False
    enable_historical_messaging: bool = False


Code = Literal["message_sent", "message_delivered", "peer_offline"]
CODES: Final[dict[bool | None, Code]] = {None: "message_sent", True: "message_delivered", False: "peer_offline"}
"""By whether it was received."""


class VendorPeerMessageSent(BaseModel):
    """`request_id` is the message's id."""

    result: Literal["success"] = "success"
    request_id: str
    code: Code


@vendor.post(
    "/{app_id}/rtm/users/{uid}/peer_messages",
    response={200: VendorPeerMessageSent, VENDOR_FAILURES: VendorFailure},
    auth=costs(server="rest_peer_messages", user="message"),
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
    outcome = await send_to_peer(
        draft(request, uid, {"type": "TEXT", "text": body.take("payload")}),
        body.destination,
        offline=body.enable_offline_messaging,
        historical=body.enable_historical_messaging,
        wait=is_set(wait_for_ack),
    )
    return VendorPeerMessageSent(request_id=outcome.message_id, code=CODES[outcome.received])


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
    auth=costs(server="rest_peer_messages", user="message"),
)
async def send_peer_message(
    request: HttpRequest, app_id: AppId, uid: UserId, peer: UserId, body: PeerMessage
) -> PeerMessageSent:
    """Sends a message from `uid` to `peer`."""
    outcome = await send_to_peer(
        draft(request, uid, body.take("message").model_dump()),
        peer,
        offline=body.offline,
        historical=body.historical,
        wait=body.wait,
    )
    return PeerMessageSent(message_id=outcome.message_id, ts=outcome.ts, received=outcome.received)


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


@v1.get(
    "/projects/{app_id}/users/{uid}/peers/{peer}/messages",
    response={200: PeerHistory, V1_FAILURES: V1Failure},
    auth=costs(user="history"),
)
async def list_peer_messages(
    request: HttpRequest, app_id: AppId, uid: UserId, peer: UserId, page: Query[Between]
) -> PeerHistory:
    """What the two have sent each other with the history flag, between two positions, both exclusive."""
    caller = caller_of(request)
    caller.act_as(uid)
    found, more = await read_page(caller, partial(peer_history, events=PEER_MESSAGES), uid, peer, page=page)
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
