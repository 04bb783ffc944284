"""The life of a room in a few steps (docs/contract.md 3 and 5)."""

from collections.abc import Callable

from tests.support.client import Client


async def test_a_message_reaches_every_member_in_order(open_client: Callable[..., Client], app: str) -> None:
    ann, bob = open_client(), open_client()
    await ann.login(app, "ann")
    await bob.login(app, "bob")
    await ann.call("room.join", room="math")
    await bob.call("room.join", room="math")
    first = await ann.send("math", "one", "m1")
    second = await ann.send("math", "two", "m2")
    assert second["seq"] == first["seq"] + 1
    assert [(await bob.expect("room.sent"))["body"]["text"] for _ in range(2)] == ["one", "two"]


async def test_a_repeated_message_id_gets_the_first_answer(open_client: Callable[..., Client], app: str) -> None:
    ann = open_client()
    await ann.login(app, "ann")
    await ann.call("room.join", room="math")
    first = await ann.send("math", "one", "m1")
    assert await ann.send("math", "one", "m1") == first
    await ann.expect("room.sent")
    await ann.expect_nothing("room.sent")
