"""The session's methods: login, logout, tokens, heartbeats and byte acknowledgements (docs/contract.md 2, 6, 9)."""

from typing import Annotated, Final

import msgspec

from projects.tokens import MAX_CHARS
from realtime.calls import Call
from realtime.capabilities import SKIPPED, known_capabilities
from realtime.close_codes import LOGGED_OUT
from realtime.connection import ACK_BYTES
from realtime.errors import (
    ALREADY_LOGGED_IN,
    BANNED,
    INVALID_APP_ID,
    INVALID_PARAMS,
    INVALID_TOKEN,
    NOT_AUTHORIZED,
    OVERLOADED,
    TOKEN_EXPIRED,
    TOO_OFTEN,
    UNAVAILABLE,
    RpcError,
)
from realtime.ids import AppId, Name, Seq, is_name
from realtime.payloads import Cursor, Empty, EntryPush, InboxState, NoBody, StreamState, raw_entry
from realtime.recovery import Recovery
from realtime.redaction import TOMBSTONE
from realtime.registry import DEFERRED, Deferred, event, method
from realtime.session import Introduction, Session
from realtime.streams import PAGE_BYTES, Subscription, entries_size
from realtime.tokens import token_end

HEARTBEAT_MS: Final = 3_000
MAX_CURSORS: Final = 64


class Client(msgspec.Struct, forbid_unknown_fields=True):
    """What the client is. `capabilities` decide what is delivered to it; those that no event needs are passed over."""

    sdk: Annotated[str, msgspec.Meta(max_length=64)] = ""
    version: Annotated[str, msgspec.Meta(max_length=32)] = ""
    capabilities: Annotated[list[Annotated[str, msgspec.Meta(max_length=32)]], msgspec.Meta(max_length=16)] = []


class LoginParams(msgspec.Struct, forbid_unknown_fields=True):
    app: AppId
    uid: Name
    token: Annotated[str, msgspec.Meta(max_length=MAX_CHARS)] | None = None
    session: Annotated[str, msgspec.Meta(max_length=64)] = ""
    streams: Annotated[dict[str, Cursor], msgspec.Meta(max_length=MAX_CURSORS)] = {}
    client: Client = msgspec.field(default_factory=Client)


class LoginResult(msgspec.Struct):
    """`streams`: the rooms it is still in. `session` resumes it at the next login."""

    session: str
    generation: int
    resumed: bool
    server_ts: int
    heartbeat_ms: int
    ack_bytes: int
    inbox: InboxState
    streams: dict[str, StreamState]


@method(
    "session.login",
    params=LoginParams,
    result=LoginResult,
    rate=None,
    needs_session=False,
    errors=(
        ALREADY_LOGGED_IN,
        INVALID_APP_ID,
        INVALID_TOKEN,
        TOKEN_EXPIRED,
        NOT_AUTHORIZED,
        BANNED,
        TOO_OFTEN,
        UNAVAILABLE,
        OVERLOADED,
    ),
)
async def login(call: Call, params: LoginParams) -> Deferred:
    """Logs in. With the `session` of an earlier login it goes on from there: rooms are still joined, and for
    each cursor in `streams` come the entries missed. Another login of the uid elsewhere is closed. A uid logs in
    at most twice a second. A project with an enabled certificate wants a `token` of the uid each time; without one a
    token is not looked at."""
    runtime = call.runtime
    connection = call.connection
    if connection.session is not None:
        raise RpcError(ALREADY_LOGGED_IN)
    if params.uid == "null" or not is_name(params.uid):
        raise RpcError(INVALID_PARAMS, "uid is 1 to 64 bytes and not 'null'")
    tenant = await runtime.tenants.get(params.app)
    if tenant is None:
        raise RpcError(INVALID_APP_ID)
    if not tenant.accepts_origin(connection.origin):
        raise RpcError(NOT_AUTHORIZED, "The project does not list this origin.")
    introduction = Introduction(
        version=params.client.version,
        capabilities=known_capabilities(params.client.capabilities),
        token_ends_ms=token_end(tenant, params.uid, params.token, runtime.clock_ms()),
    )
    ban = await runtime.removals.ban_of(tenant, params.uid)
    if ban is not None:
        raise RpcError(BANNED, until=None if ban.until is None else round(ban.until.timestamp() * 1000))
    session, resumed = await runtime.sessions.login(connection, tenant, params.uid, params.session, introduction)
    inbox = await runtime.recoveries.open_inbox(session)
    own = _still_logged_in(call, session)
    left = max(0, PAGE_BYTES - entries_size(inbox.entries))
    recovered = await _recover(call, session, params.streams, left)
    inbox.live = inbox.live and inbox.last >= (own.stream.cursor or 0)
    call.reply(
        LoginResult(
            session=session.id,
            generation=session.generation,
            resumed=resumed,
            server_ts=runtime.clock_ms(),
            heartbeat_ms=HEARTBEAT_MS,
            ack_bytes=ACK_BYTES,
            inbox=InboxState(
                stream=own.stream.key[1],
                epoch=own.stream.epoch,
                head=inbox.head,
                live=inbox.live,
                entries=[raw_entry(text) for _, text in inbox.entries],
            ),
            streams={one.stream.key[1]: StreamState.of(recovery) for one, recovery in recovered},
        )
    )
    for one, recovery in [(own, inbox), *recovered]:
        if recovery.live:
            runtime.hub.catch_up(one, recovery.last)
    return DEFERRED


