"""Hints between processes. Whatever is lost here is noticed by a gap in `seq` or by comparing heads."""

import asyncio
import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from channels.layers import BaseChannelLayer

from realtime.streams import StreamKey, entries_size
from realtime.tasks import cancel_all

logger = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 10_000
"""Messages that wait to be sent."""
QUEUE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the entries in them: beyond it a message goes without, and says "look at the head"."""
RETRY_S: Final = 0.5

Message = dict[str, Any]


def stream_group(key: StreamKey) -> str:
    """A stream's layer group. Group names allow few characters, stream names many: hence the digest."""
    digest = hashlib.blake2b(f"{key[0]}:{key[1]}".encode(), digest_size=16)
    return f"stream.{digest.hexdigest()}"


def node_group(node: str) -> str:
    return f"node.{node}"


class Layer(Protocol):
    """One group per live stream and one per process; sending never waits."""

    async def start(self, on_message: Callable[[Message], None], on_reconnect: Callable[[], None]) -> None: ...

    async def stop(self) -> None: ...

    async def subscribe(self, group: str) -> None: ...

    async def unsubscribe(self, group: str) -> None: ...

    def send(self, group: str, message: Message) -> None: ...


class NoLayer:
    """For one process: nobody else is there."""

    async def start(self, on_message: Callable[[Message], None], on_reconnect: Callable[[], None]) -> None:
        return

    async def stop(self) -> None:
        return

    async def subscribe(self, group: str) -> None:
        return

    async def unsubscribe(self, group: str) -> None:
        return

    def send(self, group: str, message: Message) -> None:
        return


class ChannelsLayer:
    """Over a Channels layer: the process has one channel, which joins and leaves the groups."""

    def __init__(self, channels_layer: BaseChannelLayer) -> None:
        self._layer = channels_layer
        self._channel = ""
        self._queue: deque[tuple[str, Message, int]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._retry: dict[str, bool] = {}
        self.dropped = 0

    async def start(self, on_message: Callable[[Message], None], on_reconnect: Callable[[], None]) -> None:
        self._channel = await self._layer.new_channel()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._receive(on_message), name="layer-receive"),
            loop.create_task(self._deliver(), name="layer-send"),
            loop.create_task(self._repair(on_reconnect), name="layer-repair"),
        ]

    async def stop(self) -> None:
        await cancel_all(self._tasks)
        flush = getattr(self._layer, "flush", None)
        if flush is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(flush(), 2)

    async def subscribe(self, group: str) -> None:
        await self._change(group, wanted=True)

    async def unsubscribe(self, group: str) -> None:
        await self._change(group, wanted=False)

    async def _change(self, group: str, *, wanted: bool) -> bool:
        """Joins or leaves; what fails is tried again until Redis is back."""
        change = self._layer.group_add if wanted else self._layer.group_discard
        try:
            async with asyncio.timeout(2):
                await change(group, self._channel)
        except Exception:
            if group not in self._retry:
                logger.warning("layer: group change failed, tried again until it works", exc_info=True)
            self._retry[group] = wanted
            return False
        self._retry.pop(group, None)
        return True

    async def _repair(self, on_reconnect: Callable[[], None]) -> None:
        """After failed group changes: repeats them, then says that hints may have been missed."""
        while True:
            await asyncio.sleep(RETRY_S)
            if not self._retry:
                continue
            for group, wanted in list(self._retry.items()):
                if self._retry.get(group) is not wanted:
                    continue  # changed again meanwhile
                if not await self._change(group, wanted=wanted):
                    break
            else:
                on_reconnect()

    def send(self, group: str, message: Message) -> None:
        if len(self._queue) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        size = entries_size(message.get("entries", ()))
        if size and self._queued_bytes + size > QUEUE_BYTES:
            message = {name: value for name, value in message.items() if name != "entries"}
            size = 0
        self._queued_bytes += size
        self._queue.append((group, message, size))
        self._wake.set()

    async def _deliver(self) -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            group, message, size = self._queue.popleft()
            self._queued_bytes -= size
            try:
                async with asyncio.timeout(5):
                    await self._layer.group_send(group, {"type": "hint", **message})
            except Exception:
                self.dropped += 1
                logger.warning("layer: a hint was lost", exc_info=True)
                await asyncio.sleep(RETRY_S)

    async def _receive(self, on_message: Callable[[Message], None]) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except Exception:
                logger.warning("layer: receiving failed", exc_info=True)
                await asyncio.sleep(RETRY_S)
                continue
            try:
                on_message(message)
            except Exception:
                logger.exception("layer: a hint could not be handled")
