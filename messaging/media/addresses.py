"""Signed addresses of the local storage: what an address allows is in it, and holds until it expires.

Who has one needs nothing else, as with an S3 address: so nothing is looked up when it is used.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from django.utils.crypto import constant_time_compare, salted_hmac

PREFIX: Final = "/rtm/media/"
UPLOAD_PATH: Final = f"{PREFIX}upload"
FILE_PATH: Final = f"{PREFIX}file"
MAX_QUERY_BYTES: Final = 8 * 1024


def sign(path: str, params: Mapping[str, str | int], expires_s: int) -> str:
    """The address, good until `expires_s` (seconds since 1970)."""
    query = urlencode(sorted({**params, "expires": expires_s}.items()))
    return f"{path}?{query}&signature={_signature(path, query)}"


def verify(path: str, query: bytes, now_s: float) -> dict[str, str] | None:
    """What an address allows; None for one that was not made here, was changed, or has expired."""
    if len(query) > MAX_QUERY_BYTES or not query.isascii():
        return None
    signed, mark, signature = query.decode("ascii").rpartition("&signature=")
    if not mark or not constant_time_compare(signature, _signature(path, signed)):
        return None
    params = dict(parse_qsl(signed, keep_blank_values=True))
    return params if int(params["expires"]) > now_s else None


def _signature(path: str, query: str) -> str:
    return salted_hmac("messaging.media.addresses", f"{path}?{query}", algorithm="sha256").hexdigest()
