"""`room.history`: what was said, for members, in pages (docs/contract.md 2)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from realtime.connection import UNACKNOWLEDGED_LIMIT
from realtime.streams import PAGE_BYTES
from tests.support.client import CallFailed, Client

Enter = Callable[..., Awaitable[Client]]


async def said(client: Client, *texts: str, room: str = "math") -> None:
    for number, text in enumerate(texts):
        await client.send(room, text, f"m{number}")


async def history(client: Client, **params: Any) -> tuple[list[str], bool]:
    """The texts, and whether there are more."""
    page = await client.call("room.history", room="math", **params)
    return [entry["body"]["text"] for entry in page["entries"]], page["more"]


@pytest.fixture
async def ann(enter: Enter, fast_app: str) -> Client:
    client = await enter(fast_app, "ann", "math")
    await said(client, "1", "2", "3", "4", "5")
    return client


async def test_an_empty_room_has_no_history(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    assert await ann.call("room.history", room="math") == {"entries": [], "more": False}


async def test_an_entry_says_all_that_its_push_said(enter: Enter, app: str) -> None:
    ann = await enter(app, "ann", "math")
    await ann.send("math", "hello", "m1")
    pushed = await ann.expect("room.sent")
    (entry,) = (await ann.call("room.history", room="math"))["entries"]
    assert entry == {"event": "room.sent", **pushed}


async def test_the_newest_come_first_unless_asked_otherwise(ann: Client) -> None:
    assert await history(ann) == (["5", "4", "3", "2", "1"], False)
    assert await history(ann, order="desc") == (["5", "4", "3", "2", "1"], False)
    assert await history(ann, order="asc") == (["1", "2", "3", "4", "5"], False)


async def test_before_and_after_are_exclusive(ann: Client) -> None:
    assert await history(ann, before=4) == (["3", "2", "1"], False)
    assert await history(ann, after=2, order="asc") == (["3", "4", "5"], False)
    assert await history(ann, after=1, before=5) == (["4", "3", "2"], False)
    assert await history(ann, after=4, before=5) == ([], False)
    assert await history(ann, before=0) == ([], False)
    assert await history(ann, after=2**53 - 1) == ([], False)


@pytest.mark.parametrize(
    ("params", "page"),
    [
        ({"limit": 2}, (["5", "4"], True)),
        ({"limit": 4}, (["5", "4", "3", "2"], True)),
        ({"limit": 5}, (["5", "4", "3", "2", "1"], False)),
        ({"limit": 6}, (["5", "4", "3", "2", "1"], False)),
        ({"limit": 2, "order": "asc"}, (["1", "2"], True)),
        ({"limit": 2, "after": 3, "order": "asc"}, (["4", "5"], False)),
        ({"limit": 2, "before": 3}, (["2", "1"], False)),
        ({"limit": 1, "before": 3}, (["2"], True)),
    ],
)
async def test_a_page_says_whether_there_are_more_that_way(
    ann: Client, params: dict[str, Any], page: tuple[list[str], bool]
) -> None:
    assert await history(ann, **params) == page


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_100_entries_a_page_and_not_one_more(enter: Enter, fast_app: str, order: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    texts = [str(number) for number in range(101)]
    await said(ann, *texts)
    if order == "desc":
        texts.reverse()
    for limit in (100, 101, 1000):
        assert await history(ann, limit=limit, order=order) == (texts[:100], True)
    await ann.call("room.leave", room="math")
    bob = await enter(fast_app, "bob", "math")
    last = int(texts[99]) + 1
    cursor = {"after": last} if order == "asc" else {"before": last}
    assert await history(bob, order=order, **cursor) == (texts[100:], False)


@pytest.mark.parametrize("limit", [0, -1, 1001, 1.5, "10", None, True])
async def test_a_limit_that_cannot_be_is_refused(ann: Client, limit: object) -> None:
    with pytest.raises(CallFailed) as refused:
        await history(ann, limit=limit)
    assert refused.value.name == "invalid_params"


@pytest.mark.parametrize("params", [{"order": "newest"}, {"before": -1}, {"after": -1}, {"before": 2**53}])
async def test_what_cannot_be_asked_is_refused(ann: Client, params: dict[str, Any]) -> None:
    with pytest.raises(CallFailed) as refused:
        await history(ann, **params)
    assert refused.value.name == "invalid_params"


async def test_changes_of_attributes_are_not_in_the_history_and_leave_no_hole(enter: Enter, fast_app: str) -> None:
    ann = await enter(fast_app, "ann", "math")
    for number in range(60):
        await ann.call("room.set_attributes", room="math", message_id=f"a{number}", attributes={"n": str(number)})
        if number % 20 == 0:
            await ann.send("math", str(number), f"m{number}")
    assert await history(ann) == (["40", "20", "0"], False)
    assert await history(ann, limit=2) == (["40", "20"], True)


@pytest.mark.parametrize("unit", ["a", "你", "😀", "\x00"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_of_large_messages_stay_far_below_what_a_client_may_leave_unread(
    enter: Enter, fast_app: str, unit: str, order: str
) -> None:
    """A full page of the largest messages would be cut off as a slow consumer, each time it is asked for."""
    ann = await enter(fast_app, "ann", "math")
    count = 14
    text = unit * (32 * 1024 // len(unit.encode()))
    await said(ann, *[text] * count)
    bob = await enter(fast_app, "bob", "math")
    seqs: list[int] = []
    more = True
    while more:
        cursor = {} if not seqs else {"after" if order == "asc" else "before": seqs[-1]}
        page = await bob.call("room.history", room="math", limit=100, order=order, **cursor)
        assert len(bob.frames[-1].encode()) < PAGE_BYTES + 2 * 32 * 1024 < UNACKNOWLEDGED_LIMIT
        seqs += [entry["seq"] for entry in page["entries"]]
        more = page["more"]
    assert seqs == (list(range(1, count + 1)) if order == "asc" else list(range(count, 0, -1)))
