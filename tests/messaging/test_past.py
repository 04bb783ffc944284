"""Messages of the past by time: their plan, and how much of the process reading them takes. What they are is in
tests/rest/test_vendor_history.py."""

import asyncio

import pytest
from django.db import OperationalError, connection, transaction

from messaging.past import WAITING, Past, PastReads, _entries
from messaging.time_limit import time_limit
from realtime.errors import LIMIT_EXCEEDED, OVERLOADED, RpcError
from realtime.runtime import Runtime
from tests.support.doubles import ThreadGate


def past_of(project_id: int) -> Past:
    return Past(
        project_id=project_id, streams=None, sender="ann", events=("room.sent",), start_ms=0, end_ms=4_102_444_800_000
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


async def test_of_each_project_one_reads_the_past_at_a_time(runtime: Runtime) -> None:
    gate = ThreadGate()
    reads: list[int] = []

    def slow(past: Past) -> int:
        reads.append(past.project_id)
        if past.project_id == 1:
            gate.come()
        return past.project_id

    past = runtime.part(PastReads)
    first = [asyncio.create_task(past.read(slow, past_of(1))) for _ in range(1 + WAITING)]
    await gate.arrived()
    assert await past.read(slow, past_of(2)) == 2
    assert reads == [1, 2], "the others wait for their turn"
    with pytest.raises(RpcError) as refused:
        await past.read(slow, past_of(1))
    assert (refused.value.kind, refused.value.data["retry_after_ms"]) == (OVERLOADED, 1_000)
    gate.open()
    assert await asyncio.gather(*first) == [1] * (1 + WAITING)
    assert await past.read(slow, past_of(1)) == 1
    assert not past._turns, "projects that do not read take no room"


async def test_a_read_of_the_past_is_bounded_in_time(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.past.READ_S", 0.01)

    def endless(past: Past) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ENDLESS[connection.vendor])

    with pytest.raises(RpcError) as refused:
        await runtime.part(PastReads).read(endless, past_of(1))
    assert refused.value.kind is LIMIT_EXCEEDED
