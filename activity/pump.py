"""Takes the log to the webhooks: messages and invitations are told from their entries, not when they are sent."""

from collections.abc import Sequence
from typing import Final

from activity.horizon import Horizon
from activity.selectors import has_webhooks
from activity.services.queue import enqueue_entries
from messaging.selectors import from_ms
from realtime.parts import RecurringPart, Round
from realtime.runtime import Runtime

PUMP_S: Final = 0.5


class Pump(RecurringPart):
    """A part of the runtime. Each process may pump: whose turn it is for a webhook is decided in the database, and how
    far it has come is kept there, in the same transaction as what was queued."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._horizon = Horizon()

    def rounds(self) -> Sequence[Round]:
        return (Round("taking the log to webhooks", PUMP_S, self.pump),)

    async def pump(self) -> None:
        """Queues all of the log that is settled, or as much of it as the queues take."""
        bridge = self._runtime.bridge
        if not await bridge.read(has_webhooks):
            return
        horizon = await bridge.read(self._horizon.advance)
        while await bridge.write(enqueue_entries, horizon=horizon, now=from_ms(self._runtime.clock_ms())):
            pass
