"""Of an inbox the hub pushes nothing that it has known for long: it may be withdrawn by now."""

import asyncio

import pytest

from realtime.errors import UNAVAILABLE, RpcError
from realtime.hints import FRESH_MS
from realtime.repairs import GAP_S
from realtime.streams import StoredEntry, entry_text
from tests.support import hubs
from tests.support.doubles import Gate, LogStore
from tests.support.hubs import HubBench

INBOX = (1, "inbox:ann")


@pytest.fixture(autouse=True)
def _is_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEY", INBOX)


def commit(bench: HubBench, count: int) -> list[StoredEntry]:
    return [bench.store.commit(INBOX)[1] for _ in range(count)]


def withdraw(bench: HubBench, seq: int) -> None:
    rows = bench.store.rows[bench.store.heads_of[INBOX].id]
    rows[seq - 1] = rows[seq - 1]._replace(hidden=True)


async def test_rule_peers_what_is_held_behind_a_gap_is_read_with_it() -> None:
    """The database is out of reach for a while, and then gives one entry at a time."""
    bench = HubBench(LogStore(page_entries=1))
    ann = await bench.join()
    bench.publish(*commit(bench, 1))
    entries = commit(bench, 3)
    bench.store.error = RpcError(UNAVAILABLE)
    bench.hint(*entries[1:])
    await bench.pass_time(5)
    withdraw(bench, 3)
    bench.store.error = None
    await bench.pass_time(1)
    assert ann.seqs() == [1, 2, 4]


async def test_rule_peers_a_read_that_took_long_is_made_again() -> None:
    bench = HubBench()
    ann = await bench.join()
    commit(bench, 2)
    gate = bench.store.gate = Gate()
    bench.hint(head=2)
    await gate.arrived()
    withdraw(bench, 1)
    bench.clock.advance(FRESH_MS / 1000 + 0.001)
    gate.open()
    await bench.settle()
    assert ann.seqs() == [2]


async def test_rule_peers_what_came_while_it_was_opened_is_read() -> None:
    bench = HubBench()
    commit(bench, 1)
    opening = asyncio.create_task(bench.join())
    await asyncio.sleep(0)
    found = dict(bench.store.heads_of)
    later = commit(bench, 2)
    bench.hint(*later)
    bench.store.heads_of, newest = found, bench.store.heads_of
    ann = await opening
    bench.store.heads_of = newest
    withdraw(bench, 2)
    await bench.pass_time(GAP_S)
    assert ann.seqs() == [3]


async def test_a_late_hint_is_a_reason_to_read() -> None:
    bench = HubBench()
    ann = await bench.join()
    entries = commit(bench, 2)
    withdraw(bench, 2)
    stale = {"kind": "entries", "node": "there", "project": 1, "stream": INBOX[1], "id": 1, "epoch": "first", "head": 2}
    stale["entries"] = [[entry.seq, entry_text('"inbox:ann"', entry)] for entry in entries]
    stale["ts"] = bench.clock.now_ms() - FRESH_MS - 1
    bench.hub.hints.receive(stale)
    await bench.settle()
    assert ann.seqs() == [1]
