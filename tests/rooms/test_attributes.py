"""Room attributes: what they may be and what each change does (docs/contract.md 7)."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest

from tests.support.client import CallFailed, Client

KIB = 1024

Enter = Callable[..., Awaitable[Client]]

_serial = count(1)


async def change(client: Client, verb: str, room: str = "math", **params: Any) -> Any:
    """Calls `room.<verb>_attributes` under a message id of its own."""
    return await client.call(f"room.{verb}_attributes", room=room, message_id=f"change-{next(_serial)}", **params)


async def refusal(client: Client, verb: str, **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await change(client, verb, **params)
    return refused.value.name


async def values(client: Client, room: str = "math", **params: Any) -> dict[str, str]:
    found = (await client.call("room.get_attributes", room=room, **params))["attributes"]
    return {key: item["value"] for key, item in found.items()}


# What each method does


async def test_a_room_without_attributes_has_none_and_revision_0(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    assert await ann.call("room.get_attributes", room="math") == {"attributes": {}, "revision": 0}


async def test_set_replaces_all(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"topic": "sets", "level": "1"})
    await change(ann, "set", attributes={"topic": "rings"})
    assert await values(ann) == {"topic": "rings"}


async def test_update_adds_and_replaces_and_leaves_the_others(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"topic": "sets", "level": "1"})
    await change(ann, "update", attributes={"level": "2", "pace": "slow"})
    assert await values(ann) == {"topic": "sets", "level": "2", "pace": "slow"}


async def test_delete_takes_the_named_ones_and_unknown_keys_are_no_error(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"a": "1", "b": "2", "c": "3"})
    await change(ann, "delete", keys=["a", "nowhere", "a"])
    assert await values(ann) == {"b": "2", "c": "3"}
    assert (await change(ann, "delete", keys=["nowhere"]))["revision"] == 3


async def test_clear_takes_all_and_clearing_nothing_is_no_error(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    assert (await change(ann, "clear"))["revision"] == 1
    await change(ann, "set", attributes={"a": "1", "b": "2"})
    await change(ann, "clear")
    assert await ann.call("room.get_attributes", room="math") == {"attributes": {}, "revision": 3}


async def test_get_gives_the_named_ones_that_exist(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"a": "1", "b": "2", "c": "3"})
    assert await values(ann, keys=["c", "nowhere", "a"]) == {"a": "1", "c": "3"}
    assert await ann.call("room.get_attributes", room="math", keys=["nowhere"]) == {"attributes": {}, "revision": 1}


async def test_each_key_says_who_changed_it_last_and_when(enter: Enter, fast_app: str) -> None:
    ann, bob = await enter(fast_app, "ann"), await enter(fast_app, "bob")
    await change(ann, "set", attributes={"a": "1", "b": "1"})
    before = (await ann.call("room.get_attributes", room="math"))["attributes"]
    await change(bob, "update", attributes={"b": "2"})
    after = (await ann.call("room.get_attributes", room="math"))["attributes"]
    assert after["a"] == before["a"]
    assert (after["a"]["updated_by"], after["b"]["updated_by"]) == ("ann", "bob")
    assert after["b"]["updated_at"] >= before["b"]["updated_at"] > 1_600_000_000_000


async def test_nobody_needs_to_be_a_member(enter: Enter, fast_app: str) -> None:
    ann, bob = await enter(fast_app, "ann"), await enter(fast_app, "bob", "math")
    changes: dict[str, dict[str, Any]] = {
        "set": {"attributes": {"a": "1"}},
        "update": {"attributes": {"b": "2"}},
        "delete": {"keys": ["a"]},
        "clear": {},
    }
    for verb, params in changes.items():
        await change(ann, verb, **params)
        assert (await bob.expect("room.attributes_changed"))["sender"] == "ann"
    await ann.expect_nothing("room.attributes_changed")


async def test_a_joiner_gets_the_attributes_with_the_join(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"topic": "sets"})
    joined = await ann.call("room.join", room="math")
    assert joined["attributes"]["topic"]["value"] == "sets"
    assert (joined["revision"], joined["head"]) == (1, 1)


# What members are told


@pytest.mark.parametrize("notify", [True, False, None])
async def test_members_get_each_change_and_whether_it_asked_to_be_told(
    enter: Enter, fast_app: str, notify: bool | None
) -> None:
    ann, bob = await enter(fast_app, "ann", "math"), await enter(fast_app, "bob", "math")
    asked: dict[str, Any] = {} if notify is None else {"notify": notify}
    await change(ann, "set", attributes={"a": "1", "b": "2"}, **asked)
    await change(ann, "update", attributes={"b": "3"}, **asked)
    await change(ann, "delete", keys=["a", "nowhere"], **asked)
    await change(ann, "set", attributes={"c": "4"}, **asked)
    await change(ann, "clear", **asked)
    told = bool(notify)
    bodies = [(await bob.expect("room.attributes_changed"))["body"] for _ in range(5)]
    assert bodies == [
        {"set": {"a": "1", "b": "2"}, "deleted": [], "revision": 1, "notify": told},
        {"set": {"b": "3"}, "deleted": [], "revision": 2, "notify": told},
        {"set": {}, "deleted": ["a"], "revision": 3, "notify": told},
        {"set": {"c": "4"}, "deleted": ["b"], "revision": 4, "notify": told},
        {"set": {}, "deleted": ["c"], "revision": 5, "notify": told},
    ]


async def test_changes_and_messages_have_one_order(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    first = await ann.send("math", "one", "m1")
    second = await change(ann, "set", attributes={"a": "1"})
    third = await ann.send("math", "two", "m2")
    assert [first["seq"], second["seq"], third["seq"]] == [1, 2, 3]
    pushed = [await ann.expect(event) for event in ("room.sent", "room.attributes_changed", "room.sent")]
    assert [push["seq"] for push in pushed] == [1, 2, 3]


# What they may be


@pytest.mark.parametrize("verb", ["set", "update"])
@pytest.mark.parametrize("key", ["k" * 32, "é" * 16, "你" * 10 + "kk", "😀" * 8, "!", "two words", "a\\b\"c'"])
async def test_keys_of_up_to_32_visible_bytes(enter: Enter, fast_app: str, verb: str, key: str) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, verb, attributes={key: "v"})
    assert await values(ann, keys=[key]) == {key: "v"}
    await change(ann, "delete", keys=[key])
    assert await values(ann) == {}


@pytest.mark.parametrize("key", ["k" * 33, "é" * 16 + "k", "你" * 11, "😀" * 8 + "k"])
async def test_a_key_of_33_bytes_is_too_large(enter: Enter, fast_app: str, key: str) -> None:
    ann = await enter(fast_app, "ann")
    for verb in ("set", "update"):
        assert await refusal(ann, verb, attributes={"a": "1", key: "v"}) == "size_overflow"
    assert await refusal(ann, "delete", keys=[key]) == "size_overflow"
    assert await values(ann) == {}


@pytest.mark.parametrize("key", ["", " ", "  ", "\t", "a\nb", "\x00", "a\x7f", "\u200b", "\u00a0", "\u2028", "\ufeff"])
async def test_a_key_is_visible(enter: Enter, fast_app: str, key: str) -> None:
    ann = await enter(fast_app, "ann")
    for verb in ("set", "update"):
        assert await refusal(ann, verb, attributes={key: "v"}) == "invalid_params"
    assert await refusal(ann, "delete", keys=[key]) == "invalid_params"
    assert await values(ann) == {}


@pytest.mark.parametrize("unit", ["a", "é", "你", "😀", "\x00", "\n", '"', "\\"])
async def test_a_value_has_up_to_8_kib_in_utf8(enter: Enter, fast_app: str, unit: str) -> None:
    ann = await enter(fast_app, "ann")
    fitting, rest = divmod(8 * KIB, len(unit.encode()))
    value = unit * fitting + "a" * rest
    assert await refusal(ann, "set", attributes={"k": value + "a"}) == "size_overflow"
    await change(ann, "set", attributes={"k": value})
    assert await values(ann) == {"k": value}


@pytest.mark.parametrize("verb", ["set", "update"])
async def test_a_value_is_not_empty(enter: Enter, fast_app: str, verb: str) -> None:
    ann = await enter(fast_app, "ann")
    assert await refusal(ann, verb, attributes={"a": "1", "b": ""}) == "invalid_params"
    await change(ann, verb, attributes={"b": " "})
    assert await values(ann) == {"b": " "}


@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"a": "b"}])
async def test_a_value_is_a_string(enter: Enter, fast_app: str, value: object) -> None:
    ann = await enter(fast_app, "ann")
    assert await refusal(ann, "set", attributes={"k": value}) == "invalid_params"


@pytest.mark.parametrize("value", ["\x00", "null", '"', "\\u0000", "\u2028", "\u200b\ufeff", " \t\n", "e\u0301"])
async def test_a_value_comes_back_as_it_was(enter: Enter, fast_app: str, value: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    await change(ann, "set", attributes={"k": value}, notify=True)
    assert await values(ann) == {"k": value}
    assert (await ann.expect("room.attributes_changed"))["body"]["set"] == {"k": value}
    assert (await ann.call("room.join", room="math"))["attributes"]["k"]["value"] == value


async def test_keys_and_values_have_32_kib_together(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    full = {"a": "v" * 8 * KIB, "b": "v" * 8 * KIB, "c": "é" * 4 * KIB, "last": "v" * (8 * KIB - 7)}
    assert sum(len(key.encode()) + len(value.encode()) for key, value in full.items()) == 32 * KIB
    assert await refusal(ann, "set", attributes={**full, "last": full["last"] + "v"}) == "size_overflow"
    await change(ann, "set", attributes=full)
    assert await refusal(ann, "update", attributes={"last": full["last"] + "v"}) == "size_overflow"
    assert await refusal(ann, "update", attributes={"x": "v"}) == "size_overflow"
    assert await values(ann) == full
    await change(ann, "update", attributes={"a": "v"})
    assert (await values(ann))["a"] == "v", "a full room may be made emptier"


async def test_a_room_has_32_attributes(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    full = {f"k{number}": "v" for number in range(32)}
    for excess in (1, 33, 300):
        more = {f"more{number}": "v" for number in range(excess)}
        assert await refusal(ann, "set", attributes={**full, **more}) == "size_overflow"
    await change(ann, "set", attributes=full)
    assert await refusal(ann, "update", attributes={"one": "v"}) == "size_overflow"
    await change(ann, "update", attributes={"k0": "other"})
    assert await values(ann) == {**full, "k0": "other"}
    await change(ann, "delete", keys=list(full))
    assert await values(ann) == {}


@pytest.mark.parametrize(
    ("verb", "params"),
    [("set", {"attributes": {}}), ("update", {"attributes": {}}), ("delete", {"keys": []})],
)
async def test_a_change_of_nothing_is_refused(enter: Enter, fast_app: str, verb: str, params: dict[str, Any]) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"a": "1"})
    assert await refusal(ann, verb, **params) == "invalid_params"
    assert await values(ann) == {"a": "1"}


async def test_a_refused_change_leaves_no_trace(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    await change(ann, "set", attributes={"a": "1"})
    await ann.expect("room.attributes_changed")
    await refusal(ann, "update", attributes={"b": "2", "c": "v" * 9 * KIB})
    assert await values(ann) == {"a": "1"}
    await ann.expect_nothing("room.attributes_changed")
    assert (await change(ann, "update", attributes={"b": "2"}))["revision"] == 2


# Compare and set


async def test_a_change_with_the_revision_that_still_holds_is_made(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann")
    assert (await change(ann, "set", attributes={"a": "1"}, revision=0))["revision"] == 1
    assert (await change(ann, "update", attributes={"a": "2"}, revision=1))["revision"] == 2
    assert (await change(ann, "delete", keys=["a"], revision=2))["revision"] == 3
    assert (await change(ann, "clear", revision=3))["revision"] == 4


@pytest.mark.parametrize("revision", [0, 2, 2**53 - 1])
@pytest.mark.parametrize(
    ("verb", "params"),
    [
        ("set", {"attributes": {"a": "2"}}),
        ("update", {"attributes": {"a": "2"}}),
        ("delete", {"keys": ["a"]}),
        ("clear", {}),
    ],
)
async def test_a_change_with_another_revision_is_refused_and_told_which_holds(
    enter: Enter, fast_app: str, verb: str, params: dict[str, Any], revision: int
) -> None:
    ann = await enter(fast_app, "ann")
    await change(ann, "set", attributes={"a": "1"})
    with pytest.raises(CallFailed) as refused:
        await change(ann, verb, **params, revision=revision)
    assert (refused.value.name, refused.value.data["revision"]) == ("revision_conflict", 1)
    assert await values(ann) == {"a": "1"}


@pytest.mark.parametrize("revision", [-1, 2**53, 1.5, "1", True])
async def test_a_revision_that_cannot_be_is_refused(enter: Enter, fast_app: str, revision: object) -> None:
    ann = await enter(fast_app, "ann")
    assert await refusal(ann, "clear", revision=revision) == "invalid_params"
