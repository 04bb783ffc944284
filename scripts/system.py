"""System packages: finds the programs that tests and the cluster need, and installs what is missing with apt.

    python -m scripts.system redis postgresql chromium

Nothing installed here is started or set to start: everything runs its own private servers.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


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
    """A program: how it is found, the Debian package that brings it, and the services that package starts. Nobody but
    root misses what is `for_root`."""

    find: Callable[[], Path | None]
    package: str
    services: tuple[str, ...] = ()
    for_root: bool = False


NEEDS = {
    "redis": Need(redis_server, "redis-server", ("redis-server",)),
    "postgresql": Need(postgresql_bin, "postgresql", ("postgresql",)),
    "chromium": Need(chromium, "chromium"),
    "ip": Need(ip, "iproute2", for_root=True),
    "nginx": Need(nginx, "nginx", ("nginx",)),
    "venv": Need(venv, "python3-venv"),
}


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


def apt_install(packages: list[str], services: list[str]) -> None:
    """Installs Debian packages, quietly; raises CalledProcessError when apt does."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    print(f"Installing with apt: {' '.join(packages)}", flush=True)
    with _no_service_starts():
        subprocess.run([*apt, "update"], env=env, check=True)
        subprocess.run(
            [*apt, "install", "-y", "--no-install-recommends", *packages],
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    if services and shutil.which("systemctl"):  # not at the next boot either
        subprocess.run(["systemctl", "disable", *services], check=False, capture_output=True)


def ensure(names: list[str]) -> None:
    """Has the named programs installed, or ends the process with one line that says what is missing."""
    is_root = os.geteuid() == 0
    needs = [NEEDS[name] for name in names if is_root or not NEEDS[name].for_root]
    missing = [need for need in needs if need.find() is None]
    if not missing:
        return
    packages = [need.package for need in missing]
    if not is_root or shutil.which("apt-get") is None:
        sys.exit(f"Missing: {', '.join(packages)} (as root: apt-get install {' '.join(packages)})")
    apt_install(packages, [service for need in missing for service in need.services])
    if still := [need.package for need in missing if need.find() is None]:
        sys.exit(f"Missing, though apt installed it: {', '.join(still)}")


if __name__ == "__main__":
    ensure(sys.argv[1:])
