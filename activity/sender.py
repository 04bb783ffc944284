"""Sends what waits in the queues of webhooks, each webhook in a lane of its own."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from django.conf import settings

from activity.http import PostFailed, post
from activity.lookups import Lookups
from activity.selectors import due_webhooks
from activity.services.deliveries import Claimed, Outcome, claim_deliveries, finish_attempts
from activity.signature import sign
from activity.standing import Standing
from messaging.selectors import from_ms
from realtime.parts import RecurringPart, Round, attempt
from realtime.runtime import Runtime
from realtime.tasks import cancel_all

LOOK_S: Final = 0.5
WIDTH: Final = 4
"""Deliveries of a webhook that are on their way at once; one, after a failure, until one is taken."""
LANES: Final = 64
FAILING_LANES: Final = 16
"""Of those: for webhooks whose receiver failed last time."""


class Post(Protocol):
    def __call__(
        self, url: str, headers: dict[str, str], body: bytes, *, project: int, is_proven: bool
    ) -> Awaitable[int]:
        """The answer's status; raises PostFailed. `is_proven`: the receiver is known to work."""


class Sender(RecurringPart):
    """A part of the runtime. Any number of processes may send: a delivery is claimed before it is sent, in the
    database and for a time, so that it goes out once in the usual case, and again if its sender died."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        post: Post | None = None,
        lookups: Lookups | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),
    ) -> None:
        super().__init__(runtime)
        self._post = post or self._post_by_http
        self._jitter = jitter
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._standing = Standing(runtime.loop.time)
        self._lookups = lookups if lookups is not None else Lookups()
        self._draining = False

    def rounds(self) -> Sequence[Round]:
        return (Round("sending to webhooks", LOOK_S, self.look),)

    async def drain(self) -> None:
        """What is on its way comes to its end, and nothing more is begun."""
        self._draining = True
        await self.idle()

    async def stop(self) -> None:
        self._draining = True
        await super().stop()
        await cancel_all(self._lanes.values())
        self._lookups.stop()

    async def look(self) -> None:
        """Begins to send for every webhook that has something due and nobody here at it."""
        if self._draining or len(self._lanes) >= LANES:
            return
        due = await self._runtime.bridge.read(due_webhooks, self._now())
        for webhook_id in due:
            if webhook_id not in self._lanes and self._has_room(webhook_id):
                self._lanes[webhook_id] = self._runtime.loop.create_task(self._serve(webhook_id))

    async def idle(self) -> None:
        """Until every lane has ended that is at work now."""
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)

    def _has_room(self, webhook_id: int) -> bool:
        if len(self._lanes) >= LANES or self._draining:
            return False
        is_failing = self._standing.is_failing
        return not is_failing(webhook_id) or sum(map(is_failing, self._lanes)) < FAILING_LANES

    async def _serve(self, webhook_id: int) -> None:
        try:
            await attempt(f"webhook {webhook_id}", partial(self._send_due, webhook_id))
        finally:
            del self._lanes[webhook_id]

    async def _send_due(self, webhook_id: int) -> None:
        """Sends what is due for a webhook, in the order it was queued as far as that goes."""
        while not self._draining:
            width = 1 if self._standing.is_failing(webhook_id) else WIDTH
            claimed = await self._runtime.bridge.write(
                claim_deliveries, webhook_id=webhook_id, limit=width, now=self._now()
            )
            if not claimed:
                return
            is_proven = self._standing.is_proven(webhook_id)
            outcomes = await asyncio.gather(*(self._try(delivery, is_proven) for delivery in claimed))
            self._standing.note(webhook_id, failed=any(outcome.error for outcome in outcomes))
            await self._runtime.bridge.write(finish_attempts, outcomes=outcomes, jitter=self._jitter(), now=self._now())

    async def _try(self, delivery: Claimed, is_proven: bool) -> Outcome:
        """`is_proven`: in this process; a delivery that comes again tells that it has failed in some."""
        is_proven = is_proven and delivery.attempt == 1
        body = delivery.payload.encode()
        timestamp = self._runtime.clock_ms() // 1000
        headers = {
            "User-Agent": "Rostrum",
            "X-Rostrum-Event-Id": delivery.event_id,
            "X-Rostrum-Timestamp": str(timestamp),
            "X-Rostrum-Signature": sign(delivery.secret, timestamp, body),
        }
        try:
            status = await self._post(delivery.url, headers, body, project=delivery.project, is_proven=is_proven)
        except PostFailed as failure:
            return Outcome(delivery.id, delivery.attempt, None, str(failure))
        error = "" if 200 <= status < 300 else f"answered {status}"
        return Outcome(delivery.id, delivery.attempt, status, error)

    async def _post_by_http(
        self, url: str, headers: dict[str, str], body: bytes, *, project: int, is_proven: bool
    ) -> int:
        lookup = partial(self._lookups.find, project=project, is_proven=is_proven)
        return await post(url, headers, body, allow_private=settings.WEBHOOK_ALLOW_PRIVATE, lookup=lookup)

    def _now(self) -> datetime:
        return from_ms(self._runtime.clock_ms())
