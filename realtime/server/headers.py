"""Handshake headers that are the same for thousands of clients, kept once.

Every layer of an ASGI application holds the scope for as long as the connection lives, and with it about a dozen
headers: 2 KiB of which only the key, and perhaps a cookie, are a client's own.
"""

from collections.abc import Iterable
from typing import Final

Header = tuple[bytes, bytes]

MAX_SHARED: Final = 1024
MAX_SHARED_BYTES: Final = 512
"""A longer value is its client's own."""
SHARED_NAMES: Final = frozenset(
    {
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"host",
        b"origin",
        b"pragma",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-websocket-extensions",
        b"sec-websocket-version",
        b"upgrade",
        b"user-agent",
    }
)

_shared: dict[Header, Header] = {}


def shared_headers(headers: Iterable[Header]) -> list[Header]:
    """An equal list; of each header that is no client's own there is one copy in the process."""
    if len(_shared) > MAX_SHARED:
        _shared.clear()  # connections that live keep theirs
    return [_share(header) for header in headers]


def _share(header: Header) -> Header:
    name, value = header
    if name in SHARED_NAMES and len(value) <= MAX_SHARED_BYTES:
        return _shared.setdefault(header, header)
    return header
