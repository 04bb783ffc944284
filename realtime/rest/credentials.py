"""Credentials as the REST interface asks for them at every call: read once, kept for a few seconds."""

import asyncio
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from projects.credentials import Credential, find_credential, note_use

if TYPE_CHECKING:
    from realtime.runtime import Runtime

KEPT_S: Final = 5.0
CAPACITY: Final = 1_000
CUSTOMER_ID: Final = re.compile(r"[0-9a-f]{32}")
NOTED_EVERY: Final = timedelta(hours=1)
"""How exact `last_used_at` is."""


class Credentials:
    """One that is made, or made invalid, is known after at most `KEPT_S`."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._kept: OrderedDict[str, tuple[float, Credential | None]] = OrderedDict()
        self._noted: OrderedDict[int, datetime] = OrderedDict()
        self._reading: dict[str, asyncio.Task[Credential | None]] = {}

    async def admits(self, project: int, customer_id: str, secret: str) -> bool:
        """Whether this is the secret of an active credential of the project. Raises RpcError `unavailable`."""
        if CUSTOMER_ID.fullmatch(customer_id) is None:
            return False
        credential = await self._get(customer_id)
        if credential is None or credential.project_id != project or not credential.has_secret(secret):
            return False
        self._note(credential)
        return True

    async def _get(self, customer_id: str) -> Credential | None:
        kept = self._kept.get(customer_id)
        if kept is not None and self._runtime.loop.time() - kept[0] < KEPT_S:
            return kept[1]
        reading = self._reading.get(customer_id)
        if reading is None:
            reading = self._reading[customer_id] = self._runtime.loop.create_task(self._read(customer_id))
        return await asyncio.shield(reading)

    async def _read(self, customer_id: str) -> Credential | None:
        try:
            found = await self._runtime.bridge.read(find_credential, customer_id)
            self._kept[customer_id] = (self._runtime.loop.time(), found)
            self._kept.move_to_end(customer_id)
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
            return found
        finally:
            del self._reading[customer_id]

    def _note(self, credential: Credential) -> None:
        """Beside the call, and seldom."""
        now = datetime.fromtimestamp(self._runtime.clock_ms() / 1000, UTC)
        last = self._noted.get(credential.id, credential.last_used_at)
        if last is not None and now - last < NOTED_EVERY:
            return
        self._noted[credential.id] = now
        if len(self._noted) > CAPACITY:
            self._noted.popitem(last=False)
        self._runtime.hub.spawn(self._runtime.bridge.write(note_use, credential_id=credential.id, now=now))
