"""Projects as the gateway asks for them at every login: read once, kept for a few seconds."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from projects.selectors import Tenant, get_tenant, known_bans
from realtime.bridge import Bridge

KEPT_S: Final = 5.0
CAPACITY: Final = 1_000


class Tenants:
    """A change of a project, its bans included, is seen by new logins after at most `KEPT_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bridge: Bridge, clock_ms: Callable[[], int]) -> None:
        self._loop = loop
        self._bridge = bridge
        self._clock_ms = clock_ms
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

    def forget(self, project: int) -> None:
        """The next login reads it anew."""
        for app_id, (_, tenant) in list(self._kept.items()):
            if tenant is not None and tenant.id == project:
                del self._kept[app_id]

    async def _read(self, app_id: str) -> Tenant | None:
        try:
            now = datetime.fromtimestamp(self._clock_ms() / 1000, UTC)
            tenant = await self._bridge.read(_read, app_id, now)
            self._kept[app_id] = (self._loop.time(), tenant)
            self._kept.move_to_end(app_id)
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
            return tenant
        finally:
            del self._reading[app_id]


def _read(app_id: str, now: datetime) -> Tenant | None:
    tenant = get_tenant(app_id)
    return None if tenant is None else replace(tenant, bans=known_bans(tenant.id, now))
