"""Online states of other users (docs/contract.md 2)."""

from typing import Annotated

import msgspec

from peers.methods.common import check_uids
from peers.states import OnlineState, online_state
from peers.watches import Watches
from projects.limits import CEILINGS
from realtime.calls import Call
from realtime.errors import LIMIT_EXCEEDED, UNAVAILABLE, RpcError
from realtime.ids import Name
from realtime.payloads import Empty
from realtime.registry import method


class QueryStatesParams(msgspec.Struct, forbid_unknown_fields=True):
    uids: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=CEILINGS.peers_queried)]


class WatchedParams(msgspec.Struct, forbid_unknown_fields=True):
    uids: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=CEILINGS.peers_subscribed)]


class StatesResult(msgspec.Struct):
    """The state of each of the uids. Whoever has no session, or was never seen, is `OFFLINE`."""

    states: dict[str, OnlineState]


@method(
    "presence.query",
    params=QueryStatesParams,
    result=StatesResult,
    rate="query_peers",
    errors=(LIMIT_EXCEEDED, UNAVAILABLE),
)
async def query(call: Call, params: QueryStatesParams) -> StatesResult:
    """The states of up to 256 users now."""
    session = call.logged_in()
    uids = list(dict.fromkeys(params.uids))
    limit = session.project.limits.sizes.peers_queried
    if len(uids) > limit:
        raise RpcError(LIMIT_EXCEEDED, f"At most {limit} users.")
    check_uids(uids)
    found = await call.runtime.sessions.states(session.project.id, uids)
    return StatesResult({uid: online_state(state) for uid, state in zip(uids, found, strict=True)})


@method(
    "presence.subscribe",
    params=WatchedParams,
    result=StatesResult,
    rate="subscribe_peers",
    errors=(LIMIT_EXCEEDED, UNAVAILABLE),
)
async def subscribe(call: Call, params: WatchedParams) -> StatesResult:
    """The states of these users now, and from now on each change as `presence.changed`. Up to 512 users in all; the
    same one again is no error, nor is oneself. A subscription ends with its connection: a client subscribes again
    after every login, and what differs from the states it knew has changed meanwhile."""
    session = call.logged_in()
    check_uids(params.uids)
    return StatesResult(await call.runtime.part(Watches).subscribe(session, call.connection, params.uids))


@method("presence.unsubscribe", params=WatchedParams, result=Empty, rate="subscribe_peers")
async def unsubscribe(call: Call, params: WatchedParams) -> Empty:
    """Ends subscriptions; what is not subscribed to is no error. After the answer nothing of them is pushed."""
    call.logged_in()
    check_uids(params.uids)
    call.runtime.part(Watches).unsubscribe(call.connection, params.uids)
    return Empty()


class SubscriptionsResult(msgspec.Struct):
    uids: list[str]


@method("presence.subscriptions", params=Empty, result=SubscriptionsResult, rate="list_subscriptions")
async def subscriptions(call: Call, params: Empty) -> SubscriptionsResult:
    """The users that this connection has subscribed to."""
    call.logged_in()
    return SubscriptionsResult(call.runtime.part(Watches).subscriptions(call.connection))
