"""The vendor's AccessToken2, `007...`.

    "007" + base64(zlib(text(signature) + info))
    info = text(App ID) + u32 issued + u32 valid for + u32 salt + u16 number of services + services, by type
    service = u16 type + map of privileges + what is its type's own
    signature = HMAC-SHA256(key, info), key = HMAC(u32 salt, HMAC(u32 issued, certificate))

Times are seconds: `issued` since 1970, `valid for` and a privilege's after `issued`.
"""

import binascii
import zlib
from collections.abc import Sequence
from typing import Final

from projects.tokens.errors import ExpiredToken, InvalidToken
from projects.tokens.packing import Reader, from_base64, pack_numbers, pack_text, pack_u16, pack_u32
from projects.tokens.signatures import require_signature, sign
from projects.tokens.times import CLOCK_SLACK_S, LONGEST_S

VERSION: Final = "007"
RTM: Final = 2
RTM_LOGIN: Final = 1
MAX_BYTES: Final = 8 * 1024
"""Of a token, inflated."""

_FIELDS: Final[dict[int, tuple[str, ...]]] = {
    1: ("text", "text"),  # RTC: channel, uid
    RTM: ("text",),  # user id
    4: (),  # FPA
    5: ("text",),  # chat: user id
    7: ("text", "text", "u16"),  # education: room, user, role
}
"""What follows the privileges of a service, by its type."""


def read_007(body: str, *, app_id: str, certificates: Sequence[str], uid: str, now_s: int) -> int:
    """Verifies what follows "007"; returns when it runs out, in seconds since 1970. Raises TokenError."""
    content = Reader(_inflate(from_base64(body)))
    signature = content.text()
    info = content.rest()
    reader = Reader(info)
    if reader.text() != app_id.encode():
        raise InvalidToken("The token is one of another App ID.")
    issued_s, valid_s, salt = reader.u32(), reader.u32(), reader.u32()
    require_signature(signature, certificates, lambda certificate: _signature(certificate, issued_s, salt, info))

    user, login_s = _read_rtm(reader)
    if user != uid.encode():
        raise InvalidToken("The token is one of another user.")
    if valid_s > LONGEST_S:
        raise InvalidToken("The token is valid for more than 24 hours.")
    if issued_s > now_s + CLOCK_SLACK_S:
        raise InvalidToken("The token was issued in the future.")
    expires_s = issued_s + min(valid_s, login_s)
    if expires_s <= now_s:
        raise ExpiredToken("The token has run out.")
    return expires_s


def issue_007(*, app_id: str, certificate: str, uid: str, issued_s: int, valid_s: int, salt: int) -> str:
    """A token for RTM alone."""
    service = pack_u16(RTM) + pack_numbers({RTM_LOGIN: valid_s}) + pack_text(uid.encode())
    head = pack_text(app_id.encode()) + pack_u32(issued_s) + pack_u32(valid_s) + pack_u32(salt)
    info = head + pack_u16(1) + service
    content = pack_text(_signature(certificate.encode(), issued_s, salt, info)) + info
    return VERSION + binascii.b2a_base64(zlib.compress(content), newline=False).decode()


def _signature(certificate: bytes, issued_s: int, salt: int, info: bytes) -> bytes:
    return sign(sign(pack_u32(salt), sign(pack_u32(issued_s), certificate)), info)


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(packed, MAX_BYTES + 1)
    except zlib.error:
        raise InvalidToken("The token is damaged.") from None
    if len(content) > MAX_BYTES:
        raise InvalidToken("The token is too large.")
    if not inflater.eof or inflater.unused_data:
        raise InvalidToken("The token is cut short, or goes on after its end.")
    return content


def _read_rtm(reader: Reader) -> tuple[bytes, int]:
    """Of the RTM service: its user, and for how long it permits the login. Services of other products are stepped
    over; one whose fields are not known can only be last, as nothing after it can be read."""
    found: tuple[bytes, int] | None = None
    for _ in range(reader.u16()):
        kind = reader.u16()
        privileges = reader.numbers()
        if kind not in _FIELDS:
            if found is None:
                raise InvalidToken(f"The token has a service of the unknown type {kind} before that of RTM.")
            return found
        values = [reader.text() if form == "text" else reader.u16() for form in _FIELDS[kind]]
        if kind == RTM:
            if found is not None:
                raise InvalidToken("The token has two services of RTM.")
            if RTM_LOGIN not in privileges:
                raise InvalidToken("The token does not permit a login to RTM.")
            (user,) = values
            assert isinstance(user, bytes)
            found = (user, privileges[RTM_LOGIN])
    reader.end()
    if found is None:
        raise InvalidToken("The token has no service of RTM.")
    return found
