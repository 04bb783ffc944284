"""What is said where a program is missing and cannot be installed."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from scripts import system

pytestmark = pytest.mark.shapeless


def ensure(*names: str) -> subprocess.CompletedProcess[str]:
    """On a machine that has no programs, and no apt."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.system", *names],
        cwd=settings.BASE_DIR,
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_needed_is_named_and_ends_it() -> None:
    done = ensure("ceph", "redis", "chromium")
    assert done.returncode == 1
    assert done.stderr == "Missing: redis-server, chromium (as root: apt-get install redis-server chromium)\n"


def test_what_has_something_instead_is_named_and_ends_nothing() -> None:
    done = ensure("ceph")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "(as root: apt-get install ceph-mon ceph-osd radosgw ceph-common); S3 is moto's server" in line


def test_packages_that_do_not_come_in_time_are_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(packages: list[str], services: list[str], download_s: float | None = None) -> None:
        assert download_s is not None
        raise subprocess.TimeoutExpired("apt-get", download_s)

    monkeypatch.setattr(system, "apt_install", install)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    system.ensure(["ceph"])
    assert "timed out after 180" in capsys.readouterr().out
