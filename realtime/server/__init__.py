"""The servers that run the ASGI application: uvicorn with a fast path for ready frames, or Daphne.

The application works on any ASGI server. What is here makes it faster (`protocol`), stops it without
losing anything (`lifecycle`, `uvicorn_server`, `daphne_server`) and runs several processes on one socket
(`supervisor`).
"""

from typing import Final

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""Payload bytes of one incoming message, fragments together; above it the connection is closed with 1009."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers of an HTTP request."""
MAX_BODY_BYTES: Final = 1024 * 1024
"""Body of an HTTP request."""
REQUEST_S: Final = 10.0
"""For the head of a request, from the connection on, and again for its body."""
LINGER_S: Final = 3.0
"""How long a connection that was refused stays open for its client to read why."""

BACKLOG: Final = 4096
"""Connections the kernel completes and keeps until the process takes them."""
