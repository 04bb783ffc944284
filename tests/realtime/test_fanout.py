"""Fan-out: what is ready for a connection leaves in one frame, in order, and the loop gets its turn."""

import asyncio
import json
from typing import Any, cast

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from messaging.journal.backends import backend_for
from realtime.close_codes import KICKED
from realtime.fanout import CHECK_EVERY, HEAVY_S, MAX_GATHER_S, SLICE_S, Fanout
from realtime.frames import MAX_FRAME_BYTES, Chunk
from tests.support.client import Client
from tests.support.clock import Clock
from tests.support.doubles import ScriptedBackend, Sink, ThreadGate
from tests.support.runtimes import clients, runtimes, seqs


class SlowSink(Sink):
    """A connection on which each send takes its time."""

    def __init__(self, clock: Clock, uid: str, cost_s: float) -> None:
        super().__init__(asyncio.get_running_loop(), uid)
        self._clock = clock
        self._cost_s = cost_s

    async def _take(self, message: dict[str, Any]) -> None:
        self._clock.advance(self._cost_s)
        await super()._take(message)


async def test_what_is_collected_leaves_in_one_frame() -> None:
    loop = asyncio.get_running_loop()
    fanout, ann, bob = Fanout(loop), Sink(loop, "ann"), Sink(loop, "bob")
    fanout.enqueue(ann.connection, '{"own":1}')
    fanout.broadcast([ann.connection, bob.connection], Chunk('{"all":1},{"all":2}', 2))
    fanout.enqueue(bob.connection, '{"own":2}')
    fanout.broadcast([bob.connection], Chunk('{"one":1}', 1))
    fanout.pump()
    assert ann.frames == ['[{"own":1},{"all":1},{"all":2}]']
    assert bob.frames == ['[{"all":1},{"all":2},{"own":2},{"one":1}]']


async def test_a_chunk_for_many_is_encoded_once() -> None:
    loop = asyncio.get_running_loop()
    fanout, sinks = Fanout(loop), [Sink(loop, str(number)) for number in range(10)]
    fanout.broadcast([sink.connection for sink in sinks], Chunk('{"all":1},{"all":2}', 2))
    fanout.pump()
    assert all(sink.frames[0] is sinks[0].frames[0] for sink in sinks)
    assert fanout.frames == 10


async def test_what_nobody_pumps_leaves_in_the_loops_next_turn() -> None:
    loop = asyncio.get_running_loop()
    fanout, ann, bob = Fanout(loop), Sink(loop, "ann"), Sink(loop, "bob")
    fanout.enqueue(ann.connection, '{"own":1}')
    fanout.broadcast([bob.connection], Chunk('{"all":1}', 1))
    assert not ann.frames
    await asyncio.sleep(0)
    assert (ann.frames, bob.frames) == (['{"own":1}'], ['{"all":1}'])