def _still_logged_in(call: Call, session: Session) -> Subscription:
    """To be asked after each step that was awaited: the session's inbox; RpcError `unavailable` when another login or
    an eviction came between, or the connection was lost."""
    if call.connection.session is not session or session.inbox is None:
        raise RpcError(UNAVAILABLE, "The session was replaced.")
    return session.inbox


async def _recover(
    call: Call, session: Session, cursors: dict[str, Cursor], left: int
) -> list[tuple[Subscription, Recovery]]:
    """The rooms' first pages are at most `left` bytes together; what does not fit is pulled."""
    recovered = []
    for name, subscription in list(session.subscriptions.items()):
        cursor = cursors.get(name)
        stream = subscription.stream
        if cursor is None:  # the client knows nothing of it yet: it starts at the head
            head = stream.cursor or 0
            recovery = Recovery(False, stream.epoch, head, [], head, live=True)
        else:
            recovery = await call.runtime.recoveries.recover(
                subscription, cursor.seq, cursor.epoch, session.project.recovery_window_ms, left
            )
            _still_logged_in(call, session)
            left = max(0, left - entries_size(recovery.entries))
        recovered.append((subscription, recovery))
    for subscription, recovery in recovered:
        # what came while later streams were read is pulled
        recovery.live = recovery.live and recovery.last >= (subscription.stream.cursor or 0)
    return recovered


@method("session.logout", params=Empty, result=Empty, errors=(UNAVAILABLE,))
async def logout(call: Call, params: Empty) -> Deferred:
    """Leaves all rooms and ends the session; the connection is closed."""
    session = call.logged_in()
    await call.runtime.sessions.end(session)
    call.reply(Empty())
    call.runtime.sessions.drop(session, LOGGED_OUT)
    return DEFERRED


class RenewTokenParams(msgspec.Struct, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CHARS)]


@method(
    "session.renew_token",
    params=RenewTokenParams,
    result=Empty,
    rate="renew_token",
    errors=(INVALID_APP_ID, INVALID_TOKEN, TOKEN_EXPIRED, UNAVAILABLE, OVERLOADED),
)
async def renew_token(call: Call, params: RenewTokenParams) -> Empty:
    """Shows another token of the same uid: the session's end by its token moves to that one's. A refused one changes
    nothing. After a connection was closed with `token_expired`, log in with the `session` and a new token instead."""
    session = call.logged_in()
    tenant = await call.runtime.tenants.get(session.project.app_id)
    if tenant is None:
        raise RpcError(INVALID_APP_ID)
    session = call.logged_in()
    session.set_token_end(token_end(tenant, session.uid, params.token, call.runtime.clock_ms()))
    return Empty()


class PingParams(msgspec.Struct, forbid_unknown_fields=True):
    received: Seq = 0


@method("session.ping", params=PingParams, result=Empty, rate=None, needs_session=False)
def ping(call: Call, params: PingParams) -> Empty:
    """A sign of life, answered. A client sends one whenever it has sent nothing for `heartbeat_ms`.
    `received`: as in session.ack."""
    call.connection.acknowledge(params.received)
    return Empty()


class AckParams(msgspec.Struct, forbid_unknown_fields=True):
    received: Seq


@method("session.ack", params=AckParams, result=Empty, rate=None, needs_session=False)
def ack(call: Call, params: AckParams) -> Empty:
    """A notification: so many bytes of frame payloads (UTF-8) have arrived on this connection in all. Due each
    time `ack_bytes` more have; a connection with more than 1 MiB unacknowledged is cut off."""
    call.connection.acknowledge(params.received)
    return Empty()


class Closing(msgspec.Struct):
    """The last frame before the server closes; `delay_ms`: come back no sooner."""

    code: int
    name: str
    reconnect: bool
    delay_ms: int


class StreamReset(msgspec.Struct):
    """The stream's storage was restored: cursors of another epoch mean nothing, it goes on from `head`."""

    stream: str
    epoch: str
    head: int


class SkippedEntry(EntryPush):
    """In place of an entry of any stream that needs a capability which the client did not name at its login. It moves
    the cursor, as every entry, and is not shown; in an inbox it is acknowledged."""

    body: NoBody


class Tombstone(EntryPush):
    """In the place of a deleted message, for whoever gets to it after that. Its sender and its id are the message's."""

    body: NoBody


class Alive(msgspec.Struct):
    """The server's own heartbeat while it is not reading from this connection."""


class TokenExpiring(msgspec.Struct):
    """The connection's token runs out at `expires_at`; then the server closes with `token_expired`. Told 30 seconds
    before, or at once after a login with a token that has less left."""

    expires_at: int


event("session.closing", Closing)
event("session.token_expiring", TokenExpiring)
event("session.alive", Alive)
event("stream.reset", StreamReset)
event(SKIPPED, SkippedEntry)
event(TOMBSTONE, Tombstone)
