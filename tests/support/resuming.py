"""A client that does on the wire what a good SDK does: it reconnects for ever, to whichever process answers,
goes on from its cursors, and says again what was not answered. What it was told is in its ledger.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final, Self

import websockets

from tests.support.ledger import Ledger, Sent
from tests.support.link import LOST, Ending, Failure, Json, Link, Refused, Settle, open_socket
from tests.support.resuming_calls import Calls
from tests.support.resuming_inbox import Inbox
from tests.support.resuming_post import Post
from tests.support.resuming_room import MemberRoom

BACKOFF_S: Final = (0.2, 0.4, 0.8, 1.5)
"""The nth wait is drawn evenly from 0 to these; the last goes on."""
CALL_TIMEOUT_S: Final = 45.0


class ResumingClient:
    """`async with` logs in and, at the end, lets go of the socket (which is no logout)."""

    def __init__(self, app: str, uid: str, ports: Callable[[], Sequence[int]], *, seed: object = 0) -> None:
        """`ports`: of the processes that can be asked, looked up at each attempt."""
        self.uid = uid
        self.random = random.Random(f"{seed}:{uid}")
        self.ledger = Ledger(uid)
        self.rooms: dict[str, MemberRoom] = {}
        self.post = Post(self)
        self.calls = Calls(self)
        self.inbox = Inbox(self, self.calls.told)
        self.online = asyncio.Event()
        self.endings: list[Ending] = []
        self.port = 0
        self.links = 0  # so far
        self.pushes: list[tuple[float, str, Json]] = []
        """All pushes that are no entries, each with the loop's time."""
        self._app = app
        self._ports = ports
        self._session = ""
        self._link: Link | None = None
        self._abandoned: list[Link] = []
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._awake = asyncio.Event()
        self._awake.set()
        self._attempts = 0
        self._retry_s: float | None = None
        self._ids = count(1)

    # -- the application's side --------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self._wait_for(self.online)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of the socket. Raises what went wrong inside of the client."""
        self._ending = True
        self._awake.set()
        for link in [*self._abandoned, *filter(None, [self._link])]:
            link.cut()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    async def join(self, name: str) -> MemberRoom:
        """Joins, and stays joined until `leave`, whatever happens to the connection."""
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = MemberRoom(self, name)
            if self.online.is_set():
                room.connected(None)
        await self._wait_for(room.entered)
        if room.refused is not None:
            del self.rooms[name]
            raise Refused("room.join", room.refused)
        return room

    async def leave(self, name: str) -> None:
        self.rooms.pop(name).forget()
        try:
            await self.call("room.leave", room=name)
        except Refused as refused:
            if refused.name != "not_in_room":  # an attempt without an answer has done it
                raise

    async def update_attributes(self, room: str, values: dict[str, str]) -> None:
        """Changes a room's attributes, under one message id however often it has to be said."""
        message_id = self.make_message_id()
        self.ledger.sent[message_id] = Sent(room, "room.attributes_changed", values)
        result = await self.call(
            "room.update_attributes", room=room, message_id=message_id, attributes=values, notify=True
        )
        self.ledger.acknowledge(message_id, result["seq"])

    async def logout(self) -> None:
        """Ends the session; the next login begins another."""
        for room in self.rooms.values():
            room.forget()
        self.rooms.clear()
        session, self._session = self._session, ""
        link = self._link
        if link is not None and self.online.is_set() and session:
            self.online.clear()
            link.request("session.logout", {}, lambda failure, _result: link.cut() if failure is not None else None)
            await asyncio.wait_for(link.ended.wait(), CALL_TIMEOUT_S)

    async def call(self, method: str, **params: Any) -> Json:
        """A call that may run twice, repeated until it is answered. Raises Refused."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            while True:
                await self._wait_for(self.online)
                failure, result = await self._call_once(method, params)
                if failure is None:
                    return result
                if not failure.retryable:
                    raise Refused(method, failure)
                await asyncio.sleep(failure.retry_after_s or self.random.uniform(0.05, 0.6))

    async def _call_once(self, method: str, params: Json) -> tuple[Failure | None, Json]:
        answer: asyncio.Future[tuple[Failure | None, Json]] = asyncio.get_running_loop().create_future()

        def settle(failure: Failure | None, result: Json) -> None:
            if not answer.done():
                answer.set_result((failure, result))

        self.request(method, params, settle)
        return await answer

    def request(self, method: str, params: Json, settle: Settle) -> None:
        """One request on the connection of this moment."""
        if self._link is not None:
            self._link.request(method, params, settle)
        else:
            settle(LOST, {})

    def notify(self, method: str, **params: Any) -> None:
        if self._link is not None:
            self._link.notify(method, params)

    async def sleep(self, until: asyncio.Event, longest_s: float, *, logged_out: bool) -> None:
        """Has no connection until the event, or for so long."""
        self._awake.clear()
        if logged_out:
            await self.logout()
        self.cut()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), longest_s)
        self._awake.set()

    def go_to(self, ports: Callable[[], Sequence[int]]) -> None:
        """From the next attempt on, asks these."""
        self._ports = ports

    def cut(self) -> None:
        """Loses the connection: both sides hear of it."""
        if self._link is not None:
            self._link.cut()

    def abandon(self) -> None:
        """Loses the connection without the server hearing of it."""
        if self._link is not None:
            self._abandoned.append(self._link)
            self._link.abandon()

    def make_message_id(self) -> str:
        return f"{time.time_ns() // 1_000_000:012x}-{next(self._ids):x}-{self.random.randrange(1 << 24):06x}"

    async def _wait_for(self, event: asyncio.Event) -> None:
        """Waits for something that only a living client can bring."""
        assert self._task is not None
        waiting = asyncio.create_task(event.wait())
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._task.done():
            self._task.result()
            raise RuntimeError(f"{self.uid} has ended: {self.endings[-1:]}")

    # -- connections -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._ending:
            delay_s = await self._connect()
            if delay_s is None:
                longest_s = BACKOFF_S[min(self._attempts, len(BACKOFF_S) - 1)]
                delay_s = self.random.uniform(0.02, longest_s)
                self._attempts += 1
            if not self._ending:
                await asyncio.sleep(delay_s)
            await self._awake.wait()

    async def _connect(self) -> float | None:
        """One connection, to its end. Returns how long the server wants us to stay away."""
        ports = self._ports()
        if not ports:
            return None
        self.port = self.random.choice(list(ports))
        try:
            socket = await open_socket(self.port)
        except (OSError, TimeoutError, websockets.WebSocketException, EOFError):
            return None
        self._retry_s = None
        self._link = link = Link(socket, self._pushed)
        self.links += 1
        self.inbox.ask()
        link.request("session.login", self._login_params(), self._logged_in)
        try:
            ending = await link.run()
        finally:
            self._link = None
            self.online.clear()
            self.inbox.disconnected()
            self.post.disconnected()
            for room in self.rooms.values():
                room.disconnected()
        self.endings.append(ending)
        self.ledger.note(f"port {self.port} ended: {ending}")
        self._heed(ending)
        return ending.delay_s or self._retry_s

    def _login_params(self) -> Json:
        cursors = {room.stream: room.cursor for room in self.rooms.values() if room.cursor is not None}
        params: Json = {"app": self._app, "uid": self.uid, "streams": cursors}
        if self._session:
            params["session"] = self._session
        return params

    def _logged_in(self, failure: Failure | None, result: Json) -> None:
        link = self._link
        assert link is not None
        if failure is not None:
            self.ledger.note(f"port {self.port}: no login: {failure}")
            if not failure.retryable:
                self._ending = True
                self.ledger.breach(f"login refused: {failure}")
            self._retry_s = failure.retry_after_s
            link.cut()
            return
        self._attempts = 0
        self._session = result["session"]
        rooms = {name: (page["recovered"], page["head"], page["live"]) for name, page in result["streams"].items()}
        self.ledger.note(f"port {self.port}: session {self._session}, resumed {result['resumed']}, {rooms}")
        self.ledger.logins += 1
        self.ledger.resumed += result["resumed"]
        link.start(result["heartbeat_ms"] / 1000, result["ack_bytes"])
        self.online.set()
        self.inbox.connected(result["inbox"])
        self.post.connected()
        streams = result["streams"]
        for room in list(self.rooms.values()):
            room.connected(streams.get(room.stream))

    def _heed(self, ending: Ending) -> None:
        """Whether to come back: the server said so in its last words, or by the code alone."""
        notice = ending.notice
        if notice is None or notice["reconnect"] or notice["name"] == "logged_out":
            if notice is not None and notice["name"] == "session_lost":
                self._session = ""
            return
        self._ending = True
        self.ledger.breach(f"ended for good: {notice}")

    def _pushed(self, method: str, params: Json) -> None:
        if "seq" in params:
            stream = params["stream"]
            room = self.rooms.get(stream.removeprefix("room:"))
            if stream == f"inbox:{self.uid}":
                self.inbox.push(method, params)
            elif room is not None:
                room.push(method, params)
            return
        self.pushes.append((asyncio.get_running_loop().time(), method, params))
        if method == "stream.reset":
            self.ledger.breach(f"{params['stream']} was reset")
            return
        room = self.rooms.get(params.get("room", ""))
        if room is None:
            return
        if method == "room.joined":
            room.members.add(params["uid"])
            self.ledger.note(f"{params['uid']} joined {room.name}")
        elif method == "room.left":
            room.members.discard(params["uid"])
            self.ledger.left.append((params["room"], params["uid"]))
            self.ledger.note(f"{params['uid']} left {room.name}")
