"""Presence in Redis (6.2 or newer), for many processes. Every call is one Lua script: atomic, one round trip.

One server, or a primary with replicas: the names of a project's keys share a hash tag, but a login writes
the keys of its node too, so a Redis Cluster would refuse it. `lua/common.lua` lists the keys. None of them
outlives what it is about: all but `meta` are gone when everybody is.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, cast

import msgspec

from realtime.presence.base import (
    Evicted,
    Eviction,
    EvictionReason,
    LoginOutcome,
    PresenceState,
    PresenceStore,
    PresenceTiming,
    PresenceUnavailable,
    Previous,
    Removed,
    Renewal,
    SessionRecord,
    SessionState,
)
from realtime.presence.calls import Argument, ScriptCalls
from realtime.presence.scripts import NO_LEASE, OK, SERVER_CLOCK, STALE, UNKNOWN, load_scripts

TIMEOUT_S: Final = 2.0
EVICTIONS_LIMIT: Final = 1_000
RESTORE_BATCH: Final = 200
SESSIONS_BATCH: Final = 500


class RedisPresence(PresenceStore):
    """One node's view. It belongs to the event loop it is first used on.

    A call ends within about 2 * TIMEOUT_S, whatever Redis does.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "presence:",
        timing: PresenceTiming | None = None,
        clock: str = SERVER_CLOCK,
    ) -> None:
        self._calls = ScriptCalls(url, load_scripts(prefix, timing or PresenceTiming(), clock), timeout_s=TIMEOUT_S)
        self._node = ""
        self._lease = ""
        self._next_lease = ""
        self._turn = asyncio.Lock()
        """Renewals and restores come one after the other."""
        self._restoring = False
        self._handed_over: list[str] = []
        self._writes = 0
        self._quiet = asyncio.Event()
        self._writes_allowed = asyncio.Event()
        self._writes_allowed.set()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the node ----------------------------------------------------------------------------------------

    async def open(self, node: str) -> None:
        if node != self._node:
            self._node, self._lease, self._next_lease = node, _new_lease(node), _new_lease(node)
        await self._calls.submit("open", self._lease, _new_epoch())

    async def close(self) -> None:
        if self._lease:
            with contextlib.suppress(PresenceUnavailable):  # then the lease ends by itself
                await self._calls.submit("close", self._lease)
        await self._calls.close()

    async def epoch(self) -> str:
        epoch, _ = await self._calls.submit("life", _new_epoch())
        return cast(str, epoch)

    async def settled(self) -> bool:
        _, settled = await self._calls.submit("life", _new_epoch())
        return cast(int, settled) == 1

    async def renew(self) -> Renewal:
        if not self._lease:
            raise PresenceUnavailable("the store is not open")
        async with self._turn:
            failed, self._calls.failed = self._calls.failed, False
            lost, found = await self._calls.submit(
                "renew",
                self._lease,
                self._next_lease,
                int(failed),
                _new_epoch(),
                EVICTIONS_LIMIT,
                *self._handed_over,
            )
            if lost:
                self._lease, self._next_lease = self._next_lease, _new_lease(self._node)
                self._restoring = True
            self._handed_over = found
            return Renewal(lost == 1, tuple(_eviction(text) for text in found))

    async def restore(self, records: Iterable[SessionRecord]) -> list[tuple[int, str]]:
        remaining = iter(records)
        rejected: list[tuple[int, str]] = []
        async with self._turn:
            try:
                while True:
                    batch, call = await self._restore_batch(remaining)
                    status, *places = await call
                    self._is_current(status)
                    rejected += [(batch[place].project, batch[place].uid) for place in places]
                    if len(batch) < RESTORE_BATCH:
                        break
            except BaseException:
                self._calls.failed = True
                raise
            self._restoring = False
        return rejected

    async def _restore_batch(
        self, remaining: Iterator[SessionRecord]
    ) -> tuple[list[SessionRecord], asyncio.Future[Any]]:
        """Reads the next records and submits them, in one step and while no write is under way: so each shows
        what the writes before it came to, and the writes after it find it restored."""
        self._writes_allowed.clear()
        try:
            while self._writes:
                self._quiet.clear()
                await self._quiet.wait()
            batch = list(islice(remaining, RESTORE_BATCH))
            packed = msgspec.msgpack.encode([_record_fields(record) for record in batch])
            return batch, self._calls.submit("restore", self._lease, packed)
        finally:
            self._writes_allowed.set()

    async def reap(self, limit: int) -> list[Removed]:
        removed = await self._calls.submit("reap", self._lease, limit, _new_epoch())
        return [Removed(project, uid, generation, tuple(rooms)) for project, uid, generation, rooms in removed]

    # -- sessions ----------------------------------------------------------------------------------------

    async def login(
        self,
        project: int,
        uid: str,
        wanted_session: str | None,
        new_session: str,
        *,
        capabilities: str = "",
        window_ms: int | None = None,
    ) -> LoginOutcome:
        answer = await self._write(
            "login",
            project,
            uid,
            wanted_session or "",
            new_session,
            "" if window_ms is None else window_ms,
            capabilities,
            unwanted=partial(self._abandon_login, project, uid),
        )
        if answer[0] == STALE:
            return LoginOutcome(too_often=True)
        self._is_current(answer[0])
        return _login_outcome(answer)

    def _abandon_login(self, project: int, uid: str, call: asyncio.Future[Any]) -> None:
        """Who logged in went away before the answer: nobody else knows of the session."""
        if call.exception() is None and call.result()[0] == OK:
            task = asyncio.create_task(self._leave_gone(project, uid, _login_outcome(call.result())))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _leave_gone(self, project: int, uid: str, outcome: LoginOutcome) -> None:
        with contextlib.suppress(PresenceUnavailable):  # then it stays on the lease that is lost now
            await self.set_gone(project, uid, outcome.generation, 0, outcome.levels)

    async def remove(self, project: int, uid: str, generation: int) -> tuple[str, ...] | None:
        status, *rooms = await self._write("remove", project, uid, generation)
        return tuple(rooms) if self._is_current(status) else None

    async def evict(self, project: int, uid: str, reason: EvictionReason) -> Evicted | None:
        status, *found = await self._write("evict", project, uid, reason)
        if status == UNKNOWN or not self._is_current(status):
            return None
        node, generation, *rooms = found
        return Evicted(node, generation, tuple(rooms))

    async def join(self, project: int, uid: str, generation: int, room: str) -> bool:
        return self._is_current(await self._write("join", project, uid, generation, room))

    async def leave(self, project: int, uid: str, generation: int, room: str) -> bool:
        return self._is_current(await self._write("leave", project, uid, generation, room))

    async def set_gone(self, project: int, uid: str, generation: int, silent_ms: int, levels: str) -> bool:
        return self._is_current(await self._write("set_gone", project, uid, generation, silent_ms, levels))

    async def set_here(self, project: int, uid: str, generation: int) -> bool:
        return self._is_current(await self._write("set_here", project, uid, generation))

    async def members(self, project: int, room: str, limit: int) -> list[str]:
        return cast(list[str], await self._calls.submit("members", project, room, limit))

    async def counts(self, project: int, rooms: Sequence[str]) -> list[int]:
        return cast(list[int], await self._calls.submit("counts", project, *rooms))

    async def sessions(self, project: int, uids: Sequence[str]) -> list[SessionState | None]:
        calls = [
            self._calls.submit("sessions", project, *uids[start : start + SESSIONS_BATCH])
            for start in range(0, len(uids), SESSIONS_BATCH)
        ]
        return [_session_state(found) for answer in await asyncio.gather(*calls) for found in answer]

    async def _write(
        self,
        script: str,
        project: int,
        uid: str,
        *arguments: Argument,
        unwanted: Callable[[asyncio.Future[Any]], None] | None = None,
    ) -> Any:
        """Runs a script on a session. A caller that is cancelled does not stop it: `unwanted` then gets what
        it comes to."""
        while not self._writes_allowed.is_set():
            await self._writes_allowed.wait()
        call = self._calls.submit(script, self._lease, project, uid, *arguments)
        self._writes += 1
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if unwanted is not None:
                call.add_done_callback(unwanted)
            raise
        finally:
            if call.done():
                self._end_write()
            else:
                call.add_done_callback(self._end_write)

    def _end_write(self, _: object = None) -> None:
        self._writes -= 1
        if not self._writes:
            self._quiet.set()

    def _is_current(self, status: int) -> bool:
        if status == NO_LEASE:
            raise PresenceUnavailable("this node has no lease until it renews it")
        if status == UNKNOWN and self._restoring:
            raise PresenceUnavailable("this node's sessions are being restored")
        return status == OK


