"""The load generator: compiled on demand, run as a process, its JSON lines read as they come."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent / "loadgen"
COMPILER_FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")
# Opening the connections may take a minute; draining, settling and saying goodbye take some seconds.
BESIDE_THE_LOAD_S = 75.0

Event = dict[str, Any]
_run_numbers = itertools.count()


class LoadFailed(Exception):
    """The load generator gave up or did not end in time; the message says what it printed."""


def build(directory: Path) -> Path:
    """The compiled load generator in `directory`, made anew when its sources have changed.

    Raises LoadFailed when there is no compiler or the sources do not compile.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256("\0".join(COMPILER_FLAGS).encode())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    program = directory / f"loadgen-{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise LoadFailed("The load generator needs a C compiler (apt-get install gcc libc6-dev).")
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(f".{os.getpid()}")
    inputs = [str(source) for source in sources if source.suffix == ".c"]
    compiled = subprocess.run(
        [compiler, *COMPILER_FLAGS, "-o", str(unfinished), *inputs],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if compiled.returncode != 0:
        raise LoadFailed(f"The load generator does not compile:\n{compiled.stderr}")
    unfinished.rename(program)
    return program


def run(
    program: Path,
    *,
    protocol: str,
    port: int,
    options: dict[str, int | float | str | bool],
    on_event: Callable[[str], None] = lambda name: None,
) -> dict[str, Event]:
    """Runs the load generator against a server on 127.0.0.1 and returns its events by name: `connected`,
    `result` and `done` (README.md has their fields), and `complaints`, if it printed any.

    `options` are its command line options with underscores for hyphens; True stands for a flag. `on_event` is
    called with each event's name when it happens; `measuring` and `measured` enclose the measurement,
    `lingering` and `lingered` the silence after it.
    Raises LoadFailed.
    """
    command = [str(program), "--protocol", protocol, "--port", str(port)]
    for name, value in {"run": unique_run(), **options}.items():
        if value is not False:
            command.append("--" + name.replace("_", "-"))
            if value is not True:
                command.append(str(value))
    load_s = sum(float(options.get(name, 3)) for name in ("warmup", "seconds", "linger"))
    events: dict[str, Event] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        complaints = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        complaints.start()
        too_late = threading.Timer(load_s + BESIDE_THE_LOAD_S, process.kill)
        too_late.start()
        try:
            for line in process.stdout:
                event: Event = json.loads(line)
                events[event["event"]] = event
                on_event(event["event"])
        finally:
            too_late.cancel()
            process.kill()
            complaints.join()
    if said:
        events["complaints"] = {"lines": said[:20]}
    if "done" not in events:
        reason = "".join(said).strip() or f"it ended with status {process.returncode}"
        raise LoadFailed(f"{' '.join(command[1:])}: {reason}")
    return events


def unique_run() -> str:
    """Part of all ids of a run: users, rooms and messages of two runs never meet."""
    return f"b{int(time.time()):x}p{os.getpid():x}n{next(_run_numbers)}"
