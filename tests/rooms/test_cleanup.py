"""The rule *clean-up*: attributes of an RTM room are cleared only when nothing touched it and it was empty for
five minutes within one life of the presence store (docs/contract.md 7)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from messaging.models import Entry
from projects.models import Project
from rooms.cleanup import EMPTY_FOR, Cleanup
from rooms.models import Room
from rooms.selectors import get_snapshot
from tests.support.client import Client
from tests.support.clock import Lifetime
from tests.support.doubles import Gate

PERIOD_S = 30


@pytest.fixture(autouse=True)
def _only_rooms_of_this_test(_database: None) -> None:
    Room.objects.all().delete()


@pytest.fixture
async def ann(lifetime: Lifetime, fast_app: str) -> Client:
    """Somebody who is in no room, and has given "math" an attribute."""
    client = await lifetime.enter(fast_app, "ann")
    await put(client)
    return client


async def put(client: Client, room: str = "math", message_id: str = "put") -> None:
    await client.call("room.update_attributes", room=room, message_id=message_id, attributes={"topic": "sets"})


async def attributes(client: Client, room: str = "math") -> dict[str, Any]:
    found: dict[str, Any] = (await client.call("room.get_attributes", room=room))["attributes"]
    return found


async def sweep(lifetime: Lifetime, place: int = 0) -> int:
    return await lifetime.runtimes[place].part(Cleanup).sweep()


async def sweeps(lifetime: Lifetime, seconds: float, *alive: Client) -> int:
    """Time passes, with the sweeps that belong to it; how many rooms were cleared."""
    cleared = 0
    while seconds > 0:
        step_s = min(seconds, PERIOD_S)
        seconds -= step_s
        await lifetime.pass_time(step_s, *alive)
        cleared += await sweep(lifetime)
    return cleared


@sync_to_async
def room_row(name: str = "math") -> Room:
    return Room.objects.get(name=name)


async def test_rule_clean_up_after_five_empty_minutes(lifetime: Lifetime, ann: Client) -> None:
    await sweep(lifetime)
    assert await sweeps(lifetime, EMPTY_FOR.total_seconds() - 1, ann) == 0
    assert await attributes(ann)
    assert await sweeps(lifetime, 1, ann) == 1
    assert await ann.call("room.get_attributes", room="math") == {"attributes": {}, "revision": 2}
    assert await sweeps(lifetime, 600, ann) == 0, "once"


async def test_rule_clean_up_is_a_change_like_any_other(lifetime: Lifetime, ann: Client) -> None:
    """It has its place in the room's order, so that whoever resumes learns of it."""
    epoch = (await ann.call("room.join", room="math"))["epoch"]
    await ann.call("room.leave", room="math")
    await sweep(lifetime)
    await sweeps(lifetime, 300, ann)
    joined = await ann.call("room.join", room="math", after={"seq": 1, "epoch": epoch})
    (entry,) = joined["entries"]
    assert (entry["seq"], entry["event"], entry["sender"]) == (2, "room.attributes_changed", "")
    assert entry["body"] == {"set": {}, "deleted": ["topic"], "revision": 2, "notify": False}


async def test_rule_clean_up_not_while_somebody_is_there(lifetime: Lifetime, ann: Client) -> None:
    await ann.call("room.join", room="math")
    assert await sweeps(lifetime, 900, ann) == 0
    assert await attributes(ann)
    await ann.call("room.leave", room="math")
    assert await sweeps(lifetime, 300, ann) == 0, "counted from the first sweep that found it empty"
    assert await sweeps(lifetime, 30, ann) == 1


