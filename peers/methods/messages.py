"""Peer messages, and reading them back (docs/contract.md 2, 4 and 5)."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Final, Literal, Self

import msgspec

from messaging.media.policy import readable_streams
from messaging.media.uses import FilePost
from messaging.messages import (
    PEER_MEDIA_SENT,
    PEER_MESSAGES,
    PEER_SENT,
    MediaMessage,
    Message,
    PlainMessage,
    SentMessage,
    check_message,
)
from messaging.models import EntryFlag
from messaging.selectors import peer_history
from peers.delivery import SECOND_S, PeerMessages
from peers.outgoing import Answer, PeerMessage
from realtime.calls import Call
from realtime.errors import (
    EXPIRED,
    INCOMPATIBLE_MESSAGE,
    INVALID_PARAMS,
    LIMIT_EXCEEDED,
    MEDIA_NOT_FOUND,
    OVERLOADED,
    REJECTED,
    SIZE_OVERFLOW,
    UNAVAILABLE,
    RpcError,
)
from realtime.ids import MessageId, Name, Seq, is_name
from realtime.payloads import EntryPush
from realtime.registry import DEFERRED, Deferred, event, method
from realtime.session import Session
from realtime.shapes import carries
from realtime.streams import PAGE_BYTES

SEND_ERRORS: Final = (
    SIZE_OVERFLOW,
    LIMIT_EXCEEDED,
    MEDIA_NOT_FOUND,
    REJECTED,
    EXPIRED,
    INCOMPATIBLE_MESSAGE,
    UNAVAILABLE,
    OVERLOADED,
)


class PeerBody(msgspec.Struct, omit_defaults=True):
    """`offline`: kept for a user who is away. `historical`: the two can read it back."""

    message: PlainMessage
    offline: bool = False
    historical: bool = False


class PeerSentEntry(EntryPush):
    """A message in the user's inbox. To be acknowledged with inbox.ack: then its sender is told that it arrived."""

    body: PeerBody


class PeerMediaBody(msgspec.Struct, omit_defaults=True):
    """`offline`, `historical`: as of `peer.sent`."""

    message: MediaMessage
    offline: bool = False
    historical: bool = False


class PeerMediaSentEntry(EntryPush):
    """A message with a file, in the user's inbox, who may fetch it. To be acknowledged like `peer.sent`."""

    body: PeerMediaBody


event(PEER_SENT, PeerSentEntry)
event(PEER_MEDIA_SENT, PeerMediaSentEntry, needs="media")


class MessageParams(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`message`: as in `room.send`. `offline`: keep it if the peer is away, with the newest 200 of 7 days.
    `historical`: let the two read it back."""

    message_id: MessageId
    message: Annotated[msgspec.Raw, carries(Message)]
    offline: bool = False
    historical: bool = False


class SendParams(MessageParams, forbid_unknown_fields=True, kw_only=True):
    __doc__ = MessageParams.__doc__

    peer: Name


class SendResult(msgspec.Struct):
    """`received`: the peer's client has acknowledged it. Not received, and not sent with `offline`: it will not be
    delivered later. `ts`: when the server took it (ms since 1970)."""

    received: bool
    ts: int


@method("peer.send", params=SendParams, result=SendResult, rate="message", errors=SEND_ERRORS)
def send(call: Call, params: SendParams) -> Deferred:
    """Sends a message to a user, who may be oneself. The answer comes when the peer has acknowledged it, or is away: a
    peer that dropped less than 6 s ago is waited for, at most 9 s in all."""
    session = call.logged_in()
    file = _file_of(session, params)
    _check_peer(params.peer)
    call.defer()

    def answer(outcome: Answer | RpcError) -> None:
        if isinstance(outcome, RpcError):
            call.fail(outcome)
        else:
            call.reply(SendResult(outcome.received, outcome.ts))

    _send(call, session, params, file, params.peer, answer, call.let_go)
    return DEFERRED


def _check_peer(peer: str) -> None:
    if not is_name(peer):
        raise RpcError(INVALID_PARAMS, "A uid has 1 to 64 bytes.")


def _file_of(session: Session, params: MessageParams) -> FilePost | None:
    """What is to be found out of the message's file; None: it has none. Raises what `check_message` does."""
    message = check_message(params.message, session.project.limits.sizes)
    return None if message is None else FilePost(message, readable_streams(session), _marks(params))


def _marks(params: MessageParams) -> str:
    return (',"offline":true' if params.offline else "") + (',"historical":true' if params.historical else "")


def _send(
    call: Call,
    session: Session,
    params: MessageParams,
    file: FilePost | None,
    peer: str,
    answer: Callable[[Answer | RpcError], None],
    committed: Callable[[], None],
) -> None:
    now_s = call.runtime.loop.time()
    message = PeerMessage(
        project=session.project,
        sender=session.uid,
        peer=peer,
        message_id=params.message_id,
        body=f'{{"message":{str(params.message, "utf-8")}{_marks(params)}}}',
        flags=(EntryFlag.OFFLINE if params.offline else 0) | (EntryFlag.HISTORICAL if params.historical else 0),
        began_s=now_s,
        answer=answer,
        committed=lambda ts: committed(),
        may_be_second=now_s - call.connection.connected_s < SECOND_S,
        file=file,
    )
    call.runtime.part(PeerMessages).send(message)


class SendManyParams(MessageParams, forbid_unknown_fields=True, kw_only=True):
    __doc__ = MessageParams.__doc__

    peers: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1024)]


