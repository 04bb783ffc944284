"""What a client sends: bounded until it is read, and the same messages as on stock uvicorn."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.server.buffers import MAX_QUEUED, MAX_QUEUED_BYTES
from realtime.server.protocol import MAX_FRAGMENTS
from tests.support.asgi import Receive, Send, serving
from tests.support.held_connection import held_connection
from tests.support.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUED,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
    client_frame,
)

pytestmark = pytest.mark.shapeless


def message(number: int) -> bytes:
    return client_frame(f"message {number}".encode())


def received(text: str) -> dict[str, str]:
    return {"type": "websocket.receive", "text": text}


async def test_a_client_is_not_read_any_more_once_64_messages_wait() -> None:
    async with held_connection() as held:
        for number in range(MAX_QUEUED - 1):
            held.feed(message(number))
        assert held.reads()
        held.feed(message(MAX_QUEUED - 1))
        assert not held.reads()
        assert held.queued == MAX_QUEUED


async def test_the_bound_holds_for_messages_that_come_in_one_piece() -> None:
    count = 1000
    async with held_connection() as held:
        held.feed(b"".join(message(number) for number in range(count)))
        assert not held.reads()
        taken: list[Any] = []
        while len(taken) < count:
            assert 0 < held.queued <= MAX_QUEUED
            taken.append(await held.receive())
        assert held.reads()
        assert taken == [received(f"message {number}") for number in range(count)]


async def test_a_few_large_messages_fill_the_queue_too() -> None:
    large = client_frame(b"x" * (MAX_QUEUED_BYTES // 4))
    async with held_connection() as held:
        for _ in range(3):
            held.feed(large)
        assert held.reads()
        held.feed(large + message(1))
        assert not held.reads()
        assert held.queued == 4
        assert (await held.take())[-1] == received("message 1")
        assert held.reads()


async def test_all_that_was_sent_ahead_arrives() -> None:
    release = asyncio.Event()
    count = 5000
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await release.wait()
        while (event := await receive())["type"] == "websocket.receive":
            texts.put_nowait(event["text"])

    async with serving(application) as (_, url):
        client = await RawWebSocket.connect(url)
        for number in range(count):
            client.send(f"{number} {'x' * 1000}")
        release.set()
        for number in range(count):
            assert (await texts.get()).split()[0] == str(number)
        await client.close()


async def test_the_close_of_a_client_is_seen_behind_messages_that_nobody_reads() -> None:
    async with held_connection() as held:
        flood = b"".join(message(number) for number in range(200))
        held.feed(flood + client_frame(b"\x0f\xa1", CLOSE))
        await held.send({"type": "websocket.close", "code": 4001})
        assert not held.transport.closed  # its answer is among what was not looked at
        await held.release()
        assert held.transport.closed


async def test_pongs_do_not_pile_up_for_a_client_that_does_not_read() -> None:
    async with held_connection() as held:
        held.feed(client_frame(b"1", PING))
        assert held.transport.written == bytes((0x80 | PONG, 1)) + b"1"
        held.protocol.pause_writing()
        held.feed(client_frame(b"2", PING) * 100)
        held.protocol.resume_writing()
        assert held.transport.written == bytes((0x80 | PONG, 1)) + b"1"


async def test_a_shutdown_while_the_client_closes_is_no_error() -> None:
    async with held_connection() as held:
        held.feed(client_frame(b"\x03\xe8", CLOSE))
        held.protocol.shutdown()
        assert held.transport.closed


payloads = st.one_of(
    st.text(max_size=40).map(lambda text: (TEXT, text.encode())),
    st.binary(max_size=40).map(lambda data: (BINARY, data)),
    st.integers(120, 70_000).map(lambda size: (TEXT, b"x" * size)),
)
controls = st.binary(max_size=10).map(lambda data: client_frame(data, PING))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message as a client may send it: whole or in fragments, with pings between them."""
    opcode, payload = draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    stream = b""
    for number, part in enumerate(parts):
        stream += client_frame(part, CONTINUED if number else opcode, final=number == len(parts) - 1)
        stream += draw(st.one_of(st.just(b""), controls))
    return stream


async def exchange(stream: bytes, cuts: list[int], *, stock: bool) -> tuple[list[Any], bytes, bool]:
    """What the application and the client get for these bytes, arriving in these pieces."""
    async with held_connection(stock=stock) as held:
        taken: list[Any] = []
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            if not held.transport.closed:
                held.feed(stream[start:stop])
            taken += await held.take()
        return taken, held.transport.written, held.transport.closed


@given(
    stream=st.lists(messages(), max_size=8).map(b"".join),
    end=st.sampled_from([b"", client_frame(b"\x03\xe8bye", CLOSE)]),
    data=st.data(),
)
def test_any_stream_in_any_pieces_is_understood_as_by_stock_uvicorn(
    stream: bytes, end: bytes, data: st.DataObject
) -> None:
    stream += end
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))

    async def both() -> None:
        fast = await exchange(stream, cuts, stock=False)
        assert fast == await exchange(stream, cuts, stock=True)

    asyncio.run(both())


@given(stream=st.lists(st.one_of(messages(), st.binary(max_size=30)), max_size=8).map(b"".join))
def test_no_bytes_whatsoever_break_a_connection_other_than_by_a_close_code(stream: bytes) -> None:
    async def one() -> None:
        async with held_connection() as held:
            for position in range(0, len(stream), 7):
                if held.transport.closed:
                    break
                held.feed(stream[position : position + 7])
                await held.take()

    asyncio.run(one())


async def test_a_client_that_breaks_the_protocol_before_it_is_accepted_is_dropped() -> None:
    async with held_connection(accept=False) as held:
        held.feed(message(1) + b"\x81\x01")
        assert held.transport.closed


async def test_fragments_of_one_message_are_bounded_in_number() -> None:
    async with held_connection() as held:
        held.feed(client_frame(b"", TEXT, final=False))
        held.feed(client_frame(b"", CONTINUED, final=False) * (MAX_FRAGMENTS - 1))
        assert held.transport.written == b""
        held.feed(client_frame(b"", CONTINUED, final=False))
        assert held.transport.written[2:4] == (1009).to_bytes(2, "big")
        (event,) = await held.take()
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1009)
