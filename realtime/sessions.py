"""Sessions of this process: one per uid and project, kept through short losses of the connection.

The presence store decides (docs/contract.md 6); this process is the truth for its own sockets. Every write
to the store is compare-and-set on the session's generation, so a late one changes nothing.
"""

import asyncio
import contextlib
import enum
import logging
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from projects.limits import RATES
from projects.selectors import Tenant
from realtime.close_codes import (
    BANNED,
    KICKED,
    LOGIN_TIMEOUT,
    REMOTE_LOGIN,
    SESSION_LOST,
    SUPERSEDED,
    TOKEN_EXPIRED,
    CloseCode,
)
from realtime.connection import Connection
from realtime.errors import NOT_AUTHORIZED, TOO_OFTEN, UNAVAILABLE, RpcError
from realtime.layer import node_group, stream_group
from realtime.presence import (
    Eviction,
    EvictionReason,
    LoginOutcome,
    PresenceStore,
    PresenceUnavailable,
    SessionRecord,
    SessionState,
)
from realtime.protocol import encode, notification_text
from realtime.rates import KeyedBuckets, RateBuckets
from realtime.streams import StreamKey, Subscription, inbox_name

if TYPE_CHECKING:
    from realtime.runtime import Runtime

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOGIN_TIMEOUT_S: Final = 12.0
UNREACHABLE_S: Final = 6.0
LATER_S: Final = 0.25
"""So much later the presence store, whose clock decides, calls a lost session unreachable as well."""
FORGET_S: Final = 36.0
"""The store has removed a session by then, whoever did it."""
ALIVE_S: Final = 3.0
REAP_BATCH: Final = 200
BUCKETS_KEPT_S: Final = 10.0
"""As long as the presence store remembers a uid's last login."""

TOKEN_WARNING_MS: Final = 30_000
"""So long before a token runs out its user is told."""

_EVICTED: Final[dict[EvictionReason, CloseCode]] = {
    "superseded": SUPERSEDED,
    "remote_login": REMOTE_LOGIN,
    "removed": SESSION_LOST,
    "kicked": KICKED,
    "banned": BANNED,
}


class Introduction(NamedTuple):
    """What a client has said and shown of itself at its login. `token_ends_ms`: its token ends the connection then
    (ms since 1970), None: no token does."""

    version: str = ""
    capabilities: frozenset[str] = frozenset()
    token_ends_ms: int | None = None


class Change(enum.Enum):
    """What befell a session. Each is told once in the cluster, by the process that did it."""

    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    """By another login of its uid."""
    REMOVED = "removed"
    """After it had been away for 30 s."""
    EVICTED = "evicted"
    """By a kick or a ban."""
    JOINED = "joined"
    LEFT = "left"


ENDINGS: Final = frozenset({Change.LOGGED_OUT, Change.REPLACED, Change.REMOVED, Change.EVICTED})
"""After these the session is no more."""


class _Ended(NamedTuple):
    """What is kept for a moment of a session that has ended here; `at_s` on the loop's clock."""

    at_s: float
    buckets: RateBuckets


