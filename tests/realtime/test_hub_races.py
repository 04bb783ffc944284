"""What happens while the hub waits for the database: entries, resets, ends and failures in between."""

import asyncio

import pytest

from realtime.close_codes import SESSION_LOST
from realtime.errors import UNAVAILABLE, RpcError
from realtime.repairs import GAP_S
from realtime.streams import Subscription
from tests.support.doubles import Gate, LogStore, Sink
from tests.support.hubs import KEY, HubBench

WINDOW_MS = 600_000


async def test_a_page_of_what_retention_deleted_hides_nothing_that_came_meanwhile() -> None:
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(5))
    bench.stream.forget_ring(5)
    bench.store.rows[1].clear()
    gate = bench.store.gate = Gate()
    reading = asyncio.create_task(bench.recoveries.page(bench.reader, 1))
    await gate.arrived()
    bench.publish(*bench.commit(1))
    gate.open()
    empty = await reading
    assert (empty.entries, empty.last) == ([], 5)
    assert [seq for seq, _ in (await bench.recoveries.page(bench.reader, 1)).entries] == [6]


async def test_a_window_with_nothing_in_it_hides_nothing_that_came_meanwhile() -> None:
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(5))
    bench.clock.advance(WINDOW_MS / 1000 + 1)
    bench.hub.rings.tick()
    gate = bench.store.gate = Gate()
    recovering = asyncio.create_task(bench.recoveries.recover(bench.reader, 1, "first", WINDOW_MS))
    await gate.arrived()
    bench.publish(*bench.commit(1))
    gate.open()
    answer = await recovering
    assert (answer.recovered, [seq for seq, _ in answer.entries], answer.live) == (False, [6], True)


async def test_a_page_that_was_read_across_a_reset_has_nothing_of_the_lost_time() -> None:
    bench = HubBench()
    await bench.join()
    bench.publish(*bench.commit(5))
    bench.stream.forget_ring(5)
    gate = bench.store.gate = Gate()
    reading = asyncio.create_task(bench.recoveries.page(bench.reader, 1))
    await gate.arrived()
    bench.store.heads_of[KEY] = bench.store.heads_of[KEY]._replace(epoch="second", head=3)
    await bench.hub.check_heads()
    gate.open()
    assert await reading == ([], 3)


async def test_news_of_a_stream_that_had_no_row_here_are_looked_up() -> None:
    """The sender knows no epoch either: it has nobody in the stream."""
    bench = HubBench()
    ann = await bench.join()
    bench.commit(2)
    hint = {"kind": "entries", "node": "there", "project": KEY[0], "stream": KEY[1], "id": 1, "epoch": "", "head": 2}
    bench.hub.hints.receive(hint)
    await bench.settle()
    assert (ann.seqs(), bench.stream.epoch) == ([1, 2], "first")


async def test_a_hint_from_past_the_head_that_was_read_at_the_opening_is_followed_up() -> None:
    bench = HubBench()
    bench.commit(1)
    opening = asyncio.create_task(bench.join())
    await asyncio.sleep(0)
    found = dict(bench.store.heads_of)
    later = bench.commit(3)
    bench.hint(later[-1])
    bench.store.heads_of, newest = found, bench.store.heads_of  # the look at the head saw the first only
    ann = await opening
    bench.store.heads_of = newest
    await bench.pass_time(GAP_S)
    assert ann.seqs() == [2, 3, 4]


async def test_a_defect_at_the_opening_is_told_as_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    bench = HubBench()
    bench.store.error = LookupError("a defect")
    with pytest.raises(RpcError) as failed:
        await bench.join()
    assert failed.value.kind is UNAVAILABLE
    assert "a defect" in caplog.text


async def test_whoever_waits_for_a_stream_that_is_closed_is_told() -> None:
    bench = HubBench()
    sink = Sink(bench.loop)
    subscription = await bench.subscribe(sink)
    stream = bench.stream
    waiting = asyncio.create_task(bench.hub.reach(stream, 5))
    await bench.settle()
    bench.hub.unsubscribe(subscription)
    with pytest.raises(RpcError) as failed:
        await waiting
    assert failed.value.kind is UNAVAILABLE


async def member_on_hold(bench: HubBench) -> tuple[Sink, Subscription]:
    """A member whose new join is about to fail, and who missed ten entries meanwhile."""
    sink = await bench.join()
    bench.publish(*bench.commit(1))
    subscription = bench.stream.subscriptions[sink.session]
    subscription.start_hold()
    bench.publish(*bench.commit(10))
    subscription.end_hold()
    await bench.settle()
    assert sink.seqs() == [1]
    return sink, subscription


async def test_a_member_whose_new_join_failed_is_given_what_it_missed() -> None:
    bench = HubBench(LogStore(page_entries=3))
    sink, subscription = await member_on_hold(bench)
    bench.stream.forget_ring(11)
    await bench.recoveries.go_on(subscription, 1)
    bench.publish(*bench.commit(1))
    await bench.settle()
    assert sink.seqs() == list(range(1, 13))


async def test_it_has_to_come_back_when_that_cannot_be_read_or_was_reset() -> None:
    for reset in (False, True):
        bench = HubBench()
        sink, subscription = await member_on_hold(bench)
        bench.stream.forget_ring(11)
        if reset:
            gate = bench.store.gate = Gate()
            going_on = asyncio.create_task(bench.recoveries.go_on(subscription, 1))
            await gate.arrived()
            bench.store.heads_of[KEY] = bench.store.heads_of[KEY]._replace(epoch="second")
            await bench.hub.check_heads()
            gate.open()
            await going_on
        else:
            bench.store.error = RpcError(UNAVAILABLE)
            await bench.recoveries.go_on(subscription, 1)
        assert sink.connection.closed is SESSION_LOST
        assert sink.seqs() == [1]


async def test_it_is_given_nothing_when_it_has_come_back_or_left_meanwhile() -> None:
    for leaves in (False, True):
        bench = HubBench()
        sink, subscription = await member_on_hold(bench)
        other = await bench.join("bob")
        bench.stream.forget_ring(11)
        gate = bench.store.gate = Gate()
        going_on = asyncio.create_task(bench.recoveries.go_on(subscription, 1))
        await gate.arrived()
        if leaves:
            bench.hub.unsubscribe(subscription)
        else:
            sink.session.connection = Sink(bench.loop).connection
        gate.open()
        await going_on
        bench.publish(*bench.commit(1))
        await bench.settle()
        assert (sink.seqs(), other.seqs()) == ([1], [12])
