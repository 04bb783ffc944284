"""Rings of recent entries: small, short-lived, and within one budget for all streams of a process."""

import pytest

from realtime.rings import RING_CHARS, RING_S
from realtime.streams import entry_text
from tests.support.doubles import Sink
from tests.support.hubs import KEY, HubBench


async def test_rule_pages_a_ring_has_at_most_256_kb() -> None:
    assert RING_CHARS == 256 * 1024
    bench = HubBench()
    await bench.join()
    for _ in range(30):
        bench.publish(*bench.commit(body=f'"{"x" * 30_000}"'))
        assert bench.stream.ring_chars <= RING_CHARS
    assert [seq for seq, _ in bench.stream.ring] == list(range(23, 31)), "the newest"


async def test_rule_pages_a_ring_has_the_last_30_seconds() -> None:
    assert RING_S == 30.0
    bench = HubBench()
    await bench.join()
    for _ in range(5):
        bench.publish(*bench.commit(2))
        await bench.pass_time(10)
        bench.hub.rings.tick()
    assert [seq for seq, _ in bench.stream.ring] == list(range(5, 11))


async def test_rule_pages_all_rings_have_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that finds it used up keeps nothing, and is read from the database."""
    monkeypatch.setattr("realtime.rings.RINGS_CHARS", 5_000)
    bench = HubBench()
    sink = Sink(bench.loop)
    keys = [(KEY[0], f"room:{number}") for number in range(4)]
    for key in keys:
        bench.hub.go_live(await bench.hub.subscribe(sink.session, key[1]))
    for _ in range(20):
        for key in keys:
            _, entry = bench.store.commit(key)
            stream = bench.hub.live[key]
            if stream.id is None:
                bench.hub.identify(stream, bench.store.heads_of[key]._replace(head=0))
            bench.hub.publish(stream, entry.seq, entry_text(stream.json_name, entry))
            bench.hub.flush()
            kept = sum(len(text) for live in bench.hub.live.values() for _, text in live.ring)
            assert bench.hub.rings.chars == kept <= 5_000
    subscriptions = [bench.hub.live[key].subscriptions[sink.session] for key in keys]
    for subscription in subscriptions:
        page = await bench.recoveries.page(subscription, 0)
        assert [seq for seq, _ in page.entries] == list(range(1, 21))
    for subscription in subscriptions:
        bench.hub.unsubscribe(subscription)
    assert bench.hub.rings.chars == 0, "what is left takes its ring along"
