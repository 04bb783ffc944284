"""System packages: finds the programs that tests and the cluster need, and installs what is missing with apt.

    python -m scripts.system redis postgresql chromium

Who asks while another installs waits for it, so that packages may come while something else is done.
Nothing installed here is started or set to start: everything runs its own private servers.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
DOWNLOAD_S = 180.0
"""For what there is something else instead of."""
CEPH = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool")


def postgresql_bin() -> Path | None:
    """The folder of `initdb` and `postgres`: Debian keeps them off the PATH, where `psql` may be alone."""

    def version(folder: Path) -> float:
        try:
            return float(folder.parent.name)
        except ValueError:
            return 0.0

    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def redis_server() -> Path | None:
    """The Redis server's program."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


def chromium() -> Path | None:
    """The browser's program; Playwright drives it instead of one of its own."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    return None


def ip() -> Path | None:
    """What makes network namespaces, for the tests on bad networks."""
    found = shutil.which("ip")
    return Path(found) if found else None


def radosgw() -> Path | None:
    """Ceph's server of S3's protocol, where all is there that it takes to run one."""
    found = {name: shutil.which(name) for name in CEPH}
    return Path(found["radosgw"] or "") if all(found.values()) else None


def nginx() -> Path | None:
    """The web server that the benchmark measures files against."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    return Path(found) if found else None


def venv() -> Path | None:
    """What `python -m venv` needs, which Debian keeps in a package of its own."""
    found = find_spec("ensurepip")
    return Path(found.origin) if found and found.origin else None


@dataclass(frozen=True)
class Need:
    """A program: how it is found, the Debian packages that bring it, and the services those start. Nobody but root
    misses what is `for_root`. `instead`: what does without it, where it cannot be had."""

    find: Callable[[], Path | None]
    packages: tuple[str, ...]
    services: tuple[str, ...] = ()
    for_root: bool = False
    instead: str = ""


NEEDS = {
    "redis": Need(redis_server, ("redis-server",), ("redis-server",)),
    "postgresql": Need(postgresql_bin, ("postgresql",), ("postgresql",)),
    "chromium": Need(chromium, ("chromium",)),
    "ip": Need(ip, ("iproute2",), for_root=True),
    "nginx": Need(nginx, ("nginx",), ("nginx",)),
    "venv": Need(venv, ("python3-venv",)),
    "ceph": Need(
        radosgw,
        ("ceph-mon", "ceph-osd", "radosgw", "ceph-common"),
        ("ceph-crash", "ceph.target", "ceph-mon.target", "ceph-osd.target", "ceph-radosgw.target"),
        instead="S3 is moto's server in the tests, and those of signatures are skipped",
    ),
}


class Missing(Exception):
    """Says in one line what, and how to get it."""


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own way to keep an installation from starting what it installs (policy-rc.d says 101)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def apt_install(packages: Sequence[str], services: Sequence[str], download_s: float | None = None) -> None:
    """Installs Debian packages, quietly. Raises CalledProcessError when apt does, TimeoutExpired when they do not come
    within `download_s`: what has begun to be installed is installed."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    print(f"Installing with apt: {' '.join(packages)}", flush=True)
    with _no_service_starts():
        for command, limit_s in (
            ([*apt, "update"], download_s),
            ([*install, "--download-only"], download_s),
            (install, None),
        ):
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, timeout=limit_s)
    if services and shutil.which("systemctl"):  # not at the next boot either
        subprocess.run(["systemctl", "disable", *services], check=False, capture_output=True)


def ensure(names: Sequence[str]) -> None:
    """Has the named programs installed, or ends the process with one line that says what is missing. Where there is
    something else instead, the line is all."""
    with _one_at_a_time():
        is_root = os.geteuid() == 0
        needs = [NEEDS[name] for name in names if is_root or not NEEDS[name].for_root]
        missing = [need for need in needs if need.find() is None]
        try:
            _install([need for need in missing if not need.instead])
        except Missing as error:
            sys.exit(str(error))
        for need in missing:
            if need.instead:
                try:
                    _install([need], DOWNLOAD_S)
                except Missing as error:
                    print(f"{error}; {need.instead}.", flush=True)


def _install(needs: Sequence[Need], download_s: float | None = None) -> None:
    """Raises Missing."""
    packages = [package for need in needs for package in need.packages]
    if not packages:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"Missing: {', '.join(packages)} (as root: apt-get install {' '.join(packages)})")
    try:
        apt_install(packages, [service for need in needs for service in need.services], download_s)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise Missing(f"Missing: {', '.join(packages)} ({error})") from error
    if still := [package for need in needs if need.find() is None for package in need.packages]:
        raise Missing(f"Missing, though apt installed it: {', '.join(still)}")


if __name__ == "__main__":
    ensure(sys.argv[1:])