async def test_a_connection_that_was_closed_meanwhile_gets_nothing_more() -> None:
    loop = asyncio.get_running_loop()
    fanout, ann, bob = Fanout(loop), Sink(loop, "ann"), Sink(loop, "bob")
    fanout.broadcast([ann.connection, bob.connection], Chunk('{"all":1}', 1))
    ann.connection.give_up(KICKED)
    fanout.broadcast([ann.connection, bob.connection], Chunk('{"all":2}', 1))
    fanout.pump()
    assert (ann.frames, bob.frames) == ([], ['[{"all":1},{"all":2}]'])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("enqueue"), st.integers(0, 2)),
            st.tuples(st.just("broadcast"), st.sets(st.integers(0, 2)), st.integers(1, 3)),
            st.tuples(st.just("pump")),
            st.tuples(st.just("turn")),
        ),
        max_size=30,
    )
)
def test_each_connection_gets_its_messages_in_order(steps: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        fanout, sinks = Fanout(loop), [Sink(loop, str(number)) for number in range(3)]
        due: list[list[int]] = [[], [], []]
        number = 0
        for name, *arguments in steps:
            match name:
                case "enqueue":
                    number += 1
                    due[arguments[0]].append(number)
                    fanout.enqueue(sinks[arguments[0]].connection, f'{{"n":{number}}}')
                case "broadcast":
                    made = list(range(number + 1, number + 1 + arguments[1]))
                    number = made[-1]
                    for place in arguments[0]:
                        due[place] += made
                    text = ",".join(f'{{"n":{made_number}}}' for made_number in made)
                    fanout.broadcast([sinks[place].connection for place in arguments[0]], Chunk(text, len(made)))
                case "pump":
                    fanout.pump()
                case "turn":
                    await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [[message["n"] for message in sink.messages()] for sink in sinks] == due

    asyncio.run(play())


async def test_rule_size_fan_out_works_in_slices() -> None:
    """After 5 ms the loop gets its turn; what comes meanwhile joins what still waits."""
    assert SLICE_S == 0.005
    clock = Clock(asyncio.get_running_loop())
    fanout = Fanout(cast(asyncio.AbstractEventLoop, clock))
    sinks = [SlowSink(clock, str(number), 2 * SLICE_S / CHECK_EVERY) for number in range(3 * CHECK_EVERY)]
    members = [sink.connection for sink in sinks]
    fanout.broadcast(members, Chunk('{"n":1}', 1))
    fanout.pump()
    assert [bool(sink.frames) for sink in sinks] == [True] * CHECK_EVERY + [False] * 2 * CHECK_EVERY
    fanout.broadcast(members, Chunk('{"n":2}', 1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert [sink.messages() for sink in sinks] == [[{"n": 1}, {"n": 2}]] * len(sinks)
    assert [len(sink.frames) for sink in sinks] == [2] * CHECK_EVERY + [1] * 2 * CHECK_EVERY


@pytest.mark.parametrize(
    ("cost_s", "gathers_s"), [(HEAVY_S / 2, 0.0), (0.001, 0.001), (0.003, 0.003), (0.1, MAX_GATHER_S)]
)
async def test_the_next_group_gathers_as_long_as_the_last_fan_out_took(cost_s: float, gathers_s: float) -> None:
    assert MAX_GATHER_S == 0.004
    clock = Clock(asyncio.get_running_loop())
    fanout = Fanout(cast(asyncio.AbstractEventLoop, clock))
    fanout.broadcast([SlowSink(clock, "ann", cost_s).connection], Chunk('{"n":1}', 1))
    fanout.pump()
    assert fanout.gather_s() == pytest.approx(gathers_s)
    clock.advance(0.001)
    assert fanout.gather_s() == pytest.approx(max(0.0, gathers_s - 0.001)), "counted from its end"


async def test_rule_pressure_frames_to_members_are_capped_at_128_kb(
    fast_app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of 400 KB in one room leaves as several frames, encoded once for all members."""
    gate = ThreadGate()
    backend = ScriptedBackend(backend_for(connection.vendor), None, gate)
    monkeypatch.setattr("messaging.engine.backend_for", lambda _vendor: backend)
    async with (
        runtimes(1) as (here,),
        clients(fast_app, "math", ann=here, bob=here, carl=here, dora=here) as client,
    ):
        await client("ann").send("math", "the room's row", "m0")
        answers = [await client("ann").start("room.send", **message("a0"))]
        await gate.arrived()
        for uid in ("ann", "bob"):
            answers += [await client(uid).start("room.send", **message(f"{uid}{number}")) for number in range(7)]
        for uid in ("ann", "bob"):
            await client(uid).call("session.ping")
        gate.open()
        assert sorted([(await answer)["seq"] for answer in answers]) == list(range(2, 17))
        assert max(map(len, backend.groups)) >= 14, "they were committed together"
        await client("dora").call("session.ping")
        for uid in ("ann", "bob", "carl", "dora"):
            await client(uid).call("session.ping")
            assert seqs(client(uid)) == list(range(1, 17))
            assert max(len(frame.encode()) for frame in client(uid).frames) <= MAX_FRAME_BYTES
        assert shared_frames(client("carl"), client("dora")) >= 4


def message(message_id: str) -> dict[str, Any]:
    return {"room": "math", "message_id": message_id, "message": {"type": "TEXT", "text": "x" * 28_000}}


def shared_frames(one: Client, other: Client) -> int:
    """Large frames of both that are one object."""
    return len({id(frame) for frame in one.frames if len(frame) > 10_000} & set(map(id, other.frames)))


async def test_one_message_alone_may_be_larger_than_the_cap(fast_app: str) -> None:
    """Escapes make 32 KB of text up to 192 KB of JSON."""
    async with runtimes(1) as (here,), clients(fast_app, "math", ann=here, bob=here) as client:
        for number in range(2):
            text = "\\u0001" * 32_000
            params = f'{{"room":"math","message_id":"m{number}","message":{{"type":"TEXT","text":"{text}"}}}}'
            await (await client("ann").start_text("room.send", params))
        await client("bob").call("session.ping")
        assert seqs(client("bob")) == [1, 2]
        for frame in client("bob").frames:
            assert len(frame) < MAX_FRAME_BYTES or isinstance(json.loads(frame), dict)
