"""The listening socket, opened before the server: its port is known, and several processes can share it."""

import resource
import socket
from typing import Final

from realtime.server import BACKLOG

MAX_FILES: Final = 1 << 20
"""Some systems allow a thousand million open files; nothing here needs tables of that size."""


def open_listener(host: str, port: int) -> socket.socket:
    """Listens on an IPv4 or IPv6 address or a host name; port 0 takes a free one.

    Connections are completed by the kernel from now on and wait for the server. OSError when the address is
    taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """`http://host:port` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """One connection is one open file: takes all that the system allows this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
