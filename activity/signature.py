"""How a receiver knows who sent a delivery (docs/webhooks.md)."""

import hashlib
import hmac


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The signature's header: of the time of sending (s since 1970) and the body."""
    digest = hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"
