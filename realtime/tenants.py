"""Projects as the gateway asks for them at every login: read once, kept for a few seconds."""

import asyncio
from collections import OrderedDict
from typing import Final

from projects.selectors import Tenant, get_tenant
from realtime.bridge import Bridge

KEPT_S: Final = 5.0
CAPACITY: Final = 1_000


class Tenants:
    """A change of a project is seen by new logins after at most `KEPT_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bridge: Bridge) -> None:
        self._loop = loop
        self._bridge = bridge
        self._kept: OrderedDict[str, tuple[float, Tenant | None]] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Tenant | None]] = {}

    async def get(self, app_id: str) -> Tenant | None:
        """Raises RpcError `unavailable` while the database is out of reach."""
        kept = self._kept.get(app_id)
        if kept is not None and self._loop.time() - kept[0] < KEPT_S:
            return kept[1]
        reading = self._reading.get(app_id)
        if reading is None:
            reading = self._reading[app_id] = self._loop.create_task(self._read(app_id))
        return await asyncio.shield(reading)

    async def _read(self, app_id: str) -> Tenant | None:
        try:
            tenant = await self._bridge.read(get_tenant, app_id)
            self._kept[app_id] = (self._loop.time(), tenant)
            self._kept.move_to_end(app_id)
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
            return tenant
        finally:
            del self._reading[app_id]