async def test_rule_clean_up_counts_anew_when_somebody_was_there_in_between(lifetime: Lifetime, ann: Client) -> None:
    await sweep(lifetime)
    await sweeps(lifetime, 200, ann)
    await ann.call("room.join", room="math")  # between two sweeps, so that none sees it
    await ann.call("room.leave", room="math")
    assert await sweeps(lifetime, 299, ann) == 0
    assert await attributes(ann)
    assert await sweeps(lifetime, 60, ann) == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("room.set_attributes", {"attributes": {"topic": "rings"}}),
        ("room.update_attributes", {"attributes": {"level": "1"}}),
        ("room.delete_attributes", {"keys": ["nowhere"]}),
    ],
)
async def test_rule_clean_up_counts_anew_when_it_was_touched_in_between(
    lifetime: Lifetime, ann: Client, method: str, params: dict[str, Any]
) -> None:
    await sweep(lifetime)
    await sweeps(lifetime, 200, ann)
    await ann.call(method, room="math", message_id="touch", **params)
    assert await sweeps(lifetime, 299, ann) == 0
    assert await attributes(ann)
    assert await sweeps(lifetime, 60, ann) == 1


async def test_rule_clean_up_counts_anew_in_another_life_of_the_presence_store(lifetime: Lifetime, ann: Client) -> None:
    """An emptied store knows of nobody: what was seen in it proves nothing."""
    await ann.call("room.join", room="math")
    await sweep(lifetime)
    lifetime.empty_store()
    await sweep(lifetime)
    assert await sweeps(lifetime, 600, ann) == 0, "its members have registered again"
    await ann.call("room.leave", room="math")
    await sweep(lifetime)
    await sweeps(lifetime, 200, ann)
    lifetime.empty_store()
    assert await sweeps(lifetime, 299, ann) == 0
    assert await attributes(ann)
    assert await sweeps(lifetime, 60, ann) == 1


async def test_rule_clean_up_keeps_what_a_classroom_has(lifetime: Lifetime, ann: Client) -> None:
    await sync_to_async(Room.objects.filter(name="math").update)(kind=Room.Kind.CLASSROOM)
    assert await sweeps(lifetime, 900, ann) == 0
    assert await attributes(ann)


async def test_rule_clean_up_counts_a_user_who_may_come_back_as_there(lifetime: Lifetime, fast_app: str) -> None:
    ann = await lifetime.enter(fast_app, "ann")
    bob = await lifetime.enter(fast_app, "bob", "math")
    await put(ann)
    await bob.close()
    await lifetime.settle()
    await lifetime.pass_time(29, ann)
    await sweep(lifetime)
    assert (await room_row()).empty_since is None
    await lifetime.pass_time(3, ann)
    await sweep(lifetime)
    assert (await room_row()).empty_since is not None


async def test_rule_clean_up_is_done_once_by_many_processes(two_places: Lifetime, fast_app: str) -> None:
    ann = await two_places.enter(fast_app, "ann")
    await put(ann)
    await sweep(two_places)
    await sweeps(two_places, 299, ann)
    await two_places.pass_time(1, ann)
    assert sorted(await asyncio.gather(sweep(two_places, 0), sweep(two_places, 1))) == [0, 1]
    entries = await sync_to_async(Entry.objects.filter(stream__project__app_id=fast_app).count)()
    assert entries == 2


async def test_rule_clean_up_with_a_writer_whose_clock_is_ahead(lifetime: Lifetime, ann: Client) -> None:
    """A mark from before the last change does not count, and does not stay for ever either."""
    touched_at = datetime.fromtimestamp(lifetime.clock.now_ms() / 1000, UTC) + timedelta(seconds=45)
    await sync_to_async(Room.objects.filter(name="math").update)(touched_at=touched_at)
    await sweep(lifetime)
    assert await sweeps(lifetime, 330, ann) == 0
    assert await sweeps(lifetime, 60, ann) == 1


async def test_rule_clean_up_marks_a_room_while_somebody_joins_whom_it_has_not_seen(
    lifetime: Lifetime, ann: Client
) -> None:
    """The join has looked for a mark before there was one; so the sweep looks for members once more."""
    gate = hold_next_count(lifetime)
    sweeping = asyncio.create_task(sweep(lifetime))
    await gate.arrived()
    await ann.call("room.join", room="math")
    gate.open()
    await sweeping
    assert (await room_row()).empty_since is None


