"""What a process still has of a deleted message: nobody who comes later is given it."""

import json

import pytest

from realtime import redaction
from realtime.streams import StoredEntry
from tests.support.doubles import Sink
from tests.support.hubs import KEY, HubBench

pytestmark = pytest.mark.shapeless

DELETED = "tests.deleted"
SECRET = '{"text":"a secret"}'


@pytest.fixture(autouse=True)
def _deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_deletions", ())
    redaction.add_deletion(DELETED)


def deletion_of(bench: HubBench, seq: int) -> StoredEntry:
    """Committed; the log has a tombstone in the message's place."""
    rows = bench.store.rows[bench.store.heads_of[KEY].id]
    rows[seq - 1] = rows[seq - 1]._replace(event=redaction.TOMBSTONE, body="{}")
    (last,) = bench.commit(body=f'{{"seq":{seq},"message_id":"m{seq}"}}')
    rows[-1] = last._replace(event=DELETED)
    return rows[-1]


async def recovered(bench: HubBench, after: int) -> list[tuple[str, object]]:
    """Event and body of what follows."""
    page = await bench.recoveries.page(bench.reader, after)
    pushes = [json.loads(text) for _, text in page.entries]
    return [(push["method"], push["params"]["body"]) for push in pushes]


async def test_a_ring_has_a_tombstone_as_the_log_has() -> None:
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(3, SECRET))
    bench.publish(deletion_of(bench, 2))
    assert await recovered(bench, 1) == [
        (redaction.TOMBSTONE, {}),
        ("room.sent", {"text": "a secret"}),
        (DELETED, {"seq": 2, "message_id": "m2"}),
    ]
    assert bench.store.reads == 0, "that was the ring"
    place, text = bench.stream.ring[1]
    assert (place, json.loads(text)["params"]) == (
        2,
        {"stream": KEY[1], "seq": 2, "sender": "ann", "message_id": "m2", "ts": bench.clock.now_ms(), "body": {}},
    )
    kept = sum(len(text) for _, text in bench.stream.ring)
    assert bench.hub.rings.chars == bench.stream.ring_chars == kept


@pytest.mark.parametrize("way", ["hint", "look"])
async def test_a_deletion_of_another_process_empties_the_ring_here(way: str) -> None:
    """As it is told, or is read because its hint was lost; also one that comes with its message."""
    bench = HubBench()
    sink = await bench.join()
    first, last = bench.commit(2, SECRET)
    bench.publish(first)
    both = (last, deletion_of(bench, 1), deletion_of(bench, 2))
    if way == "hint":
        bench.hint(*both)
    else:
        bench.hint(head=4)
        await bench.settle()
    assert sink.seqs() == [1, 2, 3, 4]
    assert [event for event, _ in await recovered(bench, 0)] == [redaction.TOMBSTONE] * 2 + [DELETED] * 2
    assert not any("secret" in text for _, text in bench.stream.ring)


async def test_what_is_held_for_a_join_has_a_tombstone_too() -> None:
    bench = HubBench()
    await bench.join()
    subscription = await bench.subscribe(Sink(bench.loop, "bob"))
    subscription.start_hold()
    bench.publish(*bench.commit(2, SECRET))
    bench.publish(deletion_of(bench, 1))
    assert subscription.hold is not None
    assert subscription.hold_chars == sum(len(text) for _, text in subscription.hold)
    held = subscription.end_hold() or []
    assert [(seq, "secret" in text) for seq, text in held] == [(1, False), (2, True), (3, False)]


async def test_a_message_about_a_deletion_is_none() -> None:
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(body='{"method":"tests.deleted","seq":1}'))
    assert [event for event, _ in await recovered(bench, 0)] == ["room.sent"]
