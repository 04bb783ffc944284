"""What each connection owns: the gate before the transport, the queue before the application, its headers."""

import asyncio

import pytest

from realtime.server import headers as headers_module
from realtime.server.buffers import MAX_QUEUED, MAX_QUEUED_BYTES, MessageQueue, WriteGate

pytestmark = pytest.mark.shapeless


def free(gate: WriteGate) -> bool:
    return gate.free


def full(queue: MessageQueue) -> bool:
    return queue.full


async def steps() -> None:
    """Lets every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nothing_written_directly_overtakes_a_send_that_was_woken() -> None:
    gate = WriteGate()
    gate.clear()
    suspended = asyncio.create_task(gate.wait())
    await steps()
    gate.set()
    assert not free(gate)  # writable, but the send has not run
    await suspended
    assert free(gate)


async def test_sends_go_on_in_the_order_they_came() -> None:
    gate = WriteGate()
    order: list[str] = []

    async def send(name: str) -> None:
        await gate.wait()
        order.append(name)

    gate.clear()
    tasks = [asyncio.create_task(send(name)) for name in "abc"]
    await steps()
    gate.set()
    await send("d")  # comes while the others are woken and have not run
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c", "d"]


async def test_a_send_that_was_cancelled_holds_up_nobody() -> None:
    gate = WriteGate()
    gate.clear()
    suspended = asyncio.create_task(gate.wait())
    await steps()
    suspended.cancel()
    await steps()
    assert not free(gate)
    gate.set()
    assert free(gate)
    await gate.wait()


async def test_a_transport_that_fills_again_before_the_woken_send_ran_is_not_free() -> None:
    gate = WriteGate()
    gate.clear()
    suspended = asyncio.create_task(gate.wait())
    await steps()
    gate.set()
    gate.clear()
    await suspended
    assert not free(gate)


async def test_the_queue_hands_out_in_order_and_waits_when_empty() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    arrival = queue.arrival()
    queue.put_nowait("a")
    queue.put_nowait("b")
    await arrival
    assert [queue.pop(), queue.pop()] == ["a", "b"]
    assert not queue
    assert not queue.arrival().done()


async def test_one_reader_at_a_time() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    first = queue.arrival()
    with pytest.raises(RuntimeError, match="another"):
        queue.arrival()
    first.cancel()
    second = queue.arrival()
    queue.put_nowait("a")
    await second


async def test_the_queue_is_full_at_its_bounds_of_messages_and_bytes() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    for number in range(MAX_QUEUED):
        assert not full(queue)
        queue.put_nowait(number, 1)
    assert full(queue)
    while queue:
        queue.pop()
    assert not full(queue)
    queue.put_nowait("large", MAX_QUEUED_BYTES)
    assert full(queue)
    queue.pop()
    assert not full(queue)


def test_headers_that_many_clients_send_are_kept_once() -> None:
    def handshake(key: bytes) -> list[tuple[bytes, bytes]]:
        agent = b" ".join((b"Some", b"Browser"))  # equal, but never the same object
        return headers_module.shared_headers([(b"user-agent", agent), (b"sec-websocket-key", key)])

    first, second = handshake(b"1"), handshake(b"2")
    assert first == [(b"user-agent", b"Some Browser"), (b"sec-websocket-key", b"1")]
    assert first[0] is second[0]
    assert first[1] != second[1]


def test_clients_cannot_grow_what_is_shared_without_bound() -> None:
    for number in range(3 * headers_module.MAX_SHARED):
        headers_module.shared_headers([(b"user-agent", str(number).encode())])
    assert len(headers_module._shared) <= headers_module.MAX_SHARED + 1
