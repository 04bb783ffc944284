"""Silence: who was not heard for how long, what the presence store is told of it, and what ends by it.

A user is unreachable 6 s after the last sign of life, and removed between 30 and 35 s after it (docs/contract.md 6).
"""

from typing import TYPE_CHECKING, Final

from realtime.close_codes import LOGIN_TIMEOUT, SESSION_LOST
from realtime.presence import PresenceUnavailable
from realtime.protocol import notification_text
from realtime.session import Session
from realtime.tokens import watch_token

if TYPE_CHECKING:
    from realtime.runtime import Runtime

LOGIN_TIMEOUT_S: Final = 12.0
UNREACHABLE_S: Final = 6.0
LATER_S: Final = 0.25
"""So much later the presence store, whose clock decides, calls a lost session unreachable as well."""
FORGET_S: Final = 36.0
"""The store has removed a session by then, whoever did it."""
ALIVE_S: Final = 3.0


class Silence:
    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    def tick(self) -> None:
        """Once a second: who is silent, who is forgotten, who never logged in, who waits to be read, whose token runs
        out."""
        now_s = self._runtime.loop.time()
        now_ms = self._runtime.clock_ms()
        sessions = self._runtime.sessions
        for connection in list(sessions.connections):
            if connection.session is None:
                if now_s - connection.connected_s > LOGIN_TIMEOUT_S:
                    connection.close(LOGIN_TIMEOUT)
            elif connection.paused:
                connection.seen_s = now_s
                self._runtime.hub.fanout.enqueue(connection, notification_text("session.alive", {}))
        sessions.ended.tick(now_s)
        for session in list(sessions.all()):
            current = session.connection
            if current is None:
                lost_s = now_s - session.lost_s
                if lost_s > FORGET_S:
                    sessions.drop(session, SESSION_LOST)
                elif lost_s >= UNREACHABLE_S + LATER_S and not session.unreachable:
                    session.unreachable = True
                    sessions.presence_changed(session.project.id, {session.uid: 0})
                continue
            silent_s = now_s - current.seen_s
            if silent_s > FORGET_S:
                sessions.drop(session, SESSION_LOST)
            elif silent_s >= UNREACHABLE_S and not session.gone:
                session.gone = True
                levels = session.buckets.levels(now_s)
                self._runtime.hub.spawn(self.tell_gone(session, session.generation, round(silent_s * 1000), levels))
            if session.token_ends_ms is not None:
                watch_token(self._runtime.hub.fanout, session, current, session.token_ends_ms, now_ms)

    def forgive(self) -> None:
        """The loop stood still: what clients sent meanwhile is still to be read."""
        now_s = self._runtime.loop.time()
        for session in self._runtime.sessions.all():
            if session.connection is not None:
                session.connection.seen_s = max(session.connection.seen_s, now_s - ALIVE_S)
            else:
                session.lost_s = max(session.lost_s, now_s - FORGET_S + 32)

    async def tell_gone(self, session: Session, generation: int, silent_ms: int, levels: str) -> None:
        """Tells the store of a session that is lost, or silent for `silent_ms`; `levels`: of its rate buckets."""
        current = await self._say_gone(session.project.id, session.uid, generation, silent_ms, levels)
        if current is False and session.generation == generation and session.connection is None:
            self._runtime.sessions.drop(session, SESSION_LOST)
        elif current and silent_ms:
            self._runtime.sessions.presence_changed(session.project.id, {session.uid: 0})

    async def _say_gone(self, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool | None:
        """None when the store did not answer: what is missed is repaired when it is back."""
        try:
            return await self._runtime.presence.set_gone(project, uid, generation, silent_ms, levels)
        except PresenceUnavailable:
            return None

    def end(self, session: Session) -> None:
        """A session was heard again of which the store was told that it is silent."""
        session.gone = False
        self._runtime.hub.spawn(self._tell_here(session, session.generation))

    async def _tell_here(self, session: Session, generation: int) -> None:
        try:
            current = await self._runtime.presence.set_here(session.project.id, session.uid, generation)
        except PresenceUnavailable:
            return
        if current:
            self._runtime.sessions.presence_changed(session.project.id, {session.uid: 0})
        elif session.generation == generation:
            self._runtime.sessions.drop(session, SESSION_LOST)
