"""Groups on the loop's side: what gathers, how much, in which order, and that everybody gets an answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import pytest
import pytest_asyncio
from django.db import connection

from messaging.journal import Append, Journal, Mark
from messaging.journal.backends import Backend, backend_for
from messaging.journal.journal import GROUP_APPENDS, GROUP_CHARS
from messaging.models import Stream
from projects.models import Project
from realtime.bridge import Pool
from tests.support.doubles import ScriptedBackend, ThreadGate, until
from tests.support.journals import answers, make_append, make_committer, make_stream
from tests.support.runtimes import elsewhere


@pytest.fixture
def stream(make_project: Callable[..., Project]) -> Stream:
    return make_stream(make_project())


class Bench:
    """A journal, its backend, and the groups in which it gave answers."""

    def __init__(self) -> None:
        self.pool = Pool("test-journal", 1, self)
        self.lanes = Pool("test-lanes", 2, self)
        self.answered: list[list[Append]] = []
        self.committed: Callable[[list[Append]], None] = self.answered.append
        self.marked: list[Mark] = []

    def journal(self, backend: Backend, gather_s: float = 0.0) -> Journal:
        return Journal(
            loop=asyncio.get_running_loop(),
            committer=make_committer(backend),
            pool=self.pool,
            lanes=self.lanes,
            committed=lambda group: self.committed(group),
            marked=self.marked.extend,
            gather_s=lambda: gather_s,
        )


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await asyncio.to_thread(bench.pool.stop)
    await asyncio.to_thread(bench.lanes.stop)


def scripted(*script: str | ThreadGate | None) -> ScriptedBackend:
    return ScriptedBackend(backend_for(connection.vendor), *script)


def sizes(backend: ScriptedBackend) -> list[int]:
    return [len(group) for group in backend.groups]


async def gathered(bench: Bench, backend: ScriptedBackend, gate: ThreadGate, appends: Sequence[Append]) -> None:
    """Submits the first append, and the others while that one is being committed."""
    journal = bench.journal(backend)
    journal.submit(appends[0])
    await gate.arrived()
    for append in appends[1:]:
        journal.submit(append)
    gate.open()
    await journal.idle()


async def test_a_lone_append_does_not_wait_and_what_comes_meanwhile_goes_together(bench: Bench, stream: Stream) -> None:
    gate = ThreadGate()
    backend = scripted(gate)
    appends = [make_append(stream, f"m{number}") for number in range(6)]
    await gathered(bench, backend, gate, appends)
    assert sizes(backend) == [1, 5]
    assert bench.answered == [appends[:1], appends[1:]]
    assert answers(appends) == [1, 2, 3, 4, 5, 6]


async def test_rule_pressure_groups_are_capped_at_512_kb(bench: Bench, stream: Stream) -> None:
    """Counted in UTF-8 bytes: a text of Chinese has three for each character."""
    gate = ThreadGate()
    backend = scripted(gate)
    body = f'"{"课" * 10_000}"'
    appends = [make_append(stream, f"m{number}", body=body) for number in range(41)]
    await gathered(bench, backend, gate, appends)
    assert GROUP_CHARS == 512 * 1024
    for group in backend.groups[1:]:
        assert sum(len(append.body.encode()) for append in group) <= 512 * 1024
    assert sizes(backend) == [1, 17, 17, 6]
    assert answers(appends) == list(range(1, 42))


async def test_a_group_has_at_most_a_thousand_appends(bench: Bench, stream: Stream) -> None:
    gate = ThreadGate()
    backend = scripted(gate)
    appends = [make_append(stream, f"m{number}", body="1") for number in range(GROUP_APPENDS + 11)]
    await gathered(bench, backend, gate, appends)
    assert sizes(backend) == [1, GROUP_APPENDS, 10]
    assert answers(appends) == list(range(1, len(appends) + 1))


async def test_a_defect_leaves_nobody_without_an_answer_and_acknowledges_nothing(
    bench: Bench, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where a seq was set already when the transaction was rolled back."""

    class Defective:
        def __init__(self) -> None:
            self.defects = 1

        def write(
            self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
        ) -> list[Append]:
            if self.defects:
                self.defects -= 1
                for append in group:
                    append.seq = 7
                raise LookupError("a defect")
            return backend_for(connection.vendor).write(group, now, skip_locked=skip_locked, marks=marks)

    journal = bench.journal(Defective())
    first, second = make_append(stream, "m1"), make_append(stream, "m2")
    journal.submit(first)
    await journal.idle()
    journal.submit(second)
    await journal.idle()
    assert answers([first, second]) == ["unavailable", 1]
    await asyncio.to_thread(bench.pool.stop)
    assert "a defect" in caplog.text