def _new_lease(node: str) -> str:
    return f"{node}#{secrets.token_hex(6)}"


def _new_epoch() -> str:
    return secrets.token_hex(8)


def _eviction(text: str) -> Eviction:
    project, generation, reason, uid = text.split(":", 3)
    return Eviction(int(project), uid, int(generation), cast(EvictionReason, reason))


def _record_fields(record: SessionRecord) -> tuple[Any, ...]:
    return (
        record.project,
        record.uid,
        record.session,
        record.generation,
        record.since_ms,
        record.rooms,
        -1 if record.silent_ms is None else record.silent_ms,
        record.levels,
        record.capabilities,
    )


def _login_outcome(answer: list[Any]) -> LoginOutcome:
    _, session, generation, resumed, since_ms, rooms, *others = answer
    node, previous_generation, previous_session, levels, levels_age_ms, previous_login_ms, now_ms = others
    return LoginOutcome(
        session=session,
        generation=generation,
        resumed=resumed == 1,
        since_ms=since_ms,
        rooms=tuple(rooms) if resumed else (),
        left_rooms=() if resumed else tuple(rooms),
        previous=None if node is None else Previous(node, previous_generation, previous_session),
        levels=levels,
        levels_age_ms=levels_age_ms,
        previous_login_ms=previous_login_ms,
        now_ms=now_ms,
    )


def _session_state(found: list[Any] | None) -> SessionState | None:
    if found is None:
        return None
    unreachable, node, generation, since_ms, session, capabilities = found
    state = PresenceState.UNREACHABLE if unreachable else PresenceState.ONLINE
    return SessionState(state, node, generation, since_ms, session, capabilities)
