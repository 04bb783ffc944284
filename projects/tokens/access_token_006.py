"""The vendor's AccessToken, `006...`, as it is made for RTM: the channel is the account, the uid is empty.

    "006" + App ID (32 characters) + base64(text(signature) + u32 crc32(channel) + u32 crc32(uid) + text(m))
    m = u32 salt + u32 ts + map of privileges
    signature = HMAC-SHA256(certificate, App ID + channel + uid + m)

`ts` is the time of issue + 24 h, in seconds. What the privilege says of time is ignored, as it is by the vendor.
"""

from collections.abc import Sequence
from typing import Final
from zlib import crc32

from projects.tokens.errors import ExpiredToken, InvalidToken
from projects.tokens.packing import Reader, from_base64
from projects.tokens.signatures import require_signature, sign
from projects.tokens.times import CLOCK_SLACK_S, LONGEST_S

VERSION: Final = "006"
RTM_LOGIN: Final = 1000
APP_ID_CHARS: Final = 32


def read_006(body: str, *, app_id: str, certificates: Sequence[str], uid: str, now_s: int) -> int:
    """Verifies what follows "006"; returns when it runs out, in seconds since 1970. Raises TokenError."""
    if body[:APP_ID_CHARS] != app_id:
        raise InvalidToken("The token is one of another App ID.")
    content = Reader(from_base64(body[APP_ID_CHARS:]))
    signature = content.text()
    channel_crc, uid_crc = content.u32(), content.u32()
    signed = content.text()
    content.end()

    account = uid.encode()
    require_signature(signature, certificates, lambda key: sign(key, app_id.encode() + account + signed))
    if (channel_crc, uid_crc) != (crc32(account), crc32(b"")):
        raise InvalidToken("The token is one of another user.")

    message = Reader(signed)
    message.u32()  # the salt
    expires_s = message.u32()
    privileges = message.numbers()
    message.end()
    if RTM_LOGIN not in privileges:
        raise InvalidToken("The token does not permit a login to RTM.")
    if expires_s > now_s + LONGEST_S + CLOCK_SLACK_S:
        raise InvalidToken("The token is valid for more than 24 hours.")
    if expires_s <= now_s:
        raise ExpiredToken("The token has run out.")
    return expires_s
