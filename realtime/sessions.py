"""Sessions of this process: one per uid and project, kept through short losses of the connection.

The presence store decides (docs/contract.md 6); this process is the truth for its own sockets. Every write
to the store is compare-and-set on the session's generation, so a late one changes nothing.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from projects.limits import RATES
from projects.selectors import Tenant
from realtime.close_codes import REMOTE_LOGIN, SUPERSEDED, CloseCode
from realtime.connection import Connection
from realtime.ended import EndedRates
from realtime.errors import NOT_AUTHORIZED, TOO_OFTEN, UNAVAILABLE, RpcError
from realtime.layer import node_group, stream_group
from realtime.presence import EvictionReason, LoginOutcome, PresenceStore, PresenceUnavailable, SessionState
from realtime.session import EVICTED_CODES, Change, Introduction, Session
from realtime.streams import StreamKey, Subscription, inbox_name

if TYPE_CHECKING:
    from realtime.runtime import Runtime

T = TypeVar("T")


class Sessions:
    def __init__(self, runtime: "Runtime", presence: PresenceStore) -> None:
        self._runtime = runtime
        self._presence = presence
        self._sessions: dict[tuple[int, str], Session] = {}
        self.ended = EndedRates(runtime)
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
        answer = self._presence.login(
            project.id,
            uid,
            wanted or None,
            secrets.token_hex(12),
            capabilities=introduction.capabilities,
            window_ms=window_ms,
        )
        outcome = await self._ask(answer)
        if outcome.too_often:
            raise RpcError(TOO_OFTEN, retry_after_ms=1000 if window_ms is None else window_ms)
        if not outcome.resumed:
            if outcome.previous is not None:
                self.befell(project.id, uid, Change.REPLACED, outcome.left_rooms)
            self.befell(project.id, uid, Change.LOGGED_IN)
        session = self._take(project, uid, outcome)
        session.introduce(introduction)
        session.connection = connection
        connection.session = session
        self._hint_previous(outcome)
        self.members_changed(project.id, outcome.left_rooms, left=uid)
        ended = outcome.previous if not outcome.resumed else None
        self.presence_changed(project.id, {uid: ended.generation if ended is not None else 0})
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
        self.ended.restore(session, outcome)
        self._sessions[session.key] = session
        return session

    def _hint_previous(self, outcome: LoginOutcome) -> None:
        previous = outcome.previous
        if previous is not None and previous.node != self._runtime.node:
            self._runtime.layer.send(node_group(previous.node), {"kind": "evict"})

    async def end(self, session: Session) -> None:
        """Removes a session from the store; the caller answers and drops it."""
        rooms = await self._ask(self._presence.remove(session.project.id, session.uid, session.generation))
        self.members_changed(session.project.id, rooms or (), left=session.uid)
        if rooms is not None:
            self.presence_changed(session.project.id, {session.uid: session.generation})
            self.befell(session.project.id, session.uid, Change.LOGGED_OUT, rooms)

    async def evict(self, project: int, uid: str, reason: EvictionReason) -> bool:
        """Ends a uid's session, on whichever node it is; True if there was one. Raises PresenceUnavailable; even then
        it has ended here."""
        here = self._sessions.get((project, uid))
        generation = 0 if here is None else here.generation
        try:
            evicted = await self._presence.evict(project, uid, reason)
        except PresenceUnavailable:
            self._drop_up_to(project, uid, generation, EVICTED_CODES[reason])
            raise
        if evicted is not None:
            generation = max(generation, evicted.generation)
        dropped = self._drop_up_to(project, uid, generation, EVICTED_CODES[reason])
        if evicted is None:
            return dropped
        if evicted.node != self._runtime.node:
            self._runtime.layer.send(node_group(evicted.node), {"kind": "evict"})
        self.members_changed(project, evicted.rooms, left=uid)
        self.presence_changed(project, {uid: evicted.generation})
        self.befell(project, uid, Change.EVICTED, evicted.rooms)
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
            self.ended.keep(session)
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
        self._runtime.hub.spawn(self._runtime.silence.tell_gone(session, session.generation, 0, levels))

    # -- rooms -------------------------------------------------------------------------------------------

    async def enter(self, session: Session, stream: str) -> None:
        """Makes the session a member in the store; RpcError `unavailable` when it has been replaced."""
        joined = await self._ask(self._presence.join(session.project.id, session.uid, session.generation, stream))
        if not joined:
            raise RpcError(UNAVAILABLE, "The session was replaced.")
        self.members_changed(session.project.id, (stream,))
        if stream not in session.subscriptions and stream not in session.returning:
            self.befell(session.project.id, session.uid, Change.JOINED, (stream,))

    async def leave(self, session: Session, stream: str) -> None:
        left = await self._ask(self._presence.leave(session.project.id, session.uid, session.generation, stream))
        self.members_changed(session.project.id, (stream,), left=session.uid if left else "")
        if left:
            self.befell(session.project.id, session.uid, Change.LEFT, (stream,))

    async def members(self, project: int, stream: str, limit: int) -> list[str]:
        return await self._ask(self._presence.members(project, stream, limit))

    async def counts(self, project: int, streams: Sequence[str]) -> list[int]:
        return await self._ask(self._presence.counts(project, streams))

    async def states(self, project: int, uids: Sequence[str]) -> list[SessionState | None]:
        """The state of each uid; None: offline."""
        return await self._ask(self._presence.sessions(project, uids))

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except PresenceUnavailable as error:
            raise RpcError(UNAVAILABLE) from error

    # -- who is told -------------------------------------------------------------------------------------

    def befell(self, project: int, uid: str, change: Change, streams: Sequence[str] = ()) -> None:
        """Tells this process what this process has done to a session."""
        for listener in self.on_change:
            listener(project, uid, change, streams)

    def presence_changed(self, project: int, uids: Mapping[str, int]) -> None:
        """Tells this process whose state it has changed; a uid's number as in `on_presence`."""
        for listener in self.on_presence:
            listener(project, uids)

    def members_changed(self, project: int, streams: Sequence[str], *, left: str = "") -> None:
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
