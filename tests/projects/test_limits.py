"""The table of limits, and how a project changes it (docs/contract.md 2, 3, 4, 7 and 8)."""

from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest

from projects.limits import CEILINGS, DEFAULT_LIMITS, RATES, Rate, Sizes, parse_limits
from realtime.methods import MAX_CURSORS
from realtime.protocol import MAX_FRAME_BYTES
from realtime.registry import METHODS
from rooms.methods.attributes import MAX_NAMED
from rooms.models import RoomAttribute

ESCAPED = 6
"""Bytes of JSON that one byte of text may take: `\\u0000`."""


def test_the_rates_are_those_of_the_contract() -> None:
    assert {name: RATES[name] for name in CONTRACT_RATES} == CONTRACT_RATES


CONTRACT_RATES = {
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
}


def test_the_sizes_are_those_of_the_contract() -> None:
    assert DEFAULT_LIMITS.sizes == Sizes(
        message_bytes=32 * 1024,
        rooms_per_session=20,
        member_count_rooms=32,
        listed_members=512,
        attribute_key_bytes=32,
        attribute_value_bytes=8 * 1024,
        room_attributes_bytes=32 * 1024,
        room_attributes=32,
        user_attributes_bytes=16 * 1024,
        user_attributes=32,
        peers_queried=256,
        peers_subscribed=512,
        history_page=100,
        invitation_bytes=8 * 1024,
        open_invitations=64,
    )


def test_without_overrides_the_defaults_hold() -> None:
    assert parse_limits({}) == DEFAULT_LIMITS


def test_a_project_changes_single_limits_and_keeps_the_others() -> None:
    limits = parse_limits({"rates": {"message": [600, 3000]}, "sizes": {"rooms_per_session": 64}})
    assert limits.rates == {**RATES, "message": Rate(600, 3000)}
    assert limits.sizes == replace(DEFAULT_LIMITS.sizes, rooms_per_session=64)


@pytest.mark.parametrize(
    "overrides",
    [
        {"speed": {}},
        {"rates": {"messages": [1, 1000]}},
        {"rates": {"message": 180}},
        {"rates": {"message": [180]}},
        {"rates": {"message": [180, 3000, 1]}},
        {"rates": {"message": [0, 3000]}},
        {"rates": {"message": [180, 0]}},
        {"rates": {"message": [-1, 3000]}},
        {"rates": {"message": [1.5, 3000]}},
        {"rates": {"message": [True, 3000]}},
        {"rates": {"message": ["180", 3000]}},
        {"rates": {"message": [10**400, 3000]}},
        {"sizes": {"message_kilobytes": 32}},
        {"sizes": {"message_bytes": 0}},
        {"sizes": {"message_bytes": -1}},
        {"sizes": {"message_bytes": "32"}},
        {"sizes": {"message_bytes": True}},
        {"sizes": {"message_bytes": None}},
    ],
)
def test_an_override_that_means_nothing_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|must be"):
        parse_limits(overrides)


@pytest.mark.parametrize("name", [field.name for field in fields(Sizes)])
def test_each_size_may_be_raised_to_its_ceiling_and_no_further(name: str) -> None:
    ceiling = getattr(CEILINGS, name)
    assert getattr(parse_limits({"sizes": {name: ceiling}}).sizes, name) == ceiling
    with pytest.raises(ValueError, match="at most"):
        parse_limits({"sizes": {name: ceiling + 1}})


def test_what_fits_a_raised_limit_fits_the_frames_and_the_storage() -> None:
    envelope = 8 * 1024
    for size in (
        CEILINGS.message_bytes,
        CEILINGS.room_attributes_bytes,
        CEILINGS.user_attributes_bytes,
        CEILINGS.attribute_value_bytes,
    ):
        assert size * ESCAPED + envelope <= MAX_FRAME_BYTES
    for count in (CEILINGS.peers_queried, CEILINGS.peers_subscribed):
        assert count * len(f'"{"x" * 64}":"UNREACHABLE",') + envelope <= MAX_FRAME_BYTES
    assert 2 * CEILINGS.invitation_bytes * ESCAPED + envelope <= MAX_FRAME_BYTES, "content and response"
    assert CEILINGS.rooms_per_session <= MAX_CURSORS
    assert CEILINGS.room_attributes <= MAX_NAMED
    assert CEILINGS.attribute_key_bytes <= (RoomAttribute._meta.get_field("key").max_length or 0)
    assert _max_length("room.member_counts", "rooms") >= CEILINGS.member_count_rooms
    METHODS["room.history"].decode(msgspec.Raw(b'{"room":"r","limit":%d}' % CEILINGS.history_page))


def _max_length(method: str, field: str) -> int:
    schema = msgspec.json.schema(METHODS[method].params)
    (params,) = schema["$defs"].values()
    length: int = params["properties"][field]["maxItems"]
    return length
