"""Plays a conversation (`realtime.conversations`) on a real gateway in this process, and compares."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from projects.demo import DEMO_APP_ID
from realtime.conversations import Conversation, Line
from realtime.runtime import Runtime
from tests.support.client import Closed, InProcess

TIMEOUT_S = 10.0
# What the server makes up. A value of the example stands for one of the server's, everywhere in the conversation.
MADE_UP = frozenset({"app", "position", "session", "epoch", "generation", "incident", "number", "media", "url"})
TIMES = frozenset({"ts", "server_ts", "updated_at", "expires_at", "until"})
# Presence is told when it is noticed: a conversation that is about something else does not show it.
ASIDES = frozenset({"room.joined", "room.left", "room.counted"})

Json = dict[str, Any]
Direction = Callable[["Player"], Awaitable[None]]


class Actor:
    """A client, connected anew after its connection was lost."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._transport: InProcess | None = None
        self.inbox: list[Json] = []

    async def send(self, text: str) -> None:
        if self._transport is None:
            self._transport = InProcess(self._runtime)
        await self._transport.send(text)

    async def take(self, wanted: Callable[[Json], bool]) -> Json:
        """The first message that is wanted; the others stay. Raises Closed."""
        while True:
            for message in self.inbox:
                if wanted(message):
                    self.inbox.remove(message)
                    return message
            assert self._transport is not None
            frame = json.loads(await asyncio.wait_for(self._transport.receive(), TIMEOUT_S))
            self.inbox.extend(frame if isinstance(frame, list) else [frame])

    async def cut(self) -> None:
        transport, self._transport = self._transport, None
        self.inbox.clear()
        if transport is not None:
            await transport.close()


class Player:
    """One performance, for one App ID, which stands in for the example's."""

    def __init__(self, runtime: Runtime, app: str, directions: Mapping[str, Direction]) -> None:
        self.runtime = runtime
        self.app = app
        self._directions = directions
        self._actors: dict[str, Actor] = {}
        self._real: dict[tuple[str, Any], Any] = {("app", DEMO_APP_ID): app}

    def real(self, key: str, shown: str) -> str:
        """What the server made up, for which a value of the example stands."""
        value: str = self._real[key, shown]
        return value

    def _actor(self, name: str) -> Actor:
        if name not in self._actors:
            self._actors[name] = Actor(self.runtime)
        return self._actors[name]

    async def play(self, conversation: Conversation) -> None:
        try:
            await self._prepare(conversation)
            for line in conversation.lines:
                await self._play(line)
            for name in self._actors:
                left = [message for message in await self._settled(name) if message.get("method") not in ASIDES]
                assert not left, f"{name} also got {left}"
        finally:
            for actor in self._actors.values():
                await actor.cut()

    async def _prepare(self, conversation: Conversation) -> None:
        """Makes the calls that came before; what they led to has been seen by then."""
        for number, given in enumerate(conversation.given):
            request_id = f"given-{number}"
            request = {"jsonrpc": "2.0", "id": request_id, "method": given.method, "params": given.params}
            actor = self._actor(given.actor)
            await actor.send(json.dumps(self._as_real(request)))
            answer = await actor.take(_answer_to(request_id))
            assert "result" in answer, answer
        for name in self._actors:
            await self._settled(name)

    async def _settled(self, name: str) -> list[Json]:
        """Takes all that is there or on its way: it comes before the answer to a ping."""
        actor = self._actors[name]
        await actor.send(json.dumps({"jsonrpc": "2.0", "id": "settled", "method": "session.ping"}))
        await actor.take(_answer_to("settled"))
        messages = list(actor.inbox)
        actor.inbox.clear()
        return messages

    async def _play(self, line: Line) -> None:
        match line.kind:
            case ">":
                messages = [self._as_real(message) for message in line.messages]
                whole = messages if line.text.startswith("[") else messages[0] if messages else None
                await self._actor(line.actor).send(line.text if whole is None else json.dumps(whole))
            case "<":
                for message in line.messages:
                    got = await self._actor(line.actor).take(_like(message))
                    self._compare(message, got, line.actor)
            case "x":
                actor = self._actors.pop(line.actor)
                with pytest.raises(Closed) as closed:
                    await actor.take(lambda message: message.get("method") not in ASIDES)
                assert closed.value.code == int(line.text)
                await actor.cut()
            case "~":
                await self._actor(line.actor).cut()
            case _:
                await self._directions[line.text](self)

    def _as_real(self, value: Any, key: str = "") -> Any:
        """The example's value with what the server made up put in."""
        if isinstance(value, dict):
            return {name: self._as_real(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._as_real(item) for item in value]
        return self._real.get((key, value), value) if key in MADE_UP else value

    def _compare(self, shown: Any, got: Any, where: str, key: str = "") -> None:
        if isinstance(shown, dict) and isinstance(got, dict):
            assert list(shown) == list(got), f"{where}: shown with {list(shown)}, got {got}"
            for name, value in shown.items():
                self._compare(value, got[name], f"{where}.{name}", name)
        elif isinstance(shown, list) and isinstance(got, list):
            assert len(shown) == len(got), f"{where}: {got}"
            for number, value in enumerate(shown):
                self._compare(value, got[number], f"{where}[{number}]")
        elif key == "retry_after_ms":
            assert type(got) is int
            assert got > 0
        elif (key in MADE_UP or key in TIMES or _is_servers_id(key, shown)) and shown != "":
            group = "time" if key in TIMES else key
            assert type(got) is type(shown), f"{where}: {got!r}"
            assert self._real.setdefault((group, shown), got) == got, f"{where}: {shown!r} stood for another value"
        else:
            assert shown == got, f"{where}: shown {shown!r}, got {got!r}"


def _is_servers_id(key: str, shown: Any) -> bool:
    """Message ids of clients have no colon."""
    return key == "message_id" and ":" in shown


def _like(shown: Json) -> Callable[[Json], bool]:
    """Answers come in their order and pushes in theirs; which of both is first is not promised."""
    if "method" not in shown:
        return lambda message: "method" not in message
    if shown["method"] in ASIDES:
        return lambda message: message == shown  # what was noticed before the conversation may come as well
    return lambda message: "method" in message and message["method"] not in ASIDES


def _answer_to(request_id: str) -> Callable[[Json], bool]:
    return lambda message: message.get("id") == request_id
