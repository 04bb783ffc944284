"""The end of tasks that run until they are told to stop."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

logger = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 1.0
GIVE_UP_S: Final = 10.0


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits until they have ended. A cancellation that met another one on its way (a timeout of a
    library, say) may be lost: it is repeated. A task that still runs after 10 s is logged, and left."""
    running = set(tasks)
    for _ in range(round(GIVE_UP_S / ASK_AGAIN_S)):
        if not running:
            return
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=ASK_AGAIN_S)
        await asyncio.gather(*ended, return_exceptions=True)  # how they ended is of no interest
    for task in running:
        logger.error("the task %s does not end", task.get_name())
