"""Takes the log to the webhooks: messages and invitations are told from their entries, not when they are sent."""

import asyncio
import logging
from typing import Final

from activity.horizon import Horizon
from activity.selectors import has_webhooks
from activity.services.queue import enqueue_entries
from messaging.selectors import from_ms
from realtime.errors import RpcError
from realtime.runtime import Runtime

logger = logging.getLogger(__name__)

PUMP_S: Final = 0.5


class Pump:
    """A part of the runtime. Each process may pump: whose turn it is for a webhook is decided in the database, and how
    far it has come is kept there, in the same transaction as what was queued."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._horizon = Horizon()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = self._runtime.loop.create_task(self._run(), name="webhook-pump")

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PUMP_S)
            try:
                await self.pump()
            except RpcError:
                logger.warning("the log is taken to webhooks later: storage out of reach")
            except Exception:
                logger.exception("the log could not be taken to webhooks")

    async def pump(self) -> None:
        """Queues all of the log that is settled, or as much of it as the queues take."""
        bridge = self._runtime.bridge
        if not await bridge.read(has_webhooks):
            return
        horizon = await bridge.read(self._horizon.advance)
        while await bridge.write(enqueue_entries, horizon=horizon, now=from_ms(self._runtime.clock_ms())):
            pass
