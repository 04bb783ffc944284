"""The cursor: whatever comes, in whatever order and however often, a member sees a stream once and in order."""

import asyncio

import pytest

from realtime.errors import UNAVAILABLE, RpcError
from realtime.hub import HELD_LIMIT
from realtime.layer import stream_group
from realtime.repairs import GAP_S
from tests.support.doubles import Gate, Hints, LogStore
from tests.support.hubs import KEY, HubBench


async def test_rule_cursor_what_is_at_or_below_it_is_dropped() -> None:
    bench = HubBench()
    ann = await bench.join()
    one, two = bench.commit(2)
    bench.publish(one, two)
    bench.publish(one)
    bench.hint(one, two)
    bench.publish(two)
    await bench.settle()
    assert ann.seqs() == [1, 2]


async def test_rule_cursor_what_comes_early_is_held_until_its_turn() -> None:
    bench = HubBench()
    ann = await bench.join()
    one, two, three = bench.commit(3)
    bench.hint(three)
    bench.publish(two)
    await bench.settle()
    assert ann.seqs() == []
    bench.hint(one)
    await bench.settle()
    assert ann.seqs() == [1, 2, 3]
    await bench.pass_time(GAP_S * 2)
    assert bench.store.reads == 0, "the gap closed by itself: nothing is read"


async def test_rule_cursor_a_gap_is_read_once_after_50_ms() -> None:
    bench = HubBench()
    ann = await bench.join()
    lost = bench.commit(3)
    seen = bench.commit(3)
    for entry in reversed(seen):
        bench.hint(entry)
    await bench.pass_time(GAP_S * 0.9)
    assert (ann.seqs(), bench.store.reads) == ([], 0)
    gate = bench.store.gate = Gate()
    bench.clock.advance(GAP_S * 0.2)
    await gate.arrived()
    late = bench.commit(2)
    bench.publish(*late)  # while the read is under way
    bench.hint(*seen)
    bench.hub.expect(bench.stream, late[-1].seq)
    bench.clock.advance(GAP_S * 3)
    assert bench.store.reads == 1, "the read is single-flight"
    gate.open()
    await bench.settle()
    assert ann.seqs() == [entry.seq for entry in lost + seen + late]


async def test_rule_cursor_every_source_passes_it() -> None:
    bench = HubBench()
    ann = await bench.join()
    local, hinted, read, looked_up = bench.commit(4)
    bench.publish(local)
    bench.hint(hinted)
    bench.hub.expect(bench.stream, read.seq)
    await bench.pass_time(GAP_S)
    bench.hint(head=looked_up.seq)
    await bench.settle()
    bench.publish(local, hinted, read, looked_up)
    await bench.settle()
    assert ann.seqs() == [1, 2, 3, 4]


async def test_rule_cursor_news_that_come_while_a_read_ends_are_read_too() -> None:
    """The read has seen nothing new; what is told before its answer is here must not wait for the next news."""
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(1))
    gate = bench.store.gate = Gate()
    bench.hub.hints.receive(
        {"kind": "entries", "node": "there", "project": KEY[0], "stream": KEY[1], "id": 1, "epoch": "", "head": 1}
    )
    await gate.arrived()
    bench.commit(2)
    bench.hint(head=3)
    gate.open()
    await bench.settle()
    assert ann.seqs() == [1, 2, 3]


async def test_rule_cursor_more_than_is_held_is_read() -> None:
    bench = HubBench()
    ann = await bench.join()
    entries = bench.commit(HELD_LIMIT + 50)
    bench.publish(*entries[1:])
    assert len(bench.stream.held) == HELD_LIMIT
    await bench.pass_time(GAP_S)
    assert ann.seqs() == [entry.seq for entry in entries]
    assert not bench.stream.held


async def test_rule_cursor_what_retention_deleted_is_stepped_over() -> None:
    bench = HubBench()
    ann = await bench.join()
    entries = bench.commit(6)
    del bench.store.rows[1][:3]
    bench.hint(entries[5])
    await bench.pass_time(GAP_S)
    assert ann.seqs() == [4, 5, 6]


async def test_rule_cursor_a_gap_that_cannot_be_read_is_tried_again() -> None:
    bench = HubBench()
    ann = await bench.join()
    one, two = bench.commit(2)
    bench.store.error = RpcError(UNAVAILABLE)
    bench.hint(two)
    await bench.pass_time(GAP_S)
    await bench.pass_time(GAP_S * 10)
    assert ann.seqs() == []
    bench.store.error = None
    await bench.pass_time(GAP_S * 4)
    assert ann.seqs() == [one.seq, two.seq]


async def test_rule_cursor_hints_that_come_before_the_first_look_at_the_head_are_held() -> None:
    bench = HubBench()
    bench.commit(2)
    opening = asyncio.create_task(bench.join())
    await asyncio.sleep(0)
    assert bench.stream.cursor is None
    later = bench.commit(2)  # seen by the look at the head
    bench.hint(*later)
    ann = await opening
    await bench.settle()
    assert ann.seqs() == [], "a member begins at the head"
    bench.publish(*bench.commit(1))
    await bench.settle()
    assert ann.seqs() == [5]


async def test_a_gap_read_that_ends_after_a_reset_brings_nothing_of_the_lost_time() -> None:
    bench = HubBench()
    ann = await bench.join()
    bench.publish(*bench.commit(1))
    bench.commit(4)
    gate = bench.store.gate = Gate()
    bench.hint(head=5)
    await gate.arrived()
    restored = bench.store.heads_of[KEY] = bench.store.heads_of[KEY]._replace(epoch="second", head=2)
    del bench.store.rows[restored.id][2:]
    await bench.hub.check_heads()
    gate.open()
    await bench.settle()
    bench.publish(*bench.commit(1, body='"of the new time"'))
    await bench.settle()
    entries = [message["params"] for message in ann.messages() if message["method"] == "room.sent"]
    assert [(entry["seq"], entry["body"]) for entry in entries] == [(1, {}), (3, "of the new time")]


async def test_a_stream_that_fails_to_open_fails_its_subscribers_and_opens_again() -> None:
    bench = HubBench()
    bench.store.error = RpcError(UNAVAILABLE)
    with pytest.raises(RpcError):
        await bench.join()
    assert not bench.hub.live
    bench.store.error = None
    ann = await bench.join()
    bench.publish(*bench.commit(1))
    await bench.settle()
    assert ann.seqs() == [1]


async def test_a_stream_that_failed_to_open_and_opened_again_meanwhile_still_listens() -> None:
    hints = Hints()
    bench = HubBench(hints=hints)
    (layer,) = hints.layers
    unsubscribe = layer.unsubscribe
    gate = Gate()

    async def slowly(group: str) -> None:
        await gate.come()
        await unsubscribe(group)

    layer.unsubscribe = slowly  # type: ignore[method-assign]
    bench.store.error = RpcError(UNAVAILABLE)
    with pytest.raises(RpcError):
        await bench.join()
    await gate.arrived()
    bench.store.error = None
    await bench.join("bob")
    gate.open()
    await bench.settle()
    assert layer.groups == {stream_group(KEY)}


async def test_a_gap_is_read_page_by_page_until_it_is_closed() -> None:
    bench = HubBench(LogStore(page_entries=10))
    ann = await bench.join()
    bench.commit(95)
    bench.hint(head=95)
    await bench.settle()
    assert ann.seqs() == list(range(1, 96))
