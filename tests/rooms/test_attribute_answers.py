"""Attribute changes that are sent again, at the same time, by many (docs/contract.md 5 and 7)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from django.utils import timezone

from messaging.attributes import Operation
from projects.limits import DEFAULT_LIMITS
from projects.models import Project
from realtime.runtime import Runtime
from rooms.services.attributes import Changed, change_attributes
from tests.support.client import CallFailed, Client
from tests.support.clock import Lifetime
from tests.support.runtimes import clients, runtimes

Enter = Callable[..., Awaitable[Client]]

CHANGES: dict[str, dict[str, Any]] = {
    "room.set_attributes": {"attributes": {"a": "2"}},
    "room.update_attributes": {"attributes": {"b": "2"}},
    "room.delete_attributes": {"keys": ["a"]},
    "room.clear_attributes": {},
}


async def revision(client: Client, room: str = "math") -> int:
    found: int = (await client.call("room.get_attributes", room=room))["revision"]
    return found


@pytest.mark.parametrize("method", CHANGES)
async def test_a_repeated_change_gets_the_first_answer_and_is_made_once(
    enter: Enter, fast_app: str, method: str
) -> None:
    ann = await enter(fast_app, "ann", "math")
    await ann.call("room.set_attributes", room="math", message_id="m1", attributes={"a": "1"})
    first = await ann.call(method, room="math", message_id="m2", **CHANGES[method])
    await ann.call("room.set_attributes", room="math", message_id="m3", attributes={"a": "1", "b": "1"})
    assert await ann.call(method, room="math", message_id="m2", **CHANGES[method]) == first
    assert await revision(ann) == 3
    for _ in range(3):
        await ann.expect("room.attributes_changed")
    await ann.expect_nothing("room.attributes_changed")


@pytest.mark.parametrize("method", CHANGES)
async def test_a_repeated_change_gets_the_first_answer_also_when_its_revision_is_long_past(
    enter: Enter, fast_app: str, method: str
) -> None:
    ann = await enter(fast_app, "ann")
    first = await ann.call(method, room="math", message_id="m1", **CHANGES[method], revision=0)
    await ann.call("room.clear_attributes", room="math", message_id="m2")
    assert await ann.call(method, room="math", message_id="m1", **CHANGES[method], revision=0) == first


@pytest.mark.parametrize("method", CHANGES)
async def test_a_repeated_change_gets_the_first_answer_also_after_leaving_and_in_a_new_session(
    enter: Enter, fast_app: str, method: str
) -> None:
    ann = await enter(fast_app, "ann", "math")
    first = await ann.call(method, room="math", message_id="m1", **CHANGES[method])
    await ann.call("room.leave", room="math")
    assert await ann.call(method, room="math", message_id="m1", **CHANGES[method]) == first
    again = await enter(fast_app, "ann")
    assert await again.call(method, room="math", message_id="m1", **CHANGES[method]) == first


@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_sent_twice_at_once_on_two_processes_is_made_once(fast_app: str, method: str) -> None:
    """The session moves between the two; both attempts are in flight."""
    async with runtimes(2) as (here, there):
        for number in range(5):
            room = f"room-{number}"
            results = await asyncio.gather(
                *(
                    place.bridge.write(_change, fast_app, room, method.split("_")[0].removeprefix("room."))
                    for place in (here, there, here, there)
                )
            )
            assert len(set(results)) == 1, results
            assert results[0].revision == 1


def _change(app: str, room: str, verb: str) -> Changed:
    operation = Operation(verb)
    named = operation in (Operation.SET, Operation.UPDATE)
    return change_attributes(
        project_id=Project.objects.get(app_id=app).pk,
        room=room,
        uid="ann",
        message_id="m1",
        operation=operation,
        attributes={"a": "1"} if named else {},
        keys=["a"] if operation is Operation.DELETE else (),
        notify=False,
        revision=None,
        sizes=DEFAULT_LIMITS.sizes,
        now=timezone.now(),
    )


def _writers(places: Sequence[Runtime], count: int) -> dict[str, Runtime]:
    """So many uids, spread over the processes."""
    return {f"writer{number}": places[number % len(places)] for number in range(count)}


async def test_the_same_message_id_means_different_things_in_different_rooms_and_of_different_users(
    enter: Enter, fast_app: str
) -> None:
    ann, bob = await enter(fast_app, "ann"), await enter(fast_app, "bob")
    for client, room in ((ann, "math"), (ann, "art"), (bob, "math")):
        await client.call("room.update_attributes", room=room, message_id="m1", attributes={room: "v"})
    assert await revision(ann, "math") == 2
    assert await revision(ann, "art") == 1


async def test_a_message_id_of_a_message_is_not_taken_for_a_change_nor_the_other_way_round(
    enter: Enter, fast_app: str
) -> None:
    """An answer that means "done" is given for nothing that was not done."""
    ann = await enter(fast_app, "ann", "math")
    await ann.send("math", "hello", "m1")
    with pytest.raises(CallFailed) as refused:
        await ann.call("room.set_attributes", room="math", message_id="m1", attributes={"a": "1"})
    assert refused.value.name == "invalid_params"
    await ann.call("room.set_attributes", room="math", message_id="m2", attributes={"a": "1"})
    with pytest.raises(CallFailed) as refused:
        await ann.send("math", "hello", "m2")
    assert refused.value.name == "invalid_params"
    await ann.call("room.leave", room="math")
    with pytest.raises(CallFailed) as refused:
        await ann.send("math", "hello", "m2")
    assert refused.value.name == "not_in_room"


async def test_a_repeated_message_gets_its_first_answer_also_after_leaving(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    first = await ann.send("math", "hello", "m1")
    await ann.call("room.leave", room="math")
    assert await ann.send("math", "hello", "m1") == first
    with pytest.raises(CallFailed) as refused:
        await ann.send("math", "another", "m2")
    assert refused.value.name == "not_in_room"


async def test_concurrent_writers_never_lose_each_others_keys(fast_app: str) -> None:
    """Eight writers over two processes, each with keys of its own and one that all of them write."""
    async with runtimes(2) as places, clients(fast_app, "", **_writers(places, 8)) as client_of:

        async def write(uid: str) -> None:
            client = client_of(uid)
            for step in range(4):
                key = f"{uid}-{step % 3}"
                attributes = {key: f"{step}", "shared": f"{uid} {step}"}
                await client.call("room.update_attributes", room="math", message_id=f"m{step}", attributes=attributes)
                if step == 2:
                    await client.call("room.delete_attributes", room="math", message_id="gone", keys=[f"{uid}-1"])

        uids = list(_writers(places, 8))
        await asyncio.gather(*(write(uid) for uid in uids))
        found = await client_of(uids[0]).call("room.get_attributes", room="math")
        values = {key: item["value"] for key, item in found["attributes"].items()}
        shared = values.pop("shared")
        assert shared.split()[1] == "3"
        assert values == {f"{uid}-{n}": {0: "3", 2: "2"}[n] for uid in uids for n in (0, 2)}
        assert found["revision"] == 8 * 5


async def test_of_concurrent_changes_with_one_revision_exactly_one_is_made(fast_app: str) -> None:
    async with runtimes(2) as places, clients(fast_app, "", **_writers(places, 6)) as client_of:
        for revision in range(3):
            answers = await asyncio.gather(
                *(
                    client_of(uid).call(
                        "room.set_attributes",
                        room="math",
                        message_id=f"m{revision}",
                        attributes={"winner": uid},
                        revision=revision,
                    )
                    for uid in _writers(places, 6)
                ),
                return_exceptions=True,
            )
            won = [answer for answer in answers if isinstance(answer, dict)]
            lost = [answer for answer in answers if isinstance(answer, CallFailed)]
            assert len(won) == 1, answers
            assert {(error.name, error.data["revision"]) for error in lost} == {("revision_conflict", revision + 1)}


async def test_members_at_another_process_see_each_change_in_order(two_places: Lifetime, fast_app: str) -> None:
    ann = await two_places.enter(fast_app, "ann", "math")
    bob = await two_places.enter(fast_app, "bob", "math", place=1)
    for number in range(5):
        await ann.call("room.update_attributes", room="math", message_id=f"m{number}", attributes={"n": f"{number}"})
    seen = [(await bob.expect("room.attributes_changed"))["body"]["set"]["n"] for _ in range(5)]
    assert seen == ["0", "1", "2", "3", "4"]
