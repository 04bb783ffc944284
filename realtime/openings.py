"""Openings: how a stream that nobody listened to here becomes live, and is listened to no more.

It is listened to in the layer before its head is read, so that nothing is missed between.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from realtime.errors import UNAVAILABLE, RpcError
from realtime.layer import Layer, stream_group
from realtime.streams import LiveStream, StreamHead, StreamKey, StreamStore

if TYPE_CHECKING:
    from realtime.hub import Hub

logger = logging.getLogger(__name__)

OPEN_BATCH: Final = 500
OPEN_PAUSE_S: Final = 0.005
"""Between two reads of heads for streams to open, so that those of a storm gather."""


class Openings:
    def __init__(self, hub: "Hub", *, loop: asyncio.AbstractEventLoop, layer: Layer, store: StreamStore) -> None:
        self._hub = hub
        self._loop = loop
        self._layer = layer
        self._store = store
        self._to_open: list[LiveStream] = []
        self._is_opening = False

    def begin(self, stream: LiveStream) -> None:
        """The stream is among the live ones; its `opened` tells when it has a cursor."""
        stream.opened = self._loop.create_future()
        self._to_open.append(stream)
        if not self._is_opening:
            self._is_opening = True
            self._hub.spawn(self._open_gathered())

    async def _open_gathered(self) -> None:
        """Opens streams: the first at once, in a storm of logins all that gathered meanwhile with one read."""
        try:
            while self._to_open:
                streams, self._to_open = self._to_open[:OPEN_BATCH], self._to_open[OPEN_BATCH:]
                await self._open(streams)
                if self._to_open:
                    await asyncio.sleep(OPEN_PAUSE_S)
        finally:
            self._is_opening = False

    async def _open(self, streams: Sequence[LiveStream]) -> None:
        try:
            if self._hub.shared:
                await asyncio.gather(*[self._layer.subscribe(stream_group(stream.key)) for stream in streams])
            heads = await self._store.find([stream.key for stream in streams])
        except Exception as error:
            if not isinstance(error, RpcError):
                logger.exception("opening of %d streams failed", len(streams))
                error = RpcError(UNAVAILABLE)
            for stream in streams:
                self._fail_to_open(stream, error)
            return
        for stream in streams:
            self._opened(stream, heads.get(stream.key))
        self._hub.flush()

    def _fail_to_open(self, stream: LiveStream, error: RpcError) -> None:
        assert stream.opened is not None
        if self._hub.live.get(stream.key) is stream:
            del self._hub.live[stream.key]
        stream.opened.set_exception(error)
        stream.opened.exception()  # nobody may be waiting any more
        self.close(stream.key)

    def _opened(self, stream: LiveStream, head: StreamHead | None) -> None:
        opened = stream.opened
        assert opened is not None
        self._hub.start(stream, head)
        stream.opened = None
        opened.set_result(None)
        if not stream.subscriptions:
            self._hub.close(stream)

    def close(self, key: StreamKey) -> None:
        """The stream is live no more."""
        if self._hub.shared:
            self._hub.spawn(self._leave(key))

    async def _leave(self, key: StreamKey) -> None:
        if key not in self._hub.live:
            await self._layer.unsubscribe(stream_group(key))
            if key in self._hub.live:  # opened again meanwhile
                await self._layer.subscribe(stream_group(key))
