"""Every rate and size of the contract in one table (docs/contract.md 2, 3, 4, 7, 8 and 10).

These are a project's defaults. A project overrides single ones by name in `Project.limits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Annotated, Any, Final


@dataclass(frozen=True, slots=True)
class Rate:
    """`calls` calls in each window of `window_ms`."""

    calls: int
    window_ms: int


RATES: Final[Mapping[str, Rate]] = MappingProxyType(
    {
        "login": Rate(2, 1_000),
        "renew_token": Rate(2, 1_000),
        "message": Rate(180, 3_000),
        "join": Rate(50, 3_000),
        "join_same_room": Rate(2, 5_000),
        "members": Rate(5, 2_000),
        "member_counts": Rate(1, 1_000),
        "set_room_attributes": Rate(10, 5_000),
        "get_room_attributes": Rate(10, 5_000),
        "query_peers": Rate(10, 5_000),
        "subscribe_peers": Rate(10, 5_000),
        "list_subscriptions": Rate(10, 5_000),
        "set_user_attributes": Rate(10, 5_000),
        "get_user_attributes": Rate(40, 5_000),
        "history": Rate(20, 1_000),
        "read": Rate(200, 1_000),
        "session": Rate(60, 3_000),
        "invitation": Rate(20, 5_000),
        "media": Rate(60, 5_000),
        "client_logs": Rate(100, 10_000),
        "rest_peer_messages": Rate(500, 1_000),
        "rest_room_messages": Rate(1_000, 1_000),
        "rest_events": Rate(10, 1_000),
        "rest_calls": Rate(100, 1_000),
    }
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes in UTF-8 bytes and counts of things; the annotations are what the documents say."""

    message_bytes: Annotated[int, "a message: text, or raw bytes and description together"] = 32 * 1024
    rooms_per_session: Annotated[int, "rooms that a session has joined"] = 20
    member_count_rooms: Annotated[int, "rooms in one `room.member_counts`"] = 32
    listed_members: Annotated[int, "members that `room.members` names"] = 512
    attribute_key_bytes: Annotated[int, "an attribute's key, of visible characters"] = 32
    attribute_value_bytes: Annotated[int, "an attribute's value, not empty"] = 8 * 1024
    room_attributes_bytes: Annotated[int, "a room's keys and values together"] = 32 * 1024
    room_attributes: Annotated[int, "attributes of a room"] = 32
    user_attributes_bytes: Annotated[int, "a user's keys and values together"] = 16 * 1024
    user_attributes: Annotated[int, "attributes of a user"] = 32
    peers_queried: Annotated[int, "users in one `presence.query`"] = 256
    peers_subscribed: Annotated[int, "users whose states a connection has subscribed to"] = 512
    history_page: Annotated[int, "entries in one answer of `room.history` or `peer.history`"] = 100
    offline_messages: Annotated[int, "messages kept for a user who is away"] = 200
    peers_messaged: Annotated[int, "receivers of one `peer.send_many`"] = 100
    receipts_awaited: Annotated[
        int, "peer messages that wait for a receipt at a process: the users', and apart from them the server's by REST"
    ] = 6_000
    invitation_bytes: Annotated[int, "an invitation's content, or its response"] = 8 * 1024
    open_invitations: Annotated[int, "invitations that a caller has sent and that have not ended"] = 64
    media_bytes: Annotated[int, "a file or image, not empty"] = 30 * 1024 * 1024
    media_uploads: Annotated[int, "files and images that a user is sending"] = 9


CEILINGS: Final = Sizes(
    message_bytes=40 * 1024,
    rooms_per_session=64,
    member_count_rooms=1_024,
    listed_members=4_096,
    attribute_key_bytes=32,
    attribute_value_bytes=40 * 1024,
    room_attributes_bytes=40 * 1024,
    room_attributes=1_024,
    user_attributes_bytes=40 * 1024,
    user_attributes=1_024,
    peers_queried=1_024,
    peers_subscribed=2_048,
    history_page=1_000,
    offline_messages=10_000,
    peers_messaged=1_000,
    receipts_awaited=60_000,
    invitation_bytes=16 * 1024,
    open_invitations=1_024,
    media_bytes=100 * 1024 * 1024,
    media_uploads=64,
)
"""What a project may raise each size to. 40 KiB that escaping makes sixfold still fit into a frame of 256 KiB, and so
do an invitation's content and response together; a session resumes at most 64 streams; the storage has room for keys
of 32 characters; 2,048 ids of 64 bytes fit into a frame, and so do their states; a file is checked within two
minutes."""


@dataclass(frozen=True, slots=True)
class Limits:
    rates: Mapping[str, Rate]
    sizes: Sizes


DEFAULT_LIMITS: Final = Limits(rates=RATES, sizes=Sizes())
_SIZE_NAMES: Final = frozenset(field.name for field in fields(Sizes))


def parse_limits(overrides: Mapping[str, Any]) -> Limits:
    """The defaults with a project's overrides: `{"rates": {"message": [600, 3000]}, "sizes": {...}}`.

    Raises ValueError for an unknown name, and for a value that is no positive number or above its ceiling.
    """
    unknown = set(overrides) - {"rates", "sizes"}
    if unknown:
        raise ValueError(f"unknown limits: {', '.join(sorted(unknown))}")
    rates = dict(RATES)
    for name, value in overrides.get("rates", {}).items():
        if name not in RATES:
            raise ValueError(f"unknown rate: {name}")
        if not (isinstance(value, list) and len(value) == 2 and all(_positive(part) for part in value)):
            raise ValueError(f"rate {name} must be [calls, window in ms], both positive")
        rates[name] = Rate(value[0], value[1])
    sizes = {}
    for name, value in overrides.get("sizes", {}).items():
        if name not in _SIZE_NAMES:
            raise ValueError(f"unknown size: {name}")
        if not _positive(value):
            raise ValueError(f"size {name} must be a positive number")
        if value > getattr(CEILINGS, name):
            raise ValueError(f"size {name} is at most {getattr(CEILINGS, name)}")
        sizes[name] = value
    return Limits(rates=MappingProxyType(rates), sizes=replace(DEFAULT_LIMITS.sizes, **sizes))


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53