async def test_rule_clean_up_marks_a_room_before_somebody_joins_whom_it_does_not_see(
    lifetime: Lifetime, ann: Client
) -> None:
    """The sweep has looked for members for the last time; so the join takes the mark away."""
    gate = hold_next_count(lifetime, passing=1)
    sweeping = asyncio.create_task(sweep(lifetime))
    await gate.arrived()
    assert (await room_row()).empty_since is not None
    await ann.call("room.join", room="math")
    gate.open()
    await sweeping
    assert (await room_row()).empty_since is None


async def test_rule_clean_up_does_not_clear_what_somebody_has_just_joined(lifetime: Lifetime, ann: Client) -> None:
    """The sweep has counted nobody; the join comes before it clears."""
    await sweep(lifetime)
    await lifetime.pass_time(300, ann)
    gate = hold_next_count(lifetime)
    sweeping = asyncio.create_task(sweep(lifetime))
    await gate.arrived()
    joined = await ann.call("room.join", room="math")
    gate.open()
    assert await sweeping == 0
    assert joined["attributes"]["topic"]["value"] == "sets"
    assert await attributes(ann)


async def test_rule_clean_up_that_comes_first_is_what_a_joiner_sees(
    lifetime: Lifetime, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has counted nobody; the join reads the attributes, then they are cleared, then it marks the room
    as in use. It answers with what is there then."""
    await sweep(lifetime)
    await lifetime.pass_time(300, ann)
    counted, read, reads = hold_next_count(lifetime), Gate(), list[int]()
    bridge_read = lifetime.runtime.bridge.read

    async def slow_read(function: Any, *args: Any) -> Any:
        answer = await bridge_read(function, *args)
        if function is get_snapshot and not reads:
            reads.append(1)
            await read.come()
        return answer

    monkeypatch.setattr(lifetime.runtime.bridge, "read", slow_read)
    sweeping = asyncio.create_task(sweep(lifetime))
    await counted.arrived()
    joining = await ann.start("room.join", room="math")
    await read.arrived()
    counted.open()
    assert await sweeping == 1
    read.open()
    joined = await joining
    assert (joined["attributes"], joined["revision"], joined["head"]) == ({}, 2, 2)
    await put(ann, message_id="again")
    assert (await ann.expect("room.attributes_changed"))["seq"] == 3


async def test_only_rooms_with_attributes_are_looked_at(lifetime: Lifetime, ann: Client, fast_app: str) -> None:
    one = await sync_to_async(Project.objects.get)(app_id=fast_app)
    await ann.call("room.clear_attributes", room="math", message_id="clear")
    await ann.call("room.join", room="art")
    await ann.send("art", "hello", "m1")
    counts: list[tuple[int, list[str]]] = []
    counted = lifetime.runtime.presence.counts

    async def watched(project: int, rooms: Any) -> list[int]:
        counts.append((project, list(rooms)))
        return await counted(project, rooms)

    lifetime.runtime.presence.counts = watched  # type: ignore[method-assign]
    await sweep(lifetime)
    assert counts == []
    for room in ("art", "maps"):
        await ann.call("room.join", room=room)
        await put(ann, room)
    await sweep(lifetime)
    assert counts[-1:] == [(one.pk, ["room:art", "room:maps"])], "one call for all rooms of a project"


def hold_next_count(lifetime: Lifetime, passing: int = 0) -> Gate:
    """The gate at which the next counting of members waits with its answer, after so many that pass."""
    gate = Gate()
    presence = lifetime.runtime.presence
    counts = presence.counts
    left = passing

    async def held(project: int, rooms: Any) -> list[int]:
        nonlocal left
        answer = await counts(project, rooms)
        if left == 0:
            left -= 1
            await gate.come()
        else:
            left -= 1
        return answer

    presence.counts = held  # type: ignore[method-assign]
    return gate
