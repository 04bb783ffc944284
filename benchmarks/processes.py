"""The servers under test as processes: on a core of their own, measured, and stopped whatever happens."""

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 10.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """The server's core and the client's: the first two that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("The benchmark needs two cores: one for the server, one for the client.")
    return usable[0], usable[1]


class ServerProcess:
    """A server and the processes it starts, pinned to one core. Used as a context manager: it serves when the
    block begins and is gone when it ends.

    It serves once it answers an HTTP request and has printed `announcement`, if that is given.
    Raises RuntimeError with the end of the log when it does not within a minute.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        core: int,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        announcement: str = "",
    ) -> None:
        self.port = port
        self.rss_at_start_kib = 0
        self._announcement = announcement
        self._command = list(command)
        self._core = core
        self._cwd = cwd
        self._env = dict(env)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            # Its own session: Ctrl-C is for the benchmark, which stops the server by its process group.
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            os.sched_setaffinity(self._process.pid, {self._core})  # before it has threads or children
            self._wait_until_it_serves()
            self.rss_at_start_kib = self.rss_kib()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server with SIGTERM, and with SIGKILL what is left of its group after that."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPPED_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log_tail(self) -> str:
        """The end of what the server has printed."""
        return self._log.read_text(errors="replace")[-3000:]

    def rss_kib(self) -> int:
        """Resident memory of the server's processes together, in KiB."""
        return sum(_status_kib(pid, "VmRSS") for pid in self._pids())

    def peak_rss_kib(self) -> int:
        """The most that they had, each by itself, since `forget_peak`."""
        return sum(_status_kib(pid, "VmHWM") for pid in self._pids())

    def forget_peak(self) -> None:
        for pid in self._pids():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def cpu_s(self) -> float:
        """Processor time the server's processes have used, in seconds."""
        return sum(_cpu_s(pid) for pid in self._pids())

    def clients(self) -> list[int]:
        """How many clients are connected to each of the server's processes, most first."""
        connections = _established(self.port)
        return sorted((len(_sockets(pid) & connections) for pid in self._pids()), reverse=True)

    def _pids(self) -> list[int]:
        assert self._process is not None, "the server is not running"
        found = [self._process.pid]
        for pid in found:  # grows as children are found
            found += _children(pid)
        return found

    def _wait_until_it_serves(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + READY_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            if self._announcement in self._log.read_text(errors="replace") and self._answers():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{' '.join(self._command)} does not serve on port {self.port}:\n{self.log_tail()}")

    def _answers(self) -> bool:
        """A listening socket is not enough: connections may wait in it until the application is there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/is-it-serving")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


def _children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _established(port: int) -> set[str]:
    """The sockets ("socket:[inode]") of the connections to a local port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "01" and int(local.rpartition(":")[2], 16) == port:
            found.add(f"socket:[{inode}]")
    return found


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(descriptor))
    return found


def _status_kib(pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user, system = int(fields[11]), int(fields[12])
        return (user + system) / TICKS_PER_S
    return 0.0
