"""Daphne's HTTP with the limits of `realtime/server/http.py` and, since it takes in a whole request before it asks the
application, those of `config/body.py`. Heads have Twisted's own limit: 16 KiB, then 400.

What is above 100 KB of a body waits on the disk (Twisted's doing: a file without a name in the folder for temporary
files). From there it comes as the application asks for it, and an answer goes as the client takes it: neither is in the
memory as a whole, as with Daphne's own.
"""

import asyncio
import contextlib
import io
import logging
from functools import partial
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http import HTTPChannel

from realtime.server import MAX_BODY_BYTES, REQUEST_S
from realtime.server.bodies import own_bound
from realtime.server.buffers import WriteGate

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 64 * 1024
BODY_TOO_LARGE: Final = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
DISK_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
)


class RequestEvents(asyncio.Queue[Any]):
    """What an application receives of a request: first its body, from where it was kept; then what is put here."""

    def __init__(self, body: BinaryIO) -> None:
        super().__init__()
        self._body = body

    async def get(self) -> Any:
        if not self._body.closed:
            if chunk := self._body.read(CHUNK_BYTES):
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._body.close()
        return await super().get()


class LimitedRequest(WebRequest):  # type: ignore[misc]
    """Keeps no body above `MAX_BODY_BYTES`, or the bound that its address has; Twisted would put it on the disk.

    It is its channel's push producer while it is answered, which says when a client does not keep up.
    """

    content: BinaryIO
    received = 0
    refused = False
    max_bytes = MAX_BODY_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.writable = WriteGate()
        super().__init__(*args, **kwargs)

    def gotLength(self, length: int | None) -> None:
        """The head is complete; of it Twisted has told its channel, and the request not yet."""
        path, _, query = self.channel._path.partition(b"?")
        bound = own_bound(unquote(path.decode("latin-1")), query)
        if bound is not None:
            self.max_bytes = bound.max_bytes
            self.channel.setTimeout(bound.seconds)
            self.channel.persistent = False  # the next request would have that time too
        super().gotLength(0 if length is not None and length > self.max_bytes else length)
        if length is not None and length > self.max_bytes:
            self._refuse(BODY_TOO_LARGE)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.refused:
            return
        if self.received > self.max_bytes:
            self._refuse(BODY_TOO_LARGE)
            return
        try:
            super().handleContentChunk(data)
            self.content.flush()
        except OSError as error:
            logger.warning("a body has no room on the disk: %s", error)
            self._refuse(DISK_FULL)

    def take_body(self) -> BinaryIO:
        """All that has come, to be read by the application; Daphne finds an empty one, and puts the end of it."""
        body, self.content = self.content, io.BytesIO()
        return body

    def process(self) -> Any:
        """The request is complete."""
        if self.refused:
            self.channel.loseConnection()
            return None
        return super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        super().handle_reply(message)
        if message["type"] == "http.response.start" and self.channel is not None:
            self.registerProducer(self, True)

    def finish(self) -> None:
        self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self.stopProducing()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        self.writable.clear()

    def resumeProducing(self) -> None:
        self.writable.set()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.writable.set()

    def _refuse(self, answer: bytes) -> None:
        """Answers at once, and takes nothing more: the rest is thrown away until it ends or the time is up."""
        self.refused = True
        with contextlib.suppress(OSError):  # what it could not write, it tries once more
            self.take_body().close()
        self.channel.write(answer)
        self.channel.transport.loseWriteConnection()


class LimitedChannel(HTTPChannel):
    """A whole request has to come within the time-out, from the connection or the last answer on: data does not start
    it anew."""

    def resetTimeout(self) -> None:
        pass


class LimitedFactory(HTTPFactory):  # type: ignore[misc]
    protocol = LimitedChannel

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        # Twisted would parse a form, in memory: only applications do here.
        channel.requestFactory = partial(LimitedRequest, parsePOSTFormSubmission=False)
        channel.timeOut = REQUEST_S
        return channel
