"""The servers that run the ASGI application: uvicorn with a fast path for ready frames, or Daphne.

The application works on any ASGI server. What is here makes it faster (`protocol`), stops it without
losing anything (`lifecycle`, `uvicorn_server`, `daphne_server`) and runs several processes on one socket
(`supervisor`).
"""

from typing import Final

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""Payload bytes of one incoming message, fragments together; above it the connection is closed with 1009."""

BACKLOG: Final = 4096
"""Connections the kernel completes and keeps until the process takes them."""