class Session:
    """A logged-in user. `connection` is None while the socket is lost; `gone`: the store was told so;
    `unreachable`: a lost one has been so for long enough that others see it."""

    __slots__ = (
        "__weakref__",
        "buckets",
        "capabilities",
        "connection",
        "generation",
        "gone",
        "id",
        "inbox",
        "joins",
        "json_uid",
        "lost_s",
        "project",
        "returning",
        "since_ms",
        "subscriptions",
        "token_ends_ms",
        "token_warned",
        "uid",
        "unreachable",
        "version",
    )

    def __init__(self, project: Tenant, uid: str, session_id: str, generation: int, since_ms: int) -> None:
        self.project = project
        self.uid = uid
        self.id = session_id
        self.generation = generation
        self.since_ms = since_ms
        self.json_uid = encode(uid)
        self.connection: Connection | None = None
        self.gone = False
        self.unreachable = False
        self.lost_s = 0.0
        self.inbox: Subscription | None = None
        """Its own stream; None only while it logs in."""
        self.subscriptions: dict[str, Subscription] = {}
        """To rooms, by the name of the stream."""
        self.returning: set[str] = set()
        """Streams it is in as the store knows, and not subscribed to here yet."""
        self.buckets = RateBuckets(project.limits.rates)
        self.joins: KeyedBuckets | None = None
        self.introduce(Introduction())

    def introduce(self, introduction: Introduction) -> None:
        """At each login, also one that resumes."""
        self.version, self.capabilities, ends_ms = introduction
        self.set_token_end(ends_ms)

    def set_token_end(self, ends_ms: int | None) -> None:
        """Its user has shown a token."""
        self.token_ends_ms = ends_ms
        self.token_warned = False

    @property
    def key(self) -> tuple[int, str]:
        return (self.project.id, self.uid)

    def subscription(self, stream: str) -> Subscription | None:
        """To a room it has joined, or to its own inbox."""
        if self.inbox is not None and self.inbox.stream.key[1] == stream:
            return self.inbox
        return self.subscriptions.get(stream)

    def all_subscriptions(self) -> list[Subscription]:
        found = list(self.subscriptions.values())
        if self.inbox is not None:
            found.append(self.inbox)
        return found


