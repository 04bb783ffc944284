"""Tokens as the vendor describes them, made from their parts, so that a test can change any of them."""

import base64
import hmac
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

APP_ID: Final = "0123456789abcdef0123456789abcdef"
CERTIFICATE: Final = "fedcba9876543210fedcba9876543210"
NOW_S: Final = 1_700_000_000
DAY_S: Final = 24 * 3600

Service = tuple[int, Mapping[int, int], bytes]
"""Type, privileges, and what follows them."""


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return u16(len(encoded)) + encoded


def numbers(values: Mapping[int, int]) -> bytes:
    return u16(len(values)) + b"".join(u16(key) + u32(value) for key, value in values.items())


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()


def make_006(
    uid: str = "ann",
    *,
    app_id: str = APP_ID,
    certificate: str = CERTIFICATE,
    ts: int = NOW_S + DAY_S,
    privileges: Mapping[int, int] | None = None,
    crc_of: str | None = None,
    inner: bytes = b"",
    outer: bytes = b"",
) -> str:
    """`crc_of`: the account whose checksum it carries; `inner` and `outer`: bytes after the end of the message and of
    the content."""
    message = u32(77) + u32(ts) + numbers({1000: ts} if privileges is None else privileges) + inner
    signature = mac(certificate.encode(), app_id.encode() + uid.encode() + message)
    checksums = u32(zlib.crc32((uid if crc_of is None else crc_of).encode())) + u32(0)
    content = text(signature) + checksums + text(message) + outer
    return "006" + app_id + base64.b64encode(content).decode()


def rtm(uid: str = "ann", login_s: int = DAY_S) -> Service:
    return (2, {1: login_s}, text(uid))


def make_007(
    uid: str = "ann",
    *,
    app_id: str = APP_ID,
    certificate: str = CERTIFICATE,
    issued: int = NOW_S,
    expire: int = DAY_S,
    services: Sequence[Service] | None = None,
    count: int | None = None,
    inner: bytes = b"",
    outer: bytes = b"",
) -> str:
    """`count`: the number of services it claims; `inner` and `outer`: bytes after the last service and after the
    compressed content."""
    chosen = [rtm(uid)] if services is None else services
    packed = b"".join(u16(kind) + numbers(privileges) + rest for kind, privileges, rest in chosen)
    head = text(app_id) + u32(issued) + u32(expire) + u32(99)
    info = head + u16(len(chosen) if count is None else count) + packed + inner
    signature = mac(mac(u32(99), mac(u32(issued), certificate.encode())), info)
    return "007" + base64.b64encode(zlib.compress(text(signature) + info) + outer).decode()


def verified(token: str, **changed: Any) -> Any:
    """What the verifier says of it to ann at NOW_S, or with other facts."""
    from projects.tokens import verify

    facts = {"app_id": APP_ID, "certificates": (CERTIFICATE,), "uid": "ann", "now_ms": NOW_S * 1000}
    return verify(token, **{**facts, **changed})
