"""Between which processes hints about states go: the layer groups of watched uids."""

import asyncio
import zlib
from collections.abc import Iterable
from typing import Final

from realtime.runtime import Runtime

GROUPS: Final = 1_024
"""Uids are spread over so many layer groups. One for each uid would be joined one by one, which is slow, and sending
waits behind it; so a process has all there are to join soon, however many uids are watched there."""

WatchKey = tuple[int, str]
"""Project id and uid."""


def watch_group(key: WatchKey) -> str:
    """The layer group for hints about a uid."""
    return f"watch.{zlib.crc32(f'{key[0]}:{key[1]}'.encode()) % GROUPS}"


class _Group:
    """With how many keys of this process; `joining`: until it has joined."""

    __slots__ = ("joining", "keys")

    def __init__(self, joining: asyncio.Task[None]) -> None:
        self.joining: asyncio.Task[None] | None = joining
        self.keys = 0


class Groups:
    """The groups that a process is in: from the first key to the last. None where there are no other processes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._groups: dict[str, _Group] = {}

    def add(self, key: WatchKey) -> None:
        if not self._runtime.hub.shared:
            return
        name = watch_group(key)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group(self._runtime.hub.spawn(self._join(name)))
        group.keys += 1

    def remove(self, key: WatchKey) -> None:
        name = watch_group(key)
        group = self._groups.get(name)
        if group is None:
            return
        group.keys -= 1
        if not group.keys:
            del self._groups[name]
            self._runtime.hub.spawn(self._leave(name))

    async def joined(self, keys: Iterable[WatchKey]) -> None:
        """Waits until hints about these arrive."""
        groups = [self._groups.get(watch_group(key)) for key in keys]
        await asyncio.gather(*{group.joining for group in groups if group is not None and group.joining is not None})

    async def _join(self, name: str) -> None:
        await self._runtime.layer.subscribe(name)
        group = self._groups.get(name)
        if group is not None and group.joining is asyncio.current_task():
            group.joining = None

    async def _leave(self, name: str) -> None:
        if name not in self._groups:
            await self._runtime.layer.unsubscribe(name)
            if name in self._groups:  # joined again meanwhile
                await self._runtime.layer.subscribe(name)
