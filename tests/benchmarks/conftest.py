"""The load generator, compiled once."""

import shutil
from pathlib import Path

import pytest

from benchmarks import client
from benchmarks.systems import ROOT


@pytest.fixture(scope="session")
def program() -> Path:
    if shutil.which("gcc") is None and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    return client.build(ROOT / "var" / "benchmarks")
