"""Exactly once, in order, over any number of reconnects: two processes, lost hints, sockets that break anywhere."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.runtime import Runtime
from tests.support.client import Client, InProcess
from tests.support.doubles import Hints
from tests.support.runtimes import UNLIMITED_LOGINS, runtimes

UIDS = ("ann", "bob", "carl")
BIG = "x" * 30_000

steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2), st.integers(1, 4)),
        st.tuples(st.just("send_big"), st.integers(0, 2), st.integers(1, 10)),
        st.tuples(st.just("cut"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.integers(0, 2), st.integers(0, 1)),
        st.tuples(st.just("read"), st.integers(0, 2), st.just(0)),
        st.tuples(st.sampled_from(["drop", "deliver", "check"]), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@dataclass
class Member:
    """A client as an SDK is one: a cursor that pushes and pages move, and nothing else."""

    uid: str
    stream: str
    client: Client | None = None
    session: str = ""
    cursor: int = 0
    epoch: str = ""
    live: bool = True
    taken: list[int] = field(default_factory=list)
    read_frames: int = 0

    def take(self, frames: int | None = None) -> None:
        """Takes what has arrived, at most so many frames of the connection."""
        assert self.client is not None
        for text in self.client.frames[self.read_frames : frames]:
            self.read_frames += 1
            frame = json.loads(text)
            for message in frame if isinstance(frame, list) else [frame]:
                self._take_message(message)

    def _take_message(self, message: dict[str, Any]) -> None:
        if message.get("method") == "room.sent":
            assert self.live, "nothing is pushed to who is catching up"
            self._deliver(message["params"]["seq"])
        assert message.get("method") != "stream.reset"
        result = message.get("result", {})
        page = result["streams"][self.stream] if "streams" in result and self.stream in result["streams"] else result
        if "entries" in page:
            assert page.get("recovered", True)
            self.epoch = page["epoch"]
            self.live = page["live"]
            for entry in page["entries"]:
                self._deliver(entry["seq"])

    def _deliver(self, seq: int) -> None:
        assert seq == self.cursor + 1, f"{self.uid} is at {self.cursor} and was given {seq}"
        self.cursor = seq
        self.taken.append(seq)


class Scene:
    """One room and its members."""

    def __init__(self, app: str, room: str, places: list[Runtime], hints: Hints) -> None:
        self.app = app
        self.room = room
        self.places = places
        self.hints = hints
        self.ids = count(1)
        self.sent = 0
        self.members = [Member(f"{room}-{uid}", f"room:{room}") for uid in UIDS]

    async def open(self) -> None:
        for place, member in enumerate(self.members):
            member.client = Client(InProcess(self.places[place % 2]))
            member.session = (await member.client.login(self.app, member.uid))["session"]
            await member.client.call("room.join", room=self.room)
            member.take()

    async def step(self, name: str, who: int, argument: int) -> None:
        member = self.members[who]
        match name:
            case "drop" | "deliver":
                self.hints.mode = name
            case "check":
                await self.look()
            case "send" | "send_big" if member.client is not None:
                for _ in range(argument):
                    text = BIG if name == "send_big" else "x"
                    assert (await member.client.send(self.room, text, f"m{next(self.ids)}"))["seq"] == self.sent + 1
                    self.sent += 1
            case "cut" if member.client is not None:
                await self.cut(member, argument)
            case "resume" if member.client is None:
                await self.resume(member, argument)
            case "read" if member.client is not None:
                await self.read(member)

    async def cut(self, member: Member, lost: int) -> None:
        """The socket breaks; the last frames on it never arrive."""
        assert member.client is not None
        client = member.client
        await client.close()
        member.take(max(member.read_frames, len(client.frames) - lost))
        member.client, member.read_frames = None, 0

    async def resume(self, member: Member, place: int) -> None:
        client = member.client = Client(InProcess(self.places[place]))
        cursors = {member.stream: {"seq": member.cursor, "epoch": member.epoch}}
        answer = await client.login(self.app, member.uid, session=member.session, streams=cursors)
        assert answer["resumed"]

    async def read(self, member: Member) -> None:
        assert member.client is not None
        member.take()
        if not member.live:
            await member.client.call("stream.read", stream=member.stream, after=member.cursor)
            member.take()

    async def look(self) -> None:
        for place in self.places:
            await place.hub.check_heads()
            await place.hub.settle(10)

    async def close(self) -> None:
        """Everybody comes back, reads to the end, and has it all."""
        for member in self.members:
            if member.client is None:
                await self.resume(member, 0)
        await self.look()
        for member in self.members:
            assert member.client is not None
            for _ in range(self.sent + 1):
                await self.read(member)
            await member.client.call("session.ping")
            member.take()
            await member.client.call("session.logout")
            await member.client.close()
            assert member.taken == list(range(1, self.sent + 1))


def test_every_member_gets_every_entry_once_and_in_order(fast_app: str) -> None:
    hints = Hints()
    rooms = count(1)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        places = runner.run(stack.enter_async_context(runtimes(2, hints, timing=UNLIMITED_LOGINS)))

        async def play(script: list[tuple[str, int, int]]) -> None:
            scene = Scene(fast_app, f"r{next(rooms)}", places, hints)
            hints.mode = "deliver"
            await scene.open()
            for step in script:
                await scene.step(*step)
            await scene.close()

        @settings(max_examples=50)
        @given(steps)
        def examples(script: list[tuple[str, int, int]]) -> None:
            runner.run(play(script))

        try:
            examples()
        finally:
            runner.run(stack.aclose())
