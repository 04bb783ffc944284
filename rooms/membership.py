"""Joining and leaving: the order of steps that leaves no gap between a snapshot and what follows it."""

from dataclasses import dataclass
from typing import Final

from realtime.calls import Call
from realtime.errors import (
    JOIN_SAME_ROOM_TOO_OFTEN,
    LIMIT_EXCEEDED,
    NOT_IN_ROOM,
    NOT_LOGGED_IN,
    UNAVAILABLE,
    RpcError,
)
from realtime.payloads import Cursor
from realtime.rates import KeyedBuckets
from realtime.recovery import Recovery
from realtime.runtime import Runtime
from realtime.session import Session
from realtime.streams import StreamHead, Subscription
from rooms.models import stream_name
from rooms.notices import Notices
from rooms.selectors import Snapshot, get_snapshot
from rooms.services.attributes import mark_in_use

ROOMS_REMEMBERED: Final = 200


@dataclass(slots=True)
class Joined:
    """A join before its reply. Exactly one of `held` and `recovery` says what comes after the reply; `held`
    None without `recovery`: too much came, the client reads it in pages."""

    subscription: Subscription
    snapshot: Snapshot
    member_count: int
    held: list[tuple[int, str]] | None
    recovery: Recovery | None

    @property
    def head(self) -> int:
        return self.snapshot.head.head if self.snapshot.head is not None else 0


async def join(call: Call, session: Session, room: str, after: Cursor | None) -> Joined:
    """Subscribes and holds, becomes a member, then reads the head and, not before that, the snapshot. The caller
    replies and calls `enter_live` in one step.

    Raises RpcError `limit_exceeded` above 20 rooms, `join_same_room_too_often`, `unavailable`.
    """
    name = stream_name(room)
    runtime = call.runtime
    if name not in session.subscriptions and len(session.subscriptions) >= _room_limit(session):
        raise RpcError(LIMIT_EXCEEDED, f"At most {_room_limit(session)} rooms.")
    _spend_join(session, room, runtime.loop.time())
    was_member = name in session.subscriptions
    subscription = await runtime.hub.subscribe(session, name)
    live_at = None if subscription.catching_up else subscription.stream.cursor
    try:
        subscription.start_hold()
        await runtime.part(Notices).prime(subscription.stream.key)
        await runtime.sessions.enter(session, name)
        if runtime.sessions.get(*session.key) is not session:
            raise RpcError(NOT_LOGGED_IN)
        if not subscription.is_open:
            raise RpcError(UNAVAILABLE, "An earlier join of the room failed just now.")
        session.subscriptions[name] = subscription
        snapshot = await _read_snapshot(runtime, session, room, subscription)
        (member_count,) = await runtime.sessions.counts(session.project.id, [name])
        recovery = None
        if after is not None:
            recovery = await runtime.recoveries.recover(
                subscription, after.seq, after.epoch, session.project.recovery_window_ms
            )
    except BaseException:
        subscription.end_hold()
        if session.connection is call.connection and not was_member:
            await _undo(runtime, session, subscription)
        elif session.subscriptions.get(name) is not subscription:
            runtime.hub.unsubscribe(subscription)
        elif live_at is not None:
            runtime.hub.spawn(runtime.recoveries.go_on(subscription, live_at))
        raise
    return Joined(subscription, snapshot, member_count, subscription.end_hold(), recovery)


def _room_limit(session: Session) -> int:
    return session.project.limits.sizes.rooms_per_session


def _spend_join(session: Session, room: str, now_s: float) -> None:
    if session.joins is None:
        rate = session.project.limits.rates["join_same_room"]
        session.joins = KeyedBuckets(rate, ROOMS_REMEMBERED, JOIN_SAME_ROOM_TOO_OFTEN)
    session.joins.spend(room, now_s)


async def _read_snapshot(runtime: Runtime, session: Session, room: str, subscription: Subscription) -> Snapshot:
    snapshot = await runtime.bridge.read(get_snapshot, session.project.id, room)
    if snapshot.was_empty:
        # The clean-up counts from now; if it was about to clear, it has done so or will not.
        await runtime.bridge.write(mark_in_use, project_id=session.project.id, room=room)
        snapshot = await runtime.bridge.read(get_snapshot, session.project.id, room)
    if snapshot.head is not None:
        head = snapshot.head
        if subscription.stream.id is None:
            runtime.hub.identify(subscription.stream, StreamHead(head.id, head.epoch, 0))
        await runtime.hub.reach(subscription.stream, head.head)
    return snapshot


async def _undo(runtime: Runtime, session: Session, subscription: Subscription) -> None:
    name = subscription.stream.key[1]
    session.subscriptions.pop(name, None)
    runtime.hub.unsubscribe(subscription)
    try:
        await runtime.sessions.leave(session, name)
    except RpcError:
        return  # the presence store is away: the next restore does not name the room


def enter_live(call: Call, joined: Joined) -> None:
    """Right after the reply, without awaiting: what was held past the head, then the pushes."""
    hub = call.runtime.hub
    subscription = joined.subscription
    if subscription.session.connection is not call.connection:
        return  # lost meanwhile: the session catches up when it is back
    if joined.recovery is not None:
        hub.catch_up(subscription, joined.recovery.last)
    elif joined.held is not None:
        for seq, text in joined.held:
            if seq > joined.head:
                hub.fanout.enqueue(call.connection, text)
        hub.go_live(subscription)


async def leave(call: Call, session: Session, room: str) -> None:
    """Raises RpcError `not_in_room`. From the first step on nothing more of the room is pushed."""
    subscription = session.subscriptions.pop(stream_name(room), None)
    if subscription is None:
        raise RpcError(NOT_IN_ROOM)
    call.runtime.hub.unsubscribe(subscription)
    await call.runtime.sessions.leave(session, stream_name(room))
