"""Measuring a running system: what of a run becomes a row of the results."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from benchmarks import client, drain, files, tokens
from benchmarks.systems import Running

Metrics = dict[str, float]
Options = dict[str, int | float | str | bool]
Log = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Meter:
    """Measures points on a running system. `log` takes each run's events as they came."""

    program: Path
    running: Running
    log: Log

    def load(self, options: Options) -> Metrics:
        """One run of the load generator: its figures, and the server's processor time meanwhile. The order of
        sequence numbers is verified where the system has them. An option `protocol` is another than the system's
        usual one."""
        server = self.running.server
        options = {"protocol": self.running.protocol, **options}
        cpu_s: dict[str, float] = {}

        def note_cpu(event: str) -> None:
            if event in ("measuring", "measured"):
                cpu_s[event] = server.cpu_s()

        events = client.run(
            self.program,
            protocol=str(options.pop("protocol")),
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
        """With an option `tokens`, into the project that wants a token each time."""
        if options.get("tokens"):
            with tokens.issued(int(options["members"])) as shown:
                metrics = self.load({**options, **shown})
        else:
            metrics = self.load(options)
        return {name: metrics[name] for name in ("logins_per_s", "connections_lost")}

    def memory_under_load(self, options: Options) -> Metrics:
        """A load, and how far the server's memory rose above what it had when it was started."""
        server = self.running.server
        server.forget_peak()
        metrics = self.load(options)
        return {**metrics, "memory_rise_mb": (server.peak_rss_kib() - server.rss_at_start_kib) / 1024}

    def files(self, options: Options) -> Metrics:
        """Files `way` up or down, `at_once` of them, and how far the server's memory rose above what it had before."""
        server = self.running.server
        way, at_once = str(options["way"]), int(options["at_once"])
        places = files.places(self.running.protocol, way, server.port)
        rss_kib = server.rss_kib()
        server.forget_peak()
        files.run(way, server.port, places, connections=at_once, seconds=float(options["warmup"]))
        cpu_s = server.cpu_s()
        began_s = time.monotonic()
        metrics = files.run(way, server.port, places, connections=at_once, seconds=float(options["seconds"]))
        metrics["server_cpu"] = (server.cpu_s() - cpu_s) / (time.monotonic() - began_s)
        metrics["memory_rise_mb"] = (server.peak_rss_kib() - rss_kib) / 1024
        self.log({"files": metrics})
        return metrics

    def chat_beside_files(self, options: Options) -> Metrics:
        """A load on a room, while files go up to `uploads` places."""
        load, port = dict(options), self.running.server.port
        uploads, way = int(load.pop("uploads")), "up gently"
        places = files.places(self.running.protocol, way, port)
        began_s = time.monotonic()
        with files.transfers(way, port, places, uploads) as carried:
            metrics = self.load(load)
        if carried.faults:
            raise client.LoadFailed(carried.faults[0])
        return {**metrics, "mb_per_s": sum(carried.files) / files.MB / (time.monotonic() - began_s)}

    def drain(self, options: Options) -> Metrics:
        """`messages` kept for each of `users` who are away, and the time until all of them, back at once, have
        everything."""
        server = self.running.server
        cpu_s: dict[str, float] = {}

        def note_cpu(event: str) -> None:
            cpu_s[event] = server.cpu_s()

        outcome = drain.run(
            server.port, users=int(options["users"]), messages=int(options["messages"]), on_event=note_cpu
        )
        self.log({"drain": outcome})
        server_cpu = (cpu_s["measured"] - cpu_s["measuring"]) / outcome["drain_s"]
        return {**outcome, "server_cpu": server_cpu}

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
