"""Frames: messages joined on their way, none lost, none reordered, none much above the cap."""

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.frames import MAX_FRAME_BYTES, Chunk, Frame, join_frames, utf8_size

texts = st.lists(
    st.builds(
        lambda text, times: json.dumps(text * times, ensure_ascii=False),
        st.sampled_from(["a", "é", "课", "😀", 'a"b\\', "\n"]),
        st.sampled_from([0, 1, 10, 150, 400]),
    ),
    min_size=1,
    max_size=12,
)


def payload(frame: Frame) -> bytes:
    """As a WebSocket peer reads the wire."""
    wire = frame.wire
    assert wire[0] == 0x81, "a whole text frame"
    length, start = wire[1], 2
    assert length < 128, "a server does not mask"
    if length == 126:
        length, start = int.from_bytes(wire[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(wire[2:10], "big"), 10
    assert len(wire) == start + length
    return wire[start:]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_is_ready_for_the_wire_whatever_its_size(size: int) -> None:
    frame = Frame("x" * size)
    assert payload(frame) == b"x" * size
    assert (frame.size, frame.message["text"]) == (size, "x" * size)


def test_sizes_are_bytes_on_the_wire() -> None:
    text = '"课堂 😀"'
    frame = Frame(text)
    assert frame.size == len(text.encode()) == utf8_size(text) == len(payload(frame))


def test_a_chunk_is_encoded_once_for_all_its_receivers() -> None:
    chunk = Chunk('{"a":1},{"b":2}', 2)
    assert chunk.frame is chunk.frame
    assert payload(chunk.frame) == b'[{"a":1},{"b":2}]'
    assert payload(Chunk('{"a":1}', 1).frame) == b'{"a":1}', "one message alone is no batch"


@given(texts)
def test_joining_keeps_every_message_and_their_order(messages: list[str]) -> None:
    found: list[str] = []
    with mock.patch("realtime.frames.MAX_FRAME_BYTES", 1_000):
        frames = join_frames(messages)
    for frame in frames:
        decoded = json.loads(payload(frame))
        found += decoded if isinstance(decoded, list) else [decoded]
    assert found == [json.loads(message) for message in messages]


def test_rule_pressure_the_cap_of_frames() -> None:
    assert MAX_FRAME_BYTES == 128 * 1024
    frames = join_frames([f'"{"x" * 30_000}"'] * 10)
    assert [len(json.loads(payload(frame))) for frame in frames] == [4, 4, 2]


@given(texts)
def test_rule_pressure_no_frame_of_several_messages_is_above_the_cap(messages: list[str]) -> None:
    with mock.patch("realtime.frames.MAX_FRAME_BYTES", 1_000):
        frames = join_frames(messages)
    for frame in frames:
        decoded = json.loads(payload(frame))
        if isinstance(decoded, list) and len(decoded) > 1:
            assert frame.size <= 1_000 + len(decoded) + 1  # the commas and brackets