async def test_the_journal_outlives_a_failure_of_whoever_takes_the_answers(bench: Bench, stream: Stream) -> None:
    journal = bench.journal(scripted())
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context["exception"]))

    def fail(group: list[Append]) -> None:
        bench.committed = bench.answered.append
        raise LookupError("a defect")

    bench.committed = fail
    appends = [make_append(stream, "m1"), make_append(stream, "m2")]
    for append in appends:
        journal.submit(append)
        await journal.idle()
    assert [type(failure) for failure in failures] == [LookupError]
    assert answers(appends) == [1, 2]


async def test_idle_is_when_every_append_has_its_answer(bench: Bench, stream: Stream) -> None:
    gate = ThreadGate()
    journal = bench.journal(scripted(gate))
    await journal.idle()
    journal.submit(make_append(stream, "m1"))
    await gate.arrived()
    journal.submit(make_append(stream, "m2"))
    idle = asyncio.create_task(journal.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    gate.open()
    await idle
    assert [answers(group) for group in bench.answered] == [[1], [2]]


async def test_after_a_heavy_fan_out_the_next_group_gathers_a_little_longer(bench: Bench, stream: Stream) -> None:
    gate = ThreadGate()
    backend = scripted(gate)
    journal = bench.journal(backend, gather_s=0.01)
    appends = [make_append(stream, f"m{number}") for number in range(4)]
    journal.submit(appends[0])
    await gate.arrived()
    journal.submit(appends[1])

    def committed(group: list[Append]) -> None:
        bench.answered.append(group)
        if len(bench.answered) == 1:
            asyncio.get_running_loop().call_soon(journal.submit, appends[2])
            asyncio.get_running_loop().call_soon(journal.submit, appends[3])

    bench.committed = committed
    gate.open()
    await journal.idle()
    assert sizes(backend) == [1, 3]


class Locked:
    """A backend that finds one stream's head locked at first. Whoever then waits for it waits at the lane's gate."""

    def __init__(self, stream: Stream, gate: ThreadGate, lane: ThreadGate | None = None) -> None:
        self._backend = backend_for(connection.vendor)
        self._stream = stream
        self._gate = gate
        self._lane = lane
        self._writes = 0

    def write(
        self, group: Sequence[Append], now: datetime, *, skip_locked: bool, marks: Sequence[Mark] = ()
    ) -> list[Append]:
        if not skip_locked:
            if self._lane is None:
                raise LookupError("a defect")
            self._lane.come()
        self._writes += 1
        if self._writes == 1:
            self._gate.come()
            locked = [append for append in group if append.stream_id == self._stream.pk]
            rest = [append for append in group if append not in locked]
            return locked + (self._backend.write(rest, now, skip_locked=skip_locked, marks=marks) if rest else [])
        return self._backend.write(group, now, skip_locked=skip_locked, marks=marks)


async def test_rule_locks_the_order_of_a_locked_room_is_kept_wherever_its_appends_wait(
    bench: Bench, stream: Stream, make_project: Callable[..., Project]
) -> None:
    """In the group that was skipped, behind it in the queue, and in the lane, though the lock is free again."""
    other = await elsewhere(make_stream, await elsewhere(make_project))
    gate, lane = ThreadGate(), ThreadGate()
    journal = bench.journal(Locked(stream, gate, lane))
    appends = [make_append(other if place % 3 == 2 else stream, f"m{place}") for place in range(12)]
    journal.submit(appends[0])
    await gate.arrived()
    for append in appends[1:6]:
        journal.submit(append)
    gate.open()
    await lane.arrived()
    await until(lambda: bool(bench.answered))
    for append in appends[6:]:
        journal.submit(append)
    lane.open()
    await journal.idle()
    assert [append.seq for append in appends if append.stream_id == stream.pk] == list(range(1, 9))
    assert [append.seq for append in appends if append.stream_id == other.pk] == [1, 2, 3, 4]
    assert sorted(map(id, (append for group in bench.answered for append in group))) == sorted(map(id, appends))


async def test_a_defect_in_a_lane_acknowledges_nothing_either(
    bench: Bench, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    gate = ThreadGate()
    gate.open()
    journal = bench.journal(Locked(stream, gate))
    append = make_append(stream, "m1")
    journal.submit(append)
    await journal.idle()
    assert answers([append]) == ["unavailable"]
    await asyncio.to_thread(bench.lanes.stop)
    assert "a defect" in caplog.text
