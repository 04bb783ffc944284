"""One POST: a new connection to a checked address, time limits, no redirects, a bounded answer."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

import h11

from activity.addresses import Lookup, Refused, resolve

LOOKUP_S: Final = 5.0
"""For looking up the host's name, waiting for a thread included."""
TIMEOUT_S: Final = 5.0
"""After that, from connecting to the answer's status."""
CONNECT_S: Final = 1.5
"""To one of several addresses, before the next is tried."""
ANSWER_BYTES: Final = 16 * 1024
"""Read of an answer's body, so that the receiver may finish writing a usual one; then the connection is closed."""
CHUNK: Final = 4 * 1024


class PostFailed(Exception):
    """There is no answer; the text says why."""


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def post(url: str, headers: Mapping[str, str], body: bytes, *, allow_private: bool, lookup: Lookup) -> int:
    """The status of the answer. Raises PostFailed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    status: list[int] = []
    try:
        addresses = await _look_up(host, allow_private=allow_private, lookup=lookup)
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await _connect(addresses, port, host if parts.scheme == "https" else None)
            try:
                await _exchange(reader, writer, _request(parts, headers, body), body, status)
            finally:
                writer.transport.abort()
    except (OSError, h11.ProtocolError, Refused, ValueError) as error:
        if not status:  # else it is known, whatever became of the rest
            raise PostFailed(_reason(error)) from error
    return status[0]


async def _look_up(host: str, *, allow_private: bool, lookup: Lookup) -> list[str]:
    try:
        async with asyncio.timeout(LOOKUP_S):
            return await resolve(host, allow_private=allow_private, lookup=lookup)
    except TimeoutError:
        raise PostFailed(f"no address within {LOOKUP_S:.0f} s") from None


async def _connect(
    addresses: Sequence[str], port: int, tls_host: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first address that answers; the name that a certificate must have comes from the URL."""
    tls = _tls() if tls_host is not None else None
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(address, port, ssl=tls, server_hostname=tls_host)
    return await asyncio.open_connection(addresses[-1], port, ssl=tls, server_hostname=tls_host)


def _request(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> h11.Request:
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    fields = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    return h11.Request(method="POST", target=target, headers=list(fields.items()))


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes, status: list[int]
) -> None:
    """Sends the request and reads the answer; its status is put into `status` as soon as it is there."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_BYTES)
    head = http.send(request)
    assert head is not None
    # A receiver that answers before it has read everything may close: its answer is read all the same.
    writer.write(head + (http.send(h11.Data(body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    read = 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(CHUNK)
            read += len(received)
            if read > ANSWER_BYTES:
                break
            http.receive_data(received)
        elif isinstance(event, h11.Response):
            status.append(event.status_code)
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or event is h11.PAUSED:
            break
    if not status:
        raise h11.RemoteProtocolError("the answer's headers are too long")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    return f"{type(error).__name__}: {error}"[:200]
