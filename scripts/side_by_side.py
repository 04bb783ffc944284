"""Runs commands side by side: `python -m scripts.side_by_side NAME=COMMAND ...`, with a limit on how many at once.

What each prints comes at once, with its name before it. At the end stands how each went, and of those that failed the
end of what they printed once more: a log that is cut shows its last lines.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

AT_ONCE = 5
SHOWN_AGAIN = 60
"""Lines of a failed command."""


@dataclass
class Job:
    name: str
    command: list[str]
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_AGAIN))
    seconds: float = 0.0
    exit_code: int | None = None
    """None: it was never started."""

    @property
    def outcome(self) -> str:
        if self.exit_code is None:
            return "not run"
        return "passed" if self.exit_code == 0 else f"FAILED with {self.exit_code}"


class Runner:
    """Runs jobs, a few at once."""

    def __init__(self, jobs: Sequence[Job], at_once: int) -> None:
        self._jobs = jobs
        self._at_once = at_once
        self._lock = threading.RLock()  # a signal may come while the main thread holds it
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._width = max(len(job.name) for job in jobs)

    def run(self) -> bool:
        """Returns whether all have passed."""
        with ThreadPoolExecutor(self._at_once) as threads:
            list(threads.map(self._run, self._jobs))
        for job in self._jobs:
            if job.exit_code:
                print(f"\n--- the end of {job.name} ---", *job.last_lines, sep="\n")
        print()
        for job in self._jobs:
            print(f"{job.name:{self._width}}  {job.outcome} after {job.seconds:.0f} s")
        return all(job.exit_code == 0 for job in self._jobs)

    def interrupted(self, signum: int, frame: object) -> None:
        """A handler of signals: no further job is started. A terminal's Ctrl-C reaches those under way by itself, what
        was sent to us alone is handed on as one."""
        with self._lock:
            self._stopped = True
            if signum != signal.SIGINT:
                for process in self._running:
                    process.send_signal(signal.SIGINT)

    def _run(self, job: Job) -> None:
        started = time.monotonic()
        with self._lock:
            if self._stopped:
                return
            process = subprocess.Popen(
                job.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
            self._running.add(process)
        assert process.stdout is not None
        for line in process.stdout:
            job.last_lines.append(line.rstrip("\n"))
            print(f"{job.name:{self._width}}  {line}", end="", flush=True)
        job.exit_code = process.wait()
        job.seconds = time.monotonic() - started
        with self._lock:
            self._running.discard(process)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts.side_by_side", description="Run commands side by side.")
    parser.add_argument("jobs", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    options = parser.parse_args(arguments)
    jobs = []
    for text in options.jobs:
        name, separator, command = text.partition("=")
        if not separator or not command.strip():
            parser.error(f"not NAME=COMMAND: {text}")
        jobs.append(Job(name, shlex.split(command)))
    runner = Runner(jobs, options.at_once)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, runner.interrupted)
    return 0 if runner.run() else 1


if __name__ == "__main__":
    sys.exit(main())
