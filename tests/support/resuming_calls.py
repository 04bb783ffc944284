"""Invitations of a resuming client: it calls, and does with calls to it what comes to its mind (docs/contract.md 8)."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from invitations.services import INVITATION_CHANGED
from tests.support.inbox_ledger import Answered, HandedOver
from tests.support.invitations import OPEN
from tests.support.link import Refused

if TYPE_CHECKING:
    from tests.support.resuming import ResumingClient

CONFIRMED: Final = 0.85
"""So many of the calls to it."""
ANSWERS: Final = {"invitation.accept": 4, "invitation.refuse": 3, "both": 1, "": 3}
"""What follows, "" for no answer at all."""
CANCELED: Final = 0.3
THINKING_S: Final = 2.0


class Calls:
    """`mine` has the state of each invitation it has sent, as its inbox tells."""

    def __init__(self, client: "ResumingClient") -> None:
        self._client = client
        self._hurry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.mine: dict[str, str] = {}

    def invite(self, peer: str) -> None:
        self._spawn(self._call(peer))

    def told(self, handed: HandedOver) -> None:
        """Something was handed over from the inbox."""
        if handed.event != INVITATION_CHANGED:
            return
        body = handed.body
        if body["caller"] == self._client.uid:
            self.mine[body["invitation"]] = body["state"]
        elif body["state"] == "SENT":
            self._spawn(self._respond(body["caller"], body["invitation"]))

    async def finish(self) -> None:
        """Does at once what is still to be done, and takes back what nobody has answered."""
        self._hurry.set()
        for task in self._tasks:  # there may be more by and by
            await task
        for invitation, state in list(self.mine.items()):
            if state in OPEN:
                await self._act("invitation.cancel", invitation=invitation)

    async def _call(self, peer: str) -> None:
        invitation = self._client.make_message_id()
        self.mine[invitation] = OPEN[0]
        await self._act("invitation.send", invitation=invitation, peer=peer, content="come")
        if self._client.random.random() < CANCELED:
            await self._think()
            await self._act("invitation.cancel", invitation=invitation)

    async def _respond(self, caller: str, invitation: str) -> None:
        chance = self._client.random
        named = {"caller": caller, "invitation": invitation}
        if chance.random() < CONFIRMED:
            await self._act("invitation.confirm", **named)
        (method,) = chance.choices(list(ANSWERS), list(ANSWERS.values()))
        await self._think()
        if method == "both":
            acts = [self._act(one, **named) for one in ("invitation.accept", "invitation.refuse")]
            await asyncio.gather(*acts)
        elif method:
            await self._act(method, **named)

    async def _act(self, method: str, **params: Any) -> None:
        """Whatever the answer, it names a step."""
        try:
            result = await self._client.call(method, **params)
        except Refused as refused:
            if refused.name != "invitation_ended":
                self._client.ledger.breach(f"{method} of {params}: {refused}")
                return
            result = refused.data
        answer = Answered(params["invitation"], result["step"], result["state"], result["reason"])
        self._client.ledger.inbox.answered.append(answer)

    async def _think(self) -> None:
        try:
            async with asyncio.timeout(self._client.random.uniform(0, THINKING_S)):
                await self._hurry.wait()
        except TimeoutError:
            return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))
