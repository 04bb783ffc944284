"""The cases: which load, on which systems."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.meter import Meter, Metrics, Options
from benchmarks.nginx import Nginx
from benchmarks.systems import Channels, Rostrum, SocketIO, System


@dataclass(frozen=True)
class Point:
    """One measurement of a case: a row for each system. `n` is the number of members, or of connections."""

    n: int
    variant: str
    options: Options


@dataclass(frozen=True)
class Case:
    """A case's systems are measured in turn, `repeats` times; in each turn a system is started anew and its
    points measured one after the other. Quick runs do it once, with `quick_points`."""

    name: str
    systems: tuple[System, ...]
    points: tuple[Point, ...]
    quick_points: tuple[Point, ...]
    measure: Callable[[Meter, Options], Metrics]
    repeats: int = 3
    quick_systems: tuple[System, ...] | None = field(default=None)


SQLITE = Rostrum("sqlite")
POSTGRESQL = Rostrum("postgresql")
SOCKETIO = SocketIO()
NGINX = Nginx()
CHANNELS = Channels()
CHANNELS_UVICORN = Channels("uvicorn")
COMPARED = (SQLITE, SOCKETIO, POSTGRESQL, CHANNELS)
WITHOUT_CHANNELS = (SQLITE, SOCKETIO, POSTGRESQL)


def _burst(n: int, senders: int, **timing: float) -> Point:
    variant = "1 sender" if senders == 1 else f"{senders} senders"
    return Point(n, variant, {"mode": "closed", "window": 16, "members": n, "senders": senders, **timing})


def _steady(n: int, rate: int, **timing: float) -> Point:
    return Point(n, f"{rate}/s", {"mode": "open", "rate": rate, "members": n, **timing})


def _acknowledged(variant: str, *, members: int, rooms: int, senders: int, **timing: float) -> Point:
    options: Options = {"mode": "ack", "members": members, "rooms": rooms, "senders": senders, **timing}
    return Point(members, variant, options)


def _logged_in(n: int, variant: str, seconds: float) -> Point:
    return Point(n, variant, {"mode": "idle", "rooms": 0, "members": n, "seconds": seconds})


def _slow(stalled: int, **load: float) -> Point:
    # A stalled reader gets past 1 MB unacknowledged well before the end.
    variant = f"{stalled} stalled" if stalled else "none stalled"
    return Point(200, variant, {"mode": "open", "members": 200, "stalled": stalled, **load})


def _layer(n: int, seconds: float) -> Point:
    # The warm-up is long enough for presence to have told everybody of everybody.
    timing: Options = {"warmup": 2.0, "seconds": seconds, "linger": seconds}
    return Point(n, "100/s", {"mode": "open", "rate": 100, "members": n, **timing})


def _peers(variant: str, **load: int | float | str) -> Point:
    pairs: Options = {"protocol": "rtm-peers", "members": 400, "rooms": 200, "senders": 200}
    return Point(400, variant, {**pairs, **load})


def _presence(visitors: int) -> Point:
    subscribers = 500
    options: Options = {
        "protocol": "rtm-presence",
        "mode": "visits",
        "rooms": 0,
        "members": subscribers + visitors,
        "visitors": visitors,
        "rate": 10,
    }
    return Point(subscribers, "", options)


def _tokens(n: int, variant: str) -> Point:
    load: Options = {"mode": "idle", "rooms": 0, "members": n, "seconds": 0.2}
    return Point(n, variant, {**load, "tokens": variant == "with tokens"})


def _files(variant: str, way: str, at_once: int, seconds: float) -> Point:
    return Point(at_once, variant, {"way": way, "at_once": at_once, "warmup": min(0.5, seconds), "seconds": seconds})


def _beside(uploads: int, seconds: float) -> Point:
    load: Options = {"mode": "open", "rate": 50, "members": 100, "seconds": seconds, "uploads": uploads}
    return Point(100, f"{uploads} uploads" if uploads else "no uploads", load)


TOKENS = ("server just started", "without tokens", "with tokens")
# Up comes last: what it leaves in the server's memory would hide what the others need.
FILES = (
    ("down", "down", 1),
    ("down", "down", 10),
    ("down, slow readers", "down slowly", 10),
    ("up", "up", 1),
    ("up", "up", 10),
)
SHORT = {"warmup": 0.5, "seconds": 1.0}

CASES = (
    Case(
        "burst",
        COMPARED,
        points=tuple(_burst(n, senders) for n in (100, 500, 1000) for senders in (1, 16)),
        quick_points=tuple(_burst(n, senders, **SHORT) for n in (100, 500) for senders in (1, 16)),
        measure=Meter.load,
    ),
    Case(
        "steady",
        COMPARED,
        points=(_steady(500, 10, seconds=9.0), _steady(500, 100, seconds=4.0)),
        quick_points=(_steady(500, 100, warmup=0.5, seconds=2.0),),
        measure=Meter.load,
        quick_systems=WITHOUT_CHANNELS,
    ),
    Case(
        "rooms",
        COMPARED,
        points=(
            _acknowledged("all sending", members=1000, rooms=100, senders=1000),
            _acknowledged("one sender a room", members=1000, rooms=100, senders=100),
        ),
        quick_points=(
            _acknowledged("all sending", members=1000, rooms=100, senders=1000, **SHORT),
            _acknowledged("one sender a room", members=1000, rooms=100, senders=100, **SHORT),
        ),
        measure=Meter.load,
        quick_systems=WITHOUT_CHANNELS,
    ),
    Case(
        "append",
        COMPARED,
        points=(_acknowledged("50 rooms of 4", members=200, rooms=50, senders=200, seconds=4.0),),
        quick_points=(_acknowledged("50 rooms of 4", members=200, rooms=50, senders=200, **SHORT),),
        measure=Meter.load,
        quick_systems=WITHOUT_CHANNELS,
    ),
    Case(
        "idle",
        COMPARED,
        points=(_logged_in(3000, "", 7.0),),
        quick_points=(_logged_in(1000, "", 3.5),),
        measure=Meter.idle_memory,
        repeats=2,
        quick_systems=WITHOUT_CHANNELS,
    ),
    Case(
        "login",
        COMPARED,
        points=(_logged_in(3000, "server just started", 0.2), _logged_in(3000, "server warm", 0.2)),
        quick_points=(_logged_in(1000, "server just started", 0.2), _logged_in(1000, "server warm", 0.2)),
        measure=Meter.logins,
        quick_systems=WITHOUT_CHANNELS,
    ),
    Case(
        "tokens",
        (SQLITE, POSTGRESQL),
        points=tuple(_tokens(3000, variant) for variant in ("server just started", "without tokens", "with tokens")),
        quick_points=tuple(
            _tokens(1000, variant) for variant in ("server just started", "without tokens", "with tokens")
        ),
        measure=Meter.logins,
    ),
    Case(
        "peer",
        (SQLITE, POSTGRESQL),
        points=(
            _peers("one message at a time", mode="ack", seconds=4.0),
            _peers("500/s", mode="open", rate=500, warmup=3.0, seconds=6.0),
        ),
        quick_points=(
            _peers("one message at a time", mode="ack", **SHORT),
            _peers("500/s", mode="open", rate=500, warmup=1.5, seconds=2.0),
        ),
        measure=Meter.load,
    ),
    Case(
        "presence",
        (SQLITE, POSTGRESQL),
        points=(_presence(20),),
        quick_points=(_presence(5),),
        measure=Meter.load,
    ),
    Case(
        "drain",
        (SQLITE, POSTGRESQL),
        points=(Point(100, "200 messages each", {"users": 100, "messages": 200}),),
        quick_points=(Point(100, "200 messages each", {"users": 100, "messages": 200}),),
        measure=Meter.drain,
    ),
    Case(
        "slow",
        (SQLITE, POSTGRESQL),
        points=(_slow(0, rate=500, seconds=10.0), _slow(20, rate=500, seconds=10.0)),
        quick_points=(
            _slow(0, rate=300, message_bytes=1000, warmup=0.5, seconds=4.0),
            _slow(20, rate=300, message_bytes=1000, warmup=0.5, seconds=4.0),
        ),
        measure=Meter.memory_under_load,
    ),
    Case(
        "files",
        (SQLITE, NGINX),
        points=tuple(_files(variant, way, at_once, 3.0) for variant, way, at_once in FILES),
        quick_points=tuple(_files(variant, way, at_once, 1.0) for variant, way, at_once in FILES),
        measure=Meter.files,
    ),
    Case(
        "beside",
        (SQLITE,),
        points=(_beside(0, 5.0), _beside(10, 5.0)),
        quick_points=(_beside(0, 2.0), _beside(10, 2.0)),
        measure=Meter.chat_beside_files,
        repeats=7,
    ),
    Case(
        "redis",
        (Rostrum("postgresql", variant="two processes", redis=True, serve=("--workers", "2")),),
        points=tuple(_layer(n, 6.0) for n in (10, 100, 400)),
        quick_points=tuple(_layer(n, 2.0) for n in (10, 400)),
        measure=Meter.redis_commands,
        repeats=1,
    ),
    Case(
        "stock",
        (
            SOCKETIO,
            Rostrum("sqlite", variant="Daphne", serve=("--server", "daphne")),
            Rostrum("sqlite", variant="stock uvicorn", serve=("--stock",)),
            Rostrum("postgresql", variant="with Redis", redis=True),
        ),
        points=(_burst(500, 1), _burst(500, 16)),
        quick_points=(_burst(500, 16, **SHORT),),
        measure=Meter.load,
        repeats=2,
    ),
)
