"""The cases: which load, on which systems, and what of it becomes a row of the results."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import redis

from benchmarks import client
from benchmarks.processes import PeakMemory
from benchmarks.systems import Channels, Rostrum, Running, SocketIO, System

Metrics = dict[str, float]
Options = dict[str, int | float | str | bool]
Log = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Point:
    """One measurement of a case: a row for each system. `n` is the number of members, or of connections."""

    n: int
    variant: str
    options: Options


@dataclass(frozen=True)
class Meter:
    """Measures points on a running system. `log` takes each run's events as they came."""

    program: Path
    running: Running
    log: Log

    def load(self, options: Options) -> Metrics:
        """One run of the load generator: its figures, and the server's processor time meanwhile. The order of
        sequence numbers is verified where the system has them."""
        server = self.running.server
        cpu_s: dict[str, float] = {}

        def note_cpu(event: str) -> None:
            if event in ("measuring", "measured"):
                cpu_s[event] = server.cpu_s()

        events = client.run(
            self.program,
            protocol=self.running.protocol,
            port=server.port,
            options={**options, "check": self.running.checks_order},
            on_event=note_cpu,
        )
        self.log(events)
        metrics = {name: value for name, value in events["result"].items() if name not in ("event", "seconds")}
        metrics["logins_per_s"] = events["connected"]["logins_per_s"]
        metrics["connections_lost"] = events["done"]["connections_lost"]
        seconds = float(events["result"]["seconds"])
        metrics["server_cpu"] = (cpu_s["measured"] - cpu_s["measuring"]) / seconds
        if options.get("stalled"):
            metrics["stalled_cut_off"] = events["done"]["stalled_cut_off"]
        return metrics

    def idle_memory(self, options: Options) -> Metrics:
        """Resident memory that the logged-in connections added to a server that had none, per connection."""
        server = self.running.server
        rss_kib = {"before": server.rss_at_start_kib}

        def note_memory(event: str) -> None:
            if event == "measured":
                rss_kib["after"] = server.rss_kib()

        events = client.run(
            self.program,
            protocol=self.running.protocol,
            port=server.port,
            options=options,
            on_event=note_memory,
        )
        self.log({**events, "rss_kib": rss_kib})
        return {
            "kib_per_connection": (rss_kib["after"] - rss_kib["before"]) / int(options["members"]),
            "rss_kib": rss_kib["after"],
            "connections_lost": events["done"]["connections_lost"],
        }

    def logins(self, options: Options) -> Metrics:
        metrics = self.load(options)
        return {name: metrics[name] for name in ("logins_per_s", "connections_lost")}

    def memory_under_load(self, options: Options) -> Metrics:
        """A load, and how far the server's memory rose above what it had when it was started."""
        server = self.running.server
        with PeakMemory(server) as memory:
            metrics = self.load(options)
        return {**metrics, "memory_rise_mb": (memory.peak_kib - server.rss_at_start_kib) / 1024}

    def redis_commands(self, options: Options) -> Metrics:
        """Redis commands per room message: those of the measurement, less what the same members cause in as
        long a silence after it."""
        assert self.running.redis_url is not None
        counted: dict[str, int] = {}
        members: list[int] = []  # of each process
        with contextlib.closing(redis.Redis.from_url(self.running.redis_url)) as connection:

            def count(event: str) -> None:
                counted[event] = _commands(connection)
                if event == "measured":
                    members[:] = self.running.server.clients()

            events = client.run(
                self.program,
                protocol=self.running.protocol,
                port=self.running.server.port,
                options={**options, "check": True},
                on_event=count,
            )
        self.log({**events, "redis_commands": counted})
        result = events["result"]
        idle_per_s = (counted["lingered"] - counted["lingering"]) / float(options["linger"])
        commands = counted["measured"] - counted["measuring"] - idle_per_s * float(result["seconds"])
        return {
            "redis_commands_per_message": commands / int(result["messages"]),
            "redis_commands_per_s_idle": idle_per_s,
            "members_of_second_process": members[1],
            "messages_per_s": result["messages_per_s"],
            "p50_ms": result["p50_ms"],
            "p99_ms": result["p99_ms"],
            "missing": result["missing"],
            "repeats_or_backward": result["repeats_or_backward"],
            "skips": result["skips"],
        }


def _commands(connection: redis.Redis) -> int:
    """Commands that Redis has executed, without the one that asks for it."""
    statistics = cast("dict[str, dict[str, int]]", connection.info("commandstats"))
    return sum(numbers["calls"] for name, numbers in statistics.items() if name != "cmdstat_info")


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
