"""What a client may send that no client should: frames for an attack on the gateway, from a seed."""

import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from realtime.protocol import MAX_FRAME_BYTES
from realtime.registry import METHODS
from tests.support.raw_websocket import BINARY, CONTINUED, PING, PONG, client_frame

NAMES = sorted(METHODS)
FIELDS = (
    "app",
    "uid",
    "token",
    "session",
    "streams",
    "client",
    "room",
    "rooms",
    "message_id",
    "message",
    "attributes",
    "keys",
    "revision",
    "notify",
    "before",
    "after",
    "limit",
    "order",
    "stream",
    "received",
    "invitation",
    "peer",
    "caller",
    "content",
    "response",
    "channel",
    "__proto__",
    "",
)


class Hostile(NamedTuple):
    """Bytes for the wire. `fatal`: the WebSocket protocol itself is broken, or the frame is too large or of a type
    that has no meaning, so that the server closes."""

    wire: bytes
    kind: str
    fatal: bool = False


def hostile_frames(seed: int, count: int) -> Iterator[Hostile]:
    """So many frames, most of them of the cheap kinds."""
    rng = random.Random(seed)
    kinds = [kind for kind, weight in KINDS.items() for _ in range(weight)]
    for _ in range(count):
        kind = rng.choice(kinds)
        yield kind(rng)


def junk(rng: random.Random, depth: int = 3) -> Any:
    """Any JSON value."""
    choice = rng.randrange(12 if depth else 9)
    match choice:
        case 0:
            return None
        case 1:
            return rng.random() < 0.5
        case 2:
            return rng.choice([0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**40])
        case 3:
            return rng.choice([0.5, -1e308, 1e-320])
        case 4:
            return ""
        case 5:
            return "".join(rng.choice(string.printable + "\x00é你😀\u2028") for _ in range(rng.randrange(80)))
        case 6:
            return rng.choice(["math", "room:math", "ann", "null", "m1", "TEXT", "asc"])
        case 7:
            return "x" * rng.randrange(5_000)
        case 8:
            return rng.choice(NAMES)
        case 9:
            return [junk(rng, depth - 1) for _ in range(rng.randrange(6))]
        case _:
            return {rng.choice(FIELDS): junk(rng, depth - 1) for _ in range(rng.randrange(6))}


def text(payload: str | bytes) -> bytes:
    data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    return client_frame(data)


def wrong_params(rng: random.Random) -> Hostile:
    params = {rng.choice(FIELDS): junk(rng) for _ in range(rng.randrange(8))}
    request = {"jsonrpc": "2.0", "id": rng.randrange(99), "method": rng.choice(NAMES), "params": params}
    if request["method"] == "session.logout":
        request["params"] = {"wrong": 1}
    return Hostile(text(json.dumps(request)), "wrong params")


def wrong_envelope(rng: random.Random) -> Hostile:
    request: Any = {"jsonrpc": "2.0", "id": 1, "method": "session.ping", "params": {}}
    field = rng.choice(["jsonrpc", "id", "method", "params"])
    if rng.random() < 0.3:
        request.pop(field)
        request["x"] = junk(rng)
    else:
        request[field] = junk(rng)
    return Hostile(text(json.dumps(request)), "wrong envelope")


def any_value(rng: random.Random) -> Hostile:
    return Hostile(text(json.dumps(junk(rng))), "any value")


def no_json(rng: random.Random) -> Hostile:
    whole = json.dumps({"jsonrpc": "2.0", "id": 1, "method": rng.choice(NAMES), "params": junk(rng)})
    choice = rng.randrange(4)
    if choice == 0:
        payload = whole[: rng.randrange(len(whole))]
    elif choice == 1:
        place = rng.randrange(len(whole))
        payload = whole[:place] + rng.choice('{}[]",:\\\x00\x1f\ufeff') + whole[place:]
    elif choice == 2:
        payload = "".join(rng.choice(string.printable) for _ in range(rng.randrange(200)))
    else:
        payload = rng.choice(
            ["", " ", "\x00", "NaN", "Infinity", "'a'", '"\\ud800"', "{]", "[,]", "\ufeff{}", "-", "1e"]
        )
    return Hostile(text(payload), "no json")


def deeply_nested(rng: random.Random) -> Hostile:
    depth = rng.choice([100, 1_000, 10_000, 30_000])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
    inner = opening * depth + ("1" + closing * depth if rng.random() < 0.7 else "")
    method = rng.choice(NAMES)
    payload = rng.choice(
        [
            inner,
            f'[{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{inner}}}]',
            f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{inner}}}',
            f'{{"jsonrpc":"2.0","id":{inner},"method":"{method}"}}',
            f'{{"jsonrpc":"2.0","id":1,"method":"room.send","params":{{"message_id":"m","message":{inner}}}}}',
        ]
    )
    return Hostile(text(payload), "deeply nested")


