"""Messages of the past by time: their plan, and how much of the process reading them takes. What they are is in
tests/rest/test_vendor_history.py."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import pytest
import pytest_asyncio
from django.db import OperationalError, connection, transaction

from messaging.past import AT_ONCE, OF_USER, WAITING, Past, PastReads, _entries
from messaging.time_limit import time_limit
from realtime.bridge import READERS
from realtime.errors import LIMIT_EXCEEDED, OVERLOADED, RpcError
from realtime.runtime import Runtime
from tests.support.doubles import ThreadGate, until


def past_of(project_id: int, reader: str | None = None) -> Past:
    return Past(
        project_id=project_id,
        reader=reader,
        streams=None,
        sender="ann",
        events=("room.sent",),
        start_ms=0,
        end_ms=4_102_444_800_000,
    )


def test_only_what_is_kept_for_the_history_is_looked_through() -> None:
    past = past_of(1)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        plan = _entries(past).explain()
    assert "entry_peer_history" in plan or "entry_sender_history" in plan, plan


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(600)",
}


def test_a_query_that_takes_too_long_is_ended_and_the_connection_is_as_before() -> None:
    with pytest.raises(RpcError) as refused, time_limit(0.01), connection.cursor() as cursor:
        cursor.execute(ENDLESS[connection.vendor])
    assert refused.value.kind is LIMIT_EXCEEDED
    with pytest.raises(OperationalError), time_limit(60), connection.cursor() as cursor:
        raise OperationalError("another one")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
        else:
            cursor.execute(ENDLESS["sqlite"].replace("FROM n)", "FROM n WHERE i < 100000)"))
            assert cursor.fetchone() == (100_000,)


@pytest.mark.parametrize("limit_s", [0.5, 2.5])
def test_all_queries_together_are_bounded(monkeypatch: pytest.MonkeyPatch, limit_s: float) -> None:
    """By a clock that moves a second whenever somebody looks."""
    monkeypatch.setattr("messaging.time_limit.monotonic", partial(next, count()))
    done = count()

    def ask_on() -> None:
        with time_limit(limit_s), connection.cursor() as cursor:
            while next(done) < 10:
                cursor.execute("SELECT 1")

    with pytest.raises(RpcError) as refused:
        ask_on()
    assert (refused.value.kind, next(done) - 1) == (LIMIT_EXCEEDED, int(limit_s))


@dataclass
class Reading:
    """Reads of the past that end when the test says, and that have begun."""

    past: PastReads
    gate: ThreadGate = field(default_factory=ThreadGate)
    begun: list[tuple[int, str | None]] = field(default_factory=list)

    def start(self, project_id: int, reader: str | None = None) -> asyncio.Task[int]:
        return asyncio.create_task(self.past.read(self._slow, past_of(project_id, reader)))

    async def refusal(self, project_id: int, reader: str | None = None) -> RpcError:
        with pytest.raises(RpcError) as refused:
            await self.start(project_id, reader)
        return refused.value

    def _slow(self, past: Past) -> int:
        self.begun.append((past.project_id, past.reader))
        self.gate.come()
        return past.project_id

    def is_empty(self) -> bool:
        """Who does not read takes no room."""
        return not (self.past._turns or len(self.past._of_party) or len(self.past._of_reader))


@pytest_asyncio.fixture
async def reading(runtime: Runtime) -> AsyncIterator[Reading]:
    made = Reading(runtime.part(PastReads))
    yield made
    made.gate.open()


async def test_of_each_project_one_reads_the_past_at_a_time(reading: Reading) -> None:
    first = [reading.start(1) for _ in range(1 + WAITING)]
    await reading.gate.arrived()
    refused = await reading.refusal(1)
    assert (refused.kind, refused.data["retry_after_ms"]) == (OVERLOADED, 1_000)
    other = reading.start(2)
    await until(lambda: len(reading.begun) == 2)
    assert reading.begun == [(1, None), (2, None)], "the others wait for their turn"
    reading.gate.open()
    assert await asyncio.gather(*first) == [1] * (1 + WAITING)
    assert await other == 2
    assert await reading.start(1) == 1
    assert reading.is_empty()


async def test_all_projects_together_leave_readers_for_what_cannot_wait(reading: Reading, runtime: Runtime) -> None:
    all_of_them = [reading.start(project) for project in range(READERS + 1)]
    await until(lambda: len(reading.begun) == AT_ONCE)
    assert await runtime.bridge.read(lambda: "a login") == "a login"
    assert len(reading.begun) == AT_ONCE < READERS
    reading.gate.open()
    assert await asyncio.gather(*all_of_them) == list(range(READERS + 1))


async def test_users_do_not_keep_the_projects_server_nor_each_other_from_reading(reading: Reading) -> None:
    of_ann = [reading.start(1, "ann") for _ in range(OF_USER)]
    await reading.gate.arrived()
    assert (await reading.refusal(1, "ann")).kind is OVERLOADED
    of_others = [reading.start(1, f"u{number}") for number in range(1 + WAITING - OF_USER)]
    assert (await reading.refusal(1, "bob")).kind is OVERLOADED
    server = reading.start(1)
    await until(lambda: (1, None) in reading.begun)
    reading.gate.open()
    assert await asyncio.gather(server, *of_ann, *of_others) == [1] * (2 + WAITING)
    assert reading.is_empty()


async def test_a_turn_that_does_not_come_is_not_waited_for(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    running = reading.start(1)
    await reading.gate.arrived()
    monkeypatch.setattr("messaging.past.TURN_S", 0.01)
    assert (await reading.refusal(1)).kind is OVERLOADED
    reading.gate.open()
    assert await running == 1
    assert reading.is_empty()


async def test_who_has_gone_gives_up_a_place_but_not_before_the_query_has_ended(reading: Reading) -> None:
    """Else a caller who comes and goes could have every reader."""
    running, waiting = [reading.start(1, "ann") for _ in range(OF_USER)]
    await reading.gate.arrived()
    waiting.cancel()
    await asyncio.wait([waiting])
    waiting = reading.start(1, "ann")
    running.cancel()
    await asyncio.wait([running])
    assert (await reading.refusal(1, "ann")).kind is OVERLOADED
    assert len(reading.begun) == 1
    reading.gate.open()
    assert await waiting == 1
    assert reading.is_empty()


async def test_a_read_of_the_past_is_bounded_in_time(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.past.READ_S", 0.01)

    def endless(past: Past) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ENDLESS[connection.vendor])

    with pytest.raises(RpcError) as refused:
        await runtime.part(PastReads).read(endless, past_of(1))
    assert refused.value.kind is LIMIT_EXCEEDED