class Sessions:
    def __init__(self, runtime: "Runtime", presence: PresenceStore) -> None:
        self._runtime = runtime
        self._presence = presence
        self._sessions: dict[tuple[int, str], Session] = {}
        self._ended: dict[tuple[int, str], _Ended] = {}
        self.connections: dict[Connection, None] = {}
        self.all_lost = asyncio.Event()
        self.all_lost.set()
        self.on_membership: list[Callable[[int, Sequence[str], str], None]] = []
        """Called with a project's id, the streams whose members changed here, and the uid that has left them, or ""
        when nobody has."""
        self.on_change: list[Callable[[int, str, Change, Sequence[str]], None]] = []
        """Called with a project's id, a uid, what befell its session, and the streams that it joined or left by that.
        A resumed session has not changed. As with every hint, one may be lost; the presence store has the truth."""
        self.on_restored: list[Callable[[StreamKey], Awaitable[None]]] = []
        """Called with a stream that a resumed session brought to this process."""
        self.on_presence: list[Callable[[int, Mapping[str, int]], None]] = []
        """Called with a project's id and the uids whose state this process has changed in the store, each with the
        generation of its session that has ended, or 0."""
        self.on_lost: list[Callable[[Connection], None]] = []
        """Called with a connection that is closed, at least once."""

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, project: int, uid: str) -> Session | None:
        return self._sessions.get((project, uid))

    def all(self) -> Iterable[Session]:
        return self._sessions.values()

    # -- login and logout --------------------------------------------------------------------------------

    async def login(
        self, connection: Connection, project: Tenant, uid: str, wanted: str, introduction: Introduction
    ) -> tuple[Session, bool]:
        """Logs a uid in on a connection: resumes session `wanted` (then True), or takes over from any other.

        Raises RpcError `too_often` above 2 logins a second, `unavailable` without a presence store.
        """
        window_ms = self._login_window_ms(project)
        answer = self._presence.login(project.id, uid, wanted or None, secrets.token_hex(12), window_ms=window_ms)
        outcome = await self._ask(answer)
        if outcome.too_often:
            raise RpcError(TOO_OFTEN, retry_after_ms=1000 if window_ms is None else window_ms)
        if not outcome.resumed:
            if outcome.previous is not None:
                self._befell(project.id, uid, Change.REPLACED, outcome.left_rooms)
            self._befell(project.id, uid, Change.LOGGED_IN)
        session = self._take(project, uid, outcome)
        session.introduce(introduction)
        session.connection = connection
        connection.session = session
        self._hint_previous(outcome)
        self._changed(project.id, outcome.left_rooms, left=uid)
        ended = outcome.previous if not outcome.resumed else None
        self._presence_changed(project.id, {uid: ended.generation if ended is not None else 0})
        self._expect_rooms(session, outcome.rooms)
        try:
            await self._open_inbox(session)
            await self._restore_rooms(session, outcome.rooms)
        except RpcError:
            self._let_go(connection)  # the session is kept: the same login may succeed later
            raise
        if connection.closed is not None or connection not in self.connections:
            self.lose(connection)
            raise RpcError(UNAVAILABLE)
        return session, outcome.resumed

    async def _open_inbox(self, session: Session) -> None:
        subscription = await self._runtime.hub.subscribe(session, inbox_name(session.uid))
        if self._sessions.get(session.key) is not session:
            self._runtime.hub.unsubscribe(subscription)
            raise RpcError(UNAVAILABLE, "The session was replaced.")
        session.inbox = subscription

    def _expect_rooms(self, session: Session, names: Sequence[str]) -> None:
        """A session resumed from another process brings its rooms along; what it has left there, it has left."""
        for name in [name for name in session.subscriptions if name not in names]:
            self._runtime.hub.unsubscribe(session.subscriptions.pop(name))
        session.returning = {name for name in names if name not in session.subscriptions}

    async def _restore_rooms(self, session: Session, names: Sequence[str]) -> None:
        for name in names:
            if name in session.returning:
                session.subscriptions[name] = await self._return_to(session, name)
                session.returning.discard(name)

    async def _return_to(self, session: Session, name: str) -> Subscription:
        subscription = await self._runtime.hub.subscribe(session, name)
        try:
            for listener in self.on_restored:
                await listener(subscription.stream.key)
            if self._sessions.get(session.key) is not session or not subscription.is_open:
                raise RpcError(UNAVAILABLE, "The session was replaced.")
        except BaseException:
            if session.subscriptions.get(name) is not subscription:
                self._runtime.hub.unsubscribe(subscription)
            raise
        return subscription

    def _login_window_ms(self, project: Tenant) -> int | None:
        """The store accepts two logins in a window: a project's other rate makes that window another one."""
        rate = project.limits.rates["login"]
        return None if rate == RATES["login"] else 2 * rate.window_ms // rate.calls

    def _take(self, project: Tenant, uid: str, outcome: LoginOutcome) -> Session:
        """The session object of a login: the one that is here, or a new one."""
        current = self._sessions.get((project.id, uid))
        if current is not None and current.generation > outcome.generation:
            raise RpcError(NOT_AUTHORIZED, "A newer login of this uid came first.")
        if current is not None and outcome.resumed and current.id == outcome.session:
            previous, current.connection = current.connection, None
            if previous is not None:
                self._runtime.hub.detach(previous, current.all_subscriptions())
                previous.session = None
                previous.close(SUPERSEDED)
            current.generation = outcome.generation
            current.project = project
            current.gone = False
            return current
        if current is not None:
            self.drop(current, SUPERSEDED if current.id == outcome.session else REMOTE_LOGIN)
        session = Session(project, uid, outcome.session, outcome.generation, outcome.since_ms)
        self._restore_rates(session, outcome)
        self._sessions[session.key] = session
        return session

    def _restore_rates(self, session: Session, outcome: LoginOutcome) -> None:
        """Rate buckets move with the session, and a new login does not refill them at once: they are those of the
        uid's last session here, or their levels are known from elsewhere, or they are taken for spent."""
        now_s = self._runtime.loop.time()
        ended = self._ended.pop(session.key, None)
        was_here = outcome.previous is None or outcome.previous.node == self._runtime.node
        if ended is not None and was_here and ended.buckets.are_of(session.project.limits.rates):
            session.buckets = ended.buckets
            return
        # Levels saved before the last login say nothing about what was spent since.
        since_login_ms = max(0, outcome.now_ms - (outcome.previous_login_ms or 0))
        if outcome.levels and outcome.levels_age_ms <= since_login_ms:
            session.buckets.restore(outcome.levels, outcome.levels_age_ms / 1000, now_s)
        elif outcome.previous_login_ms is not None:
            session.buckets.limit_to_elapsed(since_login_ms / 1000, now_s)

    def _hint_previous(self, outcome: LoginOutcome) -> None:
        previous = outcome.previous
        if previous is not None and previous.node != self._runtime.node:
            self._runtime.layer.send(node_group(previous.node), {"kind": "evict"})

    async def end(self, session: Session) -> None:
        """Removes a session from the store; the caller answers and drops it."""
        rooms = await self._ask(self._presence.remove(session.project.id, session.uid, session.generation))
        self._changed(session.project.id, rooms or (), left=session.uid)
        if rooms is not None:
            self._presence_changed(session.project.id, {session.uid: session.generation})
            self._befell(session.project.id, session.uid, Change.LOGGED_OUT, rooms)

    async def evict(self, project: int, uid: str, reason: EvictionReason) -> bool:
        """Ends a uid's session, on whichever node it is; True if there was one. Raises PresenceUnavailable; even then
        it has ended here."""
        here = self._sessions.get((project, uid))
        generation = 0 if here is None else here.generation
        try:
            evicted = await self._presence.evict(project, uid, reason)
        except PresenceUnavailable:
            self._drop_up_to(project, uid, generation, _EVICTED[reason])
            raise
        if evicted is not None:
            generation = max(generation, evicted.generation)
        dropped = self._drop_up_to(project, uid, generation, _EVICTED[reason])
        if evicted is None:
            return dropped
        if evicted.node != self._runtime.node:
            self._runtime.layer.send(node_group(evicted.node), {"kind": "evict"})
        self._changed(project, evicted.rooms, left=uid)
        self._presence_changed(project, {uid: evicted.generation})
        self._befell(project, uid, Change.EVICTED, evicted.rooms)
        return True

    def _drop_up_to(self, project: int, uid: str, generation: int, code: CloseCode) -> bool:
        """Drops the uid's session unless a newer login came meanwhile; True if there was one to drop."""
        session = self._sessions.get((project, uid))
        if session is None or session.generation > generation:
            return False
        self.drop(session, code)
        return True

    def drop(self, session: Session, code: CloseCode) -> None:
        """Forgets a session here and closes its connection. The store is not told."""
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]
            self._ended[session.key] = _Ended(self._runtime.loop.time(), session.buckets)
        connection = session.connection
        if connection is not None:
            self._runtime.hub.detach(connection, session.all_subscriptions())
        for subscription in session.all_subscriptions():
            self._runtime.hub.unsubscribe(subscription)
        session.subscriptions.clear()
        session.inbox = None
        session.connection = None
        if connection is not None:
            connection.session = None
            connection.close(code)

    # -- connections -------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        self.connections[connection] = None
        self.all_lost.clear()
        connection.on_closed = self.lose

    def lose(self, connection: Connection) -> None:
        """The socket is closed or given up: the session stays for 30 s and catches up when it is back."""
        self.connections.pop(connection, None)
        if not self.connections:
            self.all_lost.set()
        for listener in self.on_lost:
            listener(connection)
        self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        session, connection.session = connection.session, None
        if session is None or session.connection is not connection:
            return
        self._runtime.hub.detach(connection, session.all_subscriptions())
        session.connection = None
        session.lost_s = self._runtime.loop.time()
        session.gone = True
        session.unreachable = False
        levels = session.buckets.levels(session.lost_s)
        self._runtime.hub.spawn(self._tell_gone(session, session.generation, 0, levels))

    async def _tell_gone(self, session: Session, generation: int, silent_ms: int, levels: str) -> None:
        current = await self._say_gone(session.project.id, session.uid, generation, silent_ms, levels)
        if current is False and session.generation == generation and session.connection is None:
            self.drop(session, SESSION_LOST)
        elif current and silent_ms:
            self._presence_changed(session.project.id, {session.uid: 0})

    async def _say_gone(self, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool | None:
        """None when the store did not answer: what is missed is repaired when it is back."""
        try:
            return await self._presence.set_gone(project, uid, generation, silent_ms, levels)
        except PresenceUnavailable:
            return None

    def sign_of_life(self, session: Session) -> None:
        """A silent session was heard again."""
        session.gone = False
        self._runtime.hub.spawn(self._tell_here(session, session.generation))

    async def _tell_here(self, session: Session, generation: int) -> None:
        try:
            current = await self._presence.set_here(session.project.id, session.uid, generation)
        except PresenceUnavailable:
            return
        if current:
            self._presence_changed(session.project.id, {session.uid: 0})
        elif session.generation == generation:
            self.drop(session, SESSION_LOST)

    def tick(self) -> None:
        """Once a second: who is silent, who is forgotten, who never logged in, who waits to be read, whose token runs
        out."""
        now_s = self._runtime.loop.time()
        now_ms = self._runtime.clock_ms()
        for connection in list(self.connections):
            if connection.session is None:
                if now_s - connection.connected_s > LOGIN_TIMEOUT_S:
                    connection.close(LOGIN_TIMEOUT)
            elif connection.paused:
                connection.seen_s = now_s
                self._runtime.hub.fanout.enqueue(connection, notification_text("session.alive", {}))
        for key in [key for key, ended in self._ended.items() if now_s - ended.at_s > BUCKETS_KEPT_S]:
            del self._ended[key]
        for session in list(self._sessions.values()):
            current = session.connection
            if current is None:
                lost_s = now_s - session.lost_s
                if lost_s > FORGET_S:
                    self.drop(session, SESSION_LOST)
                elif lost_s >= UNREACHABLE_S + LATER_S and not session.unreachable:
                    session.unreachable = True
                    self._presence_changed(session.project.id, {session.uid: 0})
                continue
            silent_s = now_s - current.seen_s
            if silent_s > FORGET_S:
                self.drop(session, SESSION_LOST)
            elif silent_s >= UNREACHABLE_S and not session.gone:
                session.gone = True
                levels = session.buckets.levels(now_s)
                self._runtime.hub.spawn(self._tell_gone(session, session.generation, round(silent_s * 1000), levels))
            if session.token_ends_ms is not None:
                self._watch_token(session, current, session.token_ends_ms, now_ms)

    def _watch_token(self, session: Session, connection: Connection, ends_ms: int, now_ms: int) -> None:
        """Warns once, and at the end closes the connection (docs/contract.md 9).

        Nothing is suspended on an open socket: without a connection a session neither sends nor is sent to, it shows
        as unreachable and is removed after 30 s, and a login with a new token resumes it, all by the rules for any
        lost connection."""
        if now_ms >= ends_ms:
            connection.close(TOKEN_EXPIRED)
        elif now_ms >= ends_ms - TOKEN_WARNING_MS and not session.token_warned:
            session.token_warned = True
            warning = notification_text("session.token_expiring", {"expires_at": ends_ms})
            self._runtime.hub.fanout.enqueue(connection, warning)

    def forgive_silence(self) -> None:
        """The loop stood still: what clients sent meanwhile is still to be read."""
        now_s = self._runtime.loop.time()
        for session in self._sessions.values():
            if session.connection is not None:
                session.connection.seen_s = max(session.connection.seen_s, now_s - ALIVE_S)
            else:
                session.lost_s = max(session.lost_s, now_s - FORGET_S + 32)

    # -- rooms -------------------------------------------------------------------------------------------

    async def enter(self, session: Session, stream: str) -> None:
        """Makes the session a member in the store; RpcError `unavailable` when it has been replaced."""
        joined = await self._ask(self._presence.join(session.project.id, session.uid, session.generation, stream))
        if not joined:
            raise RpcError(UNAVAILABLE, "The session was replaced.")
        self._changed(session.project.id, (stream,))
        if stream not in session.subscriptions and stream not in session.returning:
            self._befell(session.project.id, session.uid, Change.JOINED, (stream,))

    async def leave(self, session: Session, stream: str) -> None:
        left = await self._ask(self._presence.leave(session.project.id, session.uid, session.generation, stream))
        self._changed(session.project.id, (stream,), left=session.uid if left else "")
        if left:
            self._befell(session.project.id, session.uid, Change.LEFT, (stream,))

    async def members(self, project: int, stream: str, limit: int) -> list[str]:
        return await self._ask(self._presence.members(project, stream, limit))

    async def counts(self, project: int, streams: Sequence[str]) -> list[int]:
        return await self._ask(self._presence.counts(project, streams))

    async def states(self, project: int, uids: Sequence[str]) -> list[SessionState | None]:
        """The state of each uid; None: offline."""
        return await self._ask(self._presence.sessions(project, uids))

    def _befell(self, project: int, uid: str, change: Change, streams: Sequence[str] = ()) -> None:
        for listener in self.on_change:
            listener(project, uid, change, streams)

    def _presence_changed(self, project: int, uids: Mapping[str, int]) -> None:
        for listener in self.on_presence:
            listener(project, uids)

    def _changed(self, project: int, streams: Sequence[str], *, left: str = "") -> None:
        """Tells this process and, by a hint, the others that a stream's members changed; `left`: who has left."""
        if not streams:
            return
        for listener in self.on_membership:
            listener(project, streams, left)
        if self._runtime.hub.shared:
            for stream in streams:
                message = {
                    "kind": "members",
                    "node": self._runtime.node,
                    "project": project,
                    "stream": stream,
                    "left": left,
                }
                self._runtime.layer.send(stream_group((project, stream)), message)

    # -- the node's lease --------------------------------------------------------------------------------

    async def renew(self) -> None:
        """Renews the node's lease and closes what moved elsewhere. After a lost lease or in an emptied store
        it registers its sessions again."""
        renewal = await self._presence.renew()
        for eviction in renewal.evictions:
            session = self._sessions.get((eviction.project, eviction.uid))
            if session is not None and session.generation <= eviction.generation:
                self.drop(session, _EVICTED[eviction.reason])
            if eviction.reason in ("kicked", "banned"):
                self._runtime.hub.spawn(self._forget_evicted(eviction))
        if renewal.lost:
            self._runtime.removals.recheck_soon()
            logger.warning("the node's lease was lost: %d sessions are registered again", len(self))
            named: dict[tuple[int, str], tuple[Session, int]] = {}
            for key in await self._presence.restore(self._records(named)):
                session, generation = named[key]
                # Since it was named, the same uid may have logged in here anew.
                if self._sessions.get(key) is session and session.generation == generation:
                    self.drop(session, REMOTE_LOGIN)

    async def _forget_evicted(self, eviction: Eviction) -> None:
        """This node may have named the session again before it learned of the eviction."""
        with contextlib.suppress(PresenceUnavailable):  # then the sessions that are here are named once more
            rooms = await self._presence.remove(eviction.project, eviction.uid, eviction.generation)
            self._changed(eviction.project, rooms or (), left=eviction.uid)

    def _records(self, named: dict[tuple[int, str], tuple[Session, int]]) -> Iterator[SessionRecord]:
        """Each session as it is when its turn comes, noted in `named`."""
        for session in list(self._sessions.values()):
            if self._sessions.get(session.key) is session:
                named[session.key] = (session, session.generation)
                yield self._record(session)

    def _record(self, session: Session) -> SessionRecord:
        now_s = self._runtime.loop.time()
        connection = session.connection
        silent_ms: int | None = None
        if connection is None:
            silent_ms = round((now_s - session.lost_s) * 1000)
        elif session.gone:
            silent_ms = round((now_s - connection.seen_s) * 1000)
        return SessionRecord(
            project=session.project.id,
            uid=session.uid,
            session=session.id,
            generation=session.generation,
            since_ms=session.since_ms,
            rooms=(*session.subscriptions, *session.returning),
            silent_ms=silent_ms,
            levels=session.buckets.levels(now_s),
        )

    async def reap(self) -> None:
        """Removes sessions that have been away for 30 s, of this node and of dead ones."""
        while True:
            removed = await self._presence.reap(REAP_BATCH)
            ended: defaultdict[int, dict[str, int]] = defaultdict(dict)
            for gone in removed:
                ended[gone.project][gone.uid] = gone.generation
                session = self._sessions.get((gone.project, gone.uid))
                if session is not None and session.generation <= gone.generation:
                    self.drop(session, SESSION_LOST)
                self._changed(gone.project, gone.rooms, left=gone.uid)
                self._befell(gone.project, gone.uid, Change.REMOVED, gone.rooms)
            for project, uids in ended.items():
                self._presence_changed(project, uids)
            if len(removed) < REAP_BATCH:
                return

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except PresenceUnavailable as error:
            raise RpcError(UNAVAILABLE) from error
