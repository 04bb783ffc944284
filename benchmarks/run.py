"""Runs the benchmark: every case on every system, in turn, and keeps the results.

    .venv/bin/python benchmarks/run.py [--quick] [--case burst,steady] [--system rostrum,socket.io]
                                       [--database sqlite,postgresql] [--minutes 40]

README.md says what is measured and how.
"""

import argparse
import contextlib
import datetime
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import client, report
from benchmarks.cases import CASES, CHANNELS_UVICORN, Case, Point
from benchmarks.meter import Meter, Metrics
from benchmarks.processes import cores
from benchmarks.systems import ROOT, Bench, System, versions
from scripts.system import ensure

RESULTS = ROOT / "benchmarks" / "results"
# Of these the worst of the repeats is kept, of all others the median.
COUNTS_OF_FAULTS = {"connections_lost", "missing", "refused", "repeats_or_backward", "skips"}


@dataclass(frozen=True)
class Job:
    """A system started once for a case, and its points measured."""

    case: Case
    system: System
    points: tuple[Point, ...]
    repeat: int


@dataclass
class Outcome:
    """What has been measured so far: for each row (case, system, number of the point) all its metrics."""

    samples: dict[tuple[str, System, int], list[Metrics]] = field(default_factory=lambda: defaultdict(list))
    raw: list[dict[str, Any]] = field(default_factory=list)  # each run of the load generator, as it came
    failures: list[str] = field(default_factory=list)

    def rows(self, jobs: list[Job]) -> list[dict[str, Any]]:
        points = {(job.case.name, job.system): job.points for job in jobs}
        return [
            row(case, system, points[case, system][number], repeats)
            for (case, system, number), repeats in self.samples.items()
        ]


def row(case: str, system: System, point: Point, repeats: list[Metrics]) -> dict[str, Any]:
    """A row of the results, in the form that README.md describes."""
    metrics = {}
    for name in repeats[0]:
        values = [metrics[name] for metrics in repeats]
        metrics[name] = max(values) if name in COUNTS_OF_FAULTS else round(statistics.median(values), 3)
    return {
        "case": case,
        "n": point.n,
        "system": system.name,
        "database": system.database,
        "variant": ", ".join(part for part in (system.variant, point.variant) if part),
        "repeats": len(repeats),
        **metrics,
    }


def plan(arguments: argparse.Namespace) -> list[Job]:
    """All jobs in order: within a case the systems take turns, so that what slows the machine for a while
    slows all of them."""
    jobs = []
    for case in CASES:
        if arguments.case and case.name not in arguments.case:
            continue
        systems = (arguments.quick and case.quick_systems) or case.systems
        if "channels-uvicorn" in arguments.system:
            systems = (*systems, CHANNELS_UVICORN)
        points = case.quick_points if arguments.quick else case.points
        for repeat in range(1 if arguments.quick else arguments.repeats or case.repeats):
            jobs += [Job(case, system, points, repeat) for system in systems if wanted(system, arguments)]
    return jobs


def wanted(system: System, arguments: argparse.Namespace) -> bool:
    names = {system.name, f"{system.name}-{system.variant}"}
    if arguments.system and not names & set(arguments.system):
        return False
    return not (arguments.database and system.database and system.database not in arguments.database)


def measure(job: Job, bench: Bench, program: Path, outcome: Outcome, begun_s: float) -> None:
    """One job. A point that fails is noted, and the next goes on."""
    with job.system.start(bench) as running:
        for number, point in enumerate(job.points):
            where = {
                "case": job.case.name,
                "system": job.system.label,
                "n": point.n,
                "variant": point.variant,
                "repeat": job.repeat,
            }

            def log(events: dict[str, Any], where: dict[str, Any] = where) -> None:
                outcome.raw.append({**where, **events})

            title = f"{job.case.name} N={point.n} {point.variant} · {job.system.label}"
            try:
                metrics = job.case.measure(Meter(program, running, log), point.options)
            except client.LoadFailed as failure:
                outcome.failures.append(f"{title}: {failure}")
                say(begun_s, f"{title}: FAILED: {failure}\nThe server's log:\n{running.server.log_tail()}")
                continue
            outcome.samples[job.case.name, job.system, number].append(metrics)
            say(begun_s, f"{title}: {report.one_line(metrics)}")


