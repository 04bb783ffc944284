"""What tests of peer messages need: ann at one process, her peer at the same or another one."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from messaging.engine import Messaging
from peers.delivery import PeerMessages
from tests.support.client import Client
from tests.support.clock import Lifetime

KEPT = {"offline": True}


@dataclass
class Post:
    lifetime: Lifetime
    app: str
    place: int
    """Of the peer."""
    params: dict[str, Any] = field(default_factory=dict)
    """Of every login."""

    async def ann(self) -> Client:
        return await self.lifetime.enter(self.app, "ann", **self.params)

    async def bob(self, *, reads_inbox: bool = True) -> Client:
        client = self.lifetime.open_client(self.place, reads_inbox=reads_inbox)
        await client.login(self.app, "bob", **self.params)
        return client

    async def bob_again(self, *, reads_inbox: bool = True) -> dict[str, Any]:
        """Another client of bob's logs in; the answer. What it has acknowledged is committed."""
        client = self.lifetime.open_client(self.place, reads_inbox=reads_inbox)
        self.lifetime.clock.advance(1)  # two logins a second
        login: dict[str, Any] = await client.login(self.app, "bob", **self.params)
        await client.call("session.ping")
        await self.committed()
        return login

    async def session_of(self, uid: str) -> str:
        """The id of a user's session."""
        sessions = [session for runtime in self.lifetime.runtimes for session in runtime.sessions.all()]
        return next(session.id for session in sessions if session.uid == uid)

    async def committed(self) -> None:
        """What was sent is in the inboxes."""
        await self.lifetime.settle()
        for runtime in self.lifetime.runtimes:
            await runtime.part(Messaging).drain()

    async def seen(self) -> None:
        """What was acknowledged is committed, and every process has looked, as it does twice a second."""
        await self.committed()
        await self.look()

    async def look(self) -> None:
        """Every process looks after who waits for a receipt."""
        await self.lifetime.settle()
        for runtime in self.lifetime.runtimes:
            await runtime.part(PeerMessages).look()

    async def pass_time(self, seconds: float, *alive: Client) -> None:
        await self.lifetime.pass_time(seconds, *alive)
        await self.look()


async def committed(answer: "asyncio.Future[Any]", reader: Client) -> dict[str, Any]:
    """The message that reader gets while its sender still waits for the receipt."""
    pushed = await reader.expect("peer.sent")
    assert not answer.done()
    return pushed


async def answered(answer: "asyncio.Future[Any]") -> bool:
    """Whether the message was received."""
    received: bool = (await asyncio.wait_for(answer, 10))["received"]
    return received


def texts_in(login: dict[str, Any]) -> list[str]:
    """Of the messages that a login found in the inbox."""
    return [entry["body"]["message"]["text"] for entry in login["inbox"]["entries"]]