def odd_batch(rng: random.Random) -> Hostile:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "session.ping"}
    batch: list[Any] = rng.choice([[], [[]], [ping] * 65, [ping, 1, None, [ping]], [junk(rng) for _ in range(8)]])
    return Hostile(text(json.dumps(batch)), "odd batch")


def out_of_order(rng: random.Random) -> Hostile:
    """Well-formed, but not now: before a login, twice, without a join, acknowledging what was never sent."""
    method, params = rng.choice(
        [
            ("room.leave", {"room": "never-joined"}),
            ("room.members", {"room": "never-joined"}),
            ("room.history", {"room": "never-joined"}),
            ("room.send", {"room": "never-joined", "message_id": "m1", "message": {"type": "TEXT", "text": "x"}}),
            ("stream.read", {"stream": "room:never-joined", "after": 2**53 - 1}),
            ("stream.read", {"stream": "room:math", "after": 2**53 - 1}),
            ("session.ack", {"received": 2**53 - 1}),
            ("session.ping", {"received": 2**53 - 1}),
            ("session.login", {"app": "0" * 32, "uid": "ann"}),
            ("room.join", {"room": "math", "after": {"seq": 2**53 - 1, "epoch": "nonsense"}}),
            (
                "room.set_attributes",
                {"room": "math", "message_id": "m1", "attributes": {"a": "b"}, "revision": 2**53 - 1},
            ),
        ]
    )
    return Hostile(text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})), "out of order")


def large(rng: random.Random) -> Hostile:
    """As large as a frame may be, and of no use."""
    filler = rng.choice(["x", "é", "\\u0000", "[", '{"a":'])
    room = MAX_FRAME_BYTES - 200
    payload = '{"jsonrpc":"2.0","id":1,"method":"room.join","params":{"room":"' + filler * (
        room // len(filler.encode())
    )
    return Hostile(text(payload + rng.choice(["", '"}}'])), "large")


def too_large(rng: random.Random) -> Hostile:
    return Hostile(text(b"x" * (MAX_FRAME_BYTES + 1)), "too large", fatal=True)


def fragments(rng: random.Random) -> Hostile:
    """A message in many pieces, with control frames between them."""
    payload = b'{"jsonrpc":"2.0","id":1,"method":"nowhere"}'
    cut = rng.randrange(1, len(payload))
    wire = client_frame(payload[:cut], final=False) + client_frame(b"?", PING) + client_frame(b"!", PONG)
    return Hostile(wire + client_frame(payload[cut:], CONTINUED), "fragments")


def binary(rng: random.Random) -> Hostile:
    return Hostile(client_frame(rng.randbytes(rng.randrange(100)), BINARY), "binary", fatal=True)


def not_utf8(rng: random.Random) -> Hostile:
    return Hostile(
        client_frame(rng.choice([b"\xff", b"\xc3", b'"\xed\xa0\x80"', b"\xf8\x88\x80\x80\x80"])),
        "not utf-8",
        fatal=True,
    )


def broken_frame(rng: random.Random) -> Hostile:
    """What the WebSocket protocol itself forbids."""
    ping = client_frame(b"{}")
    wire = rng.choice(
        [
            bytes([0xF1]) + ping[1:],  # reserved bits
            bytes([0x83]) + ping[1:],  # a reserved kind
            bytes([0x81, 2]) + b"{}",  # not masked
            client_frame(b"x", CONTINUED),  # continues nothing
            client_frame(b"x", final=False) + client_frame(b"x"),  # begins anew within a message
            client_frame(b"x" * 126, PING),  # a control frame that is too long
            client_frame(b"x", PING, final=False),  # one in pieces
            client_frame(b"\x03", 8),  # a close with half a code
            client_frame(b"\x00\x01", 8),  # a close with a code that is none
        ]
    )
    return Hostile(wire, "broken frame", fatal=True)


KINDS: dict[Callable[[random.Random], Hostile], int] = {
    wrong_params: 30,
    wrong_envelope: 20,
    any_value: 10,
    no_json: 20,
    out_of_order: 20,
    odd_batch: 5,
    fragments: 5,
    deeply_nested: 3,
    binary: 2,
    not_utf8: 2,
    broken_frame: 3,
    large: 1,
    too_large: 1,
}
"""How often each comes: the last ones cost a new connection, or a quarter of a megabyte."""
