"""User attributes: what they may be and what each change does (docs/contract.md 7)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.client import CallFailed, Client

KIB = 1024

Enter = Callable[..., Awaitable[Client]]


async def change(client: Client, verb: str, **params: Any) -> None:
    assert await client.call(f"user.{verb}_attributes", **params) == {}


async def refusal(client: Client, method: str, **params: Any) -> str:
    with pytest.raises(CallFailed) as refused:
        await client.call(method, **params)
    return refused.value.name


async def values(client: Client, uid: str = "ann", **params: Any) -> Any:
    return (await client.call("user.get_attributes", uid=uid, **params))["attributes"]


# What each method does


async def test_set_replaces_all(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    assert await values(ann) == {}
    await change(ann, "set", attributes={"name": "Ann", "hand": "up"})
    await change(ann, "set", attributes={"name": "Anna"})
    assert await values(ann) == {"name": "Anna"}


async def test_update_adds_and_replaces_and_leaves_the_others(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    await change(ann, "update", attributes={"name": "Ann", "hand": "up"})
    await change(ann, "update", attributes={"hand": "down", "seat": "3"})
    assert await values(ann) == {"name": "Ann", "hand": "down", "seat": "3"}


async def test_delete_takes_the_named_ones_and_unknown_keys_are_no_error(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    await change(ann, "delete", keys=["nowhere"])
    await change(ann, "set", attributes={"a": "1", "b": "2", "c": "3"})
    await change(ann, "delete", keys=["a", "nowhere", "a"])
    assert await values(ann) == {"b": "2", "c": "3"}


async def test_clear_takes_all_and_clearing_nothing_is_no_error(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    await change(ann, "clear")
    await change(ann, "set", attributes={"a": "1", "b": "2"})
    await change(ann, "clear")
    assert await values(ann) == {}


async def test_the_same_change_again_makes_no_difference(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    for _ in range(2):
        await change(ann, "set", attributes={"a": "1", "b": "2"})
        await change(ann, "update", attributes={"b": "3"})
        await change(ann, "delete", keys=["a"])
    assert await values(ann) == {"b": "3"}


async def test_others_see_them_and_have_their_own(enter: Enter, app: str) -> None:
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    await change(ann, "set", attributes={"a": "1", "b": "2", "c": "3"})
    await change(bob, "set", attributes={"a": "bob's"})
    assert await values(bob) == {"a": "1", "b": "2", "c": "3"}
    assert await values(bob, keys=["c", "nowhere", "a"]) == {"a": "1", "c": "3"}
    assert await values(bob, keys=["nowhere"]) == {}
    assert await values(ann, "bob") == {"a": "bob's"}


async def test_who_is_offline_is_not_found(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    assert await refusal(ann, "user.get_attributes", uid="bob") == "user_not_found"
    assert await refusal(ann, "user.get_attributes", uid="bob", keys=["a"]) == "user_not_found"
    await enter(app, "bob")
    assert await values(ann, "bob") == {}


@pytest.mark.parametrize("uid", ["", "x" * 65, "\u00a0" * 33, "ä"])
async def test_what_is_no_user_id_is_refused(enter: Enter, app: str, uid: str) -> None:
    ann = await enter(app, "ann")
    assert await refusal(ann, "user.get_attributes", uid=uid) == "invalid_params"


# What they may be


@pytest.mark.parametrize("key", ["k" * 32, "é" * 16, "😀" * 8, "!", "two words", "a\\b\"c'"])
async def test_keys_of_up_to_32_visible_bytes(enter: Enter, app: str, key: str) -> None:
    ann = await enter(app, "ann")
    await change(ann, "set", attributes={key: "v"})
    assert await values(ann, keys=[key]) == {key: "v"}
    await change(ann, "delete", keys=[key])
    assert await values(ann) == {}


@pytest.mark.parametrize(
    ("key", "error"),
    [("k" * 33, "size_overflow"), ("é" * 16 + "k", "size_overflow"), ("", "invalid_params"), ("\t", "invalid_params")],
)
async def test_other_keys_are_refused(enter: Enter, app: str, key: str, error: str) -> None:
    ann = await enter(app, "ann")
    for verb in ("set", "update"):
        assert await refusal(ann, f"user.{verb}_attributes", attributes={"a": "1", key: "v"}) == error
    assert await refusal(ann, "user.delete_attributes", keys=[key]) == error
    assert await values(ann) == {}


@pytest.mark.parametrize("unit", ["a", "é", "😀", "\x00", '"'])
async def test_a_value_has_up_to_8_kib_in_utf8(enter: Enter, app: str, unit: str) -> None:
    ann = await enter(app, "ann")
    fitting, rest = divmod(8 * KIB, len(unit.encode()))
    value = unit * fitting + "a" * rest
    assert await refusal(ann, "user.set_attributes", attributes={"k": value + "a"}) == "size_overflow"
    await change(ann, "set", attributes={"k": value})
    assert await values(ann) == {"k": value}


@pytest.mark.parametrize("value", ["", None, 1, {"a": "b"}])
async def test_a_value_is_a_string_and_not_empty(enter: Enter, app: str, value: object) -> None:
    ann = await enter(app, "ann")
    for verb in ("set", "update"):
        assert await refusal(ann, f"user.{verb}_attributes", attributes={"a": "1", "k": value}) == "invalid_params"
    assert await values(ann) == {}


@pytest.mark.parametrize("value", ["\x00", "null", '"', "\\u0000", "\u2028", " \t\n", "e\u0301"])
async def test_a_value_comes_back_as_it_was(enter: Enter, app: str, value: str) -> None:
    ann = await enter(app, "ann")
    await change(ann, "set", attributes={"k": value})
    assert await values(ann) == {"k": value}


async def test_keys_and_values_have_16_kib_together(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    full = {"a": "v" * 8 * KIB, "last": "é" * (4 * KIB - 3) + "v"}
    assert sum(len(key.encode()) + len(value.encode()) for key, value in full.items()) == 16 * KIB
    over = {**full, "last": full["last"] + "v"}
    assert await refusal(ann, "user.set_attributes", attributes=over) == "size_overflow"
    await change(ann, "set", attributes=full)
    assert await refusal(ann, "user.update_attributes", attributes={"x": "v"}) == "size_overflow"
    assert await values(ann) == full
    await change(ann, "update", attributes={"a": "v"})
    assert (await values(ann))["a"] == "v"


async def test_a_user_has_32_attributes(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann")
    full = {f"k{number}": "v" for number in range(32)}
    assert await refusal(ann, "user.set_attributes", attributes={**full, "one": "v"}) == "size_overflow"
    await change(ann, "set", attributes=full)
    assert await refusal(ann, "user.update_attributes", attributes={"one": "v"}) == "size_overflow"
    await change(ann, "update", attributes={"k0": "other"})
    assert await values(ann) == {**full, "k0": "other"}


@pytest.mark.parametrize(
    ("verb", "params"),
    [("set", {"attributes": {}}), ("update", {"attributes": {}}), ("delete", {"keys": []})],
)
async def test_a_change_of_nothing_is_refused(enter: Enter, app: str, verb: str, params: dict[str, Any]) -> None:
    ann = await enter(app, "ann")
    await change(ann, "set", attributes={"a": "1"})
    assert await refusal(ann, f"user.{verb}_attributes", **params) == "invalid_params"
    assert await values(ann) == {"a": "1"}
