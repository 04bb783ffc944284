"""Message ids of the REST interface: the caller's, or fresh ones."""

import re
import secrets
from typing import Final

from django.http import HttpRequest

from realtime.errors import INVALID_PARAMS, RpcError

_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def message_id_of(request: HttpRequest, now_ms: int) -> tuple[str, bool]:
    """The message id, and whether the caller has named it: as `Idempotency-Key`, and nowhere else, since proxies put
    ids of their own into other headers. Else a time-ordered one (UUID version 7). Raises RpcError `invalid_params` for
    a key that cannot be one."""
    key = request.headers.get("Idempotency-Key")
    if not key:
        return fresh_id(now_ms), False
    if _MESSAGE_ID.fullmatch(key) is None:
        raise RpcError(INVALID_PARAMS, "Idempotency-Key: 1 to 64 letters, digits, '-' and '_'.")
    return key, True


def fresh_id(now_ms: int) -> str:
    time = f"{now_ms:012x}"
    noise = secrets.token_hex(10)
    return f"{time[:8]}-{time[8:]}-7{noise[:3]}-{8 + int(noise[3], 16) % 4:x}{noise[4:7]}-{noise[7:19]}"