class SendManyResult(msgspec.Struct):
    """By peer: whether it was `received`; where that is not known, the name of the error in `failed`."""

    received: dict[str, bool]
    failed: dict[str, str]

    @classmethod
    def of(cls, outcomes: Iterable[tuple[str, Answer | RpcError]]) -> Self:
        """In the order of the outcomes, which is that of the call's peers."""
        result = cls({}, {})
        for peer, outcome in outcomes:
            if isinstance(outcome, RpcError):
                result.failed[peer] = outcome.kind.name
            else:
                result.received[peer] = outcome.received
        return result


@method("peer.send_many", params=SendManyParams, result=SendManyResult, rate="message", errors=SEND_ERRORS)
def send_many(call: Call, params: SendManyParams) -> Deferred:
    """One message to up to 100 peers; counts as one for each. The answer comes when all of them have theirs."""
    session = call.logged_in()
    file = _file_of(session, params)
    peers = list(dict.fromkeys(params.peers))
    limit = session.project.limits.sizes.peers_messaged
    if len(peers) > limit:
        raise RpcError(LIMIT_EXCEEDED, f"At most {limit} peers.")
    for peer in peers:
        _check_peer(peer)
    session.buckets.spend("message", call.runtime.loop.time(), len(peers) - 1)
    call.defer()
    outcomes: dict[str, Answer | RpcError] = {}
    in_work = set(peers)

    def committed(peer: str) -> None:
        in_work.discard(peer)
        if not in_work:
            call.let_go()

    def answer(peer: str, outcome: Answer | RpcError) -> None:
        committed(peer)
        outcomes[peer] = outcome
        if len(outcomes) == len(peers):
            call.reply(SendManyResult.of([(peer, outcomes[peer]) for peer in peers]))

    for peer in peers:
        _send(call, session, params, file, peer, partial(answer, peer), partial(committed, peer))
    return DEFERRED


class HistoryParams(msgspec.Struct, forbid_unknown_fields=True):
    """Messages between the positions `after` and `before`, both exclusive and optional."""

    peer: Name
    before: Seq | None = None
    after: Seq | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    order: Literal["asc", "desc"] = "desc"


class PastBody(msgspec.Struct, omit_defaults=True):
    """That of `peer.sent`, or of `peer.media_sent`."""

    message: SentMessage
    offline: bool = False
    historical: bool = False


class PastMessage(msgspec.Struct):
    """A message of one of the two to the other. `position` is its place among all they have said."""

    position: int
    sender: str
    receiver: str
    message_id: str
    ts: int
    body: Annotated[msgspec.Raw, carries(PastBody)]


class HistoryResult(msgspec.Struct):
    """`more`: there are further ones that way."""

    messages: list[PastMessage]
    more: bool


@method("peer.history", params=HistoryParams, result=HistoryResult, rate="history", errors=(UNAVAILABLE, OVERLOADED))
async def history(call: Call, params: HistoryParams) -> HistoryResult:
    """What oneself and a peer have sent each other with `historical`, at most 100 and 256 KiB a page, newest first
    unless `order` is "asc". Without files and images for a client that takes none."""
    session = call.logged_in()
    _check_peer(params.peer)
    found, more = await call.runtime.bridge.read(
        peer_history,
        session.project.id,
        session.uid,
        params.peer,
        events=session.given(*PEER_MESSAGES),
        before=params.before,
        after=params.after,
        limit=min(params.limit, session.project.limits.sizes.history_page),
        max_bytes=PAGE_BYTES,
        order=params.order,
    )
    messages = [
        PastMessage(one.position, one.sender, one.receiver, one.message_id, one.ts, msgspec.Raw(one.body.encode()))
        for one in found
    ]
    return HistoryResult(messages, more)