def say(begun_s: float, text: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - begun_s), 60)
    print(f"[{minutes:02d}:{seconds:02d}] {text}", flush=True)


def machine(bench: Bench) -> dict[str, Any]:
    """What the figures depend on, without what would identify the machine."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "kernel": platform.release(),
        "filesystem": filesystem(bench.directory),
    }


def filesystem(path: Path) -> str:
    """The type of the file system that holds the databases: on a tmpfs, commits would cost nothing."""
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, kind, *_ = line.split()
        if path.is_relative_to(mounted) and len(mounted) > len(best[0]):
            best = (mounted, kind)
    return best[1]


@contextlib.contextmanager
def new_bench() -> Iterator[Bench]:
    """The folder, cores and private servers of a run; all gone when the block ends."""
    server_core, client_core = cores()
    with (
        tempfile.TemporaryDirectory(prefix="rostrum-bench-") as directory,
        contextlib.ExitStack() as resources,
    ):
        # Everything started from here on is on the client's core, but for the servers under test.
        os.sched_setaffinity(0, {client_core})
        yield Bench(Path(directory), server_core, resources)


def parse_arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [name.strip() for name in text.split(",") if name.strip()]

    parser = argparse.ArgumentParser(description="Rostrum beside Socket.IO and the chat of Channels' tutorial.")
    parser.add_argument("--quick", action="store_true", help="each case once and shorter, in about four minutes")
    parser.add_argument("--case", type=names, default=[], help=", ".join(case.name for case in CASES))
    parser.add_argument(
        "--system", type=names, default=[], help="rostrum, socket.io, channels, channels-uvicorn, nginx"
    )
    parser.add_argument("--database", type=names, default=[], help="sqlite, postgresql")
    parser.add_argument("--repeats", type=int, help="how often each case is measured, in place of its own number")
    parser.add_argument("--minutes", type=float, help="begin nothing new after so long (40; quick: 6)")
    arguments = parser.parse_args()
    known = {case.name for case in CASES}
    if unknown := set(arguments.case) - known:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    return arguments


def install_system_packages(jobs: list[Job]) -> None:
    needed = {job.system.database for job in jobs} & {"postgresql"}
    if any(job.system.name == "channels" or "edis" in job.system.variant for job in jobs):
        needed.add("redis")
    ensure(sorted(name for name in needed if name))


def main() -> int:
    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    arguments = parse_arguments()
    jobs = plan(arguments)
    if not jobs:
        raise SystemExit("No case has the systems asked for.")
    limit_s = 60 * (arguments.minutes or (6 if arguments.quick else 40))
    # Only a case measured in full may replace what was kept of it.
    complete = not (arguments.quick or arguments.system or arguments.database)
    begun_s = time.monotonic()
    outcome = Outcome()
    with new_bench() as bench:
        try:
            measure_all(jobs, bench, outcome, begun_s, limit_s)
        except KeyboardInterrupt:
            outcome.failures.append("interrupted")
            complete = False
        results = {
            "measured_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "quick": arguments.quick,
            "machine": machine(bench),
            "versions": versions(),
            "rows": outcome.rows(jobs),
        }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / ("latest.json" if complete else "partial.json")
    report.write_results(path, results, outcome.raw, keep_other_cases=complete)
    print("\n" + report.text_table(results["rows"]))
    print(f"\nResults: {path.relative_to(ROOT)}; every run: {path.with_suffix('.jsonl').relative_to(ROOT)}")
    for failure in outcome.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if outcome.failures else 0


def measure_all(jobs: list[Job], bench: Bench, outcome: Outcome, begun_s: float, limit_s: float) -> None:
    install_system_packages(jobs)
    program = client.build(ROOT / "var" / "benchmarks")
    for system in dict.fromkeys(job.system for job in jobs):
        say(begun_s, f"preparing {system.label}")
        system.prepare(bench)
    for number, job in enumerate(jobs):
        if time.monotonic() - begun_s > limit_s:
            outcome.failures.append(f"out of time: {len(jobs) - number} of {len(jobs)} measurements left out")
            return
        try:
            measure(job, bench, program, outcome, begun_s)
        except (RuntimeError, OSError) as failure:
            outcome.failures.append(f"{job.case.name} {job.system.label}: {failure}")
            say(begun_s, f"{job.case.name} {job.system.label}: FAILED: {failure}")


if __name__ == "__main__":
    sys.exit(main())
