"""Daphne's HTTP with the limits of `realtime/server/http.py` and, since it takes in a whole request before it asks the
application, those of `config/body.py`. Heads have Twisted's own limit: 16 KiB, then 400.
"""

from typing import Any
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http import HTTPChannel

from realtime.server import MAX_BODY_BYTES, REQUEST_S
from realtime.server.bodies import own_bound

BODY_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class LimitedRequest(WebRequest):  # type: ignore[misc]
    """Keeps no body above `MAX_BODY_BYTES`, or the bound that its address has; Twisted would put it on the disk."""

    received = 0
    refused = False
    max_bytes = MAX_BODY_BYTES

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
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.refused:
            return
        if self.received > self.max_bytes:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """The request is complete."""
        if self.refused:
            self.channel.loseConnection()
            return None
        return super().process()

    def _refuse(self) -> None:
        """Answers at once, and takes nothing more: the rest is thrown away until it ends or the time is up."""
        self.refused = True
        self.channel.write(BODY_TOO_LARGE)
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
        channel.requestFactory = LimitedRequest
        channel.timeOut = REQUEST_S
        return channel
